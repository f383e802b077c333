# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import email.utils

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.limit import USED_SHARE, RateLimit
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.limiter import RateLimiter
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.project_key import ProjectKey
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.schedule import (
    BACK_OFF_OF_SET_RATE,
    FIRST_HOLD,
    LONGEST_DELAY,
    LONGEST_HOLD,
    PROBE_INTERVAL,
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


class TestThrottledRequests:
    @pytest.mark.parametrize(
        "headers",
        [
            {"Retry-After": "7"},
            {"retry-after": "7"},
            {"X-Retry-After": "7"},
            {"X-RateLimit-Reset": "7"},
            {"X-RateLimit-Reset": str(1_800_000_007)},
            {"Retry-After": email.utils.formatdate(1_800_000_007, usegmt=True)},
        ],
        ids=str,
    )
    def test_the_service_is_held_for_as_long_as_it_asks(self, limiter, fake, headers):
        one = limiter("20")
        throttle(one, fake, headers)

        assert 6.99 <= one.holding("compute") <= 7.01 + SPREAD
        assert one.holding() == one.holding("compute")
        assert one.holding("image") == 0
        assert 7 <= send(one, fake, 1)[0] <= 7.3 + SPREAD
        assert one.holding() == 0

    def test_another_service_goes_on(self, limiter, fake):
        one = limiter("20")
        throttle(one, fake, {"Retry-After": "7"})

        assert send(one, fake, 1, "image")[0] < 1

    @pytest.mark.parametrize("headers", [{}, {"Retry-After": "0"}, {"Retry-After": "soon"}], ids=str)
    def test_without_a_delay_it_is_held_longer_each_time(self, limiter, fake, headers):
        one = limiter("20")
        holds = []
        for _turn in range(12):
            throttle(one, fake, headers)
            holds.append(one.holding())

        for turn, hold in enumerate(holds):
            least = min(LONGEST_HOLD, FIRST_HOLD * 2**turn)
            assert least * 0.99 <= hold <= min(LONGEST_HOLD, least * 1.5) * 1.001
        assert holds[-1] == pytest.approx(LONGEST_HOLD)

    def test_a_success_ends_the_row(self, limiter, fake):
        one, other = limiter("20"), limiter("20")
        for _turn in range(5):
            throttle(one, fake)
        send(other, fake, 1)
        other.answered("compute", {}, fake.clock())
        throttle(one, fake)

        assert one.holding() <= FIRST_HOLD * 1.5

    def test_a_success_that_was_sent_before_the_throttled_one_does_not(self, limiter, fake):
        one = limiter("20")
        for _turn in range(5):
            sent_at = fake.clock()
            throttle(one, fake)
            one.answered("compute", {}, sent_at)

        assert one.holding() > FIRST_HOLD * 8

    def test_a_later_answer_of_the_same_burst_can_make_the_hold_longer_but_not_shorter(self, limiter, fake):
        one = limiter("20")
        sent = send(one, fake, 3)
        one.throttled("compute", {"Retry-After": "7"}, sent[0])
        one.throttled("compute", {"Retry-After": "3"}, sent[1])
        assert one.holding() >= 7

        one.throttled("compute", {"Retry-After": "9"}, sent[2])
        assert one.holding() >= 9

    def test_the_delay_that_a_service_asks_for_has_a_maximum(self, limiter, fake):
        one = limiter("20")
        throttle(one, fake, {"Retry-After": "1e300"})

        assert one.holding() <= LONGEST_DELAY + SPREAD

    def test_an_absurd_delay_ends_with_the_probe_of_another_process(self, limiter, fake):
        one, other = limiter("20"), limiter("20")
        throttle(one, fake, {"Retry-After": "1e9"})
        send(other, fake, 1)

        assert fake.clock() <= PROBE_INTERVAL + 1
        other.answered("compute", {}, fake.clock())
        assert one.holding() == 0
        assert send(other, fake, 20)[-1] <= PROBE_INTERVAL + 3

    def test_while_a_service_keeps_throttling_only_probes_are_sent(self, limiter, fake):
        pair = [limiter("20"), limiter("20")]
        throttle(pair[0], fake, {"Retry-After": "600"})
        rate, sent = pair[0].rate("compute"), []
        for number in range(9):
            sent += send(pair[number % 2], fake, 1)
            pair[number % 2].throttled("compute", {"Retry-After": str(600 - fake.clock())}, fake.clock())

        assert min(gaps(sent)) >= PROBE_INTERVAL
        assert pair[0].rate("compute") == rate

    def test_a_probe_that_is_not_answered_yet_holds_the_others(self, limiter, fake):
        one = limiter("20")
        throttle(one, fake, {"Retry-After": "600"})

        assert min(gaps(send(one, fake, 5))) >= PROBE_INTERVAL

    def test_a_short_run_finds_out_within_its_own_time(self, environ, fake):
        one = RateLimiter(PROJECT, RateLimit.parse("20"), environ, fake.clock, fake.sleep, fake.wall_clock, timeout=15)
        throttle(one, fake, {"Retry-After": "1e9"})

        assert one.take("compute", 15)
        assert fake.clock() < 10

    def test_machines_with_the_same_delay_do_not_come_back_at_the_same_moment(self, limiter, fake):
        holds = set()
        for project in range(20):
            one = limiter("20", ProjectKey("https://cloud.example", str(project), None))
            throttle(one, fake, {"Retry-After": "7"})
            holds.add(round(one.holding(), 6))

        assert len(holds) > 10

    def test_after_a_hold_requests_are_spaced_too(self, limiter, fake):
        one = limiter("20")
        throttle(one, fake, {"Retry-After": "7"})

        assert most_in_a_second(send(one, fake, 60)) <= 20

    def test_a_set_rate_comes_back(self, limiter, fake):
        one = limiter("20")
        throttle(one, fake, {"Retry-After": "1"})
        assert one.rate("compute") == pytest.approx(20 * USED_SHARE * BACK_OFF_OF_SET_RATE)

        send(one, fake, 100)
        assert one.rate("compute") > 0.9 * 20 * USED_SHARE
        send(one, fake, 1000)
        assert one.rate("compute") == pytest.approx(20 * USED_SHARE)

    def test_each_is_recorded(self, limiter, fake):
        one = limiter("20")
        fake.sleep(3)
        one.throttled("compute", {}, 2.5)
        fake.sleep(1)
        one.throttled("image", {}, 3.5)

        assert one.throttled_requests == [("compute", 3), ("image", 4)]


class TestThrottledForAnotherReason:
    """A service that throttles at any rate: longer and longer delays would stop everything."""

    @pytest.mark.parametrize("rate, lowest", [("20", 20 * USED_SHARE / 4), ("auto", 2.0)])
    def test_a_rate_does_not_fall_without_end(self, limiter, fake, rate, lowest):
        one = limiter(rate)
        for _turn in range(100):
            throttle(one, fake)
            assert one.take("compute", FOREVER)
            one.answered("compute", {}, fake.clock())
            assert one.rate("compute") >= lowest - 0.001


class TestUsedUp:
    def test_a_success_that_was_the_last_one_holds_the_service(self, limiter, fake):
        one, other = limiter("20"), limiter("20")
        one.answered("compute", {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "5"}, fake.clock())

        assert send(other, fake, 1)[0] >= 5
        assert other.rate("compute") == pytest.approx(20 * USED_SHARE)
        assert one.throttled_requests == []

    def test_one_that_was_not_holds_nothing(self, limiter, fake):
        one = limiter("20")
        one.answered("compute", {"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "5"}, fake.clock())

        assert one.holding() == 0


class TestThrottledSeconds:
    def test_it_is_the_wait_for_a_hold(self, limiter, fake):
        one = limiter("20")
        throttle(one, fake, {"Retry-After": "7"})
        assert one.throttled_seconds == 0

        send(one, fake, 1)
        assert 7 <= one.throttled_seconds <= 7.1 + SPREAD

    def test_waiting_for_the_rate_is_none(self, limiter, fake):
        one = limiter("20")
        send(one, fake, 100)

        assert one.throttled_seconds == 0

    def test_a_hold_that_nobody_waited_for_is_none(self, limiter, fake):
        one = limiter("20")
        throttle(one, fake, {"Retry-After": "7"})
        fake.sleep(8)
        send(one, fake, 1)

        assert one.throttled_seconds == 0

    def test_threads_that_wait_at_the_same_time_are_counted_once(self, limiter, fake):
        """Two services are held: the wait for the second begins while the one for the first goes on."""
        is_second_waiting = False

        def sleep(seconds):
            nonlocal is_second_waiting
            if is_second_waiting or not one.throttled_requests:
                fake.sleep(seconds)
                return
            is_second_waiting = True
            send(one, fake, 1, "image")
            assert one.throttled_seconds == pytest.approx(fake.clock(), abs=0.01)

        one = limiter("20", sleep=sleep)
        throttle(one, fake, {"Retry-After": "7"}, "image")
        throttle(one, fake, {"Retry-After": "7"}, "compute")
        send(one, fake, 1, "compute")
        assert one.throttled_seconds == pytest.approx(fake.clock(), abs=0.1)
