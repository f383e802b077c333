# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command, and report how much of plugins/ its processes of .venv ran.

It fails if the command fails, or if that is less than .coveragerc requires.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
import sysconfig
import typing as t
import warnings
from pathlib import Path

import coverage
import measuring
from coverage.exceptions import CoverageException, CoverageWarning

REPOSITORY = Path(measuring.REPOSITORY)
DATA = Path(measuring.DATA)
PLUGINS = REPOSITORY / "plugins"
SITE = Path(sysconfig.get_path("purelib"))
#: A file that Python runs at the start of every process of .venv, and the module that it imports.
START = SITE / "onetoken_measuring.pth"
MODULE = SITE / "onetoken_measuring.py"


@contextlib.contextmanager
def measured() -> t.Iterator[None]:
    """Have every process of .venv measure itself."""
    stop_measuring()
    shutil.rmtree(DATA, ignore_errors=True)
    DATA.mkdir()
    # Some tests run as another user.
    DATA.chmod(0o1777)
    MODULE.symlink_to(Path(measuring.__file__).resolve())
    START.write_text("import onetoken_measuring; onetoken_measuring.begin_with_the_first_plugin()\n", encoding="utf-8")
    try:
        yield
    finally:
        stop_measuring()


def stop_measuring() -> None:
    START.unlink(missing_ok=True)
    MODULE.unlink(missing_ok=True)


def report() -> float:
    """Print the coverage of each file; the percentage of lines that ran."""
    lines = coverage.Coverage(data_file=str(DATA / "lines"), config_file=str(REPOSITORY / ".coveragerc"))
    with warnings.catch_warnings():
        # Killed processes leave incomplete files.
        warnings.simplefilter("ignore", CoverageWarning)
        lines.combine([str(DATA)])
    # Files that nothing imported count as well.
    lines.get_data().touch_files([str(path) for path in PLUGINS.rglob("*.py")])
    lines.save()
    return lines.report()


def main() -> int:
    # So that measuring ends, even if this process is stopped.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    with measured():
        status = subprocess.run(sys.argv[1:], check=False).returncode
    if status:
        return status
    try:
        ran = report()
    except CoverageException as error:
        print(f"coverage: {error}", file=sys.stderr)
        return 1
    wanted = coverage.Coverage(config_file=str(REPOSITORY / ".coveragerc")).get_option("report:fail_under")
    if ran < float(str(wanted)):
        print(f"coverage: {ran:.1f} % of the lines of plugins/ ran, but {wanted} % are required", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
