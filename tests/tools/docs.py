# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the documentation into .docs: the pages of docs/, and the reference of all plugins. Warnings are errors."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import typing as t

import yaml
from environments import MAIN, REPOSITORY

#: Not below docs/, where generated files would be taken for pages.
BUILD = REPOSITORY / ".docs"
SOURCE = BUILD / "source"
REFERENCE = SOURCE / "reference"
HTML = BUILD / "html"


def main() -> int:
    # conf.py serves as the lock, so that two builds do not mix.
    with open(REPOSITORY / "docs" / "conf.py", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return build()


def build() -> int:
    shutil.rmtree(BUILD, ignore_errors=True)
    shutil.copytree(REPOSITORY / "docs", SOURCE)
    # conf.py reads the version from there.
    shutil.copy(REPOSITORY / "galaxy.yml", BUILD)
    REFERENCE.mkdir()
    (REFERENCE / "playbooks.md").write_text(playbooks(), encoding="utf-8")
    env = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(MAIN.collections), "PATH": f"{MAIN.bin}:{os.environ['PATH']}"}
    reference = [MAIN.bin / "antsibull-docs", "collection", "--use-current", "--squash-hierarchy", "--fail-on-error"]
    reference += ["--dest-dir", REFERENCE, "onetoken.openstack"]
    for command in (reference, [MAIN.bin / "sphinx-build", "-W", "--keep-going", "-q", "-b", "html", SOURCE, HTML]):
        done = subprocess.run(command, cwd=REPOSITORY, env=env, check=False)
        if done.returncode:
            return done.returncode
    print(f"The documentation is in {HTML.relative_to(REPOSITORY)}/index.html.")
    return 0


def playbooks() -> str:
    """A page with the variables of each playbook, from the argument specs of the role bulk."""
    specs = yaml.safe_load((REPOSITORY / "roles" / "bulk" / "meta" / "argument_specs.yml").read_text("utf-8"))
    parts = [
        "# Playbooks\n",
        "Set a variable with `-e NAME=VALUE`, in a file with `-e @FILE`, or in a survey of AWX.\n",
    ]
    for path in sorted((REPOSITORY / "playbooks").glob("*.yml")):
        (play,) = yaml.safe_load(path.read_text("utf-8"))
        spec = specs["argument_specs"][play["tasks"][0]["ansible.builtin.import_role"]["tasks_from"]]
        parts.append(f"## onetoken.openstack.{path.stem}\n")
        parts += [f"{markdown(line)}\n" for line in spec["description"]]
        parts.append("| Variable | Type | Default | Meaning |\n| --- | --- | --- | --- |")
        parts += [row(name, option) for name, option in spec["options"].items()]
        parts.append("")
    return "\n".join(parts)


def row(name: str, option: dict[str, t.Any]) -> str:
    kind = f"list of {option['elements']}" if "elements" in option else option["type"]
    default = "**required**" if option.get("required") else f"`{option['default']}`" if "default" in option else ""
    described = option["description"] if isinstance(option["description"], list) else [option["description"]]
    meaning = " ".join(map(markdown, described))
    if "choices" in option:
        meaning += f" One of {', '.join(f'`{choice}`' for choice in option['choices'])}."
    return f"| `{name}` | {kind} | {default} | {meaning} |"


def markdown(text: str) -> str:
    """Ansible's markup of documentation as Markdown."""
    return re.sub(r"[COMV]\((?:[\w.]+#module:)?([^)]+)\)", r"`\1`", text)


if __name__ == "__main__":
    sys.exit(main())
