# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A playbook run on a session of its own, which begins without a token and which its watcher ends."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import math
import os
import typing as t

from ..module_utils._modules.token_report import warnings_of
from ..module_utils._session import hook
from ..module_utils._session.revoke import report
from ..module_utils._session.revoke.watcher_client import Watcher
from ..module_utils._session.store import owners, usage
from ..module_utils._session.store.renewal import RenewalPolicy
from ..module_utils._session.store.session import (
    AUTO,
    BROKEN,
    FORK_SERVER,
    ISSUED,
    LIMIT_TIMEOUT,
    PACKAGE,
    PROGRAM_LOG,
    UNRECORDED,
    LimitOptions,
    Session,
)
from ..module_utils._session.util.errors import OneTokenError
from ..module_utils._session.util.waiting import Waiter
from ..module_utils._session_setup import environment
from ..module_utils._session_setup.limits import check_timeout
from ..module_utils._session_setup.limits import options as limit_options
from ..module_utils._session_setup.preparation import prepare

#: The messages for problems that processes of the run report.
_PROBLEMS = {
    BROKEN: "A process could not use the session {}, so it signed in separately: make its files readable and writable.",
    UNRECORDED: (
        "A token could not be saved in the session {}, so it stays valid until it expires: free disk space, and make "
        "its files writable."
    ),
}
#: Seconds for which a process may still hold the session when the process that started it has its result.
_MOMENT = 0.5
_STOPPED = "The watcher of this run was stopped by a signal, so another one took its place."


@dataclasses.dataclass(frozen=True)
class Settings:
    """The user's options for a run."""

    renew_after: str
    session: str | None
    directory: str | None
    drain: bool
    drain_timeout: int
    revoke_timeout: int
    requests_per_second: str = AUTO
    limit_timeout: int = LIMIT_TIMEOUT
    fork_server: bool = True

    def __post_init__(self) -> None:
        for name in ("drain_timeout", "revoke_timeout"):
            check_timeout(name, getattr(self, name))
        limit_options(self.requests_per_second, self.limit_timeout)

    @property
    def limits(self) -> LimitOptions:
        return limit_options(self.requests_per_second, self.limit_timeout)


