# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fork of a server takes on the attributes of its client, and runs the client's program."""

from __future__ import annotations

import atexit
import builtins
import contextlib
import dataclasses
import fcntl
import gc
import importlib.machinery
import io
import os
import resource
import signal
import sys
import tempfile
import threading
import time
import types
import typing as t

from ..store.session import SERVED, Session
from ..util import process
from . import imports, library, programs, protocol
from .call import DeclinedError

if t.TYPE_CHECKING:
    import socket

#: Signals that Python ignores from its start.
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
#: Python's exit status if output could not be written.
_NO_OUTPUT = 120
#: Seconds that a client has to send its request, and to start the program.
_CLIENT_TIMEOUT = 30
#: The exit status of a fork that fails.
_BROKEN = 70


@dataclasses.dataclass(frozen=True)
class Surroundings:
    """What a fork inherits from its server."""

    session: str
    program: str
    #: What the program's imports printed.
    printed: bytes
    #: The state of the packages that it has imported.
    packages: list[tuple[int, ...] | None]
    #: Ansible's library, if it has imported that.
    library: library.Library | None = None

    @property
    def is_outdated(self) -> bool:
        """Whether packages were installed or removed since the server started."""
        return imports.state_of_packages() != self.packages


def run(connection: socket.socket, surroundings: Surroundings) -> t.NoReturn:
    """Serve one client; never returns."""
    try:
        gc.enable()
        os.setsid()
        signal.set_wakeup_fd(-1)
        _close_all_but(connection.fileno())
        connection.settimeout(_CLIENT_TIMEOUT)
        request, received = protocol.receive_request(connection)
        connection = _take_files(connection, dict(zip(request["files"], received)))
        try:
            script = _become(request, surroundings)
        except Exception as exc:  # pylint: disable=broad-exception-caught
            protocol.send(connection, protocol.DECLINED + f"the fork cannot be like it ({exc})".encode())
            os._exit(0)
        protocol.send(connection, protocol.READY + str(os.getpid()).encode())
        if connection.recv(1) == protocol.GO:
            connection.settimeout(None)
            Session(surroundings.session).count(SERVED)
            pid = os.getpid()
            status = _finish(_execute(script))
            if os.getpid() == pid:
                # Not in a process that the program has forked.
                with contextlib.suppress(OSError):
                    protocol.send_status(connection, status)
            _end(status)
    finally:
        os._exit(_BROKEN)


def _close_all_but(*kept: int) -> None:
    """Close the files of the server, and of its other clients."""
    for number in process.open_files():
        if number > 2 and number not in kept:
            with contextlib.suppress(OSError):
                os.close(number)


class _Script(t.NamedTuple):
    source: bytes
    #: None for standard input.
    path: str | None


def _become(request: dict[str, t.Any], surroundings: Surroundings) -> _Script:
    """Take on the client's attributes that a process can set."""
    if surroundings.is_outdated:
        raise DeclinedError("packages were installed or removed since the server started")
    os.chdir(request["directory"])
    os.umask(request["umask"])
    for limit, soft, hard in request["limits"]:
        if resource.getrlimit(limit) != (soft, hard):
            resource.setrlimit(limit, (soft, hard))
    _set_environment(request["environment"])
    _set_signals(request["ignored"], request["blocked"])
    script = _read_script(request["command"][1:])
    _set_arguments(request["interpreter"], request["command"], script.path)
    _make_streams()
    tempfile.tempdir = None
    if surroundings.program == programs.MODULES:
        _use_library(script, surroundings)
    sys.stderr.buffer.write(surroundings.printed)
    return script


def _take_files(connection: socket.socket, files: dict[int, int]) -> socket.socket:
    """Give each file the client's descriptor, and move the connection out of their way."""
    free = max([*files, *files.values()]) + 1
    moved = type(connection)(fileno=fcntl.fcntl(connection.fileno(), fcntl.F_DUPFD_CLOEXEC, free))
    moved.settimeout(connection.gettimeout())
    connection.close()
    # First move all of them above the descriptors that they get.
    moved_files = {number: fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, free) for number, file in files.items()}
    for file in files.values():
        os.close(file)
    for number, file in moved_files.items():
        os.dup2(file, number)
        os.close(file)
    return moved


def _set_environment(environ: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environ)
    time.tzset()


