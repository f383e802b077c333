# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command onetoken: runs another command, or a shell, on a session, and revokes the token when that ends."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import errno
import gc
import os
import shutil
import signal
import subprocess
import sys
import typing as t

from ..module_utils._modules import signing_in
from ..module_utils._modules.task_cloud import SDK_NAMES
from ..module_utils._session.store.session import FORK_SERVER, VARIABLE, Session
from ..module_utils._session.util.errors import ConfigurationError, OneTokenError
from ..module_utils._session_setup import environment
from ..module_utils._session_setup.preparation import exposure
from . import ending
from .run import Run, Settings

_DESCRIPTION = """\
Runs a command, or without one your shell, on one Keystone token: the `openstack` command and scripts on openstacksdk
sign in once for all. The token is renewed when that is due, and revoked when the command ends. The exit status is that
of the command.
"""
_EPILOG = """\
The credentials are those that `openstack` would use. The variables ONETOKEN_RENEW_AFTER, ONETOKEN_DRAIN_TIMEOUT and so
on are those of the callback: see `ansible-doc -t callback onetoken.openstack.one_token`.
"""
#: The options of a run that have no variable; that for the directory is read where sessions are made.
_DEFAULTS = Settings("33%", None, None, drain=True, drain_timeout=300, revoke_timeout=90)
_VARIABLES = tuple(field.name for field in dataclasses.fields(Settings) if field.name != "directory")
_BOOLEANS = {
    **dict.fromkeys(("1", "true", "t", "yes", "y", "on"), True),
    **dict.fromkeys(("0", "false", "f", "no", "n", "off"), False),
}
#: Seconds for which Keystone may throttle the sign-in, as for os_token_issue.
_SIGN_IN_TIMEOUT = 180
_STILL_USED = (
    "A process was still using the session when its token was revoked, and may fail: wait for it in the script, or "
    "raise ONETOKEN_DRAIN_TIMEOUT."
)
#: What shells return for a command that they do not find, or cannot run, and for one that a signal ended.
_NOT_FOUND, _NOT_RUN, _BY_SIGNAL = 127, 126, 128
#: Signals to this process that are for the command. Ctrl-C and Ctrl-\ reach the command by themselves.
_FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
_OF_THE_TERMINAL = (signal.SIGINT, signal.SIGQUIT)


