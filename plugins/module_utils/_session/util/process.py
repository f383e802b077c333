# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Linux reports about processes in /proc."""

from __future__ import annotations

import os
import typing as t


class Stat(t.NamedTuple):
    """What is needed of /proc/PID/stat."""

    process_group: str
    #: The process group in the foreground of its terminal.
    foreground_group: str
    #: When it started, in ticks since the machine's start.
    started: str


def stat(pid: int) -> Stat | None:
    """The process with this id; None if there is none, or only a zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stream:
            # The name in parentheses may hold anything, spaces and parentheses too.
            fields = stream.read().rpartition(")")[2].split()
    except OSError:
        return None
    state, process_group, foreground_group, started = fields[0], fields[2], fields[5], fields[19]
    return None if state in "ZX" else Stat(process_group, foreground_group, started)


def open_files() -> list[int]:
    """The file descriptors of this process; one of them, by which they were listed, is closed by now."""
    return [int(name) for name in os.listdir("/proc/self/fd")]


def has_one_thread() -> bool:
    """Whether this process has one thread; False where the system does not say."""
    try:
        return len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return False
