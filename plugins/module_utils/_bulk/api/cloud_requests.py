# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to a cloud's services through the rate limiter: 429 is waited out, pages are followed, all is counted.

openstacksdk's own calls are not used for this: an answer 429 in the middle of a listing ends its generator, and its
proxies send a request again when the connection breaks, which makes a second image.
"""

from __future__ import annotations

import contextlib
import functools
import html
import math
import re
import threading
import time
import typing as t
from urllib.parse import parse_qsl, urlsplit

from ..._modules.redirects import RedirectedError
from ..._session.rate_limit.limiter import RateLimiter
from ..._session.rate_limit.throttling import is_throttled
from ..._session.util import deadline
from ..._session.util.errors import OneTokenError, public
from ..._session.util.waiting import Waiter
from .cloud_clock import CloudClock
from .request_counts import IDENTITY, RequestCounts, requests_for

try:
    from keystoneauth1 import exceptions as keystoneauth
    from openstack import exceptions as sdk
except ImportError:
    pass  # connection.connect() says what to install before anything here is reached

if t.TYPE_CHECKING:
    import openstack.connection
    import requests

#: How long a service that gives no answer is asked again for a listing, in seconds.
OUTAGE = 60.0
#: How long an answer may take, in seconds, unless the user set api_timeout.
ANSWER_TIMEOUT = 120.0
#: How long what was sent before the end of the run may still be answered after it, in seconds.
LAST_ANSWERS = 3.0
#: How long a service is asked again for its versions when it seems to have none, in seconds.
VERSIONS_UNKNOWN = 15.0
PAGE = 1000
#: What Nova's "unexpected error" says when Glance refuses another image: asking again is of no use.
IMAGE_QUOTA = "HTTPOverLimit"
BAD_REQUEST = 400
UNAUTHORIZED = 401
NOT_FOUND = 404
#: How often one request is sent with another token after a 401.
SIGN_INS = 2
#: So much of what a service says is told, in characters.
LONGEST_MESSAGE = 500

Service = t.Literal["compute", "image", "block_storage"]
T = t.TypeVar("T")

#: What each service is asked for where only its time is of interest: a list of one row at most.
SHORT_LISTS: dict[Service, str] = {"image": "/images", "compute": "/servers", "block_storage": "/volumes"}

#: What the libraries raise over a catalog or a list of versions that is not as they expect.
UNEXPECTED = (AttributeError, LookupError, RecursionError, TypeError, ValueError)


class CloudError(OneTokenError):
    """The cloud cannot be used: asking for the next thing would end the same way."""


class ServiceAbsentError(CloudError):
    """The cloud does not offer this service to the project."""


class OutageError(CloudError):
    """A service is out of service: it gave no answer for long, or what stands before it gave one of its own."""


class UnreadableError(OutageError):
    """A service says something of a resource that cannot be understood."""


class TimeUpError(OneTokenError):
    """The request was not sent, as the time of the run is up."""


class GivenUpError(OneTokenError):
    """The request was not sent, as it is not wanted any more."""


class RefusedError(OneTokenError):
    """A service answered one request with an error."""

    def __init__(self, message: str, status_code: int) -> None:
        super().__init__(message)
        self.status_code = status_code


class LostAnswerError(OneTokenError):
    """No answer came, or one that says nothing: the request may or may not have been carried out."""


class CloudRequests:
    """Sends requests over a connection, for this many seconds altogether, from several threads."""

    def __init__(
        self,
        connection: openstack.connection.Connection,
        limiter: RateLimiter,
        timeout: float,
        counts: RequestCounts | None = None,
        clock: t.Callable[[], float] = time.monotonic,
        new_waiter: t.Callable[[float], Waiter] = Waiter,
        began_at: float | None = None,
        wall_clock: t.Callable[[], float] = time.time,
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._new_waiter = new_waiter
        self._began_at = clock() if began_at is None else began_at
        self.timeout = timeout
        self.limiter = limiter
        self.counts = counts or RequestCounts()
        self.cloud_clock = CloudClock(clock, wall_clock)
        #: Set by the run: whether nothing at all is to be sent any more.
        self.abandoned: t.Callable[[], bool] = lambda: False
        self._endpoints: dict[Service, str] = {}
        #: Another one after each token that turned out to be refused.
        self._generation = 0
        self._lock = threading.Lock()

    @property
    def seconds_spent(self) -> float:
        return self._clock() - self._began_at

    @property
    def seconds_left(self) -> float:
        return max(0.0, self.timeout - self.seconds_spent)

    def pause(self, seconds: float) -> None:
        """Let this much time pass."""
        self._new_waiter(math.inf).pause(seconds)

    def since_began(self, moment: float) -> float:
        """A moment of the clock as seconds since the run began."""
        return moment - self._began_at

    def project_id(self) -> str | None:
        """The project that the connection works in."""
        try:
            return self._in_time("identity", lambda: self._connection.current_project_id)
        except (keystoneauth.ClientException, sdk.SDKException) as exc:
            raise CloudError(sentence(exc)) from exc

    def _in_time(self, service: str, work: t.Callable[[], T], longest: float = math.inf) -> T:
        """Do what waits for a service, but not for longer than this, nor than the run may take."""
        until_end = self.seconds_left + LAST_ANSWERS
        try:
            return deadline.within(min(longest, until_end), work)
        except deadline.LateError:
            slow = f"within {longest:.0f} s (set api_timeout higher if the cloud is that slow)"
            within = slow if longest < until_end else self._when_up
            raise LostAnswerError(f"a request to the {spoken(service)} service got no answer {within}") from None

    @property
    def _when_up(self) -> str:
        return f"before the time of {self.timeout:.0f} s was up"

    def _new_outage(self) -> Waiter:
        """Begun after the first answer that did not come, as the wait for it may have been longer than an outage."""
        return self._new_waiter(min(OUTAGE, self.seconds_left))

    def supports_microversion(self, service: Service, microversion: str) -> bool:
        """Whether a service knows it; not where the service does not tell its versions."""
        from openstack import utils

        def ask() -> bool | None:
            proxy = self._proxy(service)
            known = getattr(proxy.get_endpoint_data(), "max_microversion", None)
            return utils.supports_microversion(proxy, microversion) if known else None

        unknown = self._new_waiter(min(VERSIONS_UNKNOWN, self.seconds_left))
        outage: Waiter | None = None
        while True:
            try:
                with requests_for(service), self._explained(service):
                    supported = self._in_time(service, ask, self._longest_answer)
            except LostAnswerError as exc:
                # A list of versions that is refused, as by a rate limit, is asked for again.
                outage = outage or self._new_outage()
                if not outage.wait():
                    raise OutageError(str(exc)) from None
            except keystoneauth.HttpError as exc:
                raise CloudError(sentence(exc)) from exc
            else:
                # keystoneauth says nothing of a list of versions that was refused, as by a rate limit.
                if supported is not None or not unknown.wait():
                    return bool(supported)

    def _proxy(self, service: Service) -> t.Any:
        """A service as openstacksdk has it, which may sign in and ask the service for its versions."""
        try:
            return getattr(self._connection, service)
        except ValueError as exc:
            # keystoneauth finds the service under two types, and none of them in this region under this interface.
            raise self._absent(service) from exc

    def _absent(self, service: Service) -> ServiceAbsentError:
        config = self._connection.config
        region, interface = config.get_region_name(), config.get_interface(service.replace("_", "-"))
        where = f"in region {region}" if region else "in any region"
        return ServiceAbsentError(
            f"The cloud offers this project no {spoken(service)} service {where} with interface {interface}: check "
            "region_name and interface."
        )

    @contextlib.contextmanager
    def _explained(self, service: Service) -> t.Iterator[None]:
        """Raise what the libraries raise as errors of ours, but for an answer of Keystone's."""
        try:
            yield
        except (keystoneauth.EndpointNotFound, sdk.ServiceDisabledException) as exc:
            raise self._absent(service) from exc
        except (
            keystoneauth.RetriableConnectionFailure,
            keystoneauth.UnknownConnectionError,
            sdk.NotSupported,
            sdk.ServiceDiscoveryException,
        ) as exc:
            # "Does not have any supported versions" is how the SDK puts it when the list of versions is refused, as
            # by a rate limit; a connection that breaks in the middle of an answer is an unknown error.
            raise LostAnswerError(f"a request to the {spoken(service)} service got no answer: {sentence(exc)}") from exc
        except keystoneauth.HttpError:
            raise
        except RedirectedError as exc:
            raise CloudError(f"The {spoken(service)} service cannot be used: {exc}") from exc
        except (keystoneauth.ClientException, sdk.SDKException, OSError) as exc:
            # An error of the system is that of a file with certificates: those of the network are keystoneauth's.
            raise CloudError(sentence(exc)) from exc
        except UNEXPECTED as exc:
            raise LostAnswerError(
                f"the {spoken(service)} service or Keystone gave an answer that openstacksdk cannot read "
                f"({type(exc).__name__})"
            ) from exc

    @property
    def _longest_answer(self) -> float:
        """How long an answer may take from its first byte to its last, in seconds."""
        return max(self._answer_timeout, ANSWER_TIMEOUT)

    @property
    def _answer_timeout(self) -> float:
        """How long nothing may come of an answer, in seconds."""
        return getattr(self._connection.session, "timeout", None) or ANSWER_TIMEOUT

    def post(
        self,
        service: Service,
        path: str,
        body: dict[str, t.Any],
        microversion: str | None = None,
        given_up: t.Callable[[], bool] | None = None,
    ) -> requests.Response:
        """Send this, once: again only when it was turned away before anything was done."""
        return self._send(service, "POST", path, given_up, json=body, microversion=microversion)

    def send(self, service: Service, method: str, path: str, **options: t.Any) -> requests.Response:
        """Another request, once, with what the connection takes for options."""
        return self._send(service, method, path, **options)

    def delete(self, service: Service, path: str) -> bool:
        """Delete what is there; False when it was gone. This is safe to repeat, so it is repeated."""
        outage: Waiter | None = None
        repeated = False
        while True:
            try:
                self._send(service, "DELETE", path)
                return True
            except RefusedError as exc:
                if exc.status_code != NOT_FOUND:
                    raise
                return repeated
            except LostAnswerError as exc:
                repeated = True
                outage = outage or self._new_outage()
                if not outage.wait():
                    raise OutageError(str(exc)) from None

    def listing(
        self,
        service: Service,
        path: str,
        key: str,
        filters: dict[str, str] | None = None,
        microversion: str | None = None,
    ) -> t.Iterator[dict[str, t.Any]]:
        """Every resource of a listing, a page at a time."""
        params: dict[str, t.Any] | None = {"limit": PAGE, **(filters or {})}
        asked: list[dict[str, t.Any]] = []
        while params is not None:
            if params in asked:
                raise CloudError(f"The {spoken(service)} service's list of {key} leads back to a page before.")
            asked.append(params)
            page = self._page(service, path, params, microversion, is_first=len(asked) == 1)
            if not isinstance(page.get(key), list):
                raise OutageError(f"The {spoken(service)} service gave an answer without a list of {key}.")
            for row in page[key]:
                if not isinstance(row, dict) or not isinstance(row.get("id"), str) or not row["id"]:
                    raise UnreadableError(f"The {spoken(service)} service's list of {key} has a row without an id.")
                yield row
            params = _next_page(page, key)

    def _page(
        self, service: Service, path: str, params: dict[str, t.Any], microversion: str | None, is_first: bool
    ) -> dict[str, t.Any]:
        try:
            return self.get(service, path, params, microversion)
        except RefusedError as exc:
            if is_first or exc.status_code not in (BAD_REQUEST, NOT_FOUND):
                raise
            # What the page before ended with was deleted meanwhile: a list that begins anew is fine.
            raise OutageError(f"a list was changed while it was read: {exc}") from None

    def get(
        self, service: Service, path: str, params: dict[str, t.Any] | None = None, microversion: str | None = None
    ) -> dict[str, t.Any]:
        outage: Waiter | None = None
        while True:
            try:
                response = self._send(
                    service, "GET", path, params=params or {}, skip_cache=True, microversion=microversion
                )
            except LostAnswerError as exc:
                outage = outage or self._new_outage()
                if not outage.wait():
                    raise OutageError(str(exc)) from None
                continue
            try:
                answer = response.json()
            except (ValueError, RecursionError) as exc:
                raise OutageError(f"The {spoken(service)} service gave an answer that is not JSON.") from exc
            if not isinstance(answer, dict):
                raise OutageError(f"The {spoken(service)} service gave an answer that is no JSON object.")
            return answer

    def hear_second_clock(self) -> None:
        """Ask another service for its time where only one has reported it. One that gives no answer reports none."""
        for service, path in SHORT_LISTS.items():
            known = self.cloud_clock.services
            if len(known) >= 2:
                return
            if service not in known:
                with contextlib.suppress(CloudError, LostAnswerError, RefusedError):
                    self._send(service, "GET", path, params={"limit": 1}, skip_cache=True)

    def _send(
        self,
        service: Service,
        method: str,
        path: str,
        given_up: t.Callable[[], bool] | None = None,
        **options: t.Any,
    ) -> requests.Response:
        sign_ins = 0
        refusal = refused_by = ""
        while True:
            if refused_by == IDENTITY:
                self._wait_for_turn(IDENTITY, given_up, refusal)
            self._wait_for_turn(service, given_up, refusal)
            sent_at, generation = self._clock(), self._generation
            try:
                with requests_for(service), self._explained(service):
                    response = self._in_time(
                        service,
                        functools.partial(self._request, service, method, path, options),
                        # The content of an image takes as long as the line is slow.
                        math.inf if "data" in options else self._longest_answer,
                    )
            except keystoneauth.HttpError as exc:
                # Not this request's answer (raise_exc is off), but Keystone's while a token was obtained for it.
                status, headers = exc.http_status, getattr(exc.response, "headers", {})
                refusal, refused_by = sentence(exc), IDENTITY
                if status >= 500:
                    raise LostAnswerError(refusal) from exc
                if not is_throttled(status, headers):
                    raise CloudError(refusal) from exc
            else:
                status, headers = response.status_code, response.headers
                if not is_throttled(status, headers):
                    self.limiter.answered(service, headers, sent_at)
                if status < 300:
                    self.cloud_clock.record(headers, service)
                    return response
                refusal, refused_by = f"{_message(response)} ({spoken(service)} service, HTTP {status})", service
                if status >= 500:
                    if IMAGE_QUOTA in refusal:
                        raise RefusedError(f"the project's quota of images is used up: {refusal}", status)
                    raise LostAnswerError(refusal)
                if status == UNAUTHORIZED:
                    sign_ins += 1
                    if sign_ins > SIGN_INS:
                        raise CloudError(refusal)
                    self._forget_token(generation)
                    continue
                if not is_throttled(status, headers):
                    raise RefusedError(refusal, status)
            self.limiter.refused(refused_by, headers, sent_at)

    def _request(self, service: Service, method: str, path: str, options: dict[str, t.Any]) -> requests.Response:
        proxy = self._proxy(service)
        return proxy.request(
            path,
            method,
            endpoint_override=self._endpoint(service, proxy),
            raise_exc=False,
            connect_retries=0,
            status_code_retries=0,
            allow_reauth=False,
            timeout=self._answer_timeout,
            **options,
        )

    def _endpoint(self, service: Service, proxy: t.Any) -> str | None:
        """A service's address. keystoneauth copies the whole catalog each time that it looks for one."""
        if service not in self._endpoints:
            endpoint = proxy.endpoint_override or proxy.get_endpoint()
            if endpoint is None:
                return None
            self._endpoints[service] = endpoint
        return self._endpoints[service]

    def _wait_for_turn(self, service: str, given_up: t.Callable[[], bool] | None, refusal: str) -> None:
        def unwanted() -> bool:
            return self.abandoned() or (given_up is not None and given_up())

        if self.limiter.take(service, self._began_at + self.timeout, unwanted):
            return
        if unwanted():
            raise GivenUpError("it was not wanted any more")
        limit = f", as the cloud limits the rate of requests: {refusal}" if refusal else ""
        if not refusal and (held := self.limiter.holding(service)) >= 1:
            limit = f" (the cloud's limit lets no request through for another {held:.0f} s)"
        raise TimeUpError(f"the time of {self.timeout:.0f} s was up before it could be sent{limit}")

    def _forget_token(self, generation: int) -> None:
        """Have the next request sign in anew, unless another thread has seen to that since this one was sent."""
        with self._lock:
            if generation == self._generation:
                self._generation += 1
                self._connection.session.invalidate()


