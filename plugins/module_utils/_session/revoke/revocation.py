# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a session: no token that it ever held is accepted any more."""

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
    #: Tokens that were past their expiry, or that Keystone refused already.
    already_dead: int = 0
    keystone_requests: int = 0
    tokens_issued: int = 0
    #: Tokens that cannot be revoked.
    living: list[LivingToken] = dataclasses.field(default_factory=list)
    #: Why other tokens, which stay on the session's list, are not revoked yet.
    problems: list[str] = dataclasses.field(default_factory=list)
    #: What of the session's files could not be read or written, with what to do about it.
    damage: list[str] = dataclasses.field(default_factory=list)


def revoke(session: Session, timeout: float) -> Revocation:
    """Close the session and make Keystone refuse every token that it ever held, newest first."""
    if not session.exists and not session.has_tokens:
        raise SessionError(f"There is no session at {session.path}, so nothing was revoked: check its name.")
    waiter = Waiter(timeout)
    if session.exists:
        # Before the lock, which somebody holds who waits for Keystone to give a token: that one gives up now.
        with contextlib.suppress(SessionError):
            session.close()
    with session.locked(waiter.seconds_left):
        return _complete(session, _revoke_locked(session, waiter))


def revoke_orphan(session: Session, timeout: float) -> Revocation | None:
    """Revoke a session whose runs have ended; None if it is none any more, as a run has begun on it meanwhile."""
    waiter = Waiter(timeout)
    with session.locked(waiter.seconds_left):
        return _complete(session, _revoke_locked(session, waiter)) if owners.orphaned(session) else None


def clear_old(session: Session, timeout: float) -> None:
    """Revoke a session of a version before and remove it, unless another run has done so meanwhile."""
    waiter = Waiter(timeout)
    with contextlib.suppress(SessionAbsentError), session.locked(waiter.seconds_left):
        if session.exists and not session.is_of_this_format:
            if session.has_tokens:
                _complete(session, _revoke_locked(session, waiter))
            session.discard()


def leave(session: Session, owner: str, timeout: float) -> Revocation | None:
    """End a run's part in a session: the last run to leave revokes it; None for one that leaves others behind."""
    waiter = Waiter(timeout)
    if not owners.others(session, owner) and session.exists:
        with contextlib.suppress(SessionError):
            session.close()
    with session.locked(waiter.seconds_left):
        if owners.others(session, owner):
            owners.remove(session, owner)
            return None
        result = _revoke_locked(session, waiter)
        if not session.has_tokens:
            # Else a later run finds what this one leaves behind.
            owners.remove(session, owner)
            owners.remove_ended(session)
    return result


def _complete(session: Session, result: Revocation) -> Revocation:
    """The result, or what is missing from it as an error."""
    if result.problems:
        raise SessionError(unconfirmed(session, result.problems))
    if result.damage:
        raise SessionDamagedError(" ".join(result.damage))
    return result


def unconfirmed(session: Session, problems: list[str]) -> str:
    """What to say of tokens that may be revoked later."""
    return (
        f"The session {session.path} may still have a live token, which stays on its list ({'; '.join(problems)}): run "
        "os_token_revoke again once Keystone answers."
    )


def _revoke_locked(session: Session, waiter: Waiter) -> Revocation:
    record = SessionRecord(RenewalPolicy())
    readable = False
    if session.exists:
        # Without its record, a session still has its tokens.
        with contextlib.suppress(SessionError):
            record = session.read_record()
            readable = True
    record.living = [token for token in record.living if not token.ended]
    result = Revocation(living=list(record.living))
    # First: what a thief finds from here on names no identity.
    key.remove(session.path)
    _write(result, session.close)
    # Under this lock nobody writes tokens, so a file that is not in place is one of a writer that was killed.
    for name in session.all_names():
        _revoke_identity(session, name, waiter, record, result)
    with contextlib.suppress(SessionError):
        session.allow_fork_servers(False)
    if readable:
        _write(result, lambda: session.write_record(record))
    with contextlib.suppress(SessionError):
        result.tokens_issued = session.counted(ISSUED)
        result.keystone_requests += session.counted(REQUESTS)
        session.count(REQUESTS, result.keystone_requests - session.counted(REQUESTS))
    return result


def _revoke_identity(session: Session, name: str, waiter: Waiter, record: SessionRecord, result: Revocation) -> None:
    """Revoke an identity's tokens, and keep on the list those with which it may be tried again."""
    tokens, complete = session.readable_tokens(name)
    kept = []
    for token in tokens:
        try:
            revoked = _revoke_one(token, waiter, result)
        except TokenNotRevokedError as exc:
            if exc.by_keystone and not exc.by_policy and not token.has_access_rules:
                # The members of a cluster may disagree for a while, as when its keys are rotated.
                result.problems.append(f"{token.label}: {exc}")
                kept.append(token)
                continue
            living = _living(session, token, exc)
            result.living.append(living)
            if exc.by_keystone:
                # Nothing can be done with it any more, so it need not lie on a disk.
                record.living.append(living)
            else:
                kept.append(token)
        except OneTokenError as exc:
            result.problems.append(f"{token.label}: {exc}")
            kept.append(token)
        else:
            result.revoked += revoked
            result.already_dead += not revoked
    unfinished = directory.is_temporary(name)
    if not complete and unfinished:
        result.damage.append(
            f"The file {name} of the session {session.path} was not written to its end, so a token in it may live "
            "until it expires."
        )
    elif not complete:
        # Whatever else is in the file stays, for who may be able to read it.
        result.damage.append(
            f"The file {name}.json of the session {session.path} is damaged, so a token in it may live until it "
            "expires: remove the session's directory."
        )
    if not kept and (complete or unfinished):
        _write(result, lambda: session.remove_tokens(name))
    elif complete and kept != tokens:
        _write(result, lambda: session.write_tokens(name, StoredTokens(kept[0], tuple(kept[1:]))))


def _write(result: Revocation, write: t.Callable[[], None]) -> None:
    """A disk that is full is no reason to let a token live: it is reported after that is revoked."""
    try:
        write()
    except SessionError as exc:
        if str(exc) not in result.damage:
            result.damage.append(str(exc))


def _revoke_one(token: Token, waiter: Waiter, result: Revocation) -> bool:
    keystone_connection = keystone.Connection.of_token(token)
    try:
        # A clock that was set forward is no proof of death, so Keystone is asked all the same, if only once.
        return keystone_connection.revoke(token.id, Waiter(0) if token.expired else waiter)
    except (KeystoneUnavailableError, TokenNotRevokedError) as exc:
        lives = isinstance(exc, TokenNotRevokedError) and exc.lives
        if lives or not token.expired:
            raise
        return False
    finally:
        result.keystone_requests += keystone_connection.requests


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


def foresee_revoke(session: Session) -> Revocation:
    """What revoking would do, as far as the session knows, without asking Keystone or writing anything."""
    if not session.exists:
        # In check mode the task that issues made none.
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
