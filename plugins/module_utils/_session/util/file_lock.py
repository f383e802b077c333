# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks on open files; the system releases those of a process that ends."""

from __future__ import annotations

import fcntl
import os

from .waiting import Waiter

EXCLUSIVE, SHARED = fcntl.LOCK_EX, fcntl.LOCK_SH


def lock(file: int, kind: int = EXCLUSIVE) -> None:
    """Lock an open file, however long another process has the lock."""
    fcntl.flock(file, kind)


def try_lock(file: int, kind: int = EXCLUSIVE) -> bool:
    """Lock an open file; False when another process has the lock."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wait_for_lock(file: int, waiter: Waiter, poll: float) -> bool:
    """Lock an open file; False when another process still has the lock when the time is up."""
    while not try_lock(file):
        if not waiter.pause(poll):
            return False
    return True


def unlock(file: int) -> None:
    fcntl.flock(file, fcntl.LOCK_UN)


def unlock_and_close(file: int) -> None:
    """Closing a file alone leaves its lock to the copies that a fork in another thread made."""
    try:
        unlock(file)
    finally:
        os.close(file)
