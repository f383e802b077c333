# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signing in as whoever the stand-in for Keystone knows, and what comes of it."""

from __future__ import annotations

import contextlib
import os
import threading
import typing as t

import requests.adapters
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import (
    AUTHENTICATIONS,
    IDENTITIES,
    ISSUED,
    REQUESTS,
    Session,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.token import Token
from ansible_collections.onetoken.openstack.tests.helpers.token_age import let_it_age
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


def counts(session) -> tuple[int, ...]:
    """A session's requests, tokens, identities and sign-ins that were served."""
    return tuple(session.counted(name) for name in (REQUESTS, ISSUED, IDENTITIES, AUTHENTICATIONS))


def current_list(session):
    """The tokens of the one identity, newest first."""
    (name,) = session.names()
    return session.read_tokens(name).newest_first


def let_age(session, seconds: float) -> None:
    """Make the tokens of the one identity as old as if this time had passed."""
    (name,) = session.names()
    let_it_age(session, name, seconds)


def texts_of(session) -> str:
    """The content of a session's files, without its code."""
    texts = []
    for folder, _folders, names in os.walk(session.path):
        for name in names:
            if not name.endswith((".py", ".pyc")):
                with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as stream:
                    texts.append(stream.read())
    return "\n".join(texts)


@contextlib.contextmanager
def lost_connections(monkeypatch, number: int):
    """So many of the next requests get no answer."""
    left = [None] * number
    plain = requests.adapters.HTTPAdapter.send

    def send(self, *args, **kwargs):
        if left:
            left.pop()
            raise requests.exceptions.ConnectionError("lost")
        return plain(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(requests.adapters.HTTPAdapter, "send", send)
        yield left


def at_once(number: int, call) -> list:
    """What so many calls at the same time return or raise."""
    found = []
    arrived = threading.Barrier(number)

    def run():
        arrived.wait()
        try:
            found.append(call())
        except Exception as exc:
            found.append(exc)

    threads = [threading.Thread(target=run) for _number in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found
