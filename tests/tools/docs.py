# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the documentation into .docs: the pages of docs/, and the reference of all plugins. Warnings are errors."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys

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
    """A page with the variables of each playbook, as described at its top."""
    parts = ["# Playbooks\n", "What is in brackets is the default of a variable that may be left out.\n"]
    for path in sorted((REPOSITORY / "playbooks").glob("*.yml")):
        variables = path.read_text(encoding="utf-8").partition("    bulk_variables:\n")[2]
        lines = variables.splitlines()
        end = next(number for number, line in enumerate(lines) if line and not line.startswith(" " * 6))
        shown = "\n".join(line.strip() for line in lines[:end])
        parts.append(f"## onetoken.openstack.{path.stem}\n\n```yaml\n{shown}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    sys.exit(main())
