# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the documentation, pages and reference of all plugins, into docs/_build. A warning fails it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from environments import MAIN, REPOSITORY

BUILD = REPOSITORY / "docs" / "_build"
SOURCE = BUILD / "source"
HTML = BUILD / "html"


def main() -> int:
    shutil.rmtree(BUILD, ignore_errors=True)
    shutil.copytree(REPOSITORY / "docs", SOURCE, ignore=shutil.ignore_patterns("_build"))
    # conf.py looks there for the version.
    shutil.copy(REPOSITORY / "galaxy.yml", BUILD)
    env = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(MAIN.collections), "PATH": f"{MAIN.bin}:{os.environ['PATH']}"}
    reference = [MAIN.bin / "antsibull-docs", "collection", "--use-current", "--squash-hierarchy", "--fail-on-error"]
    reference += ["--dest-dir", SOURCE / "reference", "--cleanup", "everything", "onetoken.openstack"]
    (SOURCE / "reference").mkdir()
    for command in (reference, [MAIN.bin / "sphinx-build", "-W", "--keep-going", "-q", "-b", "html", SOURCE, HTML]):
        done = subprocess.run(command, cwd=REPOSITORY, env=env, check=False)
        if done.returncode:
            return done.returncode
    print(f"The documentation is in {HTML.relative_to(REPOSITORY)}/index.html.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
