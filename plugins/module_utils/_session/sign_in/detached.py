# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A call that no signal to its process, its group or its terminal cuts in half.

Between Keystone's answer and the file that it is written to, a token is known to one process alone. If that one were
killed then, the token would live on for a day without anybody who could revoke it.
"""

from __future__ import annotations

import contextlib
import math
import os
import pickle
import resource
import select
import signal
import sys
import threading
import time
import typing as t

#: Seconds after which a call is ended, if it is given no longer; and one that nobody waits for any more.
DEADLINE = 180
_ALONE = 30
#: What lets several take turns in one thread, each while another one waits.
_TAKING_TURNS = {"eventlet", "gevent", "greenlet"}

Result = t.TypeVar("Result")


class NoAnswerError(Exception):
    """No copy was to be had, or it was killed."""


class DeadlineError(Exception):
    """The call took too long."""


class UnreadableError(Exception):
    """What the call raised is none that can be handed on: its arguments are the name of that class, and the text."""


def is_possible() -> bool:
    """Whether this process has one thread: of others, a copy has locks that nobody will ever release.

    Nor may several take turns in that one thread: in the copy, the others would go on with the user's program.
    """
    # Here, as most processes are served from the session and never get here.
    from ..util import process

    return _TAKING_TURNS.isdisjoint(sys.modules) and process.has_one_thread()


def call(work: t.Callable[[], Result], session: str | None = None, more: float = 0) -> Result:
    """What the work returns or raises, made by a copy of this process in a session of its own.

    :param session: the directory of the session, of whose locked files the copy keeps its handles, and of no others
    :param more: seconds that it may take beyond the deadline of all calls
    """
    deadline = math.ceil(DEADLINE + more)
    began = time.monotonic()
    try:
        reader, writer = os.pipe()
    except OSError:
        raise NoAnswerError from None
    with os.fdopen(reader, "rb") as stream:
        try:
            _begin(work, reader, writer, deadline, session)
        finally:
            os.close(writer)
        answer = stream.read()
    if not answer:
        raise NoAnswerError if time.monotonic() - began < deadline else DeadlineError
    result, error = pickle.loads(answer)
    if error is not None:
        raise error
    return result


def _begin(work: t.Callable[[], Result], reader: int, writer: int, deadline: int, session: str | None) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        # Of a signal, a copy would do what the user's program does: it gets none.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            child = os.fork()
        except Exception:  # pylint: disable=broad-exception-caught
            raise NoAnswerError from None
        if child == 0:
            _copy(work, reader, writer, deadline, session)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    # Hosts may ignore the end of children, or take it for theirs.
    with contextlib.suppress(ChildProcessError):
        os.waitpid(child, 0)


def _copy(work: t.Callable[[], Result], reader: int, writer: int, deadline: int, session: str | None) -> t.NoReturn:
    try:
        # Twice, so that the process gets no child that it does not expect.
        if os.fork() == 0:
            os.close(reader)
            _work(work, writer, deadline, session)
    finally:
        # Nothing of the process that this is a copy of is to be run here: no cleaning up, no buffered output.
        os._exit(0)  # pylint: disable=protected-access


def _let_go_of_locks(session: str | None) -> None:
    """A lock of the process lasts until this copy has closed the file, too; any other file may be needed."""
    from ..util import process

    nothing = os.open(os.devnull, os.O_RDWR)
    for number in process.open_files():
        with contextlib.suppress(OSError):
            with open(f"/proc/self/fdinfo/{number}", encoding="ascii", errors="replace") as stream:
                is_locked = "\nlock:" in stream.read()
            is_ours = session is not None and os.readlink(f"/proc/self/fd/{number}").startswith(session + os.sep)
            if is_locked and not is_ours and number > 2:
                # The number stays taken: what still writes to it must not reach a connection.
                os.dup2(nothing, number, inheritable=False)
    os.close(nothing)


def _work(work: t.Callable[[], Result], writer: int, deadline: int, session: str | None) -> None:
    os.setsid()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _let_go_of_locks(session)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    signal.alarm(deadline)
    threading.Thread(target=_end_when_alone, args=(writer,), daemon=True).start()
    try:
        answer = pickle.dumps((work(), None))
    except BaseException as exc:  # pylint: disable=broad-exception-caught
        answer = _pickled(exc)
    with os.fdopen(writer, "wb") as stream:
        stream.write(answer)


def _pickled(error: BaseException) -> bytes:
    with contextlib.suppress(Exception):
        answer = pickle.dumps((None, error))
        # What can be written cannot always be read.
        pickle.loads(answer)
        return answer
    return pickle.dumps((None, UnreadableError(type(error).__name__, str(error))))


def _end_when_alone(writer: int) -> None:
    """When nobody waits any more, let go of the output of the process that is gone, and be brief."""
    poller = select.poll()
    poller.register(writer, 0)
    poller.poll()
    signal.alarm(_ALONE)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
