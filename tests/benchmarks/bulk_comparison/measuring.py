# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure a command: the CPU time of all its processes, and the memory of the largest one.

This file runs the command as a separate program, all of whose child processes belong to the command. Daemons, which
leave their parents, are counted as well: on Linux, a process can adopt the orphans among its descendants.
"""

from __future__ import annotations

import ctypes
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import time
import typing as t

#: prctl's option to adopt the orphans among the descendants.
PR_SET_CHILD_SUBREAPER = 36
#: Seconds to wait for processes that a command leaves behind.
LEFT_BEHIND = 30.0


class Usage(t.NamedTuple):
    """The result and the cost of a command."""

    status: int
    output: str
    #: From start to end of the command itself.
    seconds: float
    #: User and system time of all processes.
    cpu_seconds: float
    #: Bytes of the largest process.
    peak_memory: int


def measure(command: t.Sequence[str], environment: t.Mapping[str, str], timeout: float = 1800.0) -> Usage:
    """Run a command to its end."""
    with tempfile.TemporaryDirectory() as directory:
        result = pathlib.Path(directory) / "usage.json"
        done = subprocess.run(
            [sys.executable, "-I", "-S", __file__, str(result), *command],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
        if not result.exists():
            raise RuntimeError(f"{command[0]} could not be measured:\n{done.stdout[-2000:]}")
        return Usage(done.returncode, done.stdout, **json.loads(result.read_text()))


def main() -> int:
    result, *command = sys.argv[1:]
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    began = time.monotonic()
    process = os.posix_spawnp(command[0], command, os.environ)
    status, seconds = None, 0.0
    while status is None:
        ended, wait_status = os.wait()
        if ended == process:
            status, seconds = os.waitstatus_to_exitcode(wait_status), time.monotonic() - began
    reap_left_behind()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    usage = {
        "seconds": seconds,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        # In KiB on Linux.
        "peak_memory": used.ru_maxrss * 1024,
    }
    pathlib.Path(result).write_text(json.dumps(usage))
    return status if status >= 0 else 128 - status


def reap_left_behind() -> None:
    def give_up(_number: int, _frame: t.Any) -> t.NoReturn:
        raise TimeoutError(f"the command has left a process behind that runs for more than {LEFT_BEHIND:.0f} s")

    signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, LEFT_BEHIND)
    try:
        while True:
            os.wait()
    except ChildProcessError:
        signal.setitimer(signal.ITIMER_REAL, 0)


if __name__ == "__main__":
    sys.exit(main())
