# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.schedule import (
    BACK_OFF,
    FIRST_HOLD,
    FIRST_RATE,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.rate_limit.sent_requests import (
    gaps,
    send,
    throttle,
)


class TestAuto:
    def test_it_starts_low(self, limiter, fake):
        assert limiter().rate("compute") == FIRST_RATE
        assert gaps(send(limiter(), fake, 2)) == [pytest.approx(1 / FIRST_RATE, rel=0.2)]

    def test_it_doubles_each_second_while_nothing_is_throttled(self, limiter, fake):
        one = limiter()
        rates = []
        for second in range(1, 5):
            while fake.clock() < second:
                send(one, fake, 1)
            rates.append(one.rate("compute"))

        assert rates == pytest.approx([FIRST_RATE * 2**second for second in range(1, 5)], rel=0.2)

    def test_it_does_not_speed_up_with_few_requests(self, limiter, fake):
        one = limiter()
        for _turn in range(100):
            send(one, fake, 1)
            fake.sleep(1)

        assert one.rate("compute") == FIRST_RATE

    def test_a_throttled_request_slows_it_down(self, limiter, fake):
        one = limiter()
        send(one, fake, 40)
        before = one.rate("compute")
        throttle(one, fake)

        assert one.rate("compute") == pytest.approx(before * BACK_OFF, rel=0.1)

    def test_then_it_comes_near_the_throttled_rate_and_stays_below_for_a_while(self, limiter, fake):
        one = limiter()
        send(one, fake, 100)
        throttle(one, fake, {"Retry-After": "1"})
        throttled = one.rate("compute") / BACK_OFF
        rates = []
        end = fake.clock() + 6
        while fake.clock() < end:
            send(one, fake, 1)
            rates.append(one.rate("compute"))

        assert rates == sorted(rates)
        assert rates[5] < 0.8 * throttled
        assert 0.9 * throttled < rates[-1] < throttled

    def test_later_it_exceeds_the_throttled_rate(self, limiter, fake):
        """Somebody else's work may have been what took the limit."""
        one = limiter()
        throttle(one, fake)
        while fake.clock() < 120:
            send(one, fake, 1)

        assert one.rate("compute") > 3 * FIRST_RATE

    def test_a_burst_of_throttled_requests_counts_once(self, limiter, fake):
        one, other = limiter(), limiter()
        sent = send(one, fake, 10)
        for moment in sent:
            one.throttled("compute", {}, moment)
            other.throttled("compute", {}, moment)

        assert one.rate("compute") > FIRST_RATE * BACK_OFF
        assert one.holding() <= FIRST_HOLD * 1.5
        assert len(one.throttled_requests) == 10

    def test_a_throttled_request_counts_although_nothing_was_sent_for_long(self, limiter, fake):
        one = limiter()
        one.throttled("compute", {}, fake.clock())
        fake.sleep(5)

        assert one.limits("compute")
        # No rate was tried yet that could have been too high.
        assert one.rate("compute") == FIRST_RATE

    def test_without_limits_the_rate_has_a_maximum(self, limiter, fake):
        one = limiter()
        send(one, fake, 4000)

        assert one.rate("compute") == 1000

    def test_endless_throttling_leaves_a_rate(self, limiter, fake):
        one = limiter()
        for _turn in range(100):
            throttle(one, fake, {"Retry-After": "1"})

        assert one.rate("compute") > 0.4

    def test_it_finds_the_limit_of_a_cloud(self, limiter, fake):
        """20 in any second: most of it gets through, little is throttled."""
        one = limiter()
        let_through, throttled = [], 0
        while fake.clock() < 60:
            sent = send(one, fake, 1)[0]
            if sum(moment > sent - 1 for moment in let_through[-20:]) < 20:
                let_through.append(sent)
                one.answered("compute", {}, fake.clock())
            else:
                throttled += 1
                one.throttled("compute", {}, sent)

        assert len(let_through) > 0.8 * 20 * 60
        assert throttled < 30
