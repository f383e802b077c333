# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.control.interruption import Interruption
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.errors import (
    CancelledError,
    DeadlineError,
    RefusedError,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.reason import Code, Reason
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.api.reactions import (
    MOMENT,
    in_turn,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.wire_cloud import (
    answer,
)


@pytest.mark.parametrize(
    ("refusal", "least"),
    [
        (answer(429, {"error": {"status": "429 Too Many Requests", "message": "Too Many Requests"}}), 0.1),
        (answer(429, Retry_After="7"), 7),
        (answer(413, {"overLimit": {"message": "This request was rate-limited."}}, Retry_After="7"), 7),
        (answer(429, X_Retry_After="7", X_RateLimit_Limit="60r/m", X_RateLimit_Remaining="0"), 7),
        (answer(429, x_ratelimit_reset=str(MOMENT + 9)), 9),
        (answer(429, Retry_After="Fri, 15 Jan 2027 08:00:09 GMT"), 9),
        (answer(429, RateLimit_Remaining="0", RateLimit_Reset="7"), 7),
        (answer(429, "<html><h1>Too Many Requests</h1></html>", Retry_After="soon"), 0.1),
    ],
    ids=lambda value: "".join(value.headers) or "silent" if hasattr(value, "headers") else None,
)
def test_each_dialect_of_a_rate_limit_is_waited_out(wired, wire, time, refusal, least):
    wire.react = in_turn(refusal)
    assert time.clock() < 0.01
    assert wired.post("compute", "/servers/1/action", {"createImage": {}}).status_code == 200
    assert len(wire.sent("POST", "/action")) == 2
    assert least <= time.clock() <= least + 3
    assert [service for service, _moment in wired.limiter.throttled_requests] == ["compute"]


@pytest.mark.parametrize("headers", [{}, {"Retry_After": "0"}])
def test_a_quota_that_is_used_up_is_no_rate_limit(wired, wire, headers):
    wire.react = in_turn(answer(413, {"overLimit": {"code": 413, "message": "Quota exceeded"}}, **headers))
    with pytest.raises(RefusedError, match=r"^Quota exceeded \(compute service, HTTP 413\)$") as raised:
        wired.post("compute", "/servers/1/action", {})
    assert raised.value.status_code == 413
    assert wired.limiter.throttled_requests == []


def test_a_rate_limit_for_longer_than_there_is_time_is_probed_and_reported(new_wired, wire, time):
    requests = new_wired(timeout=60)
    wire.react = lambda exchange: answer(429, {"e": {"message": "Slow\ndown"}}, Retry_After="600")
    with pytest.raises(
        DeadlineError, match=r"the time of 60 s ended .* limits the rate of requests: Slow down \(compute"
    ):
        requests.get("compute", "/servers")
    assert time.clock() <= 61
    assert 1 < len(wire.exchanges) <= 3


def test_what_starts_an_item_is_not_sent_once_the_run_is_cancelled(wired, wire):
    def throttle(exchange):
        wired.cancellation.cancel(Reason(Code.MAX_FAILURES, "too many failures"))
        return answer(429, Retry_After="600")

    wire.react = throttle
    with pytest.raises(CancelledError):
        wired.post("compute", "/servers/1/action", {}, starts_item=True)
    assert len(wire.sent("POST", "/action")) == 1


def test_nothing_at_all_is_sent_once_the_run_is_to_end_at_once(new_wired, wire):
    interruption = Interruption(lambda: True, patience=0)
    wired = new_wired(interruption=interruption)
    assert interruption.requested
    with pytest.raises(CancelledError):
        wired.get("compute", "/servers")
    assert wire.exchanges == []
