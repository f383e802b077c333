# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A call that no signal to its process, its process group or its terminal interrupts.

Between Keystone's answer and the file that it is written to, only one process knows a token. If that process were
killed then, the token would stay valid for a day, and nobody could revoke it.
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

#: Seconds after which a call is ended, unless it is given more; and after which it is when nobody waits any more.
TIMEOUT = 180
ALONE_TIMEOUT = 30
#: Libraries that switch between several tasks in one thread.
_GREEN_THREADS = {"eventlet", "gevent", "greenlet"}

Result = t.TypeVar("Result")


class NoAnswerError(Exception):
    """No copy of the process could be made, or it was killed."""


class DeadlineError(Exception):
    """The call took too long."""


class UnreadableError(Exception):
    """The call raised an error that cannot be pickled; the arguments are the name of its class and its text."""


def is_possible() -> bool:
    """Whether this process has one thread, without green threads.

    A copy of a process with several threads has locks that nobody will ever release; in a copy with green threads, the
    others would continue the user's program.
    """
    # Imported here, as most processes are served from the session and never get here.
    from ..util import process

    return _GREEN_THREADS.isdisjoint(sys.modules) and process.has_one_thread()


def call(work: t.Callable[[], Result], session: str | None = None, more: float = 0) -> Result:
    """Return or raise what the work does, which a copy of this process does in a process session of its own.

    :param session: the directory of the session: the copy keeps the locks on its files, and no others
    :param more: seconds that it may take beyond the timeout of all calls
    """
    timeout = math.ceil(TIMEOUT + more)
    began = time.monotonic()
    try:
        reader, writer = os.pipe()
    except OSError:
        raise NoAnswerError from None
    with os.fdopen(reader, "rb") as stream:
        try:
            _begin(work, reader, writer, timeout, session)
        finally:
            os.close(writer)
        answer = stream.read()
    if not answer:
        raise NoAnswerError if time.monotonic() - began < timeout else DeadlineError
    result, error = pickle.loads(answer)
    if error is not None:
        raise error
    return result


def _begin(work: t.Callable[[], Result], reader: int, writer: int, timeout: int, session: str | None) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        # The copy must not run the program's signal handlers, so it gets no signals.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            child = os.fork()
        except Exception:  # pylint: disable=broad-exception-caught
            raise NoAnswerError from None
        if child == 0:
            _copy(work, reader, writer, timeout, session)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    # The program may ignore the end of children, or wait for all of them.
    with contextlib.suppress(ChildProcessError):
        os.waitpid(child, 0)


def _copy(work: t.Callable[[], Result], reader: int, writer: int, timeout: int, session: str | None) -> t.NoReturn:
    try:
        # Twice, so that the program gets no child that it does not expect.
        if os.fork() == 0:
            os.close(reader)
            _work(work, writer, timeout, session)
    finally:
        # Without the program's own cleaning up and its buffered output.
        os._exit(0)  # pylint: disable=protected-access


def _release_locks(session: str | None) -> None:
    """Close locked files, whose locks last until this copy has closed them, too; other files may be needed."""
    from ..util import process

    nothing = os.open(os.devnull, os.O_RDWR)
    for number in process.open_files():
        with contextlib.suppress(OSError):
            with open(f"/proc/self/fdinfo/{number}", encoding="ascii", errors="replace") as stream:
                is_locked = "\nlock:" in stream.read()
            is_ours = session is not None and os.readlink(f"/proc/self/fd/{number}").startswith(session + os.sep)
            if is_locked and not is_ours and number > 2:
                # The descriptor stays in use, so that what still writes to it does not reach a new connection.
                os.dup2(nothing, number, inheritable=False)
    os.close(nothing)


def _work(work: t.Callable[[], Result], writer: int, timeout: int, session: str | None) -> None:
    os.setsid()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _release_locks(session)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    signal.alarm(timeout)
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
        # What can be pickled cannot always be unpickled.
        pickle.loads(answer)
        return answer
    return pickle.dumps((None, UnreadableError(type(error).__name__, str(error))))


def _end_when_alone(writer: int) -> None:
    """When nobody waits any more, close the output of the process that is gone, and end soon."""
    poller = select.poll()
    poller.register(writer, 0)
    poller.poll()
    signal.alarm(ALONE_TIMEOUT)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
