# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends keystoneauth's requests at a rate that their cloud allows, and throttled ones again.

This is done in the adapters of requests, below all that keystoneauth and openstacksdk do, so that these see one answer.
Each adapter keeps its connections and its TLS; only its method send is wrapped.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import threading
import time
import typing as t

with contextlib.suppress(ImportError):  # Ansible looks into every file of a collection; where this is used, it is there
    import requests
    import urllib3

from ..rate_limit.limiter import RateLimiter
from ..rate_limit.throttling import is_throttled
from ..store import traffic
from ..store.session import VARIABLE
from ..store.traffic import Traffic
from ..util.errors import OneTokenError
from ..util.waiting import Waiter, delay_when_used_up
from . import errors, limits
from .limits import Limits
from .target import Target

#: Methods that change nothing, so that a request without an answer can be repeated.
_SAFE = ("GET", "HEAD")
_UNAVAILABLE = 503
#: Seconds for which such a request is repeated while a service is unavailable, or connections are lost.
OUTAGE_TIMEOUT = 15.0
_WRAPPED_BY = "_onetoken_wrapped_by"
#: Marks a session of requests that has a rate limiter of its own.
OWN_LIMITER = "_onetoken_own_limiter"
_thread = threading.local()

Send = t.Callable[..., "requests.Response"]


class LimitReachedError(OneTokenError):
    """A request waited for a limit for as long as it may."""


@dataclasses.dataclass
class Call:
    """A call of keystoneauth's Session.request."""

    session: t.Any
    options: t.Mapping[str, t.Any]
    #: Whether it waits for limits here; otherwise it is only counted.
    is_limited: bool

    def repeats(self, option: str, default: str = "") -> bool:
        """Whether keystoneauth itself retries."""
        tries = self.options.get(option)
        return bool(getattr(self.session, default, 0) if tries is None else tries)


def through(call: Send, session: t.Any, options: t.Mapping[str, t.Any], is_limited: bool, **changes: t.Any) -> t.Any:
    """Make a call of a keystoneauth session, with its requests sent through the rate limiter."""
    before = getattr(_thread, "call", None)
    with contextlib.suppress(Exception):
        _wrap_adapters(session.session)
        _thread.call = Call(session, options, is_limited and not hasattr(session.session, OWN_LIMITER))
    try:
        return call(**changes)
    finally:
        _thread.call = before


def _wrap_adapters(session: requests.Session) -> None:
    adapter: t.Any
    for adapter in session.adapters.values():
        send = adapter.send
        wrapped_by = getattr(send, _WRAPPED_BY, None)
        if wrapped_by == __name__:
            continue
        # Replace the wrapper of another copy of this package.
        plain = send if wrapped_by is None else send.__wrapped__
        wrapped: t.Any = functools.partial(_send, plain)
        wrapped.__wrapped__ = plain
        setattr(wrapped, _WRAPPED_BY, __name__)
        adapter.send = wrapped


def _send(plain: Send, request: requests.PreparedRequest, *args: t.Any, **options: t.Any) -> requests.Response:
    call, _thread.call = getattr(_thread, "call", None), None
    send = functools.partial(plain, request, *args, **options)
    try:
        # A request that one adapter passes on to another counts once.
        sending = None if call is None else _sending(call, request)
        return send() if sending is None else sending.carry_out(send)
    finally:
        _thread.call = call


def _sending(call: Call, request: requests.PreparedRequest) -> Sending | None:
    with contextlib.suppress(Exception):
        found = limits.of_session(os.environ[VARIABLE])
        return Sending(call, request, found, Target.of(call.session, call.options, str(request.url)))
    return None


