# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who works on a session: each process holds a lock from its first sign-in to its end, and is counted."""

from __future__ import annotations

import contextlib
import fcntl
import os
import typing as t

from . import directory
from .errors import SessionError
from .pacing import Waiter
from .store import AUTHENTICATIONS, FINISHING, IN_USE, Session

_POLL = 0.2
#: The locks of this process, by session; the system takes them away when it ends.
_held: dict[str, int] = {}


def hold(session: Session) -> None:
    """Let who revokes the session wait for this process."""
    if session.path not in _held:
        file = _opened(session, IN_USE)
        fcntl.flock(file, fcntl.LOCK_SH)
        _held[session.path] = file


@contextlib.contextmanager
def finishing(session: Session | None) -> t.Iterator[None]:
    """Meanwhile, let even who ends a run that was interrupted wait: services still use the token by themselves."""
    if session is None:
        yield
        return
    file = _opened(session, FINISHING)
    try:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield
    finally:
        os.close(file)


def wait_until_finished(session: Session, waiter: Waiter) -> bool:
    """Wait for every process that sees something through; False if one still did when the time was up."""
    return _wait_until_unlocked(session, FINISHING, waiter)


def is_finished(session: Session) -> bool:
    return wait_until_finished(session, Waiter(0))


def wait_until_idle(session: Session, waiter: Waiter) -> bool:
    """Wait for every process that works on the session; False if one still did when the time was up."""
    return _wait_until_unlocked(session, IN_USE, waiter)


def _wait_until_unlocked(session: Session, name: str, waiter: Waiter) -> bool:
    if not session.exists:
        return True
    file = _opened(session, name)
    try:
        while not _is_unlocked(file):
            if not waiter.pause(_POLL):
                return False
        return True
    finally:
        os.close(file)


def _is_unlocked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_idle(session: Session) -> bool:
    return wait_until_idle(session, Waiter(0))


def count_authentication(session: Session) -> None:
    """One more sign-in that cost Keystone nothing: a byte, as that needs no lock."""
    file = _opened(session, AUTHENTICATIONS, os.O_APPEND)
    try:
        os.write(file, b".")
    finally:
        os.close(file)


def authentications(session: Session) -> int:
    with session.opened() as handle:
        try:
            return os.stat(AUTHENTICATIONS, dir_fd=handle).st_size
        except FileNotFoundError:
            return 0


def _opened(session: Session, name: str, flags: int = 0) -> int:
    with session.opened() as handle:
        try:
            return directory.open_file(handle, name, flags)
        except OSError as exc:
            raise SessionError(
                f"The file {name} of the session {session.path} cannot be opened ({exc.strerror}): make its directory "
                "writable for this user."
            ) from None
