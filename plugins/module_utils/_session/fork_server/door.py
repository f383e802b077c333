# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands the program of a process that has just started over to a server, and waits for it.

Nothing that takes time has been imported yet. If no server runs the program, Python does.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing as t

    from . import client

#: Signals to this process that are forwarded to the program.
_FORWARDED = (
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGTERM",
    "SIGUSR1",
    "SIGUSR2",
    "SIGALRM",
    "SIGCONT",
    "SIGTSTP",
    "SIGWINCH",
)


def hand_over() -> None:
    """Have a server run this process's program; returns only if none does."""
    session = os.environ.get("ONETOKEN_SESSION_DIRECTORY", "")
    command = getattr(sys, "orig_argv", None)
    if not command or not session or not os.path.isdir(os.path.join(session, "fork_server")):
        return
    if sys.flags.interactive or sys.flags.inspect or not sys.executable:
        return
    arguments = command[1:]
    try:
        if arguments:
            _hand_over_file(session, arguments)
        elif not os.isatty(0):
            _hand_over_input(session)
    except KeyboardInterrupt:
        # It comes while Python starts, which would call it a fatal error.
        _die(signal.SIGINT)


def _hand_over_file(session: str, arguments: list[str]) -> None:
    from . import programs

    program = programs.of_arguments(arguments)
    if program is not None:
        _hand_over(session, program, os.path.basename(arguments[0]))


def _hand_over_input(session: str) -> None:
    """Hand over a script on standard input, which Python would read whole as well."""
    from . import programs

    # First: what was read must not be lost.
    file = os.memfd_create("script")
    script = b""
    while True:
        part = os.read(0, 1 << 20)
        if not part:
            break
        script += part
    with os.fdopen(os.dup(file), "wb") as stream:
        stream.write(script)
    os.lseek(file, 0, os.SEEK_SET)
    os.dup2(file, 0)
    os.close(file)
    try:
        if programs.is_module(script):
            _hand_over(session, programs.MODULES, "a module")
    finally:
        os.lseek(0, 0, os.SEEK_SET)


def _hand_over(session: str, program: str, label: str) -> None:
    from . import client, protocol
    from .call import Call, DeclinedError

    try:
        files = _inherited()
        if len(files) > protocol.MAX_FILES or not {0, 1, 2} <= set(files):
            raise DeclinedError("a standard stream is closed, or there are too many open files")
        call = Call(program, sys.executable, sys.orig_argv, dict(os.environ), os.getcwd())
        running = client.ask(session, call, {number: number for number in files})
        _begin(running, call.ignored)
    except Exception as exc:  # pylint: disable=broad-exception-caught
        client.note(session, f"{label} runs without the fork server: {exc}")
        return
    try:
        client.note(session, f"{label} runs in a fork of the server")
        _wait(running, label)
    finally:
        # Whatever fails here, the program has begun: Python must not run it again.
        os._exit(1)


def _begin(running: client.Running, ignored: list[int]) -> None:
    """Start the program, and forward signals to it from here on."""
    forwarded = [number for number in (getattr(signal, name) for name in _FORWARDED) if number not in ignored]
    # A signal that comes before that is for this process, unless the program is started.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, forwarded)
    handlers = {number: signal.getsignal(number) for number in forwarded}
    try:
        for number in forwarded:
            signal.signal(number, lambda number, _frame: _forward(running, number))
        running.begin()
    except BaseException:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _forward(running: client.Running, number: int) -> None:
    if number != signal.SIGTSTP:
        running.send_signal(number)
        return
    # A terminal stops only processes of its own session.
    running.send_signal(signal.SIGSTOP)
    os.kill(os.getpid(), signal.SIGSTOP)
    running.send_signal(signal.SIGCONT)


def _inherited() -> list[int]:
    """The file descriptors that a program inherits; listed here, as importing util.process takes longer than that."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            if not fcntl.fcntl(int(name), fcntl.F_GETFD) & fcntl.FD_CLOEXEC:
                found.append(int(name))
        except OSError:
            # The one by which they were listed.
            pass
    return sorted(found)


def _wait(running: client.Running, label: str) -> t.NoReturn:
    status = running.wait()
    if status is None:
        os.write(2, f"The fork server was killed while it ran {label}: run it again.\n".encode())
        status = 1
    if status < 0:
        _die(-status)
    os._exit(status)


def _die(number: int) -> None:
    """End by the signal that ended the program, without a second core dump."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)
