# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that waits with openstacksdk imported, and forks for each program that is to be run.

It reads no request and signs in nowhere: its forks do. It takes nothing after the end of its run, and leaves with the
last of its forks.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import socket
import sys
import typing as t

from ..store import owners
from ..store.session import Session
from ..util.errors import OneTokenError
from . import attributes, fork, programs, protocol

#: Seconds between two looks whether the run goes on.
_LOOK = 1.0


def main(session: str, name: str, listener: int, program: str) -> None:
    directory = os.getcwd()
    said = _prepare(program)
    own = attributes.name(
        attributes.of_process(dict(os.environ), directory), attributes.of_interpreter(sys.executable), program
    )
    # Of a process with several threads, a fork has locks that nobody will ever release.
    if own != name or len(os.listdir("/proc/self/task")) != 1:
        return
    # Nothing can be unmounted under the directory of a process.
    os.chdir("/")
    Server(Session(session), socket.socket(fileno=listener), fork.Surroundings(session, program, said)).serve()


def _prepare(program: str) -> bytes:
    """Import what forks need; what that prints, each of them would have printed."""
    # Imports leave little garbage, and looking for it takes a tenth of their time.
    gc.disable()
    with _standard_error() as read:
        programs.prepare(program)
        sys.stderr.flush()
        said = read()
    # What is here now stays in all forks: it need not be copied there to be looked through.
    gc.freeze()
    gc.enable()
    return said


@contextlib.contextmanager
def _standard_error() -> t.Iterator[t.Callable[[], bytes]]:
    file = os.memfd_create("stderr") if hasattr(os, "memfd_create") else None
    before = os.dup(2)
    if file is not None:
        os.dup2(file, 2)
    try:
        yield lambda: os.pread(file, 1 << 20, 0) if file is not None else b""
    finally:
        os.dup2(before, 2)
        os.close(before)
        if file is not None:
            os.close(file)


class Server:
    def __init__(self, session: Session, listener: socket.socket, surroundings: fork.Surroundings) -> None:
        self._session = session
        self._listener = listener
        self._surroundings = surroundings
        #: The forks that run, by the connection to their client.
        self._forks: dict[int, tuple[socket.socket, int]] = {}
        self._poller = select.poll()

    def serve(self) -> None:
        self._listener.setblocking(False)
        self._poller.register(self._listener, select.POLLIN)
        wakeup, ends = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(ends, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        self._poller.register(wakeup, select.POLLIN)
        while True:
            self._poll(wakeup)
            if self._is_over():
                self._stop_listening()
                if not self._forks:
                    return

    def _poll(self, wakeup: int) -> None:
        for number, _events in self._poller.poll(_LOOK * 1000):
            if self._listener.fileno() == number:
                self._accept()
            elif number == wakeup:
                with contextlib.suppress(BlockingIOError):
                    os.read(wakeup, 1 << 12)
                self._reap()
            elif number in self._forks:
                self._end(number)

    def _is_over(self) -> bool:
        with contextlib.suppress(OneTokenError, OSError):
            return not self._session.exists or self._session.closed or not owners.living(self._session)
        return True

    def _stop_listening(self) -> None:
        if self._listener.fileno() != -1:
            self._poller.unregister(self._listener)
            self._listener.close()

    def _accept(self) -> None:
        try:
            connection, _address = self._listener.accept()
        except OSError:
            return
        if protocol.peer(connection) != os.geteuid():
            connection.close()
            return
        connection.setblocking(True)
        try:
            pid = os.fork()
        except OSError:
            connection.close()
            return
        if pid == 0:
            fork.run(connection, self._surroundings)
        self._forks[connection.fileno()] = (connection, pid)
        # A client that goes away closes its end, and never writes more than its fork reads.
        self._poller.register(connection, select.POLLHUP)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for number, (connection, fork_pid) in list(self._forks.items()):
                if fork_pid == pid:
                    # A fork has sent its own status, unless its program left Python behind; a client reads the first.
                    with contextlib.suppress(OSError):
                        protocol.send_status(
                            connection, -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
                        )
                    self._forget(number)

    def _end(self, number: int) -> None:
        """End the fork whose client is gone; it may be gone itself."""
        _connection, pid = self._forks[number]
        self._forget(number)
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)

    def _forget(self, number: int) -> None:
        connection, _pid = self._forks.pop(number)
        self._poller.unregister(number)
        connection.close()