class CommandError(OneTokenError):
    """The command cannot be run."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


def main() -> t.NoReturn:
    # What is imported here is never garbage, and looking for it takes a third of the time of the imports.
    gc.disable()
    options = parsed(sys.argv[1:])
    try:
        status = _run(options)
    except OneTokenError as exc:
        _print(str(exc))
        status = exc.status if isinstance(exc, CommandError) else 1
    except KeyboardInterrupt:
        status = _BY_SIGNAL + signal.SIGINT
    except Exception as exc:  # pylint: disable=broad-exception-caught
        # Its text may quote anything, so only its type is reported.
        _print(f"The command ended in an unexpected {type(exc).__name__}: please report this as a bug.")
        status = 1
    sys.exit(status)


def parsed(arguments: list[str]) -> argparse.Namespace:
    own, dashes, rest = arguments, False, []
    if "--" in arguments:
        place = arguments.index("--")
        own, dashes, rest = arguments[:place], True, arguments[place + 1 :]
    parser = argparse.ArgumentParser(
        prog="onetoken",
        usage="onetoken [--os-cloud NAME] [--quiet] [--] [COMMAND [ARGUMENT ...]]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        allow_abbrev=False,
    )
    parser.add_argument("--os-cloud", metavar="NAME", help="the cloud of clouds.yaml to sign in to")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors and warnings")
    parser.add_argument("command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args(own)
    # Two dashes behind the command's name are the command's own.
    options.command += [*(["--"] if options.command and dashes else []), *rest]
    return options


def _run(options: argparse.Namespace) -> int:
    command = options.command or [os.environ.get("SHELL") or "/bin/sh"]
    # Before there is a token.
    program = _found(command[0])
    outer = Session.of_environment(os.environ)
    if outer is not None and not outer.closed:
        return _run_within(outer, options, program, command)
    run = _begun(_settings(os.environ))
    if exposed := exposure(run.session):
        _print(exposed)
    child = _Child()
    try:
        label, variables = _sign_in(run.session, options.os_cloud)
        if options.os_cloud and (mixed := environment.mixed_in(os.environ)):
            _print(
                f"Commands mix {label} with the variables of an openrc file ({', '.join(mixed)}): unset these, or open "
                "a new shell."
            )
        if not options.command and not options.quiet:
            _print(f"this shell works on one token of {label}, which is revoked when you leave it")
        child.run(program, command, {**os.environ, **variables})
    except BaseException as exc:
        if isinstance(exc, KeyboardInterrupt):
            _end_line_of_control_c()
        run.end(drain=False, timeout=ending.INTERRUPTED_TIMEOUT)
        raise
    if child.status == _BY_SIGNAL + signal.SIGINT:
        _end_line_of_control_c()
    with contextlib.suppress(OneTokenError, OSError):
        for text in run.new_warnings():
            _print(text)
    _end(run, child.interrupted, options.quiet)
    return child.status


def _run_within(session: Session, options: argparse.Namespace, program: str, command: list[str]) -> int:
    """Run a command on a session that others made, and that they revoke."""
    variables = _sign_in(session, options.os_cloud)[1] if options.os_cloud else {}
    if not options.quiet:
        _print(f"uses the session {session.path}, which ends with what made it")
    child = _Child()
    child.run(program, command, {**os.environ, **variables})
    return child.status


def _begun(settings: Settings) -> Run:
    """A run on a session that ends with this process."""
    # One that was revoked is not begun again.
    environ = {name: value for name, value in os.environ.items() if name != VARIABLE}
    try:
        run, variables = t.cast("tuple[Run, dict[str, str]]", Run.begin(settings, environ))
    except OSError as exc:
        raise ConfigurationError(f"No session can be made ({exc.strerror}): set ONETOKEN_DIRECTORY.") from None
    run.enter(variables)
    return run


def _settings(environ: t.Mapping[str, str]) -> Settings:
    """The options, as the callback takes them from the environment."""
    changed = {name: environ.get(f"ONETOKEN_{name.upper()}") for name in _VARIABLES}
    return dataclasses.replace(
        _DEFAULTS, **{name: _value(name, text, getattr(_DEFAULTS, name)) for name, text in changed.items() if text}
    )


def _value(name: str, text: str, default: t.Any) -> t.Any:
    try:
        if isinstance(default, bool):
            return _BOOLEANS[text.strip().lower()]
        return int(text) if isinstance(default, int) else text
    except (KeyError, ValueError):
        kind = "true or false" if isinstance(default, bool) else "a number of seconds"
        raise ConfigurationError(f"ONETOKEN_{name.upper()} is {text!r}, but it takes {kind}.") from None


def _sign_in(session: Session, cloud_name: str | None) -> tuple[str, dict[str, str]]:
    """Sign in as os_token_issue does: the cloud's name in messages, and the variables for the command."""
    try:
        import openstack  # noqa: F401
    except ImportError:
        raise ConfigurationError(
            f"{sys.executable} cannot import openstacksdk: install it there, or link scripts/onetoken of the "
            "collection into the bin of a virtual environment that has it."
        ) from None
    params = {**dict.fromkeys(SDK_NAMES), "cloud": cloud_name, "auth": None, "auth_type": None}
    cloud = signing_in.cloud_of(params, session)
    policy = session.read_record().policy
    has_fork_servers = os.path.isdir(os.path.join(session.path, FORK_SERVER))
    issued = signing_in.issue(session, cloud, policy, _SIGN_IN_TIMEOUT, fork_server=has_fork_servers)
    name = cloud.name if cloud.is_plain else issued.cloud
    return cloud.label, environment.of_issued(session, os.environ, name, cloud.is_plain, cloud.region_name)


