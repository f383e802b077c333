# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command, and report how much of plugins/ all its processes of .venv ran.

Fails if the command fails, or if that is less than .coveragerc asks for.
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
#: What Python runs at the start of every process of .venv, and the module that this imports.
START = SITE / "onetoken_measuring.pth"
MODULE = SITE / "onetoken_measuring.py"


@contextlib.contextmanager
def measured() -> t.Iterator[None]:
    """Meanwhile, every process of .venv measures itself."""
    stop_measuring()
    shutil.rmtree(DATA, ignore_errors=True)
    DATA.mkdir()
    # Some tests work as another user.
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
    """Print it by file; the lines that ran, in percent."""
    lines = coverage.Coverage(data_file=str(DATA / "lines"), config_file=str(REPOSITORY / ".coveragerc"))
    with warnings.catch_warnings():
        # Processes that were killed leave files that are not whole.
        warnings.simplefilter("ignore", CoverageWarning)
        lines.combine([str(DATA)])
    # What nothing ever imported counts as well.
    lines.get_data().touch_files([str(path) for path in PLUGINS.rglob("*.py")])
    lines.save()
    return lines.report()


def main() -> int:
    # So that a stop from outside, too, leaves nothing that measures.
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
        print(f"coverage: {ran:.1f} % of the lines of plugins/ ran, and {wanted} % are asked for", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
