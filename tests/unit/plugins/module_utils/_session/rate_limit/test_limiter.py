# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools
import threading
import time

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.limit import USED_SHARE, RateLimit
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.limiter import RateLimiter
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.schedule import (
    SPREAD,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.rate_limit.sent_requests import (
    FOREVER,
    PROJECT,
    gaps,
    most_in_a_second,
    send,
    throttle,
)


class TestSetRate:
    def test_requests_are_sent_evenly(self, limiter, fake):
        sent = send(limiter("20"), fake, 100)

        assert sent[0] == 0
        assert max(gaps(sent)) < 1.05 / (20 * USED_SHARE)
        assert sent[-1] == pytest.approx(99 / (20 * USED_SHARE), abs=0.02)

    @pytest.mark.parametrize("number", [1, 5, 20, 200])
    def test_no_second_has_more_than_the_number(self, limiter, fake, number):
        """Not even when each request takes a little longer or shorter to the cloud, which counts them there."""
        sent = send(limiter(number), fake, number * 5)
        jitter = itertools.cycle([0.0, 0.015, 0.005])

        assert most_in_a_second([moment + delay for moment, delay in zip(sent, jitter, strict=False)]) <= number

    def test_idle_time_is_no_credit(self, limiter, fake):
        one = limiter("20")
        send(one, fake, 3)
        fake.sleep(60)

        assert most_in_a_second(send(one, fake, 60)) <= 20

    def test_a_thread_that_wakes_late_does_not_lower_the_rate(self, limiter, fake):
        one = limiter("20", sleep=lambda seconds: fake.sleep(seconds + 0.005))

        assert send(one, fake, 101)[-1] == pytest.approx(100 / (20 * USED_SHARE), rel=0.005)

    def test_services_do_not_wait_for_each_other(self, limiter, fake):
        one = limiter("1")
        assert send(one, fake, 1) == send(one, fake, 1, "image") == send(one, fake, 1, "block_storage") == [0]

    def test_a_service_has_the_rate_of_its_own(self, limiter, fake):
        one = limiter("ovhcloud")

        assert one.rate("compute") == pytest.approx(20 * USED_SHARE)
        assert one.rate("identity") == pytest.approx(USED_SHARE)
        assert send(one, fake, 3, "identity")[-1] > 2


class TestDeadline:
    def test_a_request_that_would_be_too_late_is_not_waited_for(self, limiter, fake):
        one = limiter("1")
        send(one, fake, 1)

        assert not one.take("compute", 0.5)
        assert fake.clock() == 0

    def test_nor_a_hold(self, limiter, fake):
        one = limiter("20")
        throttle(one, fake, {"Retry-After": "100"})
        before = fake.clock()

        assert not one.take("compute", 50)
        assert fake.clock() == before

    def test_nothing_is_sent_after_it(self, limiter, fake):
        one = limiter("1")
        fake.sleep(10)

        assert not one.take("compute", 9.9)
        assert send(one, fake, 1) == [10]

    def test_nothing_stays_reserved(self, limiter, fake):
        one = limiter("1")
        send(one, fake, 1)
        for _turn in range(10):
            assert not one.take("compute", 0.5)

        assert send(one, fake, 1)[0] < 1.1


class TestCancelling:
    def test_a_cancelled_request_is_not_sent(self, limiter, fake):
        one = limiter("1")

        assert not one.take("compute", FOREVER, lambda: True)
        assert send(one, fake, 1) == [0]

    def test_a_wait_is_cancelled_soon(self, limiter, fake):
        one = limiter("20")
        throttle(one, fake, {"Retry-After": "100"})

        assert not one.take("compute", FOREVER, lambda: fake.clock() > 5)
        assert 5 < fake.clock() < 5.3

    def test_a_wait_that_is_not_cancelled_is_no_shorter(self, limiter, fake):
        one = limiter("20")
        throttle(one, fake, {"Retry-After": "3"})

        assert one.take("compute", FOREVER, lambda: False)
        assert 3 <= fake.clock() <= 3.2 + SPREAD

    def test_a_thread_behind_another_is_cancelled_too(self, environ):
        one = RateLimiter(PROJECT, RateLimit.parse("20"), environ)
        is_at_head, ended = threading.Event(), threading.Event()
        one.throttled("compute", {"Retry-After": "1000"}, time.monotonic())
        first = threading.Thread(
            target=one.take, args=("compute", 1e12, lambda: bool(is_at_head.set()) or ended.is_set())
        )
        first.start()
        assert is_at_head.wait(30)
        asked = []

        assert not one.take("compute", 1e12, lambda: asked.append(1) or len(asked) > 1)
        assert not one.take("compute", time.monotonic() + 0.01)
        ended.set()
        first.join()
        # The head of the queue is free: who comes next is asked at once.
        is_at_head.clear()
        assert not one.take("compute", 1e12, lambda: is_at_head.set() or True)
        assert is_at_head.is_set()
