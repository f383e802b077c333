# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs of a session's life: prepare, issue, use and renew, revoke."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
import typing as t

from . import clock, detached, keystone, owners, session_clouds, site
from .config_files import ConfigFiles
from .errors import (
    ConfigurationError,
    CredentialsRefusedError,
    KeystoneUnavailableError,
    OneTokenError,
    SessionAbsentError,
    SessionDamagedError,
    SessionError,
    TokenNotRevokedError,
)
from .pacing import Waiter
from .renewal import RenewalPolicy
from .source import Source
from .store import Failure, LivingToken, Session, SessionRecord, StoredTokens
from .token import Token, TokenId

#: How long a process that needs a token and has none goes on asking Keystone for one, in seconds.
RENEWAL_TIMEOUT = 120
#: The same with a token that is still good: the work is not to wait for what it does not need yet.
EARLY_RENEWAL_TIMEOUT = 5
#: A token with less than this left, in seconds, is not gone on with when it cannot be renewed.
LAST_MINUTE = 60
#: How long a run waits at its start for others who are at work on the same session, in seconds.
LOCKED_FOR_A_MOMENT = 30
#: After a failed renewal, processes use what is left for so long before one of them asks again, in seconds.
RENEWAL_PAUSE = 60


@dataclasses.dataclass(frozen=True)
class Issued:
    """The session's token after issuing, or after finding that there is a good one."""

    token: Token
    changed: bool
    #: Why the token is not a new one, though it is due.
    kept_because: str | None = None


def issue(session: Session, source: Source, policy: RenewalPolicy, timeout: float) -> Issued:
    """The session's token for a cloud, a new one if there is none or it is due."""
    waiter = Waiter(timeout)
    if not session.exists:
        # What cannot work is said before a directory is made for it.
        source.region()
    with _made_and_locked(session, waiter):
        # A task that was killed may have left tokens without a record: that session is not to be thrown away.
        is_new = not session.exists and not session.has_tokens
        try:
            record = session.read_record() if session.exists else SessionRecord(source.files, {}, policy)
            good = usable_token(session, source, policy)
            # Whatever can fail for want of space or rights comes before there is a token to lose.
            session.write_site(site.files())
            if good is not None:
                issued = Issued(good, changed=False)
                if record.policy != policy:
                    record.policy = policy
                    session.write_record(record)
            else:
                issued = _issue_or_keep(session, record, source, policy, waiter)
        except BaseException:
            if is_new:
                session.discard()
            raise
    return issued


def _issue_or_keep(
    session: Session, record: SessionRecord, source: Source, policy: RenewalPolicy, waiter: Waiter
) -> Issued:
    """A new token; the one that is due if Keystone gives none, as long as that still does what the task asks for."""
    old = None if session.closed or record.source(source.cloud) != source else session.read_tokens(source.cloud)
    record.sources[source.cloud] = source
    record.policy = policy
    session_clouds.write(session, record, source.cloud)
    try:
        token = _sign_in(session, record, source, waiter)
    except (CredentialsRefusedError, KeystoneUnavailableError) as exc:
        if old is None or old.current.seconds_left < max(LAST_MINUTE, policy.min_remaining):
            raise
        return Issued(old.current, changed=False, kept_because=str(exc))
    return Issued(token, changed=True)


def prepare(
    session: Session,
    files: ConfigFiles,
    policy: RenewalPolicy,
    owner: owners.Owner,
    clouds: list[str] | None = None,
    fallback: bool = False,
    environment: Source | None = None,
) -> str:
    """Make a session without any token, which the first process that needs one issues; the owner's name in it."""
    with _made_and_locked(session, Waiter(LOCKED_FOR_A_MOMENT)):
        is_new = not session.exists
        record = session.read_record() if session.exists else SessionRecord(files, {}, policy)
        if record.files != files:
            raise SessionError(
                f"The session {session.path} was made from {record.files.clouds}, and this run has {files.clouds}: "
                "name another session."
            )
        record.policy, record.of_runs, record.clouds, record.fallback = policy, True, clouds, fallback
        # What stood in the way of an earlier run may be mended.
        record.failures.clear()
        if environment is not None and record.sources.setdefault(environment.cloud, environment) != environment:
            raise SessionError(
                f"The session {session.path} was made with other OS_* variables than this run has: name another "
                "session."
            )
        try:
            session.write_site(site.files())
            session_clouds.write(session, record, environment.cloud if environment else None)
            session.write_record(record)
            name = owners.add(session, owner)
        except BaseException:
            if is_new:
                session.discard()
            raise
        session.reopen()
    return name


