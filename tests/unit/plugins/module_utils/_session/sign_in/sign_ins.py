# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signing in as whoever the stand-in for Keystone knows, and what comes of it."""

from __future__ import annotations

import typing as t

from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import Session
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.token import Token
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    PASSWORD,
    USER,
    StandInKeystone,
)
from keystoneauth1.identity import v3

#: Signs in to the Keystone of the first argument, and says which token it got.
SIGN_IN = f"""
import sys
from keystoneauth1 import session
from keystoneauth1.identity import v3

auth = v3.Password(
    sys.argv[1], username={USER!r}, password={PASSWORD!r}, user_domain_name="Default", project_name="demo",
    project_domain_name="Default",
)
print(auth.get_token(session.Session()), flush=True)
"""


class GenerousKeystone(StandInKeystone):
    """One that signs in whoever asks."""

    def _knows(self, identity: dict[str, t.Any]) -> bool:
        return True


def password_plugin(keystone: StandInKeystone, **options: t.Any) -> v3.Password:
    defaults = {
        "auth_url": keystone.auth_url,
        "username": USER,
        "password": PASSWORD,
        "user_domain_name": "Default",
        "project_name": "demo",
        "project_domain_name": "Default",
    }
    return v3.Password(**{**defaults, **options})


def current(session: Session) -> Token:
    """The token of the only identity of a session."""
    (name,) = session.names()
    stored = session.read_tokens(name)
    assert stored is not None
    return stored.current
