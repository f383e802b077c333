# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests with several processes share: runs as owners, and how to wait for and end processes."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import subprocess
import typing as t

from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.owners import Owner
from ansible_collections.onetoken.openstack.tests.helpers.waiting import wait_for

#: Python code that does nothing until its standard input is closed.
IDLE = "import sys; print('ready', flush=True); sys.stdin.read()"


def ended_run() -> Owner:
    """A run of this machine that has ended: its process id is another process's by now."""
    here = Owner.of_process(os.getpid())
    assert here is not None
    return dataclasses.replace(here, pid=1, started="an earlier start")


def run_elsewhere() -> Owner:
    """A run of another machine, with the same home and without shared locks."""
    return Owner(os.getpid(), "12345", "the boot of another machine", "pid:[4026531836]", "another machine")


def wait_until(condition: t.Callable[[], t.Any], give_up_after: float = 30) -> None:
    """Poll for something that happens in another process."""
    wait_for(condition, give_up_after, "waited in vain", pause=0.02)


def ended(process: int) -> bool:
    """Whether there is no process with this id any more, or only a zombie."""
    return Owner.of_process(process) is None


def state(process: int) -> str:
    """The system's letter for what a process does: R if it runs, S if it sleeps, T if it is stopped."""
    return pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0]


def copies_of_handles(path: str) -> list[int]:
    """Copies of all handles of this process on files below a directory, as a fork leaves them to its child."""
    return [
        os.dup(int(handle))
        for handle in os.listdir("/proc/self/fd")
        if os.path.realpath(f"/proc/self/fd/{handle}").startswith(f"{path}/")
    ]


def let_end(process: subprocess.Popen[str]) -> None:
    """Close the standard input of a process that waits for that, and wait for its end."""
    assert process.stdin is not None
    process.stdin.close()
    process.wait(30)


def kill(process: subprocess.Popen[t.Any]) -> None:
    """Kill a process, and wait for its end."""
    process.kill()
    process.wait(30)


def close_pipes(process: subprocess.Popen[t.Any]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def clear_away(process: subprocess.Popen[t.Any]) -> None:
    """End a process that a test started."""
    kill(process)
    close_pipes(process)