class Sending:
    """One request, from its first attempt to its answer."""

    def __init__(self, call: Call, request: requests.PreparedRequest, found: Limits, target: Target) -> None:
        self._call = call
        self._request = request
        self._limits = found
        self._target = target
        self._limiter: RateLimiter | None = found.limiter(target.key) if call.is_limited else None
        self._traffic = Traffic()
        self._deadline = time.monotonic() + found.timeout
        #: In case the limiter does not work.
        self._waiter = Waiter(found.timeout)

    def carry_out(self, send: t.Callable[[], requests.Response]) -> requests.Response:
        try:
            return self._count(send()) if self._limiter is None else self._carry_out(self._limiter, send)
        finally:
            self._traffic.requests = max(1, self._traffic.requests)
            traffic.note(self._limits.session, self._target.service or traffic.OTHER, self._traffic)

    def _count(self, answer: requests.Response) -> requests.Response:
        """Count an answer to a request that is not repeated here."""
        self._traffic.throttled += is_throttled(answer.status_code, answer.headers)
        return answer

    def _carry_out(self, limiter: RateLimiter, send: t.Callable[[], requests.Response]) -> requests.Response:
        outage = Waiter(OUTAGE_TIMEOUT)
        while True:
            self._wait(limiter)
            sent_at = time.monotonic()
            self._traffic.requests += 1
            try:
                answer = send()
            except requests.exceptions.ConnectionError as exc:
                if not self._is_lost(exc) or not outage.wait():
                    raise
                continue
            if not self._is_sent_again(limiter, answer, sent_at, outage):
                return answer
            _release(answer)

    def _is_sent_again(self, limiter: RateLimiter, answer: requests.Response, sent_at: float, outage: Waiter) -> bool:
        """Report an answer to the rate limiter; whether the request is to be sent again."""
        if is_throttled(answer.status_code, answer.headers):
            self._traffic.throttled += 1
            self._report_throttled(limiter, answer, sent_at)
            return self._can_send_again()
        if answer.status_code == _UNAVAILABLE and self._may_repeat() and outage.wait(answer.headers):
            return True
        self._report_success(limiter, answer, sent_at)
        return False

    def _wait(self, limiter: RateLimiter) -> None:
        is_sent = True
        # A limiter that does not work delays nothing.
        with contextlib.suppress(Exception):
            if self._traffic.throttled or limiter.limits(self._target.service):
                is_sent = self._take(limiter)
        if not is_sent:
            raise errors.of_limit(self._too_late(limiter))

    def _take(self, limiter: RateLimiter) -> bool:
        began = time.monotonic()
        try:
            return limiter.take(self._target.service, self._deadline)
        finally:
            waited = time.monotonic() - began
            # To find that there is no wait takes time, too.
            self._traffic.seconds += waited if waited > 0.005 else 0.0

    def _report_throttled(self, limiter: RateLimiter, answer: requests.Response, sent_at: float) -> None:
        try:
            limiter.throttled(self._target.service, answer.headers, sent_at)
        except Exception:  # pylint: disable=broad-exception-caught
            began = time.monotonic()
            if not self._waiter.wait(answer.headers):
                raise errors.of_limit(self._too_late(limiter)) from None
            self._traffic.seconds += time.monotonic() - began

    def _report_success(self, limiter: RateLimiter, answer: requests.Response, sent_at: float) -> None:
        with contextlib.suppress(Exception):
            service, headers = self._target.service, answer.headers
            if limiter.limits(service) or delay_when_used_up(headers, time.time()):
                limiter.answered(service, headers, sent_at)

    def _too_late(self, limiter: RateLimiter) -> LimitReachedError:
        service = (self._target.service or "").replace("_", " ")
        name = f"The {service} service" if service else f"The service at {self._target.key.auth_url}"
        waited, limit, held = self._traffic.seconds, self._limits.timeout, 0.0
        with contextlib.suppress(Exception):
            held = limiter.holding(self._target.service)
        still = f", with {held:.0f} s to go" if held >= 1 else ""
        return LimitReachedError(
            f"{name} limits the rate of requests, and a {self._request.method} request was held back for "
            f"{waited:.0f} s (limit_timeout={limit:.0f}){still}: send fewer requests at a time, or raise limit_timeout."
        )

    def _may_repeat(self) -> bool:
        """Whether to repeat it while a service is unavailable: keystoneauth may do that itself."""
        return self._request.method in _SAFE and not self._call.repeats("status_code_retries")

    def _is_lost(self, error: Exception) -> bool:
        """Whether an open connection broke, the request may be repeated, and keystoneauth does not do that itself."""
        if self._request.method not in _SAFE or self._call.repeats("connect_retries", "_connect_retries"):
            return False
        return bool(error.args) and isinstance(error.args[0], urllib3.exceptions.ProtocolError)

    def _can_send_again(self) -> bool:
        """Whether the body can be sent again; a stream is rewound."""
        if self._request.body is None or isinstance(self._request.body, (bytes, str)):
            return True
        try:
            requests.utils.rewind_body(self._request)
        except Exception:  # pylint: disable=broad-exception-caught
            return False
        return True


def _release(answer: requests.Response) -> None:
    """Let the next attempt have the connection."""
    with contextlib.suppress(Exception):
        # After a long answer, it is cheaper to open another one.
        answer.raw.drain_conn()
    answer.close()
