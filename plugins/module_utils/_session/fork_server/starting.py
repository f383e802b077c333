# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts a server, in the first process that needs it."""

from __future__ import annotations

import os
import subprocess
from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM, socket

from ..store import owners
from ..store.session import PACKAGE, Session
from ..util.errors import OneTokenError
from . import attributes, protocol
from .call import Call, DeclinedError
from .lock import locked

#: The most servers of a session, each with the memory of a task: for modules and a command, of the user and of root.
MAX_SERVERS = 6
#: How often a server is started that ends by itself, as without openstacksdk.
MAX_STARTS = 2
#: In the session's site/: the process that starts a server may have another copy.
_MAIN = f"{PACKAGE}/fork_server/main.py"


def start(folder: int, session: str, server: str, call: Call) -> socket:
    """Start a server, unless another process has just done so; a connection to it."""
    with locked(folder, f"{server}.lock") as lock:
        connection = protocol.connect(folder, server)
        if connection is None:
            _check(folder, session, lock)
            os.write(lock, b".")
            _start(folder, session, server, call)
            connection = protocol.connect(folder, server)
    if connection is None:
        raise DeclinedError("the server ended as it was started")
    return connection


def _check(folder: int, session: str, lock: int) -> None:
    if os.fstat(lock).st_size >= MAX_STARTS:
        raise DeclinedError("the server ended each time that it was started")
    if _servers(folder) >= MAX_SERVERS:
        raise DeclinedError(f"the session has {MAX_SERVERS} servers already")
    try:
        watched = owners.living(Session(session))
    except (OneTokenError, OSError):
        watched = False
    if not watched:
        # Nobody would end it.
        raise DeclinedError("no run on this machine watches the session")


def _servers(folder: int) -> int:
    """How many servers there are; the sockets of killed ones are removed."""
    count = 0
    for name in os.listdir(folder):
        server, ending = os.path.splitext(name)
        if ending == ".sock":
            connection = protocol.connect(folder, server)
            if connection is None:
                protocol.forget(folder, server)
            else:
                connection.close()
                count += 1
    return count


def _start(folder: int, session: str, server: str, call: Call) -> None:
    """Start a server with a socket to which clients can connect at once; it answers when it is ready."""
    path = protocol.address(folder, server)
    protocol.forget(folder, server)
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC)
    try:
        listener.bind(path)
        listener.listen(1024)
        # It outlives the task, which no module's run_command is for.
        # pylint: disable-next=ansible-bad-function
        process = subprocess.Popen(
            [
                call.interpreter,
                os.path.join(Session(session).site, _MAIN),
                session,
                server,
                str(listener.fileno()),
                call.program,
            ],
            cwd=call.directory,
            env=attributes.environment(call.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=[listener.fileno()],
        )
        # Otherwise, Python warns that it is still running.
        process.returncode = 0
    except OSError:
        protocol.forget(folder, server)
        raise
    finally:
        listener.close()
