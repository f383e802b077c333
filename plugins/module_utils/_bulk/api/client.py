# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests of a bulk run to the cloud: throttled ones are sent again, pages are followed, outages are waited out."""

from __future__ import annotations

import contextlib
import time
import typing as t

from ..._session.rate_limit.limiter import RateLimiter
from ..._session.rate_limit.throttling import is_throttled
from ..._session.util.waiting import Waiter
from ..control.cancellation import Cancellation
from ..control.time_budget import TimeBudget
from ..model.errors import (
    SERVER_ERROR,
    CancelledError,
    CloudError,
    DeadlineError,
    OutageError,
    RefusedError,
    UnconfirmedError,
    UnreadableError,
)
from .answers import UNAUTHORIZED, error_of, next_page, said_by
from .cloud_clock import CloudClock
from .request_counts import IDENTITY
from .services import Service, Services, display_name, sentence

# connection.connect() says what to install before anything here is reached.
with contextlib.suppress(ImportError):
    from keystoneauth1 import exceptions as keystoneauth

if t.TYPE_CHECKING:
    import openstack.connection
    import requests

#: How long a service that gives no answer is asked again for what is safe to repeat, in seconds.
OUTAGE_TIMEOUT = 60.0
#: How long a service is asked again for its versions when it seems to have none, in seconds.
VERSIONS_TIMEOUT = 15.0
#: Rows of a listing in one answer.
PAGE_SIZE = 1000
BAD_REQUEST = 400
NOT_FOUND = 404
#: How often one request is sent with another token after a 401.
MAX_SIGN_INS = 2

T = t.TypeVar("T")

#: The request to each service where only its time is of interest: a list of one row at most.
SHORT_LISTS: dict[Service, str] = {"image": "/images", "compute": "/servers", "block_storage": "/volumes"}


class Throttled(t.NamedTuple):
    """An answer by which a limit of the cloud turned a request away."""

    service: str
    headers: t.Mapping[str, str]
    text: str