@contextlib.contextmanager
def _made_and_locked(session: Session, waiter: Waiter) -> t.Iterator[None]:
    """The session, made if it is missing, under its lock."""
    while True:
        session.make()
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(session.locked(waiter.seconds_left))
            except SessionAbsentError:
                # The task that made it could not issue a token, and took it away again while this one waited.
                if waiter.pause(0):
                    continue
                raise
            yield
            return


def foresee_issue(session: Session, source: Source, policy: RenewalPolicy) -> tuple[Token | None, bool]:
    """What issuing would come to, without asking Keystone or writing anything."""
    token = usable_token(session, source, policy)
    if token is None:
        source.region()
    return token, token is None


def usable_token(session: Session, source: Source, policy: RenewalPolicy) -> Token | None:
    """The token in the session, if it was issued for the same source and is not due."""
    if not session.exists or session.closed or session.read_record().source(source.cloud) != source:
        return None
    stored = session.read_tokens(source.cloud)
    return None if stored is None or policy.is_due(stored.current) else stored.current


def current_token(session: Session, cloud: str, refused: TokenId | None = None) -> Token:
    """The token for a process that needs one now; issued or renewed first, once for all, where that is due."""
    session.refuse_closed()
    policy = session.read_record().policy
    token = _not_due(session.read_tokens(cloud), policy, refused)
    if token is not None:
        return token
    with session.locked():
        session.refuse_closed()
        # Another process may have renewed it while this one waited for the lock.
        stored = session.read_tokens(cloud)
        token = _not_due(stored, policy, refused)
        if token is not None:
            return token
        if stored is not None and _accepted_after_all(session, stored.current, refused):
            return stored.current
        still_good = stored is not None and not stored.current.expired and stored.current.id != refused
        try:
            return _renew(session, cloud, EARLY_RENEWAL_TIMEOUT if still_good else RENEWAL_TIMEOUT)
        except OneTokenError as exc:
            if stored is not None and still_good:
                return stored.current
            raise SessionError(_no_token(session, cloud, stored, refused, exc)) from None


def _not_due(stored: StoredTokens | None, policy: RenewalPolicy, refused: TokenId | None) -> Token | None:
    if stored is None or stored.current.id == refused or policy.is_due(stored.current):
        return None
    return stored.current


def _accepted_after_all(session: Session, token: Token, refused: TokenId | None) -> bool:
    """Whether the fault is the service's: Keystone accepts the token that the service refused."""
    if token.id != refused or token.expired:
        return False
    with _asking(session, token) as keystone_connection:
        # Where nobody can say, a new token is issued.
        return keystone_connection.accepts(token.id, Waiter(RENEWAL_TIMEOUT)) is True


@contextlib.contextmanager
def _asking(session: Session, token: Token) -> t.Iterator[keystone.Connection]:
    """A connection to a token's Keystone; the session's lock is held, as requests go on the session's account."""
    keystone_connection = keystone.Connection.of_token(token)
    try:
        yield keystone_connection
    finally:
        record = session.read_record()
        record.keystone_requests += keystone_connection.requests
        session.write_record(record)