def _set_signals(ignored: list[int], blocked: list[int]) -> None:
    for number in signal.valid_signals():
        if number in (signal.SIGKILL, signal.SIGSTOP):
            continue
        if number in ignored or number in _IGNORED_BY_PYTHON:
            signal.signal(number, signal.SIG_IGN)
        elif number == signal.SIGINT:
            signal.signal(number, signal.default_int_handler)
        elif signal.getsignal(number) != signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _read_script(arguments: list[str]) -> _Script:
    if not arguments:
        source = b""
        while part := os.read(0, 1 << 20):
            source += part
        return _Script(source, None)
    with open(arguments[0], "rb") as stream:
        return _Script(stream.read(), arguments[0])


def _set_arguments(interpreter: str, command: list[str], path: str | None) -> None:
    # The server's interpreter is in the same directory, but may have another name.
    sys.executable = interpreter
    sys.argv = command[1:] or [""]
    if hasattr(sys, "orig_argv"):
        sys.orig_argv = command
    sys.path.insert(0, "" if path is None else os.path.dirname(os.path.realpath(path)))


def _make_streams() -> None:
    """Make the standard streams as Python does at its start: the files differ from the server's."""
    for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        before = getattr(sys, f"__{name}__")
        buffering = 0 if before.write_through and mode == "w" else -1
        raw = open(number, f"{mode}b", buffering, closefd=False)  # noqa: SIM115
        raw_file = getattr(raw, "raw", raw)
        raw_file.name = f"<{name}>"  # type: ignore[misc]
        stream = io.TextIOWrapper(
            raw,
            before.encoding,
            before.errors,
            newline="\n" if mode == "w" else None,
            line_buffering=not before.write_through and (name == "stderr" or raw_file.isatty()),
            write_through=before.write_through,
        )
        stream.mode = mode  # type: ignore[misc]
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _use_library(script: _Script, surroundings: Surroundings) -> None:
    # The superuser runs as little as possible of what another user can change.
    session = Session(surroundings.session)
    if session.is_own:
        with protocol.Folder(session.path) as folder:
            library.use(script.source, folder.handle, folder.path, surroundings.library)


def _execute(script: _Script) -> int:
    """Run the script as Python would; the exit status, or the negative number of a signal."""
    # The same module, as others may refer to it.
    main = sys.modules["__main__"]
    main.__dict__.clear()
    main.__dict__.update(types.ModuleType("__main__").__dict__)
    main.__dict__.update(__annotations__={}, __builtins__=builtins, __loader__=importlib.machinery.BuiltinImporter)
    if script.path is not None:
        path = os.path.abspath(script.path)
        loader = importlib.machinery.SourceFileLoader("__main__", path)
        main.__dict__.update(__file__=path, __cached__=None, __loader__=loader)
    try:
        code = compile(script.source, script.path or "<stdin>", "exec", dont_inherit=True)
        exec(code, main.__dict__)  # noqa: S102  # pylint: disable=exec-used
        status = 0
    except SystemExit as exc:
        status = _status_of(exc.code)
    except BaseException as exc:  # pylint: disable=broad-exception-caught
        # The traceback leaves this function out.
        status = _show(exc.with_traceback(exc.__traceback__ and exc.__traceback__.tb_next))
    return status


def _show(exc: BaseException) -> int:
    """Print an exception that the program did not catch; the exit status."""
    try:
        sys.excepthook(type(exc), exc, exc.__traceback__)
    except SystemExit as stop:
        return _status_of(stop.code)
    except BaseException as failure:  # pylint: disable=broad-exception-caught
        traceback = failure.__traceback__ and failure.__traceback__.tb_next
        failure.__context__ = None
        sys.stderr.write("Error in sys.excepthook:\n")
        sys.__excepthook__(type(failure), failure.with_traceback(traceback), traceback)
        sys.stderr.write("\nOriginal exception was:\n")
        sys.__excepthook__(type(exc), exc, exc.__traceback__)
    return -signal.SIGINT if isinstance(exc, KeyboardInterrupt) else 1


def _status_of(code: t.Any) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        # Python uses -1 for what is no C long.
        return (code if -(1 << 63) <= code < 1 << 63 else -1) & 0xFF
    sys.stderr.write(f"{code}\n")
    return 1


def _finish(status: int) -> int:
    """Do what Python does at its end, but without destroying objects; the exit status."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        if sys.stdout is not None and not sys.stdout.closed:
            sys.stdout.flush()
    except (OSError, ValueError) as exc:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(f"Exception ignored in: {sys.stdout!r}\n{type(exc).__name__}: {exc}\n")
        status = _NO_OUTPUT
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.flush()
    return status


def _end(status: int) -> t.NoReturn:
    """End with an exit status, or by the signal with its negative number."""
    if status < 0:
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)