def _end(run: Run, interrupted: bool, quiet: bool) -> None:
    """End the run. Whatever happens, the command has ended, and its exit status counts."""
    try:
        _revoke(run, interrupted, quiet)
    except KeyboardInterrupt:
        _end_line_of_control_c()
        _print("interrupted: a background process revokes the token")
    except Exception as exc:  # pylint: disable=broad-exception-caught
        _print(
            f"The token is revoked by a background process, because of an unexpected {type(exc).__name__}: please "
            "report this as a bug."
        )


def _revoke(run: Run, interrupted: bool, quiet: bool) -> None:
    report = ending.end(run, interrupted, _STILL_USED, show=_print, warn=_print)
    if report is None:
        return
    if report["problem"]:
        _print(report["problem"])
    if not quiet:
        _print(ending.counts(report))


def _found(name: str) -> str:
    """The path of a program, as the system would find it."""
    path = shutil.which(name)
    if path is not None:
        return path
    if os.sep in name and os.path.lexists(name):
        raise CommandError(f"{name} cannot be run: make it a file that you may execute, with chmod +x.", _NOT_RUN)
    raise CommandError(f"There is no command {name}: check its name, and the PATH.", _NOT_FOUND)


class _Child:
    """The command, in the terminal and the process group of this process."""

    def __init__(self) -> None:
        self.status = 0
        #: Whether a signal ended it, or was to end it.
        self.interrupted = False
        self._process: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []

    def run(self, program: str, command: list[str], environ: dict[str, str]) -> None:
        """Run it, and wait for its end."""
        handlers: dict[int, t.Any] = {
            **dict.fromkeys(_FORWARDED, self._forward),
            # A handler, as what is ignored here would be ignored by the command as well.
            **dict.fromkeys(_OF_THE_TERMINAL, lambda _number, _frame: None),
        }
        before = {number: signal.getsignal(number) for number in handlers}
        for number, handler in handlers.items():
            # With nohup, or in the background of a script, the command ignores them, too.
            if before[number] != signal.SIG_IGN:
                signal.signal(number, handler)
        try:
            self._process = _start(program, command, environ)
            for number in self._early:
                self._process.send_signal(number)
            status = self._process.wait()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        self.interrupted = self.interrupted or status < 0
        self.status = _BY_SIGNAL - status if status < 0 else status

    def _forward(self, number: int, _frame: t.Any) -> None:
        self.interrupted = self.interrupted or number in (signal.SIGTERM, signal.SIGHUP)
        if self._process is None:
            self._early.append(number)
        else:
            self._process.send_signal(number)


def _start(program: str, command: list[str], environ: dict[str, str]) -> subprocess.Popen[bytes]:
    # The command gets the files that this process was started with; those of the session are closed in it.
    try:
        return subprocess.Popen(command, executable=program, env=environ, close_fds=False)
    except OSError as exc:
        if exc.errno == errno.ENOEXEC:
            # Shells do the same with a script without an interpreter in its first line.
            return subprocess.Popen(["/bin/sh", program, *command[1:]], env=environ, close_fds=False)
        raise CommandError(
            f"{command[0]} cannot be run ({exc.strerror}): check the interpreter in its first line.", _NOT_RUN
        ) from None


def _end_line_of_control_c() -> None:
    """Begin a new line, where the terminal has just printed ^C."""
    with contextlib.suppress(OSError, ValueError):
        if sys.stderr is not None and sys.stderr.isatty():
            print(file=sys.stderr, flush=True)


def _print(text: str) -> None:
    # The terminal may be gone.
    with contextlib.suppress(OSError, ValueError):
        if sys.stderr is not None:
            print(f"onetoken: {text}", file=sys.stderr, flush=True)
