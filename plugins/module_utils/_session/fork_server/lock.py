# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lock that processes hold for a moment: to start a server, or to compile an archive."""

from __future__ import annotations

import contextlib
import os
import typing as t

from ..store import directory
from ..util import file_lock
from ..util.errors import OneTokenError
from ..util.waiting import Waiter

#: Seconds for which a process waits for the lock of another, which may have been stopped.
TIMEOUT = 5
_POLL = 0.005


class LockedError(OneTokenError):
    """Another process still had the lock when the time was up."""


@contextlib.contextmanager
def locked(folder: int, name: str) -> t.Iterator[int]:
    """A handle on the file, which only this process has locked."""
    file = directory.open_file(folder, name, os.O_APPEND)
    try:
        if not file_lock.wait_for_lock(file, Waiter(TIMEOUT), _POLL):
            raise LockedError
        yield file
    finally:
        file_lock.unlock_and_close(file)
