# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a server to run a program in one of its forks.

If anything goes wrong before the program begins, it runs as without a server.
"""

from __future__ import annotations

import os
import signal
from _socket import timeout

from . import attributes, protocol
from .call import DeclinedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Importing this takes longer than everything else here.
    from _socket import socket

    from .call import Call

#: Seconds for which a client waits for a server; under load, starting without one takes as long.
READY_TIMEOUT = 20


class Running:
    """A fork that is ready to run a program, or runs it."""

    def __init__(self, connection: socket, pid: int) -> None:
        self._connection = connection
        self._pid = pid
        # Its id may be reused once it has ended.
        self._handle = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None

    def begin(self) -> None:
        """Start the program. Until then, the fork does nothing, and ends with this process.

        :raises DeclinedError: it does not run
        """
        try:
            self._connection.settimeout(None)
            self._connection.sendall(protocol.GO)
        except OSError:
            self.close()
            raise DeclinedError("the server ended before the program began") from None

    def wait(self) -> int | None:
        """Its exit status, or the negative number of a signal; None if it was killed with its server."""
        try:
            status = protocol.receive_status(self._connection)
        except (OSError, protocol.EndedError):
            return None
        # contextlib takes longer to import than this file.
        try:  # noqa: SIM105
            self._connection.sendall(protocol.ENDED)
        except OSError:
            pass
        return status

    def send_signal(self, number: int) -> None:
        try:
            if self._handle is None:
                os.kill(self._pid, number)
            else:
                signal.pidfd_send_signal(self._handle, number)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            pass

    def close(self) -> None:
        """Close the connection, which ends a program that is still running, and all that it started."""
        self._connection.close()
        if self._handle is not None:
            os.close(self._handle)


def ask(session: str, call: Call, files: dict[int, int]) -> Running:
    """Have a server of the session prepare a fork with these files, by their descriptors there and here."""
    try:
        with protocol.Folder(session) as folder:
            return _ask(folder.handle, session, call, files)
    except OSError:
        raise DeclinedError("the session has no fork server") from None


def _ask(folder: int, session: str, call: Call, files: dict[int, int]) -> Running:
    connection, server = None, ""
    try:
        server = attributes.name(
            attributes.of_process(call.environ, call.directory, call.status),
            attributes.of_interpreter(call.interpreter),
            call.program,
        )
        connection = _connected(folder, session, server, call)
        if protocol.peer(connection) != os.geteuid():
            raise DeclinedError("the server belongs to another user")
        request = call.request()
        request["files"] = list(files)
        connection.settimeout(READY_TIMEOUT)
        protocol.send_request(connection, request, list(files.values()))
        answer = protocol.receive(connection)
        if answer[:1] != protocol.READY:
            raise DeclinedError(answer[1:].decode() or "the server declined")
        running = Running(connection, int(answer[1:]))
    except BaseException as exc:
        # Without its client, a fork ends; so it does when the timeout of a task interrupts this.
        if connection is not None:
            connection.close()
        if isinstance(exc, timeout):
            # The server was stopped: the next process must not wait for it.
            protocol.forget(folder, server)
        if isinstance(exc, DeclinedError) or not isinstance(exc, Exception):
            raise
        raise DeclinedError(f"the server gave no answer ({str(exc) or type(exc).__name__})") from None
    return running


def _connected(folder: int, session: str, server: str, call: Call) -> socket:
    connection = protocol.connect(folder, server)
    if connection is None:
        # It imports modules that take a while.
        from . import starting

        connection = starting.start(folder, session, server, call)
    return connection


def note(session: str, text: str) -> None:
    """Log how a program ran, if the run shows that."""
    try:
        with protocol.Folder(session) as folder:
            file = os.open("log", os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder.handle)
        try:
            os.write(file, f"{text}\n".encode("utf-8", "replace"))
        finally:
            os.close(file)
    except OSError:
        pass
