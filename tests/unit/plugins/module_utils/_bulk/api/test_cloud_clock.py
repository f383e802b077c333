# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.api.cloud_clock import (
    CloudClock,
    CloudClockError,
)

NOON = "Sat, 31 Jan 2026 12:00:00 GMT"


@pytest.fixture
def clock(time):
    return CloudClock(time.clock)


def at(hour, minute=0, second=0):
    return datetime.datetime(2026, 1, 31, hour, minute, second, tzinfo=datetime.timezone.utc)


def test_it_is_as_late_as_a_service_said_and_time_goes_on(clock, time):
    clock.record({"Date": NOON})
    assert clock.now() == at(12)
    time.sleep(3600)
    assert clock.now() == at(13)


@pytest.mark.parametrize(
    "headers",
    [{}, {"Date": ""}, {"Date": "noon"}, {"Date": "0"}, {"Date": "Sat, 99 Jan 2026 12:00:00 GMT"}, {"date": NOON}],
    ids=str,
)
def test_an_answer_without_a_readable_date_says_nothing(clock, headers):
    clock.record(headers)
    with pytest.raises(CloudClockError, match="no service of the cloud says what time it is"):
        clock.now()
    assert not clock.has_passed(0, "2000-01-01T00:00:00Z")


@pytest.mark.parametrize("date", ["Sat, 31 Jan 2026 12:00:00 -0000", "Sat, 31 Jan 2026 14:00:00 +0200"])
def test_every_zone_is_understood(clock, date):
    clock.record({"Date": date})
    assert clock.now() == at(12)


def test_of_clocks_that_differ_a_little_the_earliest_counts_so_that_nothing_polls_too_old(clock):
    for date in (NOON, "Sat, 31 Jan 2026 12:05:00 GMT", NOON):
        clock.record({"Date": date})
    assert clock.now() == at(12)


@pytest.mark.parametrize("dates", [(NOON, "Sat, 31 Jan 2026 12:05:01 GMT"), ("Sat, 31 Jan 2026 11:54:59 GMT", NOON)])
def test_where_clocks_differ_by_more_no_age_is_known(clock, dates):
    for date in dates:
        clock.record({"Date": date})
    with pytest.raises(CloudClockError, match="differ by 301 s"):
        clock.now()
    assert not clock.has_passed(0, "2000-01-01T00:00:00Z")


def test_what_has_passed_is_counted_from_a_services_own_time(clock):
    clock.record({"Date": NOON})
    assert clock.has_passed(3599, "2026-01-31T11:00:00Z")
    assert not clock.has_passed(3600, "2026-01-31T11:00:00.000000")
    assert not clock.has_passed(0, "2026-01-31T13:00:00Z")
