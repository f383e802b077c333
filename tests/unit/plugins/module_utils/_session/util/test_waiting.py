# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import email.utils
import time

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.waiting import (
    FIRST_DELAY,
    LONGEST_DELAY,
    Waiter,
    delay_asked,
    delay_when_used_up,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.fake_time import FakeTime

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("headers", "delay"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": " 7 "}, 7),
        ({"Retry-After": "0.5"}, 0.5),
        ({"X-Retry-After": "9"}, 9),
        ({"X-RateLimit-Reset": "11"}, 11),
        ({"X-RateLimit-Reset": "1800000013"}, 13),
        ({"X-RateLimit-Reset": "1800000013.5"}, 13.5),
        ({"X-RateLimit-Reset": "1799999000"}, 0),
        ({"Retry-After": email.utils.formatdate(NOW + 17, usegmt=True)}, 17),
        ({"Retry-After": email.utils.formatdate(NOW + 17, localtime=True)}, 17),
        ({"Retry-After": "Fri, 15 Jan 2027 08:00:17"}, 17),
        ({"Retry-After": email.utils.formatdate(NOW - 17, usegmt=True)}, 0),
        ({"Retry-After": "-5"}, 0),
        ({"RateLimit-Reset": "12"}, 12),
        ({"retry-after": "7"}, 7),
        ({"x-ratelimit-reset": "1800000013"}, 13),
        ({"Retry-After": "7", "X-RateLimit-Reset": "60"}, 7),
        ({"Retry-After": "soon", "X-RateLimit-Reset": "60"}, 60),
        ({"Retry-After": "", "X-Retry-After": "9"}, 9),
        ({"Retry-After": "nan", "X-Retry-After": "9"}, 9),
        ({}, None),
        ({"X-RateLimit-Remaining": "0"}, None),
        *(
            ({"Retry-After": value}, None)
            for value in (
                "soon",
                "nan",
                "inf",
                "-inf",
                "1e400",
                "7 s",
                "\x00",
                "0 Jan",
                "Fri, 99 Foo 2027 08:00:17 GMT",
                "Fri, 15 Jan 99999 08:00:17 GMT",
                "Fri, 15 Jan 2027 08:00:17 +9999",
                "Fri, 15 Jan 2027 08:00:17 +99999999999999999999",
            )
        ),
    ],
    ids=str,
)
def test_delay_asked(headers, delay):
    assert delay_asked(headers, NOW) == delay


@pytest.mark.parametrize(
    ("headers", "delay"),
    [
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "11"}, 11),
        ({"X-RateLimit-Remaining": " 0", "X-RateLimit-Reset": "1800000013"}, 13),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "11"}, 11),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "12"}, 12),
        ({"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "11"}, None),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "soon"}, None),
        ({"X-RateLimit-Remaining": "0"}, None),
        ({"X-RateLimit-Reset": "11"}, None),
        ({"Retry-After": "7"}, None),
        ({}, None),
    ],
    ids=str,
)
def test_delay_when_used_up(headers, delay):
    assert delay_when_used_up(headers, NOW) == delay


def test_it_waits_as_long_as_it_is_asked():
    fake = FakeTime()

    assert fake.waiter(60).wait({"Retry-After": "7"})
    assert fake.naps == [7]


def test_an_absolute_time_is_counted_from_the_wall_clock():
    fake = FakeTime()

    assert fake.waiter(60).wait({"X-RateLimit-Reset": str(int(fake.wall_clock()) + 13)})
    assert fake.naps == [pytest.approx(13)]


def test_without_a_delay_it_waits_longer_each_time_up_to_the_longest():
    fake = FakeTime()
    waiter = fake.waiter(10_000)

    for _turn in range(12):
        assert waiter.wait()

    bounds = [min(LONGEST_DELAY, FIRST_DELAY * 2**number) for number in range(12)]
    assert all(bound / 2 <= nap <= bound for nap, bound in zip(fake.naps, bounds, strict=True))
    assert bounds[-1] == LONGEST_DELAY


def test_processes_that_fail_together_do_not_come_back_together():
    naps = set()
    for _turn in range(20):
        fake = FakeTime()
        fake.waiter(60).wait()
        naps.update(fake.naps)

    assert len(naps) > 10


def test_it_never_waits_past_its_time():
    fake = FakeTime()
    waiter = fake.waiter(100)
    for _turn in range(1000):
        if not waiter.wait():
            break

    assert 60 < sum(fake.naps) <= 100


def test_a_delay_that_would_be_too_late_is_not_begun():
    fake = FakeTime()

    assert not fake.waiter(60).wait({"Retry-After": "61"})
    assert fake.naps == []


def test_a_server_that_always_asks_for_no_delay_is_not_hammered():
    """A clock that is ahead of the server's turns every X-RateLimit-Reset into a moment that is past."""
    fake = FakeTime()
    waiter = fake.waiter(60)
    tries = 0
    while waiter.wait({"X-RateLimit-Reset": str(int(fake.wall_clock()) - 90)}) and tries < 1000:
        tries += 1

    assert tries < 100


class TestCancelling:
    def waiter(self, fake, cancelled, timeout=60):
        return Waiter(timeout, fake.clock, fake.wall_clock, fake.sleep, cancelled)

    @pytest.mark.parametrize("asked", [7, 2.5, 0.3])
    def test_a_wait_that_is_not_cancelled_is_as_long_as_it_was_asked(self, asked):
        fake = FakeTime()

        assert self.waiter(fake, lambda: False).wait({"Retry-After": str(asked)})
        assert sum(fake.naps) == pytest.approx(asked)

    def test_a_cancelled_wait_ends_within_a_second(self):
        fake = FakeTime()

        assert not self.waiter(fake, lambda: fake.clock() >= 3.5).wait({"Retry-After": "50"})
        assert 3.5 <= fake.clock() <= 4.5

    def test_a_wait_that_was_cancelled_before_is_not_begun(self):
        fake = FakeTime()

        assert not self.waiter(fake, lambda: True).pause(50)
        assert fake.naps == []

    def test_a_wait_that_is_cancelled_at_its_last_moment_counts_as_cancelled(self):
        fake = FakeTime()

        assert not self.waiter(fake, lambda: fake.clock() >= 5).pause(5)

    def test_a_delay_that_would_be_too_late_is_not_begun_either(self):
        fake = FakeTime()

        assert not self.waiter(fake, lambda: False, timeout=10).pause(11)
        assert fake.naps == []


def test_seconds_left_counts_down_to_zero():
    fake = FakeTime()
    waiter = fake.waiter(10)
    assert waiter.seconds_left == 10

    waiter.pause(4)
    assert waiter.seconds_left == 6

    fake.sleep(100)
    assert waiter.seconds_left == 0


def test_by_itself_it_waits_in_real_time():
    start = time.monotonic()

    assert Waiter(10).pause(0.02)
    assert time.monotonic() - start >= 0.02
