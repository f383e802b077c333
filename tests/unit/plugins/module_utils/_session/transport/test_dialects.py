# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever an answer's headers say: a request ends with an answer or a sentence, within the time that it has."""

from __future__ import annotations

import email.utils
import functools
import io
import types

import pytest
import requests
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.limit import RateLimit
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.limiter import RateLimiter
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.project_key import ProjectKey
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.throttling import is_throttled
from ansible_collections.onetoken.openstack.plugins.module_utils._session.transport import sending
from ansible_collections.onetoken.openstack.plugins.module_utils._session.transport.target import Target
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util import waiting
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.fake_time import FakeTime
from hypothesis import assume, given
from hypothesis import strategies as st
from keystoneauth1 import exceptions

NAMES = (
    *("Retry-After", "X-Retry-After", "RateLimit-Remaining", "RateLimit-Reset"),
    *("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Content-Type"),
)
NUMBERS = (
    *("0", "1", "-1", "0.001", "3", "59", "600", "86400", "1800000003", "1799999999", "1e3", "1e308", "1e400"),
    *("-1e400", "nan", "inf", "-inf", "0x10", "1_000", "+5", "9" * 400, "5, 5", "10;w=60", "5 s"),
    *("", " ", "soon", "\x00", "\xff", "\u0663"),
)
DATES = (
    *("Fri, 15 Jan 2027 08:00:03 GMT", "Fri, 15 Jan 2027 08:00:03 +9999", "2027-01-15T08:00:03Z", "0 Jan", "Jan"),
    *("Mon, 01 Jan 0001 00:00:00 +2359", "Fri, 31 Dec 9999 23:59:59 -2359", "1 Jan 27 25:61:61"),
    *("Fri,", ",", "(", "a, b, c"),
)
dates = st.integers(0, 4_000_000_000).map(functools.partial(email.utils.formatdate, usegmt=True))
known = st.sampled_from(NUMBERS + DATES)
values = st.one_of(known, st.integers().map(str), st.floats().map(str), dates, st.text(max_size=20))
names = st.sampled_from(NAMES).flatmap(lambda name: st.sampled_from([name, name.lower(), name.upper()]))
headers = st.dictionaries(names, values, max_size=4)
answers = st.lists(st.tuples(st.sampled_from([200, 404, 413, 429, 429, 503]), headers), max_size=8)
TIMEOUT = 20


class Service:
    """Gives these answers, one after the other, then 200; nothing is sent, and time passes only in waits."""

    def __init__(self, answers, method="GET", timeout=TIMEOUT, rate="auto"):
        self.fake = FakeTime()
        self.answers = [self.response(status, given) for status, given in answers]
        self.sent = 0
        key = ProjectKey("http://cloud", "p1", "R")
        clocks = (self.fake.clock, self.fake.sleep, self.fake.wall_clock)
        self.limiter = RateLimiter(key, RateLimit.parse(rate), None, *clocks, timeout=timeout)
        found = types.SimpleNamespace(session=None, timeout=timeout, limiter=lambda _key: self.limiter)
        session = types.SimpleNamespace(_connect_retries=0)
        self.begin = lambda: sending.Sending(
            sending.Call(session, {}, True),
            requests.Request(method, "http://cloud/").prepare(),
            found,
            Target(key, "compute"),
        )

    @staticmethod
    def response(status, given):
        response = requests.Response()
        response.status_code = status
        response.headers.update(given)
        response.raw = io.BytesIO()
        return response

    def send(self):
        self.sent += 1
        return self.answers[self.sent - 1] if self.sent <= len(self.answers) else self.response(200, {})


@pytest.fixture(autouse=True)
def in_fake_time(monkeypatch):
    """What measures the time of a request asks the service that is called at the moment."""

    def carry_out(self):
        monkeypatch.setattr(
            sending, "time", types.SimpleNamespace(monotonic=self.fake.clock, time=self.fake.wall_clock)
        )
        monkeypatch.setattr(sending, "Waiter", self.fake.waiter)
        monkeypatch.setattr(sending.traffic, "note", lambda *_arguments: None)
        return self.begin().carry_out(self.send)

    monkeypatch.setattr(Service, "carry_out", carry_out, raising=False)


def check(given):
    for now in (0.0, 1_800_000_000.0):
        for read in (waiting.delay_asked, waiting.delay_when_used_up):
            delay = read(given, now)
            assert delay is None or 0 <= delay < float("inf")
    assert is_throttled(429, given)
    assert not any(is_throttled(status, given) for status in (200, 400, 403, 404, 409, 500, 502, 503, 504))


def test_each_value_of_each_header_can_be_read():
    for name in NAMES:
        for value in NUMBERS + DATES:
            check({name: value})


@given(given=headers)
def test_any_headers_can_be_read(given):
    check(given)


@given(answers=answers, method=st.sampled_from(["GET", "POST", "DELETE"]), rate=st.sampled_from(["auto", "1", "20"]))
def test_a_request_ends_within_its_time(answers, method, rate):
    service = Service(answers, method, rate=rate)
    try:
        response = service.carry_out()
    except exceptions.ClientException as exc:
        assert "limits the rate of requests" in str(exc) and f"limit_timeout={TIMEOUT}" in str(exc)
    else:
        # The last answer, as the service gave it.
        assert response in service.answers or response.status_code == 200
        assert response.status_code != 429
    # It never wakes more than a moment after it was to; a service that is unavailable has a time of its own.
    assert service.fake.clock() <= TIMEOUT + sending.OUTAGE_TIMEOUT + 0.01
    if all(status != 503 for status, _headers in answers) or method != "GET":
        assert service.fake.clock() <= TIMEOUT + 0.01


@given(given=headers, method=st.sampled_from(["GET", "POST"]))
def test_413_without_a_delay_is_a_quota_and_reaches_the_program_unchanged(given, method):
    service = Service([(413, given)], method)
    # Of two headers whose names differ in case, an answer has one.
    assume(not waiting.delay_asked(service.answers[0].headers, service.fake.wall_clock()))
    assert service.carry_out() is service.answers[0]
    assert (service.sent, service.fake.naps, service.limiter.throttled_requests) == (1, [], [])


@given(given=headers, status=st.sampled_from([413, 429]), rate=st.sampled_from(["auto", "20"]))
def test_a_limit_holds_no_longer_than_it_says_nor_than_a_request_may_wait(given, status, rate):
    service = Service([(status, given)], rate=rate)
    asked = waiting.delay_asked(service.answers[0].headers, service.fake.wall_clock())
    assume(status == 429 or asked)
    try:
        service.carry_out()
    except exceptions.ClientException:
        assert asked is not None and asked > TIMEOUT / 2 and service.sent == 1
    else:
        assert service.sent == 2
        assert service.fake.clock() <= min(asked or 1, TIMEOUT) + 1
