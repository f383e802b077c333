# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Revoking a session: every token that it ever held."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from ..store import directory, key, owners
from ..store.renewal import RenewalPolicy
from ..store.session import ISSUED, REQUESTS, LivingToken, Session, SessionRecord
from ..store.token import Token
from ..store.tokens import StoredTokens
from ..util import clock
from ..util.errors import (
    KeystoneUnavailableError,
    OneTokenError,
    SessionAbsentError,
    SessionDamagedError,
    SessionError,
    TokenNotRevokedError,
)
from ..util.waiting import Waiter
from . import keystone


@dataclasses.dataclass
class Revocation:
    """The result of revoking a session."""

    revoked: int = 0
    #: Tokens that had expired, or that Keystone did not accept any more.
    already_dead: int = 0
    keystone_requests: int = 0
    tokens_issued: int = 0
    #: Tokens that cannot be revoked.
    living: list[LivingToken] = dataclasses.field(default_factory=list)
    #: Why other tokens are not revoked yet; these stay on the session's list.
    problems: list[str] = dataclasses.field(default_factory=list)
    #: Which of the session's files could not be read or written, and what to do.
    damage: list[str] = dataclasses.field(default_factory=list)


def revoke(session: Session, timeout: float) -> Revocation:
    """Close the session and revoke every token that it ever held, newest first."""
    if not session.exists and not session.has_tokens:
        raise SessionError(f"There is no session at {session.path}, so nothing was revoked: check its name.")
    waiter = Waiter(timeout)
    if session.exists:
        # Before the lock: a process that holds it while it waits for Keystone to issue a token gives up now.
        with contextlib.suppress(SessionError):
            session.close()
    with session.locked(waiter.seconds_left):
        return _complete(session, _Revoker(session, waiter).revoke())


def revoke_orphan(session: Session, timeout: float) -> Revocation | None:
    """Revoke a session whose runs have ended; None if a new run has begun on it meanwhile."""
    waiter = Waiter(timeout)
    with session.locked(waiter.seconds_left):
        return _complete(session, _Revoker(session, waiter).revoke()) if owners.orphaned(session) else None


def clear_old(session: Session, timeout: float) -> None:
    """Revoke and remove a session of an earlier version, unless another run has done so meanwhile."""
    waiter = Waiter(timeout)
    with contextlib.suppress(SessionAbsentError), session.locked(waiter.seconds_left):
        if session.exists and not session.is_of_this_format:
            if session.has_tokens:
                _complete(session, _Revoker(session, waiter).revoke())
            session.discard()


def leave(session: Session, owner: str, timeout: float) -> Revocation | None:
    """End a run's part in a session. The last run revokes it; None if others still use it."""
    waiter = Waiter(timeout)
    if not owners.others(session, owner) and session.exists:
        with contextlib.suppress(SessionError):
            session.close()
    with session.locked(waiter.seconds_left):
        if owners.others(session, owner):
            owners.remove(session, owner)
            return None
        result = _Revoker(session, waiter).revoke()
        if not session.has_tokens:
            # Otherwise, a later run finds the tokens that are left by their owner.
            owners.remove(session, owner)
            owners.remove_ended(session)
    return result


def _complete(session: Session, result: Revocation) -> Revocation:
    """The result, unless something is left to do or to report, which is raised."""
    if result.problems:
        raise SessionError(unconfirmed(session, result.problems))
    if result.damage:
        raise SessionDamagedError(" ".join(result.damage))
    return result


def unconfirmed(session: Session, problems: list[str]) -> str:
    """The message about tokens that may be revoked later."""
    return (
        f"The session {session.path} may still have a valid token, which stays recorded ({'; '.join(problems)}): run "
        "os_token_revoke again once Keystone answers."
    )


