# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.limit import RateLimit
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.limiter import RateLimiter
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.project_key import ProjectKey
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.schedule import (
    FIRST_RATE,
    KEPT,
    SPREAD,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.rate_limit.sent_requests import (
    FOREVER,
    PROJECT,
    most_in_a_second,
    send,
    throttle,
)


class TestSharing:
    def test_two_processes_send_no_more_than_one(self, limiter, fake):
        pair = [limiter("20"), limiter("20")]
        sent = [send(pair[number % 2], fake, 1)[0] for number in range(100)]

        assert most_in_a_second(sent) <= 20

    @pytest.mark.parametrize(
        "other",
        [
            ProjectKey("https://other.example/v3", "p1", "RegionOne"),
            ProjectKey("https://cloud.example/v3", "p2", "RegionOne"),
            ProjectKey("https://cloud.example/v3", "p1", "RegionTwo"),
            ProjectKey("https://cloud.example/v3", None, None),
        ],
        ids=str,
    )
    def test_another_project_is_counted_by_itself(self, limiter, fake, other):
        assert send(limiter("1"), fake, 1) == send(limiter("1", other), fake, 1)

    @pytest.mark.parametrize(
        "auth_url", ["https://cloud.example/v3/", "https://cloud.example", "https://cloud.example/"]
    )
    def test_one_keystone_is_one_cloud_however_it_is_written(self, limiter, fake, auth_url):
        first = send(limiter("1"), fake, 1)
        assert send(limiter("1", ProjectKey(auth_url, "p1", "RegionOne")), fake, 1)[0] > first[0] + 1

    def test_a_throttled_request_of_one_delays_the_others(self, limiter, fake):
        one, other = limiter("20"), limiter("20")
        throttle(one, fake, {"Retry-After": "7"})

        assert 7 <= other.holding("compute") <= 7 + SPREAD
        assert send(other, fake, 1)[0] >= 7

    def test_what_auto_learnt_is_known_to_the_next_process(self, limiter, fake):
        one = limiter()
        send(one, fake, 40)
        throttle(one, fake)

        assert limiter().rate("compute") == one.rate("compute") != FIRST_RATE

    def test_it_is_forgotten_when_no_one_sent_for_long(self, limiter, fake):
        send(limiter(), fake, 40)
        assert limiter().rate("compute") > 2 * FIRST_RATE

        fake.sleep(KEPT + 1)
        assert limiter().rate("compute") == FIRST_RATE

    def test_a_hold_is_not_forgotten_however_long_it_is(self, limiter, fake):
        throttle(limiter(), fake, {"Retry-After": str(2 * KEPT)})
        fake.sleep(KEPT + 1)

        assert limiter().holding("compute") > KEPT / 2


class TestSlices:
    """Wherever the slices of a job run, on one machine or on several, each keeps to its share by itself."""

    @pytest.fixture
    def a_slice(self, fake):
        def make(rate, slices):
            share = RateLimit.parse(rate).share(slices)
            return RateLimiter(PROJECT, share, None, fake.clock, fake.sleep, fake.wall_clock)

        return make

    def test_on_one_machine_they_send_the_whole_rate_together_and_no_more(self, a_slice, fake):
        slices, sent = [a_slice("20", 4) for _number in range(4)], []
        for _turn in range(25):
            for one in slices:
                assert one.take("compute", FOREVER)
                sent.append(fake.clock())
        assert 19 < len(sent) / (sent[-1] - sent[0]) < 20.5
        assert all(later - earlier > 1 for earlier, later in zip(sent, sent[20:], strict=False))

    def test_auto_begins_with_a_share(self, a_slice):
        assert a_slice("auto", 5).rate("compute") == FIRST_RATE / 5

    def test_a_slice_leaves_no_file_and_reads_none(self, a_slice, limiter, fake, environ):
        assert limiter("0.5").take("compute", FOREVER)
        before = sorted(os.listdir(os.path.join(environ["XDG_STATE_HOME"], "onetoken", ".rate-limits")))
        assert a_slice("20", 4).take("compute", fake.clock())
        assert sorted(os.listdir(os.path.join(environ["XDG_STATE_HOME"], "onetoken", ".rate-limits"))) == before
