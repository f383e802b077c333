# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The handle that an explicit session hands out in place of a token: tasks sign in with it, without credentials."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import functools
import hashlib
import json
import secrets
import typing as t

try:
    import requests
    from keystoneauth1 import exceptions
except ImportError:  # Ansible looks into every file of a collection; where this is used, keystoneauth is there
    exceptions = None

from ..revoke.keystone import TOKEN_PATH, is_same
from ..store import directory, serving, usage
from ..store.session import BROKEN, HANDLES, Session
from ..store.token import Token
from ..util import clock
from ..util.errors import OneTokenError, SessionError, public
from . import cache
from .clouds import Way
from .request import HANDLE, SignInRequest

#: The names of a scope's parts in a request and in a token.
_SCOPES = ("project", "domain", "system", "OS-TRUST:trust")


@dataclasses.dataclass(frozen=True)
class Grant:
    """What a handle stands for."""

    #: The identity's name in the session.
    identity: str
    #: How a process signs in again; None if the credentials were given to a task.
    way: dict[str, t.Any] | None = dataclasses.field(default=None, repr=False)


def grant(session: Session, identity: str, way: Way | None, text: str | None = None) -> str:
    """A handle for an identity of the session: this one, or a new one."""
    text = text or HANDLE + secrets.token_urlsafe(24)
    granted = Grant(identity, None if way is None else dataclasses.asdict(way))
    with session.opened() as opened, directory.subdirectory(opened, HANDLES) as folder:
        directory.write(folder, _file(text), json.dumps(dataclasses.asdict(granted)))
    return text


def read(session: Session, handle: str) -> Grant | None:
    with contextlib.suppress(TypeError, ValueError), session.opened() as opened:
        text = directory.read(opened, f"{HANDLES}/{_file(handle)}")
        return None if text is None else Grant(**json.loads(text))
    return None


def answer(
    granted: Grant, request: SignInRequest, session: Session, ask: t.Callable[..., requests.Response]
) -> requests.Response | None:
    """The answer to a sign-in with a handle: the token that it stands for, or one for another scope.

    None if the session cannot be used.
    """
    session.refuse_closed()
    with contextlib.suppress(SessionError, OSError):
        usage.hold(session)
    try:
        token = _token(granted, session)
    except (OneTokenError, exceptions.ClientException):
        raise
    except Exception:  # pylint: disable=broad-exception-caught
        session.report_problem(BROKEN)
        return None
    _refuse_elsewhere(token, request.url, session)
    scope = request.body["auth"].get("scope")
    if scope is None or _is_of_scope(token, scope):
        return cache.Identity(session, request).served(token)
    found = _exchanged(token, request, session, ask)
    if found.status_code == 401:
        # Somebody may have revoked the token: then there is another one, or an error that says so.
        cache.refuse(token.id.reveal())
        refused, token = token, _token(granted, session) or token
        if token.id != refused.id:
            found = _exchanged(token, request, session, ask)
    if found.status_code in (401, 403):
        raise exceptions.AuthorizationFailure(
            f"The session {session.path} is for {token.label}, and Keystone gives no token for another scope "
            f"(HTTP {found.status_code}): issue a session for that scope."
        )
    return found


def _refuse_elsewhere(token: Token, url: str, session: Session) -> None:
    """Refuse another Keystone, which must not see the token, and cannot say anything about it."""
    there = public(url).partition("?")[0][: -len(TOKEN_PATH)]
    if not is_same(token.auth_url, there):
        raise exceptions.AuthorizationFailure(
            f"The token of the session {session.path} is from Keystone at {token.auth_url} and is not sent to {there}: "
            f"set auth_url to {token.auth_url}, or sign in there with credentials."
        )


def _exchanged(
    token: Token, request: SignInRequest, session: Session, ask: t.Callable[..., requests.Response]
) -> requests.Response:
    """Keystone's answer to the request with the token in place of the handle."""
    body = copy.deepcopy(request.body)
    body["auth"]["identity"]["token"]["id"] = token.id.reveal()
    canonical = request.canonical + token.id.reveal().encode()
    with_token = dataclasses.replace(request, body=body, canonical=canonical, tls=token.tls)
    # With the TLS settings of the token's own sign-in.
    exchange = functools.partial(ask, json=body, verify=token.tls.verify, cert=token.tls.cert)
    return cache.answer(with_token, session, exchange)


def _token(granted: Grant, session: Session) -> Token:
    stored = session.read_tokens(granted.identity)
    token = stored.current if stored else None
    if token is not None and serving.is_good(session, token, session.read_record().policy, cache.refused):
        return token
    if granted.way is not None:
        # Signing in to the cloud finds the identity's token in the session, or renews it for all.
        renewed = _signed_in(Way(**granted.way))
        stored = session.read_tokens(granted.identity)
        if stored is not None and renewed == stored.current.id.reveal():
            return stored.current
    if token is None:
        # It expired long ago, and was removed by a sweep.
        raise exceptions.AuthorizationFailure(
            f"The session {session.path} no longer has a token for this task: issue it again with os_token_issue."
        )
    # If it cannot be renewed, it is served until it expires, even if it is stale.
    if token.expired or (token.id in cache.refused and not cache.is_accepted(session, token)):
        raise exceptions.AuthorizationFailure(
            f"The token of the session {session.path} is not accepted any more or expired at "
            f"{clock.show(token.expires_at)}: issue it again with os_token_issue."
        )
    return token


def _signed_in(way: Way) -> str | None:
    """The token of a sign-in; None if that fails, as the present token's state is reported then."""
    with contextlib.suppress(Exception):
        region = way.region()
        return str(region.get_auth().get_auth_ref(region.get_session()).auth_token)
    return None


def _is_of_scope(token: Token, scope: t.Any) -> bool:
    """Whether a token has the scope that a request names, by id or by name."""
    if scope == "unscoped":
        return token.scope == "unscoped"
    if not isinstance(scope, dict) or len(scope) != 1:
        return False
    kind, wanted = next(iter(scope.items()))
    own = token.body.get(kind)
    if kind not in _SCOPES or not isinstance(own, dict) or not isinstance(wanted, dict):
        return False
    domain, wanted_domain = own.get("domain") or {}, wanted.get("domain") or {}
    keys = {key: value for key, value in wanted.items() if key != "domain"}
    return all(own.get(key) == value for key, value in keys.items()) and all(
        domain.get(key) == value for key, value in wanted_domain.items()
    )


def _file(handle: str) -> str:
    return f"{hashlib.sha256(handle.encode()).hexdigest()}.json"