class _Revoker:
    """Revokes a session whose lock this process has."""

    def __init__(self, session: Session, waiter: Waiter) -> None:
        self._session = session
        self._waiter = waiter
        self._record = SessionRecord(RenewalPolicy())
        self._result = Revocation()

    def revoke(self) -> Revocation:
        has_record = self._read_record()
        # First: from here on, the names of the files reveal no identity to a thief.
        key.remove(self._session.path)
        self._write(self._session.close)
        # Nobody writes tokens under this lock, so a temporary file is that of a writer that was killed.
        for name in self._session.all_names():
            self._revoke_identity(name)
        with contextlib.suppress(SessionError):
            self._session.allow_fork_servers(False)
        if has_record:
            self._write(lambda: self._session.write_record(self._record))
        with contextlib.suppress(SessionError):
            self._count_requests()
        return self._result

    def _read_record(self) -> bool:
        """Read the session's record; False where there is none that can be read: the session still has its tokens."""
        if not self._session.exists:
            return False
        try:
            self._record = self._session.read_record()
        except SessionError:
            return False
        self._record.living = [token for token in self._record.living if not token.ended]
        self._result.living = list(self._record.living)
        return True

    def _count_requests(self) -> None:
        self._result.tokens_issued = self._session.counted(ISSUED)
        counted_before = self._session.counted(REQUESTS)
        self._session.count(REQUESTS, self._result.keystone_requests)
        self._result.keystone_requests += counted_before

    def _revoke_identity(self, name: str) -> None:
        """Revoke an identity's tokens; those that may be revoked later stay on the list."""
        tokens, complete = self._session.readable_tokens(name)
        kept = [token for token in tokens if not self._is_settled(token)]
        unfinished = directory.is_temporary(name)
        if not complete:
            self._result.damage.append(_unreadable(self._session, name, unfinished))
        if not kept and (complete or unfinished):
            self._write(lambda: self._session.remove_tokens(name))
        elif complete and kept != tokens:
            self._write(lambda: self._session.write_tokens(name, StoredTokens(kept[0], tuple(kept[1:]))))

    def _is_settled(self, token: Token) -> bool:
        """Revoke a token; False when it stays on the list, to be revoked later."""
        try:
            revoked = self._ask_keystone(token)
        except TokenNotRevokedError as exc:
            return self._is_settled_by(exc, token)
        except OneTokenError as exc:
            self._result.problems.append(f"{token.label}: {exc}")
            return False
        self._result.revoked += revoked
        self._result.already_dead += not revoked
        return True

    def _is_settled_by(self, refusal: TokenNotRevokedError, token: Token) -> bool:
        if refusal.by_keystone and not refusal.by_policy and not token.has_access_rules:
            # The members of a cluster may disagree for a while, as when its keys are rotated.
            self._result.problems.append(f"{token.label}: {refusal}")
            return False
        living = _living(self._session, token, refusal)
        self._result.living.append(living)
        if refusal.by_keystone:
            # Nobody can revoke it, so it need not stay on a disk.
            self._record.living.append(living)
        return refusal.by_keystone

    def _ask_keystone(self, token: Token) -> bool:
        """Have Keystone revoke a token; False when it was dead already."""
        connection = keystone.Connection.of_token(token)
        try:
            # The clock may have been set forward, so Keystone is asked even about an expired token, but only once.
            return connection.revoke(token.id, Waiter(0) if token.expired else self._waiter)
        except (KeystoneUnavailableError, TokenNotRevokedError) as exc:
            lives = isinstance(exc, TokenNotRevokedError) and exc.lives
            if lives or not token.expired:
                raise
            return False
        finally:
            self._result.keystone_requests += connection.requests

    def _write(self, write: t.Callable[[], None]) -> None:
        """A full disk is no reason to let a token live: it is reported after the revoke."""
        try:
            write()
        except SessionError as exc:
            if str(exc) not in self._result.damage:
                self._result.damage.append(str(exc))


def _unreadable(session: Session, name: str, unfinished: bool) -> str:
    if unfinished:
        return (
            f"The file {name} of the session {session.path} was not written to its end, so a token in it may live "
            "until it expires."
        )
    # The file stays, for somebody who may be able to read it.
    return (
        f"The file {name}.json of the session {session.path} is damaged, so a token in it may live until it "
        "expires: remove the session's directory."
    )


def _living(session: Session, token: Token, refusal: TokenNotRevokedError) -> LivingToken:
    until = None if token.end is None else clock.show(token.end)
    reason = str(refusal)
    remedy = refusal.remedy or f"run os_token_revoke with session={session.path} once Keystone answers there"
    if refusal.by_keystone and token.impersonates:
        reason += ", as it does with tokens of a trust that impersonates"
        remedy = "delete the trust to end it now"
    elif refusal.by_keystone and token.has_access_rules:
        reason += ", as it does with tokens of an application credential that has access rules"
        remedy = "delete the application credential to end it now"
    lives = "lives" if refusal.lives else "may live"
    return LivingToken(
        until, f"The token of {token.label} {lives} until {until or 'it expires'}, because {reason}: {remedy}."
    )


def preview(session: Session) -> Revocation:
    """What revoking would do, as far as the session's files show: Keystone is not asked, and nothing is written."""
    if not session.exists:
        # In check mode, os_token_issue makes none.
        return Revocation()
    record = session.read_record()
    living = [token for token in record.living if not token.ended]
    result = Revocation(
        keystone_requests=session.counted(REQUESTS), tokens_issued=session.counted(ISSUED), living=living
    )
    for name in session.names():
        stored = session.read_tokens(name)
        for token in stored.newest_first if stored else ():
            if token.expired:
                result.already_dead += 1
            else:
                result.revoked += 1
    return result
