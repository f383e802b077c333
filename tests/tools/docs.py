# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the documentation into .docs: the pages of docs/, the reference of all plugins, and the changelog.

Warnings, and pages that scroll sideways, are errors.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from environments import COLLECTION, MAIN, REPOSITORY
from widths import scrolling

#: Not below docs/, where generated files would be taken for pages.
BUILD = REPOSITORY / ".docs"
SOURCE = BUILD / "source"
REFERENCE = SOURCE / "reference"
HTML = BUILD / "html"
#: What the changelog is made from: the fragments, and the descriptions of new plugins.
CHANGES = ("changelogs", "plugins", "roles", "playbooks", "meta")


def main() -> int:
    # conf.py serves as the lock, so that two builds do not mix.
    with open(REPOSITORY / "docs" / "conf.py", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            build()
        except subprocess.CalledProcessError as error:
            return error.returncode
        if found := scrolling(HTML):
            print("These pages scroll sideways:", *found, sep="\n", file=sys.stderr)
            return 1
    print(f"The documentation is in {HTML.relative_to(REPOSITORY)}/index.html.")
    return 0


def build() -> None:
    shutil.rmtree(BUILD, ignore_errors=True)
    shutil.copytree(REPOSITORY / "docs", SOURCE)
    # conf.py reads the version from there.
    shutil.copy(REPOSITORY / "galaxy.yml", BUILD)
    REFERENCE.mkdir()
    (REFERENCE / "playbooks.md").write_text(playbooks(), encoding="utf-8")
    options = ["--use-current", "--squash-hierarchy", "--fail-on-error", "--dest-dir", REFERENCE]
    call("antsibull-docs", "collection", *options, "onetoken.openstack")
    changelog(REFERENCE / "changelog.rst")
    call("sphinx-build", "-W", "--keep-going", "-q", "-b", "html", SOURCE, HTML)


def call(program: str, *arguments: str | Path, directory: Path = REPOSITORY) -> None:
    env = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(MAIN.collections), "PATH": f"{MAIN.bin}:{os.environ['PATH']}"}
    subprocess.run([MAIN.bin / program, *arguments], cwd=directory, env=env, check=True)


def changelog(page: Path) -> None:
    """All releases, and what has changed since the last one as the version that galaxy.yml has."""
    version = yaml.safe_load((REPOSITORY / "galaxy.yml").read_text(encoding="utf-8"))["version"]
    # Outside of the checkout: antsibull-changelog writes a release into changelogs/, and skips what git ignores.
    with TemporaryDirectory(prefix="changelog-") as scratch:
        copy = Path(scratch, COLLECTION)
        for name in CHANGES:
            shutil.copytree(REPOSITORY / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(REPOSITORY / "galaxy.yml", copy)
        changes = yaml.safe_load((copy / "changelogs" / "changelog.yaml").read_text(encoding="utf-8"))
        if version not in changes["releases"]:
            call("antsibull-changelog", "release", directory=copy)
        call("antsibull-changelog", "generate", "--output", page, "--output-format", "rst", directory=copy)


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
