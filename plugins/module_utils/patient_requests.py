# Copyright: (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Requests to a cloud's services within a time: rate limits are waited out, pages followed, refusals put in a sentence.

openstacksdk's own calls are not used for this: an answer 429 in the middle of a listing ends its generator, and its
proxies send a request again when the connection breaks, which makes a second image.
"""

from __future__ import annotations

import re
import time
import typing as t
from urllib.parse import parse_qsl, urlsplit

from .session.errors import OneTokenError
from .session.pacing import Waiter, delay_asked

try:
    from keystoneauth1 import exceptions as keystoneauth
    from openstack import exceptions as sdk
except ImportError:
    pass  # connection.connect() says what to install before anything here is reached

if t.TYPE_CHECKING:
    import openstack.connection
    import requests

#: How long a service that gives no answer is asked again, in seconds.
OUTAGE = 60.0
PAGE = 1000
TOO_MANY_REQUESTS = 429
ENTITY_TOO_LARGE = 413
UNAUTHORIZED = 401
#: Answers of a proxy in front of the service: what became of the request is not known.
GATEWAY_ERRORS = (502, 503, 504)

Service = t.Literal["compute", "image", "block_storage"]


class CloudError(OneTokenError):
    """The cloud cannot be used: asking for the next thing would end the same way."""


class ServiceAbsentError(CloudError):
    """The cloud does not offer this service to the project."""


class RefusedError(OneTokenError):
    """A service answered one request with an error."""

    def __init__(self, message: str, status_code: int) -> None:
        super().__init__(message)
        self.status_code = status_code


class LostAnswerError(OneTokenError):
    """No answer came: the request may or may not have been carried out."""


class PatientRequests:
    """Sends requests over a connection, for this many seconds altogether."""

    def __init__(
        self,
        connection: openstack.connection.Connection,
        timeout: float,
        new_waiter: t.Callable[[float], Waiter] = Waiter,
    ) -> None:
        self._connection = connection
        self._timeout = timeout
        self._new_waiter = new_waiter
        self.waiter = new_waiter(timeout)

    @property
    def seconds_spent(self) -> float:
        return self._timeout - self.waiter.seconds_left

    def project_id(self) -> str | None:
        """The project that the connection works in."""
        try:
            return self._connection.current_project_id
        except (keystoneauth.ClientException, sdk.SDKException) as exc:
            raise CloudError(sentence(exc)) from exc

    def supports_microversion(self, service: Service, microversion: str) -> bool:
        from openstack import utils

        try:
            return utils.supports_microversion(getattr(self._connection, service), microversion)
        except (keystoneauth.ClientException, sdk.SDKException) as exc:
            raise CloudError(sentence(exc)) from exc

    def post(self, service: Service, path: str, body: dict[str, t.Any], microversion: str) -> requests.Response:
        """Send this, once: again only when a rate limit turned it away before anything was done."""
        return self._send(service, "POST", path, json=body, microversion=microversion)

    def listing(
        self, service: Service, path: str, key: str, filters: dict[str, str] | None = None
    ) -> t.Iterator[dict[str, t.Any]]:
        """Every resource of a listing, a page at a time."""
        params: dict[str, t.Any] | None = {"limit": PAGE, **(filters or {})}
        while params is not None:
            page = self._get(service, path, params)
            yield from page[key]
            params = _next_page(page, key)

    def _get(self, service: Service, path: str, params: dict[str, t.Any]) -> dict[str, t.Any]:
        outage = self._new_waiter(min(OUTAGE, self.waiter.seconds_left))
        while True:
            try:
                return self._send(service, "GET", path, params=params, skip_cache=True).json()
            except LostAnswerError as exc:
                if not outage.wait():
                    raise CloudError(str(exc)) from exc
            except ValueError as exc:
                raise CloudError(f"The {_spoken(service)} service gave an answer that is not JSON.") from exc

    def _send(self, service: Service, method: str, path: str, **options: t.Any) -> requests.Response:
        waiter = self._new_waiter(self.waiter.seconds_left)
        while True:
            try:
                response = getattr(self._connection, service).request(
                    path, method, raise_exc=False, connect_retries=0, status_code_retries=0, **options
                )
            except (keystoneauth.EndpointNotFound, sdk.ServiceDisabledException) as exc:
                raise ServiceAbsentError(f"The cloud offers this project no {_spoken(service)} service.") from exc
            except (keystoneauth.RetriableConnectionFailure, sdk.NotSupported, sdk.ServiceDiscoveryException) as exc:
                # "Does not have any supported versions" is how the SDK puts it when the list of versions is refused, as
                # by a rate limit.
                raise LostAnswerError(
                    f"A request to the {_spoken(service)} service got no answer: {sentence(exc)}"
                ) from exc
            except keystoneauth.HttpError as exc:
                # Not this request's answer (raise_exc is off), but Keystone's while a token was obtained for it.
                status, headers = exc.http_status, getattr(exc.response, "headers", {})
                refusal = sentence(exc)
                if not _rate_limited(status, headers):
                    raise CloudError(refusal) from exc
            except (keystoneauth.ClientException, sdk.SDKException) as exc:
                raise CloudError(sentence(exc)) from exc
            else:
                status, headers = response.status_code, response.headers
                if status < 400:
                    return response
                refusal = f"{_message(response)} ({_spoken(service)} service, HTTP {status})"
                if status in GATEWAY_ERRORS:
                    raise LostAnswerError(refusal)
                if status == UNAUTHORIZED:
                    raise CloudError(refusal)
                if not _rate_limited(status, headers):
                    raise RefusedError(refusal, status)
            if not waiter.wait(headers):
                raise CloudError(
                    f"The cloud limits the rate of requests, and none was let through before the time was up: {refusal}"
                )


def sentence(exc: Exception) -> str:
    """What an exception says, on one line."""
    return " ".join(str(exc).split()) or type(exc).__name__


def _spoken(service: Service) -> str:
    return service.replace("_", " ")


def _rate_limited(status: int, headers: t.Mapping[str, str]) -> bool:
    """Whether waiting helps. Of a quota that is used up, 413 says nothing on when to come back, or 0 seconds."""
    if status == ENTITY_TOO_LARGE:
        return bool(delay_asked(headers, time.time()))
    return status == TOO_MANY_REQUESTS


def _message(response: requests.Response) -> str:
    """What a service says in its refusal: under {"conflictingRequest": {"message": ...}}, or as a web page."""
    try:
        body = response.json()
    except ValueError:
        text = re.sub(r"<title>.*?</title>|<[^>]+>", " ", response.text, flags=re.DOTALL)
        return " ".join(text.split())[:500] or response.reason
    for part in [*body.values(), body] if isinstance(body, dict) else []:
        if isinstance(part, dict) and part.get("message"):
            return " ".join(str(part["message"]).split())
    return response.reason


def _next_page(page: dict[str, t.Any], key: str) -> dict[str, t.Any] | None:
    """The query of the next page; only its query, as a service behind a proxy may not know its own address."""
    links = [link["href"] for link in page.get(f"{key}_links", []) if link.get("rel") == "next"]
    following = links[0] if links else page.get("next")
    return dict(parse_qsl(urlsplit(following).query)) if following else None
