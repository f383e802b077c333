# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cleaning up after earlier runs: revoking the tokens that they left, and removing their sessions."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
import time
import typing as t

from ..store import key, owners, usage
from ..store.session import LivingToken, Session
from ..store.token import Token
from ..store.tokens import StoredTokens
from ..util.errors import OneTokenError, SessionError

#: Seconds for which a revoked session stays, so that a late task of its run fails instead of using the password.
KEPT = 24 * 3600
#: The same for a run on another machine, which may still be running without having changed its session, and for tokens
#: that cannot be read: by then they have expired.
KEPT_ELSEWHERE = owners.FORGOTTEN_AFTER
#: Seconds for which revoking one session is repeated.
TIMEOUT = 60


@dataclasses.dataclass
class Sweep:
    """The result of a sweep."""

    #: The sessions that were revoked after their runs had ended.
    sessions: list[str] = dataclasses.field(default_factory=list)
    revoked: int = 0
    already_dead: int = 0
    #: Tokens that cannot be revoked.
    living: list[LivingToken] = dataclasses.field(default_factory=list)
    keystone_requests: int = 0
    problems: list[str] = dataclasses.field(default_factory=list)


def orphans(base: str) -> list[Session]:
    """The sessions in a directory that hold tokens although every run that owned them has ended."""
    return [session for session in _sessions(base) if _is_orphan(session)]


def sweep(base: str, timeout: float) -> Sweep:
    """Revoke the orphans in a directory, then clear it. A session that any process works on is left alone."""
    # Needs keystoneauth, which takes a moment to import, and which not every Python has.
    from . import revocation

    result = Sweep()
    for session in orphans(base):
        try:
            revoked = revocation.revoke_orphan(session, timeout)
        except (OneTokenError, OSError) as exc:
            result.problems.append(str(exc))
        else:
            if revoked is None:
                continue
            result.sessions.append(session.path)
            result.revoked += revoked.revoked
            result.already_dead += revoked.already_dead
            result.living += revoked.living
            result.keystone_requests += revoked.keystone_requests
    clear(base)
    return result


def clear(base: str) -> None:
    """Remove the runs' own sessions in this directory that hold no valid token and have not changed for a day.

    Of the others, remove the tokens that expired long ago; and the keys of sessions that are gone.
    """
    key.clear(KEPT_ELSEWHERE)
    for session in _sessions(base):
        # No run fails because of what prevents the cleaning.
        with contextlib.suppress(SessionError, OSError):
            kept = KEPT_ELSEWHERE if owners.elsewhere(session) else KEPT
            # Before the lock, whose file may be new.
            forgotten = _is_unchanged(session, KEPT_ELSEWHERE)
            if session.is_of_one_run and session.exists and _is_unchanged(session, kept):
                with session.locked(timeout=0):
                    if (forgotten or _is_dead(session)) and not owners.living(session):
                        session.discard()
        with contextlib.suppress(SessionError, OSError):
            if session.exists and session.is_of_this_format and _with_old_tokens(session):
                with session.locked(timeout=0):
                    _drop_old_tokens(session)


def _sessions(base: str) -> t.Iterator[Session]:
    """The sessions of this user: those of others may name any Python and any Keystone, also to the superuser."""
    with contextlib.suppress(OSError):
        for name in sorted(os.listdir(base)):
            session = Session(os.path.join(base, name))
            if session.is_own:
                yield session


def _is_orphan(session: Session) -> bool:
    # A damaged one may not be ours.
    with contextlib.suppress(SessionError, OSError):
        return session.exists and session.has_tokens and owners.orphaned(session) and usage.is_idle(session)
    return False


def _is_unchanged(session: Session, seconds: float) -> bool:
    return time.time() - os.stat(session.path).st_mtime > seconds


def _is_dead(session: Session) -> bool:
    lists = [session.readable_tokens(name) for name in session.all_names()]
    return all(complete and all(token.expired for token in tokens) for tokens, complete in lists)


def _drop_old_tokens(session: Session) -> None:
    for name, kept in _with_old_tokens(session).items():
        if kept:
            session.write_tokens(name, StoredTokens(kept[0], tuple(kept[1:])))
        else:
            session.remove_tokens(name)


def _with_old_tokens(session: Session) -> dict[str, list[Token]]:
    """The identities with tokens that expired long ago, and their other tokens."""
    found = {}
    for name in session.names():
        tokens, complete = session.readable_tokens(name)
        kept = [token for token in tokens if not _expired_long_ago(token)]
        if complete and len(kept) < len(tokens):
            found[name] = kept
    return found


def _expired_long_ago(token: Token) -> bool:
    """Whether it expired a lifetime ago, and at least a day: a clock in another time zone is no reason."""
    return token.end is not None and token.age > token.lifetime + max(token.lifetime, KEPT)


if __name__ == "__main__":
    # Started by a watcher.
    sweep(sys.argv[1], TIMEOUT)
