# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util import clock

NOON = datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.timezone.utc)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T12:00:00.000000Z",
        "2026-01-31T12:00:00Z",
        "2026-01-31T12:00:00+00:00",
        "2026-01-31T12:00:00",
        "2026-01-31T13:00:00+01:00",
    ],
)
def test_parse_reads_a_time_as_utc_unless_it_says_otherwise(text):
    assert clock.parse(text) == NOON


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "some day", ""])
def test_parse_refuses_what_is_no_time_in_utc(text):
    with pytest.raises(ValueError):
        clock.parse(text)


@pytest.mark.parametrize("hours", [0, 2, -5])
def test_show_is_utc_to_the_second(hours):
    moment = NOON.astimezone(datetime.timezone(datetime.timedelta(hours=hours))).replace(microsecond=999999)

    assert clock.show(moment) == "2026-01-31T12:00:00Z"


def test_now_is_what_show_and_parse_agree_on():
    now = clock.now()

    assert clock.parse(clock.show(now)) == now.replace(microsecond=0)
