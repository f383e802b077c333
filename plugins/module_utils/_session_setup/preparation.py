# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prepares a session, without a token: the first sign-in gets one."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from .._session.store import directory, key, owners, site_code
from .._session.store.renewal import RenewalPolicy
from .._session.store.session import LimitOptions, Session, SessionRecord
from .._session.util.errors import SessionAbsentError, SessionError
from .._session.util.waiting import Waiter
from . import site

#: Seconds for which a run waits at its start for others that prepare the same session.
PREPARE_TIMEOUT = 30
#: Seconds for which it waits for Keystone to revoke what an earlier version left in a session of the same name.
REVOKE_TIMEOUT = 60


def prepare(
    session: Session,
    policy: RenewalPolicy,
    owner: owners.Owner,
    limits: LimitOptions | None = None,
    fork_server: bool = True,
) -> str:
    """Prepare a session for a run; the owner's name in it."""
    _clear_old(session)
    with _made_and_locked(session, Waiter(PREPARE_TIMEOUT)):
        if not session.is_own:
            # Its user could change the code that this run loads.
            raise SessionError(
                f"The session at {session.path} belongs to another user: name a session of your own for this run."
            )
        is_new = _is_new(session)
        record = session.read_record() if session.exists else SessionRecord(policy)
        record.policy, record.of_runs, record.limits = policy, True, limits or record.limits
        try:
            site_code.write(session, site.files())
            session.allow_fork_servers(fork_server)
            session.write_record(record)
            name = owners.add(session, owner)
        except BaseException:
            if is_new:
                session.discard()
            raise
        session.reopen()
    return name


def in_force(record: SessionRecord, policy: RenewalPolicy) -> RenewalPolicy:
    """The policy of a task in a session: that of the run decides on renew_after, the task on min_remaining."""
    return dataclasses.replace(policy, renew_after=record.policy.renew_after) if record.of_runs else policy


@contextlib.contextmanager
def prepared(
    session: Session,
    policy: RenewalPolicy,
    timeout: float,
    limits: LimitOptions | None = None,
    fork_server: bool = True,
) -> t.Iterator[RenewalPolicy]:
    """Prepare a session for a sign-in, and yield its policy; a new one that gets no token is removed again."""
    _clear_old(session)
    with _made_and_locked(session, Waiter(timeout)):
        is_new = _is_new(session)
        record = session.read_record() if session.exists else SessionRecord(policy)
        try:
            # What can fail for lack of space or permissions comes before there is a token to lose.
            site_code.write(session, site.files())
            record.policy = in_force(record, policy)
            if not record.of_runs:
                session.allow_fork_servers(fork_server)
                record.limits = limits or record.limits
            # In any case: another task that made the session sees by this that it is in use.
            session.write_record(record)
        except BaseException:
            if is_new:
                session.discard()
            raise
        was_closed, as_made = session.closed, session.state
        session.reopen()
    try:
        yield record.policy
    except BaseException:
        with contextlib.suppress(SessionError), session.locked(PREPARE_TIMEOUT):
            if is_new and session.state == as_made and not session.has_tokens:
                session.discard()
            elif was_closed:
                key.remove(session.path)
                session.close()
        raise


def exposure(session: Session) -> str | None:
    """A warning about a session in a shared directory, where others can put another in its place once it is gone."""
    shared = directory.shared_parent(session.path)
    return shared and (
        f"The session {session.path} is below {shared}, to which other users can write, so once it is removed they may "
        "put code where daemons that this run started look for it: name a directory that only you can write to."
    )


@contextlib.contextmanager
def _made_and_locked(session: Session, waiter: Waiter) -> t.Iterator[None]:
    """Make the session if it is missing, and lock it against others that prepare or revoke it."""
    while True:
        session.make()
        with contextlib.ExitStack() as stack:
            try:
                # Processes that sign in to an existing session need nothing that changes here.
                lock = session.locked if _is_new(session) else session.locked_for_changes
                stack.enter_context(lock(waiter.seconds_left))
            except SessionAbsentError:
                # The task that made it could not issue a token, and removed it again while this one waited.
                if waiter.pause(0):
                    continue
                raise
            yield
            return


def _is_new(session: Session) -> bool:
    """Whether it holds nothing: a session without its record may still have tokens."""
    return not session.exists and not session.has_tokens


def _clear_old(session: Session) -> None:
    """Revoke what an earlier version left under the same name."""
    with contextlib.suppress(SessionAbsentError):
        if session.exists and not session.is_of_this_format:
            # It needs keystoneauth, which takes a moment to import.
            from .._session.revoke import revocation

            revocation.clear_old(session, REVOKE_TIMEOUT)