def _renew(session: Session, cloud: str, timeout: float) -> Token:
    record = session.read_record()
    failure = record.failures.get(cloud)
    if failure is not None:
        age = (clock.now() - clock.parse(failure.at)).total_seconds()
        if failure.final or age < RENEWAL_PAUSE:
            raise SessionError(failure.message)
    source = record.source(cloud)
    if source is None:
        raise SessionError(f"cloud {cloud!r} is not one of the session's clouds.")
    try:
        return _sign_in(session, record, source, Waiter(timeout))
    except OneTokenError as exc:
        final = isinstance(exc, CredentialsRefusedError)
        record.failures[cloud] = Failure(str(exc), clock.now().isoformat(), final)
        session.write_record(record)
        raise


def _sign_in(session: Session, record: SessionRecord, source: Source, waiter: Waiter) -> Token:
    """Ask Keystone for a token and put it on the session's list, as one thing that nothing interrupts."""
    try:
        # Here, and not only in the child: what is missing is told as what it is.
        import openstack.config  # noqa: F401
    except ImportError as exc:
        raise ConfigurationError(
            f"A token is to be issued, for which {sys.executable} lacks {exc.name}: install openstacksdk there."
        ) from None
    record.interpreter = sys.executable
    session.write_record(record)
    waiting = os.getpid()

    def given_up() -> bool:
        """Nobody waits for the token any more: the session was revoked, or is of nobody but a process that ended."""
        return session.closed or (os.getppid() != waiting and not owners.living(session))

    def issue_and_store() -> None:
        _issue_and_store(session, record, source, Waiter(waiter.seconds_left, given_up=given_up))

    closed = session.closed
    if closed:
        session.reopen()
    try:
        detached.run(issue_and_store)
    except BaseException:
        if closed:
            session.close()
        raise
    stored = session.read_tokens(source.cloud)
    if stored is None:
        raise SessionError(f"The token of cloud {source.cloud!r} is gone from the session {session.path}.")
    return stored.current


def _issue_and_store(session: Session, record: SessionRecord, source: Source, waiter: Waiter) -> None:
    token, requests_made = keystone.issue(source, waiter)
    try:
        stored = session.read_tokens(source.cloud)
        session.write_tokens(source.cloud, StoredTokens(token, stored.newest_first if stored else ()))
        record.keystone_requests += requests_made
        record.sign_in_requests = requests_made
        record.tokens_issued += 1
        record.failures.pop(source.cloud, None)
        session.write_record(record)
    except BaseException:
        # A token that no list knows would live on for a day. Why it could not be listed is what the user must mend.
        with contextlib.suppress(OneTokenError):
            keystone.Connection.of_token(token).revoke(token.id, waiter)
        raise


def _no_token(
    session: Session, cloud: str, stored: StoredTokens | None, refused: TokenId | None, reason: OneTokenError
) -> str:
    if stored is None:
        state = "has no token yet"
    elif stored.current.id == refused:
        state = "has a token that Keystone does not accept any more"
    else:
        state = f"has a token that expired at {clock.show(stored.current.expires_at)}"
    return f"The session {session.path} {state} for cloud {cloud!r}, and a new one cannot be issued: {reason}"


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
    record = SessionRecord(ConfigFiles(), {}, RenewalPolicy())
    readable = False
    if session.exists:
        # Without its record, a session still has its tokens.
        with contextlib.suppress(SessionError):
            record = session.read_record()
            readable = True
    record.living = [token for token in record.living if not token.ended]
    result = Revocation(tokens_issued=record.tokens_issued, living=list(record.living))
    _write(result, session.close)
    for cloud in session.clouds_with_tokens():
        _revoke_cloud(session, cloud, waiter, record, result)
    if readable:
        _write(result, lambda: session.write_record(record))
    result.keystone_requests = record.keystone_requests
    return result


