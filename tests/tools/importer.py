# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the collection's tarball as Galaxy does on publication; warnings are errors."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from environments import MAIN, build_collection

# ansible-lint runs by itself, on the checkout.
SETTINGS = """\
[galaxy-importer]
RUN_ANSIBLE_DOC = True
RUN_ANSIBLE_LINT = False
RUN_ANSIBLE_TEST = False
CHECK_REQUIRED_TAGS = True
CHECK_CHANGELOG = True
"""
#: After this, the collection's content follows as JSON.
FINISHED = "Importer processing completed successfully"


def main() -> int:
    with TemporaryDirectory() as scratch:
        return check(build_collection(Path(scratch)))


def check(tarball: Path) -> int:
    """The exit code."""
    settings = tarball.with_name("importer.cfg")
    settings.write_text(SETTINGS, encoding="utf-8")
    env = {**os.environ, "GALAXY_IMPORTER_CONFIG": str(settings), "PATH": f"{MAIN.bin}:{os.environ['PATH']}"}
    done = subprocess.run(
        [MAIN.python, "-m", "galaxy_importer.main", tarball],
        cwd=tarball.parent,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    lines, _finished, _content = done.stdout.partition(FINISHED)
    shown = [line for line in lines.splitlines() if not line.startswith("Loading ")]
    troubles = [line for line in shown if "ERROR" in line or "WARNING" in line]
    print("\n".join(shown))
    if done.returncode or troubles or FINISHED not in done.stdout:
        print(f"{tarball.name}: galaxy-importer reports errors or warnings", file=sys.stderr)
        return 1
    print(f"{tarball.name}: {FINISHED}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