class Client:
    """Sends requests from several threads, as long as the run has time and is not cancelled."""

    def __init__(
        self,
        connection: openstack.connection.Connection,
        limiter: RateLimiter,
        budget: TimeBudget,
        cancellation: Cancellation,
        wall_clock: t.Callable[[], float] = time.time,
    ) -> None:
        self._services = Services(connection, budget)
        self.limiter = limiter
        self.budget = budget
        self.cancellation = cancellation
        self.cloud_clock = CloudClock(budget.clock, wall_clock)

    def project_id(self) -> str | None:
        """The project that the connection works in."""
        return self._services.project_id()

    def supports_microversion(self, service: Service, microversion: str) -> bool:
        """Whether a service knows it; not where the service does not say which versions it has."""
        unknown = self.budget.waiter(VERSIONS_TIMEOUT)
        while True:
            supported = self._repeat(lambda: self._services.supports_microversion(service, microversion))
            # keystoneauth says nothing of a list of versions that was refused, as by a rate limit.
            if supported is not None or not unknown.wait():
                return bool(supported)

    def post(
        self,
        service: Service,
        path: str,
        body: dict[str, t.Any],
        microversion: str | None = None,
        starts_item: bool = False,
    ) -> requests.Response:
        """Send this, once: again only when it was turned away before anything was done. The first request of an item
        is not sent any more when the run is cancelled."""
        return self._send(service, "POST", path, starts_item, json=body, microversion=microversion)

    def send(self, service: Service, method: str, path: str, **options: t.Any) -> requests.Response:
        """Another request, once, with what the connection takes for options."""
        return self._send(service, method, path, **options)

    def delete(self, service: Service, path: str) -> bool:
        """Delete what is there; False when it was gone. This is safe to repeat, so it is repeated."""
        attempts = 0

        def send() -> None:
            nonlocal attempts
            attempts += 1
            self._send(service, "DELETE", path)

        try:
            self._repeat(send)
        except RefusedError as exc:
            if exc.status_code != NOT_FOUND:
                raise
            return attempts > 1
        return True

    def _repeat(self, send: t.Callable[[], T]) -> T:
        """Send what is safe to repeat, again while a service gives no answer."""
        outage: Waiter | None = None
        while True:
            try:
                return send()
            except UnconfirmedError as exc:
                # Begun after the first answer that did not come, as the wait for that may have been longer.
                outage = outage or self.budget.waiter(OUTAGE_TIMEOUT)
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
        params: dict[str, t.Any] | None = {"limit": PAGE_SIZE, **(filters or {})}
        asked: list[dict[str, t.Any]] = []
        while params is not None:
            if params in asked:
                raise CloudError(f"The {display_name(service)} service's list of {key} repeats an earlier page.")
            asked.append(params)
            page = self._page(service, path, params, microversion, is_first=len(asked) == 1)
            if not isinstance(page.get(key), list):
                raise OutageError(f"The {display_name(service)} service gave an answer without a list of {key}.")
            for row in page[key]:
                if not isinstance(row, dict) or not isinstance(row.get("id"), str) or not row["id"]:
                    raise UnreadableError(
                        f"The {display_name(service)} service's list of {key} has a row without an id."
                    )
                yield row
            params = next_page(page, key)

    def _page(
        self, service: Service, path: str, params: dict[str, t.Any], microversion: str | None, is_first: bool
    ) -> dict[str, t.Any]:
        try:
            return self.get(service, path, params, microversion)
        except RefusedError as exc:
            if is_first or exc.status_code not in (BAD_REQUEST, NOT_FOUND):
                raise
            # What the page before ended with was deleted meanwhile: a list from the start is fine.
            raise OutageError(f"a list was changed while it was read: {exc}") from None

    def get(
        self, service: Service, path: str, params: dict[str, t.Any] | None = None, microversion: str | None = None
    ) -> dict[str, t.Any]:
        options: dict[str, t.Any] = {"params": params or {}, "skip_cache": True, "microversion": microversion}
        response = self._repeat(lambda: self._send(service, "GET", path, **options))
        try:
            answer = response.json()
        except (ValueError, RecursionError) as exc:
            raise OutageError(f"The {display_name(service)} service gave an answer that is not JSON.") from exc
        if not isinstance(answer, dict):
            raise OutageError(f"The {display_name(service)} service gave an answer that is no JSON object.")
        return answer

    def read_second_clock(self) -> None:
        """Learn another service's time where only one has reported its own. One that gives no answer reports none."""
        for service, path in SHORT_LISTS.items():
            known = self.cloud_clock.services
            if len(known) >= 2:
                return
            if service not in known:
                with contextlib.suppress(CloudError, UnconfirmedError, RefusedError):
                    self._send(service, "GET", path, params={"limit": 1}, skip_cache=True)

    def _send(
        self, service: Service, method: str, path: str, starts_item: bool = False, **options: t.Any
    ) -> requests.Response:
        sign_ins = 0
        throttled: Throttled | None = None
        while True:
            if throttled and throttled.service != service:
                self._wait_for_limit(throttled.service, starts_item, throttled)
            self._wait_for_limit(service, starts_item, throttled)
            sent_at, generation = self.budget.clock(), self._services.token_generation
            try:
                response = self._services.request(service, method, path, options)
            except keystoneauth.HttpError as exc:
                throttled = _throttled_sign_in(exc)
            else:
                status, headers = response.status_code, response.headers
                if is_throttled(status, headers):
                    throttled = Throttled(service, headers, said_by(service, response))
                else:
                    self.limiter.answered(service, headers, sent_at)
                    if status < 300:
                        self.cloud_clock.record(headers, service)
                        return response
                    if status != UNAUTHORIZED or sign_ins == MAX_SIGN_INS:
                        raise error_of(service, response)
                    sign_ins += 1
                    self._services.forget_token(generation)
                    continue
            self.limiter.throttled(throttled.service, throttled.headers, sent_at)

    def _wait_for_limit(self, service: str, starts_item: bool, throttled: Throttled | None) -> None:
        def cancelled() -> bool:
            return self.cancellation.immediate or (starts_item and self.cancellation.requested)

        if self.limiter.take(service, self.budget.deadline, cancelled):
            return
        if cancelled():
            raise CancelledError("it was not wanted any more")
        limit = f", as the cloud limits the rate of requests: {throttled.text}" if throttled else ""
        if not throttled and (delay := self.limiter.holding(service)) >= 1:
            limit = f" (the cloud's limit lets no request through for another {delay:.0f} s)"
        raise DeadlineError(f"the time of {self.budget.timeout:.0f} s ended before it could be sent{limit}")


def _throttled_sign_in(exc: keystoneauth.HttpError) -> Throttled:
    """Keystone's answer while a token was obtained for a request; an error where no limit turned it away."""
    status, headers, text = exc.http_status, getattr(exc.response, "headers", {}), sentence(exc)
    if status >= SERVER_ERROR:
        raise UnconfirmedError(text) from exc
    if status == UNAUTHORIZED:
        text = f"Keystone refused the credentials, so check the user, its domain, the secret and the project: {text}"
    if not is_throttled(status, headers):
        raise CloudError(text) from exc
    return Throttled(IDENTITY, headers, text)