def _revoke_cloud(session: Session, cloud: str, waiter: Waiter, record: SessionRecord, result: Revocation) -> None:
    """Revoke a cloud's tokens, and keep on the list those with which it may be tried again."""
    tokens, complete = session.readable_tokens(cloud)
    kept = []
    for token in tokens:
        try:
            revoked = _revoke_one(token, waiter, record)
        except TokenNotRevokedError as exc:
            if exc.by_keystone and not exc.by_policy and not token.has_access_rules:
                # The members of a cluster may disagree for a while, as when its keys are rotated.
                result.problems.append(f"cloud {cloud!r}: {exc}")
                kept.append(token)
                continue
            living = _living(session, cloud, token, exc)
            result.living.append(living)
            if exc.by_keystone:
                # Nothing can be done with it any more, so it need not lie on a disk.
                record.living.append(living)
            else:
                kept.append(token)
        except OneTokenError as exc:
            result.problems.append(f"cloud {cloud!r}: {exc}")
            kept.append(token)
        else:
            result.revoked += revoked
            result.already_dead += not revoked
    if not complete:
        # Whatever else is in the file stays, for who may be able to read it.
        result.damage.append(
            f"The file of cloud {cloud!r} in the session {session.path} is damaged, so a token of it may live until it "
            "expires: remove the session's directory."
        )
    elif not kept:
        session.remove_tokens(cloud)
    elif kept != tokens:
        _write(result, lambda: session.write_tokens(cloud, StoredTokens(kept[0], tuple(kept[1:]))))


def _write(result: Revocation, write: t.Callable[[], None]) -> None:
    """A disk that is full is no reason to let a token live: it is reported after that is revoked."""
    try:
        write()
    except SessionError as exc:
        if str(exc) not in result.damage:
            result.damage.append(str(exc))


def _revoke_one(token: Token, waiter: Waiter, record: SessionRecord) -> bool:
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
        record.keystone_requests += keystone_connection.requests


def _living(session: Session, cloud: str, token: Token, refusal: TokenNotRevokedError) -> LivingToken:
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
        until, f"The token of cloud {cloud!r} {lives} until {until or 'it expires'}, because {reason}: {remedy}."
    )


def foresee_revoke(session: Session) -> Revocation:
    """What revoking would come to, as far as the session knows, without asking Keystone or writing anything."""
    if not session.exists:
        # In check mode the task that issues made none.
        return Revocation()
    record = session.read_record()
    living = [token for token in record.living if not token.ended]
    result = Revocation(keystone_requests=record.keystone_requests, tokens_issued=record.tokens_issued, living=living)
    for cloud in session.clouds_with_tokens():
        stored = session.read_tokens(cloud)
        for token in stored.newest_first if stored else ():
            if token.expired:
                result.already_dead += 1
            else:
                result.revoked += 1
    return result


@dataclasses.dataclass(frozen=True)
class Status:
    """What a session holds for a cloud."""

    cloud: str
    state: str
    token: Token | None = None
    renews_in: int = 0
    validated: bool = False


def status(session: Session, cloud: str | None, validate: bool, timeout: float) -> Status:
    """The state of a session's token, from the session alone or after asking Keystone."""
    if not session.exists:
        return Status(cloud or "", "absent")
    record = session.read_record()
    cloud = cloud or _only_cloud(session, record)
    stored = session.read_tokens(cloud)
    token = stored.current if stored else None
    if session.closed:
        return Status(cloud, "closed", token)
    if token is None:
        return Status(cloud, "absent")
    renews_in = max(0, int(record.policy.due_age(token.lifetime) - token.age))
    if token.expired:
        return Status(cloud, "expired", token)
    if validate:
        with session.locked(timeout), _asking(session, token) as keystone_connection:
            valid = keystone_connection.is_valid(token.id, Waiter(timeout))
        if not valid:
            return Status(cloud, "refused", token, renews_in, validated=True)
    return Status(cloud, "due" if record.policy.is_due(token) else "valid", token, renews_in, validate)


def _only_cloud(session: Session, record: SessionRecord) -> str:
    clouds = sorted({*record.sources, *session.clouds_with_tokens()})
    if len(clouds) == 1:
        return clouds[0]
    raise SessionError(f"The session {session.path} has several clouds ({', '.join(clouds)}): name one with cloud.")
