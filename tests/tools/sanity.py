# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run ansible-test sanity, without containers and without git, on what the collection's tarball holds."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from environments import COLLECTION, MAIN, REPOSITORY

SCRATCH = MAIN.directory / "sanity"
TREE = SCRATCH / "tree"
HOME = SCRATCH / "home"
# What pip reads and keeps in the user's home.
PIP_FILES = (".config/pip", ".pip", ".netrc", ".cache/pip")
# ansible-test would download this from a host of its own; the pip that Python carries does as well.
GET_PIP = """\
import ensurepip

ensurepip.bootstrap(default_pip=True)
"""
# ansible-test hands no PIP_QUIET on.
PIP_CHATTER = re.compile(
    r"\s+(Downloading|\S*━)|Collecting|Processing|Looking in|Requirement already|Installing (requirements|collected)"
    r"|Successfully installed|Using cached|WARNING: (Location|Using locale|Reviewing)"
)


def unpack_collection() -> Path:
    """Build the collection and unpack it where ansible-test wants it, openstack.cloud beside it."""
    shutil.rmtree(TREE, ignore_errors=True)
    collection = TREE / COLLECTION
    collection.mkdir(parents=True)
    command = [MAIN.bin / "ansible-galaxy", "collection", "build", "--output-path", TREE]
    subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, check=True)
    shutil.unpack_archive(next(TREE.glob("*.tar.gz")), collection)
    neighbour = TREE / "ansible_collections" / "openstack" / "cloud"
    shutil.copytree(MAIN.installed_collections / "openstack" / "cloud", neighbour)
    return collection


def prepare_home() -> None:
    """ansible-test keeps its virtual environments in the home directory: give it one of its own."""
    for name in PIP_FILES:
        own, link = Path.home() / name, HOME / name
        link.parent.mkdir(parents=True, exist_ok=True)
        if own.exists() and not link.is_symlink():
            link.symlink_to(own)
    source = MAIN.installed_collections.parent / "ansible_test" / "_internal" / "python_requirements.py"
    cache = HOME / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for version in re.findall(r"\bpip='([0-9.]+)'", source.read_text(encoding="utf-8")):
        (cache / f"get_pip_{version.replace('.', '_')}.py").write_text(GET_PIP, encoding="utf-8")


def main() -> int:
    collection = unpack_collection()
    prepare_home()
    version = subprocess.run(
        [MAIN.python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
        capture_output=True,
        text=True,
        check=True,
    )
    env = {
        **os.environ,
        "HOME": str(HOME),
        "PATH": f"{MAIN.bin}{os.pathsep}{os.environ['PATH']}",
        # Without it, ansible-test looks for a git checkout further up and tests only what that one tracks.
        "ANSIBLE_TEST_CONTENT_ROOT": str(collection),
    }
    command = [MAIN.bin / "ansible-test", "sanity", "--python", version.stdout.strip(), "--color", "no"]
    with subprocess.Popen(
        command, cwd=collection, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        for line in process.stdout or ():
            if not PIP_CHATTER.match(line):
                print(line, end="", flush=True)
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
