# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The three requests that this collection makes to Keystone: issue a token, validate it, revoke it."""

from __future__ import annotations

import functools
import json
import os
import re
import typing as t
import urllib.parse

try:
    import keystoneauth1.discover
    import keystoneauth1.exceptions
    import keystoneauth1.session
except ImportError:  # the modules ask for openstacksdk, which brings it, in a sentence
    keystoneauth1 = None

from . import clock, cloud_entry, deadline
from .errors import (
    ConfigurationError,
    CredentialsRefusedError,
    KeystoneUnavailableError,
    OneTokenError,
    TokenNotRevokedError,
)
from .pacing import Waiter
from .source import Source, explained
from .token import Tls, Token, TokenId
from .version import APPLICATION, VERSION

if t.TYPE_CHECKING:
    import requests

#: Refusals that pass: a rate limit (413 is Rackspace's), or Keystone out of service.
_PASSING = (413, 429, 503)
#: Where tokens are issued, validated and revoked, below the address of version 3.
_TOKEN_PATH = "/auth/tokens"
#: What signs in with a token gets one that lives no longer.
_TOKEN_AUTH_TYPES = ("token", "v2token", "v3token")
#: Without a limit of the user's own, a Keystone that never answers would hold the run for ever.
REQUEST_TIMEOUT = 60
#: Seconds that a request about a token may take even where the time for all of them is up.
SHORTEST_TIMEOUT = 20
#: Redirects with a token that are followed one after the other.
_REDIRECTS = 5


class Connection:
    """How to reach Keystone again without the credentials: where, and how TLS is checked."""

    def __init__(
        self,
        auth_url: str,
        verify: t.Any = True,
        cert: t.Any = None,
        timeout: float | None = None,
        token_url: str | None = None,
    ) -> None:
        self.auth_url = auth_url
        self.requests = 0
        self._token_url = token_url or f"{versioned(auth_url)}{_TOKEN_PATH}"
        self._timeout = timeout or REQUEST_TIMEOUT
        self._session = keystoneauth1.session.Session(
            verify=verify,
            cert=cert,
            timeout=self._timeout,
            app_name=APPLICATION,
            app_version=VERSION,
        )
        self._session.session.hooks["response"].append(self._count)

    @classmethod
    def of_token(cls, token: Token) -> Connection:
        """To the Keystone that issued a token."""
        return cls(token.auth_url, token.tls.verify, token.tls.cert, token_url=token.token_url)

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
        """Make Keystone refuse a token; False when it did already.

        Proof is a 204, or Keystone's own word that it does not know the token. Something in front of Keystone may
        answer as well, and Keystone refuses this request for some tokens that live: then it is asked about this one.
        """
        response = self._of_token("DELETE", token, waiter)
        if response.status_code == 204:
            return True
        if response.is_redirect:
            raise TokenNotRevokedError(
                f"Keystone at {self.auth_url} sends requests on to {_origin(response)}, where no token of it is sent",
                "set auth_url to where Keystone is now, for later runs",
            )
        refused = _keystone_error(response) is not None
        # Keystone's policy refuses only whom Keystone has let in.
        accepted = True if refused and response.status_code == 403 else self.accepts(token, waiter)
        if accepted is False:
            return False
        if accepted and refused:
            raise TokenNotRevokedError(
                f"Keystone at {self.auth_url} refuses to revoke it (HTTP {response.status_code})",
                "ask the cloud's operator to allow it",
                by_keystone=True,
                lives=True,
                by_policy=response.status_code == 403,
            )
        raise TokenNotRevokedError(
            f"what answers at {self.auth_url} is not Keystone (HTTP {response.status_code})", lives=accepted is True
        )

    def accepts(self, token: TokenId, waiter: Waiter) -> bool | None:
        """Ask Keystone whether it accepts a token; None where what answers is not Keystone."""
        return _acceptance(self._of_token("GET", token, waiter))

    def is_valid(self, token: TokenId, waiter: Waiter) -> bool:
        """The same, where nothing but Keystone's word will do."""
        accepted = self.accepts(token, waiter)
        if accepted is None:
            raise KeystoneUnavailableError(f"What answers at {self.auth_url} is not Keystone: check auth_url.")
        return accepted

    def _of_token(self, method: str, token: TokenId, waiter: Waiter) -> requests.Response:
        """Ask about a token with the token itself, which costs no other one; an answer that time does not change."""
        url, redirects = self._token_url, 0
        while True:
            headers: t.Mapping[str, str] = {}
            # The last try takes its time as well, as long as the whole does not take for ever.
            limit = min(self._timeout, max(waiter.seconds_left, SHORTEST_TIMEOUT))
            try:
                response = deadline.within(limit, functools.partial(self._request, method, url, token))
            except TimeoutError:
                reason = f"Keystone at {self.auth_url} did not answer in time"
            except keystoneauth1.exceptions.ClientException as exc:
                reason = unreachable(self.auth_url, exc)
                if not isinstance(exc, keystoneauth1.exceptions.RetriableConnectionFailure):
                    raise KeystoneUnavailableError(f"{reason}.") from None
            except (OSError, ValueError) as exc:
                # requests' own: a certificate file that is not there any more, an address that is none.
                raise KeystoneUnavailableError(
                    f"the request to {self.auth_url} cannot be made ({type(exc).__name__})."
                ) from None
            else:
                elsewhere = _safe_redirect(response)
                if elsewhere is not None and redirects < _REDIRECTS:
                    url, redirects = elsewhere, redirects + 1
                    continue
                if response.status_code not in _PASSING and response.status_code < 500:
                    return response
                headers = response.headers
                reason = f"Keystone at {self.auth_url} answered HTTP {response.status_code}"
            if not waiter.wait(headers):
                raise KeystoneUnavailableError(f"{reason} until the timeout; try again later.")

    def _request(self, method: str, url: str, token: TokenId) -> requests.Response:
        return self._session.request(
            url,
            method,
            headers={
                "X-Auth-Token": token.reveal(),
                "X-Subject-Token": token.reveal(),
                # Else Keystone does not know the tokens of application credentials with access rules.
                "OpenStack-Identity-Access-Rules": "1.0",
            },
            params={"nocatalog": "1"} if method == "GET" else None,
            authenticated=False,
            raise_exc=False,
            redirect=False,
        )


