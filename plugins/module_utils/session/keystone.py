# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The three requests that this collection makes to Keystone: issue a token, validate it, revoke it."""

from __future__ import annotations

import json
import os
import typing as t

try:
    import keystoneauth1.discover
    import keystoneauth1.exceptions
    import keystoneauth1.session
except ImportError:  # the modules ask for openstacksdk, which brings it, in a sentence
    keystoneauth1 = None

from . import clock, cloud_entry
from .errors import ConfigurationError, CredentialsRefusedError, KeystoneUnavailableError, OneTokenError
from .pacing import Waiter
from .source import Source, explained
from .token import Tls, Token, TokenId
from .version import APPLICATION, VERSION

if t.TYPE_CHECKING:
    import requests

#: Refusals that pass: a rate limit (413 is Rackspace's), or Keystone out of service.
_PASSING = (413, 429, 503)
#: What Keystone answers when it did what it was asked to; another success comes from something that is not Keystone.
_SUCCESS = {"GET": 200, "DELETE": 204}
#: What signs in with a token gets one that lives no longer.
_TOKEN_AUTH_TYPES = ("token", "v2token", "v3token")
#: Without a limit of the user's own, a Keystone that never answers would hold the run for ever.
REQUEST_TIMEOUT = 60


class Connection:
    """How to reach Keystone again without the credentials: where, and how TLS is checked."""

    def __init__(self, auth_url: str, verify: t.Any = True, cert: t.Any = None, timeout: float | None = None) -> None:
        self.auth_url = auth_url
        self.requests = 0
        self._session = keystoneauth1.session.Session(
            verify=verify,
            cert=cert,
            timeout=timeout or REQUEST_TIMEOUT,
            app_name=APPLICATION,
            app_version=VERSION,
        )
        self._session.session.hooks["response"].append(self._count)

    @classmethod
    def of_token(cls, token: Token) -> Connection:
        """To the Keystone that issued a token."""
        return cls(token.auth_url, token.tls.verify, token.tls.cert)

    @classmethod
    def of_entry(cls, entry: cloud_entry.Entry) -> Connection:
        """To a cloud's Keystone as clouds.yaml describes it."""
        import openstack.config

        config = openstack.config.OpenStackConfig(load_yaml_config=False, load_envvars=False)
        config.cloud_config = {"clouds": {"keystone": entry}}
        region = config.get_one("keystone", validate=False)
        auth_url = region.config["auth"].get("auth_url") or region.config.get("auth_url")
        if not auth_url:
            raise ConfigurationError("Keystone's address is not known: set cloud, or auth with an auth_url.")
        verify, cert = region.get_requests_verify_args()
        return cls(auth_url, verify, cert, region.config.get("api_timeout"))

    def _count(self, response: requests.Response, *args: t.Any, **kwargs: t.Any) -> None:
        self.requests += 1

    def revoke(self, token: TokenId, waiter: Waiter) -> bool:
        """Make Keystone refuse a token; False when it did already. The answer is the proof."""
        return self._of_token("DELETE", token, waiter) == _SUCCESS["DELETE"]

    def is_valid(self, token: TokenId, waiter: Waiter) -> bool:
        """Ask Keystone whether it accepts a token."""
        return self._of_token("GET", token, waiter) == _SUCCESS["GET"]

    def _of_token(self, method: str, token: TokenId, waiter: Waiter) -> int:
        """Ask about a token with the token itself, which costs no other one; the status of a final answer."""
        while True:
            headers: t.Mapping[str, str] = {}
            try:
                response = self._session.request(
                    f"{versioned(self.auth_url)}/auth/tokens",
                    method,
                    headers={"X-Auth-Token": token.reveal(), "X-Subject-Token": token.reveal()},
                    params={"nocatalog": "1"} if method == "GET" else None,
                    authenticated=False,
                    raise_exc=False,
                    # The token goes to the recorded address and to no other that this one may point to.
                    redirect=False,
                )
            except keystoneauth1.exceptions.ClientException as exc:
                reason = unreachable(self.auth_url, exc)
                if not isinstance(exc, keystoneauth1.exceptions.RetriableConnectionFailure):
                    raise KeystoneUnavailableError(f"{reason}.") from None
            else:
                if response.status_code in (_SUCCESS[method], 401, 404):
                    return response.status_code
                headers = response.headers
                reason = f"Keystone at {self.auth_url} answered HTTP {response.status_code}"
                if response.status_code not in _PASSING and response.status_code < 500:
                    raise KeystoneUnavailableError(f"{reason}.")
            if not waiter.wait(headers):
                raise KeystoneUnavailableError(f"{reason} until the timeout; try again later.")