def content(response: requests.Response, *keys: str) -> str:
    """The text that an answer has below these keys. One that lacks it is as good as none: it does not say what was
    made."""
    try:
        found = response.json()
        for key in keys:
            found = found[key]
        if not found or not isinstance(found, str):
            raise KeyError(keys)
    except (KeyError, TypeError, ValueError, RecursionError) as exc:
        raise LostAnswerError(f"an answer (HTTP {response.status_code}) came without {' '.join(keys)}") from exc
    return found


def sentence(exc: Exception) -> str:
    """What an exception says, on one line."""
    return " ".join(public(str(exc)).split()) or type(exc).__name__


def spoken(service: str) -> str:
    return service.replace("_", " ")


def _message(response: requests.Response) -> str:
    """What a service says in its refusal: under {"conflictingRequest": {"message": ...}}, or as a web page."""
    reason = response.reason or "no reason is given"
    try:
        body = response.json()
    except (ValueError, RecursionError):
        text = re.sub(r"<(title|style|script)\b.*?</\1>|<[^>]+>", " ", response.text, flags=re.DOTALL | re.IGNORECASE)
        return _shortened(html.unescape(text)) or reason
    for part in [*body.values(), body] if isinstance(body, dict) else []:
        if isinstance(part, dict) and part.get("message"):
            return _shortened(str(part["message"]))
    return reason


def _shortened(text: str) -> str:
    return " ".join(text.split())[:LONGEST_MESSAGE]


def _next_page(page: dict[str, t.Any], key: str) -> dict[str, t.Any] | None:
    """The query of the next page; only its query, as a service behind a proxy may not know its own address."""
    try:
        links = [link["href"] for link in page.get(f"{key}_links") or [] if link.get("rel") == "next"]
        following = links[0] if links else page.get("next")
        return dict(parse_qsl(urlsplit(following).query)) if following else None
    except (AttributeError, KeyError, TypeError, ValueError) as exc:
        raise CloudError(f"The link to the next page of a list of {key} cannot be read.") from exc