def _keystone_error(response: requests.Response) -> str | None:
    """What Keystone says in an error; None if the answer is not one of Keystone's."""
    try:
        error = response.json()["error"]
        code, title, message = error["code"], error["title"], error["message"]
    except (KeyError, RecursionError, TypeError, ValueError):
        return None
    is_keystones = code == response.status_code and isinstance(title, str) and isinstance(message, str)
    return message if is_keystones else None


def _acceptance(response: requests.Response) -> bool | None:
    """Whether Keystone accepts the token that it was asked about; None if the answer is not Keystone's word on that."""
    if response.status_code == 200:
        try:
            return True if isinstance(response.json()["token"], dict) else None
        except (KeyError, RecursionError, TypeError, ValueError):
            return None
    message = _keystone_error(response)
    if message is None:
        return None
    if response.status_code == 403:
        # Keystone's policy lets this token ask nothing, but Keystone has let it in.
        return True
    # Also of a path that it does not know Keystone says that it was not found; here it names what was not: the token,
    # or the trust, application credential, user or project that the token was of.
    unknown = response.status_code == 404 and re.search(r"\btoken\b|^Could not (find|recognize)\b", message)
    return False if response.status_code == 401 or unknown else None


def _safe_redirect(response: requests.Response) -> str | None:
    """Where a redirect leads, if a token may follow it: to the same thing on the same host, never less protected."""
    if not response.is_redirect:
        return None
    try:
        here, there = (urllib.parse.urlsplit(url) for url in (str(response.url), _location(response)))
        same_place = _place(there) == _place(here)
        upgrade = (here.scheme, there.scheme) == ("http", "https") and there.hostname == here.hostname
    except ValueError:
        return None
    same_thing = there.path.rstrip("/").endswith(_TOKEN_PATH)
    return _without_query(there.geturl()) if (same_place or upgrade) and same_thing else None


def _place(url: urllib.parse.SplitResult) -> tuple[str, str | None, int | None]:
    return url.scheme, url.hostname, url.port or {"http": 80, "https": 443}.get(url.scheme)


def _location(response: requests.Response) -> str:
    return urllib.parse.urljoin(str(response.url), response.headers["location"])


def _origin(response: requests.Response) -> str:
    """Where a redirect leads, in short."""
    try:
        there = urllib.parse.urlsplit(_location(response))
        return f"{there.scheme}://{there.hostname}"
    except ValueError:
        return "another address"


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
    token_urls: dict[str, str] = {}

    def note(response: requests.Response, *args: t.Any, **kwargs: t.Any) -> None:
        nonlocal requests_made
        requests_made += 1
        if "X-Subject-Token" in response.headers:
            token_urls[response.headers["X-Subject-Token"]] = _without_query(response.url)

    session.session.hooks["response"].append(note)
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
    token_id = TokenId(answer["auth_token"])
    token_url = token_urls.get(token_id.reveal(), "")
    token = Token(
        token_id,
        answer["body"]["token"],
        auth_url,
        obtained_at,
        tls,
        renewable,
        # Federation issues tokens at other addresses, where none is revoked.
        token_url if token_url.endswith(_TOKEN_PATH) else None,
    )
    return token, requests_made


def _without_query(url: str) -> str:
    return urllib.parse.urlsplit(url)._replace(query="", fragment="").geturl()


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
