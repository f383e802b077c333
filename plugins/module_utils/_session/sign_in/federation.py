# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signing in through an identity provider, which takes several requests and issues two tokens."""

from __future__ import annotations

import datetime
import json
import os
import typing as t

try:
    import requests
    from keystoneauth1 import access
except ImportError:  # Ansible looks into every file of a collection; where this is used, keystoneauth is there
    access = None

from ..store.session import REQUESTS, UNRECORDED, Session
from ..store.token import Tls
from ..transport.errors import of_program
from ..util import boot, clock
from ..util.errors import SessionClosedError
from . import cache
from .request import SignInRequest, connection_of, tls_of

#: The attributes of a plugin that a sign-in changes, as opposed to its options.
_STATE = {
    *("auth_ref", "reauthenticate", "_discovery_cache", "_discovery_document", "_lock"),
    "_unscoped_auth_ref",
}


class FederatedSignIn:
    """A sign-in in progress, or the result of another process's."""

    def __init__(self, session: Session | None, request: SignInRequest | None) -> None:
        self._session = session
        self._request = request
        self._sign_in: cache.SignIn | None = None
        #: Keystone's answers with a token, oldest first, each with the time of its request.
        self._answers: list[tuple[requests.Response, float, datetime.datetime]] = []
        #: The result of another process's sign-in.
        self.access: t.Any = None
        if session is not None and request is not None and request.canonical:
            cache.latest = cache.Identity(session, request)
            found = cache.latest.begin()
            if isinstance(found, requests.Response):
                self.access = access.create(resp=found)
            else:
                self._sign_in = found

    def ask(self, call: t.Callable[[], requests.Response]) -> requests.Response:
        """Send a request of the sign-in, and remember the token in its answer."""
        began, obtained_at = boot.now(), clock.now()
        response = call()
        if "X-Subject-Token" in response.headers:
            self._answers.append((response, began, obtained_at))
        return response

    def end(self, found: t.Any = None) -> None:
        """Put all tokens on the session's list, and serve the one that was found to other processes."""
        session, request = self._session, self._request
        if session is None or request is None:
            return
        try:
            for response, began, obtained_at in self._answers:
                is_last = found is not None and response.headers["X-Subject-Token"] == found.auth_token
                session.count(REQUESTS)
                if is_last and self._sign_in is not None:
                    self._sign_in.record_token(response, began, obtained_at)
                else:
                    cache.record_for_revoke(session, response, request, began, obtained_at)
        except Exception:  # pylint: disable=broad-exception-caught
            session.report_problem(UNRECORDED)
        finally:
            if self._sign_in is not None:
                with self._sign_in:
                    self._sign_in.unlock()


def begin(plugin: t.Any, keystone_session: t.Any) -> FederatedSignIn:
    """Begin to sign in with a plugin; if something is wrong with the session, the plugin signs in by itself."""
    try:
        session = Session.of_environment(os.environ)
        if session is None or not session.is_of_this_format:
            return FederatedSignIn(None, None)
        session.refuse_closed()
        url = str(plugin.auth_url)
        tls = tls_of(keystone_session, url)
        canonical = _canonical(plugin, keystone_session, tls)
        # Not repeated before the token expires: a user may have to use a browser for it.
        request = SignInRequest(url, {}, canonical, tls, is_repeatable=False)
        return FederatedSignIn(session, request)
    except SessionClosedError as exc:
        raise of_program(exc) from None
    except Exception:  # pylint: disable=broad-exception-caught
        return FederatedSignIn(None, None)


def _canonical(plugin: t.Any, keystone_session: t.Any, tls: Tls) -> bytes:
    """What identifies the sign-in: the plugin's class and all its options; empty if it has other state."""
    options = {name: value for name, value in vars(plugin).items() if name not in _STATE}
    if any(name.startswith("_") for name in options):
        # Such as another plugin, through which this one signs in.
        return b""
    kind = type(plugin)
    identity = {
        "plugin": f"{kind.__module__}.{kind.__qualname__}",
        "options": options,
        "unscoped": _unscoped(plugin),
        **connection_of(keystone_session, tls),
    }
    try:
        return json.dumps(identity, sort_keys=True).encode()
    except (TypeError, ValueError):
        return b""


def _unscoped(plugin: t.Any) -> t.Any:
    """The token of an earlier sign-in that the plugin uses instead of a new one: it may belong to anybody."""
    found = getattr(plugin, "_unscoped_auth_ref", None)
    if found is None or found.will_expire_soon(plugin.MIN_TOKEN_LIFE_SECONDS):
        return None
    return found.auth_token
