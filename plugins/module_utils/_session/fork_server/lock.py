# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lock that processes take for a moment: to start a server, or to compile what all of them need."""

from __future__ import annotations

import contextlib
import fcntl
import os
import typing as t

from ..util.waiting import Waiter

#: Seconds for which a process waits for another that was stopped in that moment.
TIMEOUT = 5
_POLL = 0.005


class LockedError(Exception):
    """Another process still had the lock when the time was up."""


@contextlib.contextmanager
def locked(folder: int, name: str) -> t.Iterator[int]:
    """A handle on the file, which this process alone has meanwhile."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(name, flags, 0o600, dir_fd=folder)
    waiter = Waiter(TIMEOUT)
    try:
        while not _try(file):
            if not waiter.pause(_POLL):
                raise LockedError
        yield file
    finally:
        os.close(file)


def _try(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
