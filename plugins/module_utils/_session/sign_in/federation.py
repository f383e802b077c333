# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signing in by way of an identity provider, which takes several requests and makes two tokens."""

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

#: What a plugin remembers of a sign-in, as opposed to what it was made with.
_STATE = {
    *("auth_ref", "reauthenticate", "_discovery_cache", "_discovery_document", "_lock"),
    "_unscoped_auth_ref",
}


class FederatedSignIn:
    """A sign-in under way, or one that another process made."""

    def __init__(self, session: Session | None, request: SignInRequest | None) -> None:
        self._session = session
        self._request = request
        self._sign_in: cache.SignIn | None = None
        #: Keystone's answers with a token, oldest first, each with when it was asked for.
        self._answers: list[tuple[requests.Response, float, datetime.datetime]] = []
        #: What another process's sign-in found.
        self.access: t.Any = None
        if session is not None and request is not None and request.canonical:
            cache.latest = cache.Identity(session, request)
            found = cache.latest.begin()
            if isinstance(found, requests.Response):
                self.access = access.create(resp=found)
            else:
                self._sign_in = found

    def ask(self, call: t.Callable[[], requests.Response]) -> requests.Response:
        """The answer to a request on the way; a token that it brings is noted."""
        began, obtained_at = boot.now(), clock.now()
        response = call()
        if "X-Subject-Token" in response.headers:
            self._answers.append((response, began, obtained_at))
        return response

    def end(self, found: t.Any = None) -> None:
        """Put all tokens on the session's list, and the last one there for the others; none after a failure."""
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
    """Begin to sign in with a plugin; what is wrong with the session leaves it to the plugin alone."""
    try:
        session = Session.of_environment(os.environ)
        if session is None or not session.is_of_this_format:
            return FederatedSignIn(None, None)
        session.refuse_closed()
        url = str(plugin.auth_url)
        tls = tls_of(keystone_session, url)
        canonical = _canonical(plugin, keystone_session, tls)
        # Not repeated before the token expires: somebody may have to sit at a browser for it.
        request = SignInRequest(url, {}, canonical, tls, is_repeatable=False)
        return FederatedSignIn(session, request)
    except SessionClosedError as exc:
        raise of_program(exc) from None
    except Exception:  # pylint: disable=broad-exception-caught
        return FederatedSignIn(None, None)


def _canonical(plugin: t.Any, keystone_session: t.Any, tls: Tls) -> bytes:
    """What makes it the same sign-in: the plugin and all that it was made with; empty where that cannot be told."""
    options = {name: value for name, value in vars(plugin).items() if name not in _STATE}
    if any(name.startswith("_") for name in options):
        # Such as another plugin, by which this one signs in first.
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
    """The token of an earlier sign-in, which the plugin uses in the place of another one: it may be anybody's."""
    found = getattr(plugin, "_unscoped_auth_ref", None)
    if found is None or found.will_expire_soon(plugin.MIN_TOKEN_LIFE_SECONDS):
        return None
    return found.auth_token
