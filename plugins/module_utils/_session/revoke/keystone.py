# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests about a token that this collection itself sends to Keystone: validation and revocation."""

from __future__ import annotations

import functools
import inspect
import re
import sys
import typing as t
import urllib.parse

try:
    import keystoneauth1.exceptions
    import keystoneauth1.session
except ImportError:  # Connection reports what to install
    keystoneauth1 = None

from ..store.token import Tls, Token, TokenId
from ..util import deadline
from ..util.errors import ConfigurationError, KeystoneUnavailableError, TokenNotRevokedError, public, without_sdk
from ..util.version import APPLICATION, VERSION
from ..util.waiting import Waiter

if t.TYPE_CHECKING:
    import requests

#: Errors that pass: a rate limit (413 is Rackspace's), or Keystone out of service.
PASSING = (413, 429, 503)
#: Where tokens are issued, validated and revoked, below the address of version 3.
TOKEN_PATH = "/auth/tokens"
#: Without a limit of the user's own, a Keystone that never answers would block the run for ever.
REQUEST_TIMEOUT = 60
#: Seconds that a request about a token may take even if the time for all of them is up.
SHORTEST_TIMEOUT = 20
#: Redirects in a row that are followed with a token.
_MAX_REDIRECTS = 5


class _TemporaryError(Exception):
    """Keystone gave no answer, or one that may be another later; the headers may say when."""

    def __init__(self, reason: str, headers: t.Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.headers = headers


class Connection:
    """A connection to Keystone that needs no credentials but the token."""

    def __init__(
        self,
        auth_url: str,
        tls: Tls | None = None,
        timeout: float | None = None,
        token_url: str | None = None,
    ) -> None:
        if keystoneauth1 is None:
            raise ConfigurationError(without_sdk(sys.executable))
        tls = tls or Tls()
        self.auth_url = public(auth_url)
        self.requests = 0
        self.token_url = token_url or f"{versioned(auth_url)}{TOKEN_PATH}"
        self._timeout = timeout or REQUEST_TIMEOUT
        self.session = keystoneauth1.session.Session(
            verify=tls.verify,
            cert=tls.cert,
            timeout=self._timeout,
            app_name=APPLICATION,
            app_version=VERSION,
            **_strictness(tls),
        )
        self.session.session.hooks["response"].append(self._count)
        if tls.proxy is not None:
            # The environment of this process may differ from that of the task that signed in.
            self.session.session.trust_env = False
            self.session.session.proxies = {"http": tls.proxy, "https": tls.proxy} if tls.proxy else {}

    @classmethod
    def of_token(cls, token: Token) -> Connection:
        """A connection to the Keystone that issued a token."""
        return cls(token.auth_url, token.tls, token_url=token.token_url)

    def _count(self, response: requests.Response, *args: t.Any, **kwargs: t.Any) -> None:
        self.requests += 1

    def revoke(self, token: TokenId, waiter: Waiter) -> bool:
        """Revoke a token; False if Keystone did not accept it any more.

        Proof is a 204, or Keystone's own answer that it does not know the token. As something in front of Keystone may
        answer, and Keystone refuses this request for some valid tokens, it is asked to validate the token after any
        other answer.
        """
        response = self._ask("DELETE", token, waiter)
        if response.status_code == 204:
            return True
        if response.is_redirect:
            raise TokenNotRevokedError(
                f"Keystone at {self.auth_url} redirects to {_origin(response)}, where its tokens are not sent",
                "set auth_url to Keystone's present address, for later runs",
            )
        refused = _keystone_error(response) is not None
        # Keystone's policy applies only to a token that Keystone accepts.
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
        """Whether Keystone accepts a token; None if the answer is not Keystone's."""
        return _acceptance(self._ask("GET", token, waiter))

    def is_valid(self, token: TokenId, waiter: Waiter) -> bool:
        """The same.

        :raises KeystoneUnavailableError: the answer is not Keystone's
        """
        accepted = self.accepts(token, waiter)
        if accepted is None:
            raise KeystoneUnavailableError(f"What answers at {self.auth_url} is not Keystone: check auth_url.")
        return accepted

    def _ask(self, method: str, token: TokenId, waiter: Waiter) -> requests.Response:
        """Send a request about a token, authenticated by itself, until the answer is final."""
        url, redirects = self.token_url, 0
        while True:
            try:
                response = self._ask_once(method, url, token, waiter)
            except _TemporaryError as exc:
                if not waiter.wait(exc.headers):
                    raise KeystoneUnavailableError(f"{exc} until the timeout; try again later.") from None
                continue
            elsewhere = safe_redirect(response)
            if elsewhere is None or redirects >= _MAX_REDIRECTS:
                return response
            url, redirects = elsewhere, redirects + 1

    def _ask_once(self, method: str, url: str, token: TokenId, waiter: Waiter) -> requests.Response:
        # The last attempt gets enough time to succeed.
        limit = min(self._timeout, max(waiter.seconds_left, SHORTEST_TIMEOUT))
        try:
            response = deadline.within(limit, functools.partial(self._request, method, url, token))
        except deadline.LateError:
            raise _TemporaryError(f"Keystone at {self.auth_url} did not answer in time") from None
        except keystoneauth1.exceptions.ClientException as exc:
            reason = unreachable(self.auth_url, exc)
            if isinstance(exc, keystoneauth1.exceptions.RetriableConnectionFailure):
                raise _TemporaryError(reason) from None
            raise KeystoneUnavailableError(f"{reason}.") from None
        except (OSError, ValueError) as exc:
            # Errors of requests itself: a missing certificate file, an invalid address.
            raise KeystoneUnavailableError(
                f"the request to {self.auth_url} cannot be made ({type(exc).__name__})."
            ) from None
        if response.status_code in PASSING or response.status_code >= 500:
            reason = f"Keystone at {self.auth_url} answered HTTP {response.status_code}"
            raise _TemporaryError(reason, response.headers)
        return response

    def _request(self, method: str, url: str, token: TokenId) -> requests.Response:
        return self.session.request(
            url,
            method,
            headers={
                "X-Auth-Token": token.reveal(),
                "X-Subject-Token": token.reveal(),
                # Without it, Keystone does not recognize tokens of application credentials with access rules.
                "OpenStack-Identity-Access-Rules": "1.0",
            },
            params={"nocatalog": "1"} if method == "GET" else None,
            authenticated=False,
            raise_exc=False,
            redirect=False,
        )


def _strictness(tls: Tls) -> dict[str, t.Any]:
    """keystoneauth's options for strict TLS, which earlier releases do not have."""
    asked = {"tls_min_version": tls.min_version, "tls_ciphers": tls.ciphers}
    known = inspect.signature(keystoneauth1.session.Session).parameters
    return {name: value for name, value in asked.items() if value is not None and name in known}


def _keystone_error(response: requests.Response) -> str | None:
    """The message of an error of Keystone; None if the answer is something else."""
    try:
        error = response.json()["error"]
        code, title, message = error["code"], error["title"], error["message"]
    except (KeyError, RecursionError, TypeError, ValueError):
        return None
    is_keystones = code == response.status_code and isinstance(title, str) and isinstance(message, str)
    return message if is_keystones else None


def _acceptance(response: requests.Response) -> bool | None:
    """Whether this answer of Keystone accepts the token; None if it is not Keystone's answer on that."""
    if response.status_code == 200:
        try:
            return True if isinstance(response.json()["token"], dict) else None
        except (KeyError, RecursionError, TypeError, ValueError):
            return None
    message = _keystone_error(response)
    if message is None:
        return None
    if response.status_code == 403:
        # Keystone's policy forbids the request, but Keystone accepts the token.
        return True
    # Keystone also answers 404 for an unknown path. Here, its message names what was not found: the token, or its
    # trust, application credential, user or project.
    unknown = response.status_code == 404 and re.search(r"\btoken\b|^Could not (find|recognize)\b", message)
    return False if response.status_code == 401 or unknown else None


def safe_redirect(response: requests.Response) -> str | None:
    """The target of a redirect, if a token may be sent there: the same resource on the same host, with no less TLS."""
    if not response.is_redirect:
        return None
    try:
        here, there = (urllib.parse.urlsplit(url) for url in (str(response.url), _location(response)))
        same_place = _place(there) == _place(here)
        upgrade = (here.scheme, there.scheme) == ("http", "https") and there.hostname == here.hostname
    except ValueError:
        return None
    same_resource = there.path.rstrip("/").endswith(TOKEN_PATH)
    return _without_query(there.geturl()) if (same_place or upgrade) and same_resource else None


def _place(url: urllib.parse.SplitResult) -> tuple[str, str | None, int | None]:
    return url.scheme, url.hostname, url.port or {"http": 80, "https": 443}.get(url.scheme)


def _location(response: requests.Response) -> str:
    return urllib.parse.urljoin(str(response.url), response.headers["location"])


def _origin(response: requests.Response) -> str:
    """The target of a redirect, without its path."""
    try:
        there = urllib.parse.urlsplit(_location(response))
        return f"{there.scheme}://{there.hostname}"
    except ValueError:
        return "another address"


def _without_query(url: str) -> str:
    return urllib.parse.urlsplit(url)._replace(query="", fragment="").geturl()


def versioned(auth_url: str) -> str:
    """The address of version 3 of Keystone's API."""
    url = auth_url.rstrip("/")
    return url if url.endswith("/v3") else (url[: -len("/v2.0")] if url.endswith("/v2.0") else url) + "/v3"


def is_same(one: str, other: str) -> bool:
    """Whether two addresses belong to the same Keystone."""
    try:
        here, there = (urllib.parse.urlsplit(versioned(url)) for url in (one, other))
        return _place(here) == _place(there) and here.path == there.path
    except ValueError:
        return False


def unreachable(auth_url: str, exc: Exception) -> str:
    """Why Keystone cannot be reached, and what to check."""
    if isinstance(exc, keystoneauth1.exceptions.SSLError):
        return f"the certificate of Keystone at {auth_url} cannot be trusted, set ca_cert or check the host name"
    if isinstance(exc, keystoneauth1.exceptions.ConnectTimeout):
        return f"Keystone at {auth_url} did not answer in time"
    if isinstance(exc, keystoneauth1.exceptions.ConnectFailure):
        return f"Keystone at {auth_url} cannot be reached, check auth_url and the network"
    return f"what answers at {auth_url} cannot be used as Keystone ({type(exc).__name__}), check auth_url"
