# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that has imported openstacksdk, and forks for each program that is to run.

It reads no requests and does not sign in: its forks do. After the end of its run it accepts no programs, and it ends
with the last of its forks.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import gc
import os
import select
import signal
import socket
import sys
import tempfile
import time
import typing as t

from ..store import owners
from ..store.session import Session
from ..util import process
from ..util.errors import OneTokenError
from . import attributes, fork, imports, library, programs, protocol

#: Seconds between two checks whether the run is over.
_CHECK_INTERVAL = 1.0
#: The most bytes that are kept of what imports print.
_MAX_PRINTED = 1 << 20


def main(session: str, name: str, listener: int, program: str) -> None:
    directory = os.getcwd()
    # Before the imports: a client that waits too long for them makes room for another server.
    place = _Place(session, name)
    # Imports leave little garbage, and collecting it takes a third of their time.
    gc.disable()
    # Each fork prints it, as without the server.
    printed = _stderr_of(functools.partial(imports.at_once, program))
    own_attributes = attributes.of_process(dict(os.environ), directory, attributes.status())
    if attributes.name(own_attributes, attributes.of_interpreter(sys.executable), program) != name:
        return
    # The working directory of a process cannot be unmounted.
    os.chdir("/")
    surroundings = fork.Surroundings(session, program, printed, imports.state_of_packages())
    Server(Session(session), place, socket.socket(fileno=listener), surroundings).serve()


def _stderr_of(work: t.Callable[[], object]) -> bytes:
    """What the work prints to standard error."""
    before = os.dup(2)
    with tempfile.TemporaryFile(buffering=0) as file:
        os.dup2(file.fileno(), 2)
        try:
            work()
        finally:
            sys.stderr.flush()
            os.dup2(before, 2)
            os.close(before)
        return os.pread(file.fileno(), _MAX_PRINTED, 0)


def _import_quietly(work: t.Callable[[], object]) -> bool:
    """Import what forks may need; False if that prints something or fails, and each fork has to import it."""
    known = set(sys.modules)
    with contextlib.suppress(Exception):
        if not _stderr_of(work):
            return True
    for name in set(sys.modules) - known:
        del sys.modules[name]
    return False


def _status_of(status: int) -> int:
    """An exit status as the system has it; the negative number of a signal."""
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


class _Place:
    """Where clients find a server: the path of its socket, unless a client that waited in vain has removed that."""

    def __init__(self, session: str, server: str) -> None:
        self._session = session
        self._server = server
        self._identity = self._present()

    def _present(self) -> tuple[int, int] | None:
        with protocol.Folder(self._session) as folder:
            return protocol.identity(folder.handle, self._server)

    @property
    def is_lost(self) -> bool:
        present = self._present()
        return present is None or present != self._identity


class Server:
    def __init__(
        self, session: Session, place: _Place, listener: socket.socket, surroundings: fork.Surroundings
    ) -> None:
        self._session = session
        self._place = place
        self._listener = listener
        self._surroundings = surroundings
        #: The forks that run, by the connection to their client.
        self._forks: dict[int, tuple[socket.socket, int]] = {}
        self._poller = select.poll()
        self._more = imports.when_idle(surroundings.program)
        self._has_more = True
        #: Whether Ansible's library is still to be found. The superuser runs as little as possible of what another user
        #: can change.
        self._needs_library = surroundings.program == programs.MODULES and session.is_own
        #: The library that was found, which is imported next.
        self._found_library: library.Library | None = None
        #: When to check next whether the run is over.
        self._next_check = 0.0

    def serve(self) -> None:
        self._listener.setblocking(False)
        self._poller.register(self._listener, select.POLLIN)
        wakeup, ends = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(ends, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        self._poller.register(wakeup, select.POLLIN)
        while True:
            self._poll(wakeup)
            if self._is_time_to_check() and (self._is_over() or self._surroundings.is_outdated):
                # From here on, nobody connects to it.
                self._stop_listening()
                if not self._forks:
                    return

    def _poll(self, wakeup: int) -> None:
        """Wait for clients and forks, and import one more thing if none is waiting."""
        found = self._poller.poll(0 if self._has_more else _CHECK_INTERVAL * 1000)
        if self._has_more and not found:
            self._import_more()
        for number, _events in found:
            if self._listener.fileno() == number:
                self._accept()
            elif number == wakeup:
                with contextlib.suppress(BlockingIOError):
                    os.read(wakeup, 1 << 12)
                self._reap()
            elif number in self._forks:
                self._end(number)

    def _import_more(self) -> None:
        work = None
        with contextlib.suppress(Exception):
            work = next(self._more, None)
        self._has_more = work is not None
        if work is not None and _import_quietly(work) and self._found_library is not None:
            self._surroundings = dataclasses.replace(self._surroundings, library=self._found_library)

    def _find_library(self) -> None:
        """Find the library that a fork has left compiled, to import it as soon as no client waits."""
        found = None
        with contextlib.suppress(OneTokenError, OSError, ValueError), protocol.Folder(self._session.path) as folder:
            found = library.find(folder.handle, folder.path)
        if found is not None:
            self._needs_library, self._found_library = False, found
            self._more, self._has_more = iter([functools.partial(library.import_from, found.path)]), True

    def _is_time_to_check(self) -> bool:
        """Once in a while; and, when nothing is accepted any more, after each event, to end with the last fork."""
        now = time.monotonic()
        if self._listener.fileno() != -1 and now < self._next_check:
            return False
        self._next_check = now + _CHECK_INTERVAL
        return True

    def _is_over(self) -> bool:
        with contextlib.suppress(OneTokenError, OSError):
            if self._place.is_lost or not self._session.exists or self._session.closed:
                return True
            return not owners.living(self._session)
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
        # A fork of a process with several threads has locks that nobody will ever release.
        if protocol.peer(connection) != os.geteuid() or not process.has_one_thread():
            connection.close()
            return
        connection.setblocking(True)
        # Present objects live on in all forks: the collector need not touch them there, which would copy their memory.
        gc.freeze()
        try:
            pid = os.fork()
        except OSError:
            connection.close()
            return
        if pid == 0:
            fork.run(connection, self._surroundings)
        self._forks[connection.fileno()] = (connection, pid)
        # When a client is gone, its end is closed.
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
                    # A program that ended by os._exit, or in another program, has not sent it.
                    with contextlib.suppress(OSError):
                        protocol.send_status(connection, _status_of(status))
                    self._forget(number)
            if self._needs_library:
                self._find_library()

    def _end(self, number: int) -> None:
        """Kill the fork whose client is gone, unless the program has ended."""
        connection, pid = self._forks[number]
        has_ended = False
        with contextlib.suppress(OSError):
            has_ended = connection.recv(1, socket.MSG_DONTWAIT) == protocol.ENDED
        self._forget(number)
        if has_ended:
            # What it started stays, as with any process.
            return
        try:
            os.killpg(pid, signal.SIGKILL)
        except OSError:
            # It may not have its own group yet.
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)

    def _forget(self, number: int) -> None:
        connection, _pid = self._forks.pop(number)
        self._poller.unregister(number)
        connection.close()
