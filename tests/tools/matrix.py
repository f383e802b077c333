# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run noxfile.py with every Python of this machine on PATH, and report what was skipped: matrix.py [NOX...]."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

from environments import MAIN, REPOSITORY, NoPythonError, find_python, say

PYTHONS = ((3, 10), (3, 11), (3, 12), (3, 13), (3, 14))
SKIPPED = re.compile(r"^nox > Session (.*) skipped: (.*)", re.MULTILINE)


def main(arguments: t.Sequence[str]) -> int:
    folders = []
    for version in PYTHONS:
        try:
            folders.append(str(Path(find_python([version]).program).parent))
        except NoPythonError as error:
            say(str(error))
    path = os.pathsep.join([*(folder for folder in folders if folder != "."), os.environ["PATH"]])
    command = [MAIN.python, "-m", "nox", *arguments]
    skipped = []
    with subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env={**os.environ, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as nox:
        for line in nox.stdout or ():
            print(line, end="", flush=True)
            skipped += SKIPPED.findall(line)
    for session, why in skipped:
        say(f"SKIPPED {session}: {why}")
    return nox.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
