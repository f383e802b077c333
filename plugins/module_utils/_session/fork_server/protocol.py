# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The protocol between a client and a fork of a server, over a socket that only their user can reach.

The client sends a request, with its open files. The fork answers that it is ready, with its process id, or why it is
not. It runs the program only when the client then sends GO: so nothing runs twice, however slow either side is. At the
end it sends the program's exit status, which the client acknowledges. If the client is gone before that, the fork is
killed, with all processes of its group.
"""

from __future__ import annotations

import json
import os
import struct
from _socket import AF_UNIX, SCM_RIGHTS, SO_PEERCRED, SOCK_CLOEXEC, SOCK_STREAM, SOL_SOCKET, socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Importing this takes longer than everything else here.
    import typing as t

READY, DECLINED, GO, ENDED = b"R", b"D", b"G", b"E"
#: The most files that Linux sends at a time.
MAX_FILES = 253
#: The longest message, in bytes: nothing that a program is started with is longer.
_MAX_LENGTH = 64 << 20
_LENGTH = struct.Struct("!I")
_STATUS = struct.Struct("!i")
_NUMBER = struct.Struct("i")
_CREDENTIALS = struct.Struct("3i")


class EndedError(Exception):
    """The other side is gone."""


def peer(connection: socket) -> int:
    """The user of the other side."""
    user: int = _CREDENTIALS.unpack(connection.getsockopt(SOL_SOCKET, SO_PEERCRED, _CREDENTIALS.size))[1]
    return user


def send_request(connection: socket, request: dict[str, t.Any], files: list[int]) -> None:
    numbers = struct.pack(f"{len(files)}i", *files)
    connection.sendmsg([b"Q"], [(SOL_SOCKET, SCM_RIGHTS, numbers)])
    send(connection, json.dumps(request).encode())


def receive_request(connection: socket) -> tuple[dict[str, t.Any], list[int]]:
    _data, ancillary, _flags, _address = connection.recvmsg(1, 1 << 12)
    files: list[int] = []
    for level, kind, numbers in ancillary:
        if (level, kind) == (SOL_SOCKET, SCM_RIGHTS):
            files += [number for (number,) in _NUMBER.iter_unpack(numbers)]
    request = json.loads(receive(connection))
    if len(request["files"]) != len(files):
        raise EndedError
    return request, files


def send(connection: socket, data: bytes) -> None:
    connection.sendall(_LENGTH.pack(len(data)) + data)


def receive(connection: socket) -> bytes:
    (length,) = _LENGTH.unpack(_exactly(connection, _LENGTH.size))
    if length > _MAX_LENGTH:
        raise EndedError
    return _exactly(connection, length)


def send_status(connection: socket, status: int) -> None:
    """An exit status, or the negative number of the signal that ended the program."""
    connection.sendall(_STATUS.pack(status))


def receive_status(connection: socket) -> int:
    status: int = _STATUS.unpack(_exactly(connection, _STATUS.size))[0]
    return status


def _exactly(connection: socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        part = connection.recv(min(length - len(data), 1 << 20))
        if not part:
            raise EndedError
        data += part
    return bytes(data)


def address(folder: int, server: str) -> str:
    """The path of a server's socket, by the handle of its directory: it may have no more than 107 characters."""
    return f"/proc/self/fd/{folder}/{server}.sock"


class Folder:
    """The directory with the sockets of a session's servers, open meanwhile; an OSError if there is none."""

    def __init__(self, session: str) -> None:
        self.path = os.path.join(session, "fork_server")
        self.handle = -1

    def __enter__(self) -> Folder:
        self.handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        return self

    def __exit__(self, *exc_info: object) -> None:
        os.close(self.handle)


def connect(folder: int, server: str) -> socket | None:
    """A connection to a server; None if none listens."""
    connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC)
    try:
        connection.connect(address(folder, server))
    except OSError:
        connection.close()
        return None
    return connection


def identity(folder: int, server: str) -> tuple[int, int] | None:
    """What tells a server's socket from its successor at the same path; None if there is none."""
    try:
        status = os.stat(address(folder, server))
    except OSError:
        return None
    return status.st_dev, status.st_ino


def forget(folder: int, server: str) -> None:
    """Remove a server's socket, so that nobody connects to it any more."""
    # contextlib takes longer to import than this file.
    try:  # noqa: SIM105
        os.unlink(address(folder, server))
    except OSError:
        pass