class Run:
    """A run in progress."""

    def __init__(self, session: Session, owner: str, watcher: Watcher, settings: Settings) -> None:
        self.session = session
        self._owner = owner
        self.watcher = watcher
        self.settings = settings
        self._process = os.getpid()
        #: The variables that put processes on the session, and this process's own values of them.
        self.variables: dict[str, str] = {}
        self.own_variables: dict[str, str | None] = {}
        self.ended = False
        #: Whether the run started something that may look for the session afterwards.
        self.keep = False
        self._reported: set[str] = set()
        self._last_state: tuple[int, set[str]] | None = None
        self._log: t.TextIO | None = None

    @classmethod
    def begin(cls, settings: Settings, environ: t.Mapping[str, str]) -> tuple[Run, dict[str, str]] | None:
        """A run on a session, and the variables that put its processes there.

        None within another session, which ends with the run that made it.
        """
        if Session.of_environment(environ) is not None:
            return None
        session = _session(settings, environ)
        process = owners.Owner.of_process(os.getpid())
        if process is None:
            raise OneTokenError("This process cannot be found among the running ones.")
        owner = prepare(session, RenewalPolicy(settings.renew_after), process, settings.limits, settings.fork_server)
        return cls(session, owner, Watcher(session, owner, environ), settings), environment.of_session(session, environ)

    def enter(self, variables: dict[str, str]) -> None:
        """Put this process on the session, and all that it starts: lookups, inventories, tasks."""
        self.variables = variables
        self.own_variables = {name: os.environ.get(name) for name in variables}
        os.environ.update(variables)
        usage.begin_run()
        hook.install()
        atexit.register(self._end_at_exit)

    def exit(self) -> None:
        """Take this process off the session."""
        for name, value in self.own_variables.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    def _end_at_exit(self) -> None:
        """End a run that no callback ends, such as that of ansible-inventory."""
        # Workers are forks of this process.
        if not self.ended and os.getpid() == self._process:
            self.end(self.settings.drain)

    def log_programs(self) -> None:
        """Have processes log how their programs run."""
        path = os.path.join(self.session.path, FORK_SERVER, PROGRAM_LOG)
        with contextlib.suppress(OSError):
            self._log = open(path, "x+", encoding="utf-8")  # noqa: SIM115

    def logged_programs(self) -> list[str]:
        """What was logged since the last call."""
        return self._log.read().splitlines() if self._log is not None else []

    def new_warnings(self) -> list[str]:
        """New warnings for the user: about problems with the session, and about tokens that work."""
        state = self._state()
        if state == self._last_state:
            return []
        self._last_state = state
        if not self.session.exists or self.session.closed:
            return []
        warnings = [(problem, _PROBLEMS[problem].format(self.session.path)) for problem in sorted(self._problems())]
        policy = self.session.read_record().policy
        for name in self.session.names():
            for token in self.session.readable_tokens(name)[0][:1]:
                warnings += [
                    (f"{name} {text[:30]}", f"The token of {token.label}: {text}")
                    for text in warnings_of(token, policy)
                ]
        new = [text for key, text in warnings if key not in self._reported]
        self._reported.update(key for key, _text in warnings)
        return new

    def _state(self) -> tuple[int, set[str]]:
        """A value that changes with each sign-in and each problem."""
        return self.session.counted(ISSUED), self._problems()

    def _problems(self) -> set[str]:
        problems = self.session.problems()
        # A process that does not find these cannot report it.
        needed = ("sitecustomize.py", f"{PACKAGE}/hook.py", f"{PACKAGE}/util/broken.py")
        found = all(os.path.isfile(os.path.join(self.session.site, file)) for file in needed)
        return problems if found else {*problems, BROKEN}

    @property
    def idle(self) -> bool:
        """Whether no process works on the session, or the last one ends within a moment."""
        return self._check(lambda session: usage.wait_until_idle(session, Waiter(_MOMENT)))

    @property
    def finished(self) -> bool:
        """Whether no process is finishing its work."""
        return self._check(usage.is_finished)

    def _check(self, question: t.Callable[[Session], bool]) -> bool:
        """The answer for the session; True if it cannot be used any more, as there is nothing to wait for."""
        try:
            return question(self.session)
        except OneTokenError:
            return True

    def leave(self) -> None:
        """Have the watcher revoke the session when all work is finished, without waiting for it."""
        self.ended = True
        self.exit()
        if self.watcher.stopped or self.watcher.gone:
            self._replace_watcher()
        self.watcher.end(0, 0, self.keep, grace=0)

    def end(self, drain: bool, timeout: float = math.inf) -> dict[str, t.Any] | None:
        """Have the watcher revoke the session; what it did, or None if it has not finished in time."""
        self.ended = True
        self.exit()
        drain_timeout = self.settings.drain_timeout if drain else 0
        revoke_timeout = min(timeout, self.settings.revoke_timeout)
        found = self.watcher.end(drain_timeout, revoke_timeout, self.keep)
        stopped = found is None and self.watcher.stopped
        if stopped or (found is None and self.watcher.gone):
            # Another one continues with the session as it is.
            self._replace_watcher()
            found = self.watcher.end(drain_timeout, revoke_timeout, self.keep)
        if found is None and self.watcher.gone:
            found = {**report.NOTHING_DONE, "problem": self._unrevoked()}
        if found is not None:
            if stopped:
                found["problem"] = " ".join([_STOPPED, *([found["problem"]] if found["problem"] else [])])
            self.watcher.wait()
        return found

    @property
    def pending(self) -> str | None:
        """What keeps the watcher from revoking, other than Keystone."""
        return self.watcher.pending

    def _replace_watcher(self) -> None:
        """Start another watcher in place of one that was killed or stopped."""
        self.watcher.kill()
        self.watcher = Watcher(self.session, self._owner, os.environ)

    def _unrevoked(self) -> str:
        """The problem if two watchers ended without a report."""
        if not os.path.lexists(self.session.path):
            return report.gone(self.session)
        return (
            f"The session {self.session.path} was not revoked, because its watcher was killed, or cannot run: run "
            f"os_token_revoke with session={self.session.path}."
        )


#: The run of this process, once it has begun.
_current: Run | None = None


def begin_or_join(settings: Settings) -> Run | None:
    """The run of this process, which is put on its session with all that it starts; None within another session."""
    global _current
    if _current is None:
        begun = Run.begin(settings, os.environ)
        if begun is None:
            return None
        _current, variables = begun
        _current.enter(variables)
    return _current


def settings_of(option: t.Callable[[str], t.Any]) -> Settings:
    """The settings from the options of a plugin."""
    return Settings(
        renew_after=str(option("renew_after")),
        session=option("session"),
        directory=option("directory"),
        drain=bool(option("drain")),
        drain_timeout=int(option("drain_timeout")),
        revoke_timeout=int(option("revoke_timeout")),
        fork_server=bool(option("fork_server")),
        requests_per_second=str(option("requests_per_second")),
        limit_timeout=int(option("limit_timeout")),
    )


def _session(settings: Settings, environ: t.Mapping[str, str]) -> Session:
    if settings.session:
        return Session.named(settings.session, environ)
    return Session.new(environ, settings.directory)