def issue(source: Source, waiter: Waiter) -> tuple[Token, int]:
    """Sign in with the source's credentials: the token, and how many requests that took."""
    region = source.region()
    auth = region.get_auth()
    with explained(source.label()):
        session = region.get_session()
    session.timeout = session.timeout or REQUEST_TIMEOUT
    if not hasattr(auth, "get_access"):
        raise ConfigurationError(
            f"There is nothing to share in a session, because {source.label()} signs in with "
            f"{region.config.get('auth_type')!r}, which asks Keystone for no token: use it without a session."
        )
    requests_made = 0

    def count(response: requests.Response, *args: t.Any, **kwargs: t.Any) -> None:
        nonlocal requests_made
        requests_made += 1

    session.session.hooks["response"].append(count)
    auth_url = cloud_entry.auth_value(cloud_entry.normalized(region.config), "auth_url") or ""
    while True:
        obtained_at = clock.now()
        try:
            access = auth.get_access(session)
        except keystoneauth1.exceptions.HttpError as exc:
            if exc.http_status not in _PASSING:
                raise _refused(source, region.config, auth_url, exc, session) from None
            if not waiter.wait(exc.response.headers if exc.response is not None else None):
                raise KeystoneUnavailableError(
                    f"No token for {source.label()}: Keystone at {auth_url} answered HTTP {exc.http_status} until the "
                    f"timeout; {_remedy(exc.http_status)}."
                ) from None
        except keystoneauth1.exceptions.ClientException as exc:
            if isinstance(exc, keystoneauth1.exceptions.DiscoveryFailure) and _lacks_version_3(auth_url, session):
                raise _too_old(source, auth_url) from None
            raise KeystoneUnavailableError(f"No token for {source.label()}: {unreachable(auth_url, exc)}.") from None
        except (OSError, ValueError) as exc:
            # requests' own: a certificate file that is not there, an address that is none.
            raise ConfigurationError(
                f"No token for {source.label()}: the request to {auth_url} cannot be made ({type(exc).__name__}), so "
                "check auth_url, ca_cert, client_cert and client_key."
            ) from None
        else:
            break
    if access.version == "v2.0":
        raise _too_old(source, auth_url)
    answer = json.loads(auth.get_auth_state())
    tls = _tls(*region.get_requests_verify_args())
    renewable = region.config.get("auth_type") not in _TOKEN_AUTH_TYPES
    token = Token(TokenId(answer["auth_token"]), answer["body"]["token"], auth_url, obtained_at, tls, renewable)
    return token, requests_made


def _tls(verify: t.Any, cert: t.Any) -> Tls:
    """With whole paths: the process that revokes the token may work in another directory."""
    certificates = cert if isinstance(cert, (tuple, list)) else [cert] if cert else []
    paths = [os.path.abspath(path) for path in certificates]
    return Tls(
        os.path.abspath(verify) if isinstance(verify, str) else bool(verify),
        (paths[0], paths[1]) if len(paths) > 1 else paths[0] if paths else None,
    )


def versioned(auth_url: str) -> str:
    """The address of Keystone's version 3 interface."""
    url = auth_url.rstrip("/")
    return url if url.endswith("/v3") else url.removesuffix("/v2.0") + "/v3"


def unreachable(auth_url: str, exc: Exception) -> str:
    if isinstance(exc, keystoneauth1.exceptions.SSLError):
        return f"the certificate of Keystone at {auth_url} cannot be trusted, set ca_cert or check the host name"
    if isinstance(exc, keystoneauth1.exceptions.ConnectTimeout):
        return f"Keystone at {auth_url} did not answer in time"
    if isinstance(exc, keystoneauth1.exceptions.ConnectFailure):
        return f"Keystone at {auth_url} cannot be reached, check auth_url and the network"
    return f"what answers at {auth_url} cannot be used as Keystone ({type(exc).__name__}), check auth_url"


def _refused(
    source: Source,
    config: dict[str, t.Any],
    auth_url: str,
    exc: keystoneauth1.exceptions.HttpError,
    session: keystoneauth1.session.Session,
) -> OneTokenError:
    if config.get("auth_type") in _TOKEN_AUTH_TYPES and exc.http_status in (401, 403, 404):
        return CredentialsRefusedError(
            f"Keystone at {auth_url} gives no token for the one of {source.label()} (HTTP {exc.http_status}), which "
            "is not valid or comes from a trust or an application credential: sign in with a password or an "
            "application credential instead."
        )
    if exc.http_status == 401:
        return CredentialsRefusedError(
            f"Keystone at {auth_url} refused {_who(config)} of {source.label()} (HTTP 401): check the name, its "
            "domain, the secret and the project; it was not tried again, because that can lock an account."
        )
    if exc.http_status == 404 and _lacks_version_3(auth_url, session):
        return _too_old(source, auth_url)
    # Of a request that it cannot read, Keystone quotes the part: that may be the password.
    quoted = "" if exc.http_status == 400 else f" ({exc.message})"
    answer = f"No token for {source.label()}: Keystone at {auth_url} answered HTTP {exc.http_status}{quoted}"
    if exc.http_status >= 500:
        return KeystoneUnavailableError(f"{answer}, which is a fault of its own: try again later.")
    return ConfigurationError(f"{answer}: check auth_url and the scope.")


def _too_old(source: Source, auth_url: str) -> ConfigurationError:
    return ConfigurationError(
        f"No token for {source.label()}: Keystone at {auth_url} speaks only version 2 of its interface, which no "
        "supported OpenStack does, so use an auth_url that ends with /v3, or ask the provider for one."
    )


def _lacks_version_3(auth_url: str, session: keystoneauth1.session.Session) -> bool:
    """Whether a Keystone names the versions that it speaks, and 3 is none of them."""
    try:
        found = keystoneauth1.discover.Discover(session, versioned(auth_url).removesuffix("v3"), authenticated=False)
    except keystoneauth1.exceptions.ClientException:
        return False
    versions = [data["version"][0] for data in found.version_data()]
    return bool(versions) and 3 not in versions


def _who(config: dict[str, t.Any]) -> str:
    entry = cloud_entry.normalized(config)
    for key in cloud_entry.IDENTITY_KEYS:
        name = cloud_entry.auth_value(entry, key)
        if name:
            kind = "application credential" if key.startswith("application") else "user"
            return f"{kind} {name!r}"
    return "the credentials"


def _remedy(status: int) -> str:
    if status == 503:
        return "Keystone is out of service, try again later"
    return "the account's limit of token requests is used up, lower the number of sign-ins or raise timeout"
