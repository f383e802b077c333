# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A call that no signal to its process, its group or its terminal cuts in half.

Between Keystone's answer and the file that it is written to, a token is known to one process alone. If that one were
killed then, the token would live on for a day without anybody who could revoke it.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import resource
import select
import signal
import threading
import typing as t

#: Seconds after which a call is ended that nobody has an answer of yet, and one whose process is gone.
DEADLINE = 180
_ALONE = 30

Result = t.TypeVar("Result")


class NoAnswerError(Exception):
    """The process that made the call was killed, or what it raised cannot be handed on."""


def is_possible() -> bool:
    """Whether this process has one thread: of others, a copy has locks that nobody will ever release."""
    try:
        return len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return False


def call(work: t.Callable[[], Result], session: str | None = None) -> Result:
    """What the work returns or raises, made by a copy of this process in a session of its own.

    Of the files that this process has locked, the copy keeps those in the directory of the session.
    """
    try:
        reader, writer = os.pipe()
        child = os.fork()
    except OSError:
        raise NoAnswerError from None
    if child == 0:
        # Twice, so that this process gets no child that it does not expect.
        if os.fork() == 0:
            os.close(reader)
            _work(work, writer, session)
        os._exit(0)  # pylint: disable=protected-access
    os.close(writer)
    # Hosts may ignore the end of children, or take it for theirs.
    with contextlib.suppress(ChildProcessError):
        os.waitpid(child, 0)
    with os.fdopen(reader, "rb") as stream:
        answer = stream.read()
    if not answer:
        raise NoAnswerError
    result, error = pickle.loads(answer)
    if error is not None:
        raise error
    return result


def _work(work: t.Callable[[], Result], writer: int, session: str | None) -> t.NoReturn:
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _let_go_of_locks(session)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
        signal.alarm(DEADLINE)
        threading.Thread(target=_end_when_alone, args=(writer,), daemon=True).start()
        try:
            answer = pickle.dumps((work(), None))
        except BaseException as exc:  # pylint: disable=broad-exception-caught
            answer = pickle.dumps((None, exc))
            # What can be written cannot always be read.
            pickle.loads(answer)
        with os.fdopen(writer, "wb") as stream:
            stream.write(answer)
    finally:
        # Nothing of the process that this is a copy of is to be run here: no cleaning up, no buffered output.
        os._exit(0)  # pylint: disable=protected-access


def _let_go_of_locks(session: str | None) -> None:
    """A lock of the process lasts until this copy has closed the file, too; any other file may be needed."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            with open(f"/proc/self/fdinfo/{name}", encoding="ascii", errors="replace") as stream:
                is_locked = "\nlock:" in stream.read()
            is_ours = session is not None and os.readlink(f"/proc/self/fd/{name}").startswith(session + os.sep)
            if is_locked and not is_ours and int(name) > 2:
                # The number stays taken: what still writes to it must not reach a connection.
                os.dup2(nothing, int(name), inheritable=False)
    os.close(nothing)


def _end_when_alone(writer: int) -> None:
    """When nobody waits any more, let go of the output of the process that is gone, and be brief."""
    poller = select.poll()
    poller.register(writer, 0)
    poller.poll()
    signal.alarm(_ALONE)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
