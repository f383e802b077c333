# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which processes work on a session: each holds a lock from its first sign-in to its end."""

from __future__ import annotations

import contextlib
import os
import typing as t

from ..util import file_lock
from ..util.errors import SessionError
from ..util.waiting import Waiter
from . import directory
from .session import FINISHING, IN_USE, Session

_POLL = 0.2
#: The locks of this process, by session; the system releases them when it ends.
_held: dict[str, int] = {}
#: The process of the run itself, which waits at its end for all that hold the session.
run_process: int | None = None


def begin_run() -> None:
    """From here on, this process holds no sessions: it ends the run, and would wait for itself."""
    global run_process
    run_process = os.getpid()


def hold(session: Session) -> None:
    """Make the revoke of the session wait for this process."""
    if session.path not in _held and os.getpid() != run_process:
        file = _opened(session, IN_USE)
        file_lock.lock(file, file_lock.SHARED)
        _held[session.path] = file


@contextlib.contextmanager
def finishing(session: Session | None) -> t.Iterator[None]:
    """Have even an interrupted run wait meanwhile: services use the token to finish what they were asked for."""
    with contextlib.ExitStack() as stack:
        if session is not None:
            # If there is no lock, the work continues without.
            with contextlib.suppress(SessionError, OSError):
                file = _opened(session, FINISHING)
                stack.callback(file_lock.unlock_and_close, file)
                file_lock.lock(file, file_lock.SHARED)
        yield


def wait_until_finished(session: Session, waiter: Waiter) -> bool:
    """Wait for every process that is finishing its work; False if one still was when the time was up."""
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
        return file_lock.wait_for_lock(file, waiter, _POLL)
    finally:
        file_lock.unlock_and_close(file)


def is_idle(session: Session) -> bool:
    return wait_until_idle(session, Waiter(0))


def _opened(session: Session, name: str, flags: int = 0) -> int:
    with session.opened() as handle:
        try:
            return directory.open_file(handle, name, flags)
        except OSError as exc:
            raise SessionError(
                f"The file {name} of the session {session.path} cannot be opened ({exc.strerror}): make its directory "
                "writable for this user."
            ) from None
