# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a session's token for a cloud, without issuing one."""

from __future__ import annotations

import dataclasses
import math

from .._session.revoke.keystone import Connection
from .._session.store import serving
from .._session.store.renewal import RenewalPolicy
from .._session.store.session import REQUESTS, Session
from .._session.store.token import Token
from .._session.util.errors import SessionError
from .._session.util.waiting import Waiter
from .._session_setup import issued


@dataclasses.dataclass(frozen=True)
class Status:
    """The state of a token."""

    cloud: str
    state: str
    token: Token | None = None
    renews_in: int = 0
    validated: bool = False


def status(session: Session, cloud: str | None, validate: bool, timeout: float) -> Status:
    """The state of a cloud's token, from the session's files or after asking Keystone."""
    if not session.exists:
        return Status(cloud or "", "absent")
    policy = session.read_record().policy
    cloud, identity = _chosen(session, cloud)
    stored = session.read_tokens(identity) if identity else None
    token = stored.current if stored else None
    if session.closed:
        return Status(cloud, "closed", token)
    if token is None:
        return Status(cloud, "absent")
    if token.expired:
        return Status(cloud, "expired", token)
    renewal = renews_in(session, token, policy)
    if validate:
        connection = Connection.of_token(token)
        valid = connection.is_valid(token.id, Waiter(timeout))
        session.count(REQUESTS, connection.requests)
        if not valid:
            return Status(cloud, "refused", token, renewal, validated=True)
    return Status(cloud, "valid" if renewal else "due", token, renewal, validate)


def renews_in(session: Session, token: Token, policy: RenewalPolicy) -> int:
    """Seconds until a sign-in gets a new token; 0 if it does now."""
    return max(0, math.ceil(policy.due_in(token))) if serving.is_usable(session, token) else 0


def _chosen(session: Session, cloud: str | None) -> tuple[str, str | None]:
    """The name of the cloud, and the name of its identity."""
    known = issued.read(session)
    if cloud:
        one = issued.of_cloud(session, cloud)
        if one is not None or known:
            return cloud, one.identity if one else None
    elif len(known) == 1:
        return known[0].cloud, known[0].identity
    elif known:
        clouds = ", ".join(one.cloud for one in known)
        raise SessionError(f"The session {session.path} has several clouds ({clouds}): name one with cloud.")
    # The session of a run has no names of clouds.
    names = session.names()
    if len(names) > 1:
        raise SessionError(
            f"The session {session.path} has the tokens of {len(names)} identities, without the names of their clouds: "
            "issue one with os_token_issue to ask about it."
        )
    return cloud or "", names[0] if names else None
