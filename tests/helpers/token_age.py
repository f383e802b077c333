# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make tokens older than they are."""

from __future__ import annotations

import dataclasses
import datetime

from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import Session
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.token import Token
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.tokens import StoredTokens


def older(token: Token, seconds: float) -> Token:
    """The same token, obtained this much earlier."""
    obtained_at = token.obtained_at - datetime.timedelta(seconds=seconds)
    return dataclasses.replace(token, obtained_at=obtained_at, began=token.began - seconds)


def let_it_age(session: Session, name: str, seconds: float) -> None:
    """Make the tokens of an identity as old as if this time had passed."""
    stored = session.read_tokens(name)
    assert stored is not None
    replaced = tuple(older(token, seconds) for token in stored.replaced)
    session.write_tokens(name, StoredTokens(older(stored.current, seconds), replaced))
