# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A playbook run on a session of its own: begun without any token, ended by its watcher."""

from __future__ import annotations

import dataclasses
import math
import os
import typing as t

from .session import environment, lifecycle, owners, usage
from .session import source as sources
from .session.config_files import ConfigFiles
from .session.errors import ConfigurationError, OneTokenError
from .session.renewal import RenewalPolicy
from .session.source import Source
from .session.store import Session, SessionRecord
from .session.watcher import NOTHING_DONE, Watcher, gone
from .token_report import still_good, warnings_of

#: Seconds, a week.
LONGEST_TIMEOUT = 604800
_STOPPED = "The watcher of this run was stopped by a signal, so another one took its place."


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the user chose for a run."""

    clouds: list[str] | None
    renew_after: str
    session: str | None
    directory: str | None
    fallback: bool
    drain_timeout: int
    revoke_timeout: int

    def __post_init__(self) -> None:
        for name in ("drain_timeout", "revoke_timeout"):
            if not 0 <= getattr(self, name) <= LONGEST_TIMEOUT:
                raise ConfigurationError(
                    f"{name} is {getattr(self, name)}, but it takes a number of seconds from 0 to {LONGEST_TIMEOUT}."
                )


class Run:
    """A run that is going on."""

    def __init__(self, session: Session, owner: str, watcher: Watcher, settings: Settings) -> None:
        self.session = session
        self._owner = owner
        self._watcher = watcher
        self._settings = settings
        #: Whether something was started that may look for the session after the run.
        self.keep = False
        self._told: set[str] = set()
        self._seen: tuple[int, int] | None = None

    @classmethod
    def begin(cls, settings: Settings, environ: t.Mapping[str, str]) -> tuple[Run, dict[str, str]] | None:
        """A run on a session, and the variables that put its tasks there; None where there is no cloud to sign in to,
        or a session already, which then is whoever's who made it."""
        if Session.of_environment(environ) is not None:
            return None
        files = ConfigFiles.of_user(environ)
        source = cloud = None
        if environ.get("OS_CLOUD"):
            cloud = environ["OS_CLOUD"]
        elif sources.environment_has_credentials(environ):
            source = Source.of_environment(environ, files)
            cloud = source.cloud
        if source is None and not files.entries():
            return None
        _refuse_unknown(settings.clouds, files)
        session = _session(settings, environ)
        process = owners.Owner.of_process(os.getpid())
        if process is None:
            raise OneTokenError("This process cannot be found among the running ones.")
        policy = RenewalPolicy(settings.renew_after)
        owner = lifecycle.prepare(session, files, policy, process, settings.clouds, settings.fallback, source)
        watcher = Watcher(session, owner, environ)
        return cls(session, owner, watcher, settings), environment.of_session(session, cloud, environ)

    def news(self) -> list[str]:
        """What the user should hear and has not: tokens that could not be renewed, and those with something odd."""
        state = self.session.state
        if state == self._seen:
            return []
        self._seen = state
        if not self.session.exists or self.session.closed:
            return []
        record = self.session.read_record()
        clouds = sorted({*self.session.clouds_with_tokens(), *record.failures})
        news = [text for cloud in clouds for text in self._news_of(cloud, record)]
        new = [text for key, text in news if key not in self._told]
        self._told.update(key for key, _text in news)
        return new

    def _news_of(self, cloud: str, record: SessionRecord) -> list[tuple[str, str]]:
        """Each with a key under which it is told once."""
        stored = self.session.read_tokens(cloud)
        failure = record.failures.get(cloud)
        if stored is None:
            if failure is None or not record.fallback:
                # The tasks that need it say so themselves.
                return []
            return [(f"{cloud} fallback", f"Tasks use their own credentials for cloud {cloud!r}: {failure.message}")]
        token = stored.current
        news = [(f"{cloud} {text[:30]}", f"Cloud {cloud!r}: {text}") for text in warnings_of(token, record.policy)]
        if failure is not None and not token.expired:
            news.append((f"{cloud} {token.audit_id} failed", still_good(cloud, token, failure.message)))
        return news

    def unknown(self, cloud: str) -> str:
        """What to say of a cloud that openstacksdk did not find."""
        files = self.session.read_record().files
        return str(sources.unknown_cloud(cloud, files.entries(), files))

    @property
    def idle(self) -> bool:
        """Whether nothing works on the session."""
        return self._is(usage.is_idle)

    @property
    def finished(self) -> bool:
        """Whether nothing is seen through that was asked for."""
        return self._is(usage.is_finished)

    def _is(self, question: t.Callable[[Session], bool]) -> bool:
        """What is so of the session; of one that cannot be used any more, there is nothing to wait for."""
        try:
            return question(self.session)
        except OneTokenError:
            return True

    def leave(self) -> None:
        """Let the watcher revoke the session when all is seen through, without waiting for it."""
        if self._watcher.stopped or self._watcher.gone:
            self._replace_watcher()
        self._watcher.end(0, 0, self.keep, patience=0)

    def end(self, drain: bool, patience: float = math.inf) -> dict[str, t.Any] | None:
        """Let the watcher revoke the session; what it did, or None while it is still at it after the patience."""
        drain_timeout = self._settings.drain_timeout if drain else 0
        revoke_timeout = min(patience, self._settings.revoke_timeout)
        report = self._watcher.end(drain_timeout, revoke_timeout, self.keep)
        stopped = report is None and self._watcher.stopped
        if stopped or (report is None and self._watcher.gone):
            # Another one finds the session as it is.
            self._replace_watcher()
            report = self._watcher.end(drain_timeout, revoke_timeout, self.keep)
        if report is None and self._watcher.gone:
            report = {**NOTHING_DONE, "problem": self._unrevoked()}
        if report is not None:
            if stopped:
                report["problem"] = " ".join([_STOPPED, *([report["problem"]] if report["problem"] else [])])
            self._watcher.wait()
        return report

    def _replace_watcher(self) -> None:
        """Have another watcher for one that was killed, or stopped."""
        self._watcher.kill()
        self._watcher = Watcher(self.session, self._owner, os.environ)

    def _unrevoked(self) -> str:
        """What to say when two watchers ended without an answer."""
        if not os.path.lexists(self.session.path):
            return gone(self.session)
        return (
            f"The session {self.session.path} was not revoked, because its watcher was killed, or cannot run: run "
            f"os_token_revoke with session={self.session.path}."
        )


def _session(settings: Settings, environ: t.Mapping[str, str]) -> Session:
    if settings.session:
        return Session.named(settings.session, environ)
    return Session.new(environ, settings.directory)


def _refuse_unknown(clouds: list[str] | None, files: ConfigFiles) -> None:
    known = [*files.entries(), sources.UNNAMED]
    for cloud in clouds or ():
        if cloud not in known:
            raise ConfigurationError(
                f"The option clouds names {cloud!r}, which is not in {files.clouds}: correct its name there or here."
            )
