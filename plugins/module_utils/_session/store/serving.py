# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a token of a session may be served."""

from __future__ import annotations

import typing as t

from . import staleness
from .renewal import RenewalPolicy
from .session import Session
from .token import Token, TokenId


def is_usable(session: Session, token: Token, refused: t.Container[TokenId] = ()) -> bool:
    """Whether it may be served if there is no other: it has not expired, is not stale, and was not refused.

    :param refused: tokens that a service refused to the process that asks
    """
    if token.end is None or token.expired or token.id in refused:
        return False
    return not staleness.is_stale(session, token)


def is_good(session: Session, token: Token, policy: RenewalPolicy, refused: t.Container[TokenId] = ()) -> bool:
    """Whether it may be served without asking Keystone for a new one."""
    return is_usable(session, token, refused) and not policy.is_due(token)
