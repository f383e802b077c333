# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signing in to a task's cloud by its session, and the messages if that fails."""

from __future__ import annotations

import dataclasses
import os
import typing as t

from .._session import hook
from .._session.revoke.keystone import Connection, unreachable, versioned
from .._session.store import refusals, serving
from .._session.store.renewal import RenewalPolicy
from .._session.store.session import VARIABLE, LimitOptions, Session
from .._session.store.token import Tls, Token, TokenId
from .._session.util import boot
from .._session.util.errors import (
    ConfigurationError,
    CredentialsRefusedError,
    KeystoneUnavailableError,
    OneTokenError,
    SessionError,
    SourceUnreadableError,
)
from .._session.util.waiting import Waiter
from .._session_setup import explicit, issued
from .._session_setup.preparation import in_force, prepared
from .configuration import USER_NAMES, auth_value
from .task_cloud import TaskCloud, scope_of, sdk_options

#: Seconds for which Keystone may take to answer, if the user sets no timeout.
_REQUEST_TIMEOUT = 60
_TOKEN = ("token", "v2token", "v3token")


@dataclasses.dataclass(frozen=True)
class IssuedToken:
    """The session's token for a cloud, new or not."""

    token: Token
    changed: bool
    #: The cloud's name for tasks without credentials.
    cloud: str
    #: Why the token was not renewed, though it is due.
    kept_because: str | None = None


def issue(
    session: Session,
    cloud: TaskCloud,
    policy: RenewalPolicy,
    timeout: float,
    limits: LimitOptions | None = None,
    fork_server: bool = True,
) -> IssuedToken:
    """Sign in by the session, which asks Keystone if it has no good token for this identity."""
    with prepared(session, policy, timeout, limits, fork_server) as policy:
        began = boot.now()
        identity = sign_in(session, cloud, timeout)
        token = _token_of(session, identity)
        name = _record(session, cloud, identity, token)
    kept_because = None
    if token.began < began and policy.is_due(token):
        refusal = refusals.read(session, identity)
        kept_because = _kept_because(refusal)
    return IssuedToken(token, token.began >= began, name, kept_because)


def sign_in(session: Session, cloud: TaskCloud, timeout: float) -> str:
    """Sign in by the session; the identity's name in it."""
    # It needs keystoneauth; the module has checked that it is installed.
    from .._session.sign_in import cache

    os.environ[VARIABLE] = session.path
    hook.install()
    auth, connection = cloud.region.get_auth(), cloud.region.get_session()
    if not hasattr(auth, "get_access"):
        raise _nothing_to_share(cloud, "asks Keystone for no token")
    connection.timeout = connection.timeout or _REQUEST_TIMEOUT
    cache.latest, cache.busy_timeout = None, timeout
    access = _access(auth, connection, cloud)
    if access.version == "v2.0":
        raise _too_old(cloud)
    if cache.latest is None:
        _revoke_unshared(access.auth_token, cloud)
        raise _nothing_to_share(cloud, "sends requests of its own to sign in")
    return cache.latest.name


def cloud_of(params: t.Mapping[str, t.Any], session: Session) -> TaskCloud:
    """The cloud that a task's options name in a session, or the one to renew, which is signed in to as before."""
    injected = os.environ.get("OS_CLIENT_CONFIG_FILE") == session.clouds_file
    nothing_asked = not (params["cloud"] or params["auth"] or sdk_options(params)) and scope_of(params) is None
    known = issued.read(session) if session.exists and not params["auth"] else []
    named = params["cloud"] or os.environ.get("OS_CLOUD") or (known[0].cloud if len(known) == 1 else None)
    before = next((one for one in known if one.cloud == named), None)
    if before and (injected or (params.get("session") and nothing_asked)):
        way = issued.way_of(before)
        if way is None:
            raise SourceUnreadableError(
                f"The token of cloud {before.cloud!r} cannot be renewed automatically because its credentials were "
                "given to the task that issued it: run os_token_issue again with the same credentials."
            )
        return TaskCloud.of_way(before.cloud, way, sdk_options(params), scope_of(params))
    if injected:
        # That file is for tasks without credentials; a sign-in uses the user's own.
        del os.environ["OS_CLIENT_CONFIG_FILE"]
    return TaskCloud.of_params(params, os.environ)


def preview(session: Session, cloud: TaskCloud, policy: RenewalPolicy) -> Token | None:
    """The session's token for the same credentials, if it is not due: Keystone is not asked, and nothing is written."""
    if not session.exists or session.closed or not session.is_of_this_format:
        return None
    fingerprint = issued.fingerprint(session, cloud.region.config)
    one = issued.of_cloud(session, issued.name_for(session, cloud.name, fingerprint))
    if one is None or one.fingerprint != fingerprint:
        return None
    stored = session.read_tokens(one.identity)
    policy = in_force(session.read_record(), policy)
    return stored.current if stored and serving.is_good(session, stored.current, policy) else None


def _record(session: Session, cloud: TaskCloud, identity: str, token: Token) -> str:
    """Record the token and its handle in the session; the cloud's name there."""
    from .._session.sign_in import handle

    fingerprint = issued.fingerprint(session, cloud.region.config)
    name = issued.name_for(session, cloud.name, fingerprint)
    before = issued.of_cloud(session, name)
    handed_out = handle.grant(session, identity, cloud.way, before.handle if before else None)
    way = None if cloud.way is None else dataclasses.asdict(cloud.way)
    one = issued.Issued(name, identity, fingerprint, handed_out, cloud.is_plain, cloud.region_name, way)
    issued.write(session, one)
    explicit.write(session, name, cloud.region.config, token, handed_out)
    return name


