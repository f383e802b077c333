# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens for tests, made here and of any age."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import (
    IDENTITIES,
    ISSUED,
    Session,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.token import Token, TokenId
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.tokens import StoredTokens
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util import clock
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    StandInKeystone,
)

#: How a session calls the identity whose tokens a test makes.
IDENTITY = "0123456789abcdef"
SECRET = "gAAAAABsecret-part-of-a-token"


def make_token(text: str = SECRET, lifetime: float = 24 * 3600, age: float = 0, **body: t.Any) -> Token:
    obtained_at = clock.now() - datetime.timedelta(seconds=age)
    times = {
        "issued_at": obtained_at.isoformat(),
        "expires_at": (obtained_at + datetime.timedelta(seconds=lifetime)).isoformat(),
    }
    described = body if body else {"project": {"id": "p1", "name": "demo"}, "audit_ids": ["audit-1"], "catalog": []}
    return Token(TokenId(text), {**times, **described}, "http://127.0.0.1:5000/v3", obtained_at)


def sign_in(session: Session, keystone: StandInKeystone, name: str = IDENTITY, **body: t.Any) -> Token:
    """A token of this identity that the session holds and Keystone knows, as if a process had signed in."""
    text = keystone.issue()
    keystone.alive[text].update(body)
    token = Token(TokenId(text), keystone.alive[text], keystone.auth_url, clock.now())
    stored = session.read_tokens(name)
    session.write_tokens(name, StoredTokens(token, stored.newest_first if stored else ()))
    session.count(ISSUED)
    if stored is None:
        session.count(IDENTITIES)
    return token