def _token_of(session: Session, identity: str) -> Token:
    stored = session.read_tokens(identity)
    if stored is None:
        raise SessionError(
            f"The token is not in the session {session.path}: free disk space, and make its files writable."
        )
    return stored.current


def _kept_because(refusal: refusals.Refusal | None) -> str:
    if refusal is None:
        return "Keystone gave no new one"
    return refusal.body if refusal.error else f"Keystone answered HTTP {refusal.status}"


def _access(auth: t.Any, connection: t.Any, cloud: TaskCloud) -> t.Any:
    """Keystone's answer; if there is none, the reason is raised."""
    from keystoneauth1 import exceptions

    url = str(auth_value(cloud.region.config, "auth_url") or "")
    nothing = f"No token for {cloud.label}"
    try:
        # Not get_access, which may return a token that openstacksdk kept from an earlier sign-in.
        return auth.get_auth_ref(connection)
    except exceptions.MissingAuthMethods as exc:
        rules = " or ".join(", ".join(methods) for methods in exc.required_auth_methods)
        raise CredentialsRefusedError(
            f"{nothing}: Keystone at {url} requires more than one method of authentication ({rules}): use an auth_type "
            "such as v3multifactor that has all of them."
        ) from None
    except exceptions.HttpError as exc:
        raise _refused(cloud, url, exc, connection) from None
    except exceptions.ClientException as exc:
        if isinstance(exc, exceptions.DiscoveryFailure) and _lacks_version_3(url, connection):
            raise _too_old(cloud) from None
        raise KeystoneUnavailableError(f"{nothing}: {unreachable(url, exc)}.") from None
    except (OSError, ValueError) as exc:
        # Errors of requests itself: a missing certificate file, an invalid address.
        raise ConfigurationError(
            f"{nothing}: the request to {url} cannot be made ({type(exc).__name__}), so check auth_url, ca_cert, "
            "client_cert and client_key."
        ) from None


def _refused(cloud: TaskCloud, url: str, exc: t.Any, connection: t.Any) -> OneTokenError:
    status, config = exc.http_status, cloud.region.config
    nothing = f"No token for {cloud.label}: Keystone at {url} answered HTTP {status}"
    # With status 400, Keystone quotes what it cannot read of the request, which may be the password.
    message = "" if status == 400 else str(exc.message).partition(f" (HTTP {status})")[0]
    reason = f" ({message})" if message else ""
    if status in (413, 429) or status >= 500:
        return KeystoneUnavailableError(f"{nothing}{_why_unavailable(status, reason)}")
    if config.get("auth_type") in _TOKEN and status in (401, 403, 404):
        return CredentialsRefusedError(
            f"Keystone at {url} rejected the token of {cloud.label} (HTTP {status}): it is invalid, or comes from a "
            "trust or an application credential, so sign in with a password or an application credential instead."
        )
    if status == 401:
        return CredentialsRefusedError(
            f"Keystone at {url} refused {_who(config)} of {cloud.label} (HTTP 401){_unless_usual(reason)}: check the "
            "name, its domain, the secret and the project; it was not tried again, because that can lock an account."
        )
    if status == 404 and "application credential" in message.lower():
        return CredentialsRefusedError(
            f"Keystone at {url} does not know the application credential of {cloud.label} (HTTP 404): it was deleted, "
            "or its id is wrong, so sign in with another."
        )
    if status == 404 and _lacks_version_3(url, connection):
        return _too_old(cloud)
    return ConfigurationError(f"{nothing}{reason}: check auth_url and the scope.")


def _why_unavailable(status: int, reason: str) -> str:
    if status == 503:
        return " until the timeout; Keystone is out of service, try again later."
    if status >= 500:
        return f"{reason}, which is a fault of its own: try again later."
    return (
        " until the timeout; the account's limit of token requests is used up, lower the number of sign-ins or raise "
        "timeout."
    )


def _unless_usual(reason: str) -> str:
    """Keystone's own reason, if it says more than that it refused."""
    return "" if "requires authentication" in reason else reason


def _who(config: t.Mapping[str, t.Any]) -> str:
    for key in (*USER_NAMES, "user_id", "application_credential_name", "application_credential_id"):
        name = auth_value(config, key)
        if name:
            return f"{'application credential' if key.startswith('application') else 'user'} {name!r}"
    return "the credentials"


def _lacks_version_3(url: str, connection: t.Any) -> bool:
    """Whether a Keystone lists its versions, and 3 is not among them."""
    from keystoneauth1 import discover, exceptions

    try:
        found = discover.Discover(connection, versioned(url)[: -len("v3")], authenticated=False)
    except exceptions.ClientException:
        return False
    versions = [data["version"][0] for data in found.version_data()]
    return bool(versions) and 3 not in versions


def _too_old(cloud: TaskCloud) -> ConfigurationError:
    url = auth_value(cloud.region.config, "auth_url")
    return ConfigurationError(
        f"No token for {cloud.label}: Keystone at {url} has only version 2 of its API, which no supported OpenStack "
        "has, so use an auth_url that ends with /v3, or ask the provider for one."
    )


def _nothing_to_share(cloud: TaskCloud, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"There is nothing to share in a session, because {cloud.label} signs in with "
        f"{cloud.region.config.get('auth_type')!r}, which {why}: use it without a session."
    )


def _revoke_unshared(token: str, cloud: TaskCloud) -> None:
    """Revoke a token that no session holds, which would stay valid for a day."""
    url = str(auth_value(cloud.region.config, "auth_url") or "")
    Connection(url, Tls(*cloud.region.get_requests_verify_args())).revoke(TokenId(token), Waiter(_REQUEST_TIMEOUT))
