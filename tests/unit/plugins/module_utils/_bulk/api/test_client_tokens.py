# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.errors import (
    CloudError,
    UnconfirmedError,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.wire_cloud import (
    answer,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import PASSWORD


def test_when_sixteen_threads_find_the_token_refused_there_is_one_new_one(wired, wire):
    together = threading.Barrier(16, timeout=30)

    def meet(exchange):
        if exchange.token == old:
            # All of them hold the old token before the first of them is refused.
            together.wait()
            wire.alive.pop(old, None)
            return answer(401, {"error": {"message": "The request you have made requires authentication."}})
        return None

    (old,) = wire.alive
    wire.react = meet
    with ThreadPoolExecutor(16) as executor:
        responses = list(executor.map(lambda number: wired.post("compute", f"/{number}/action", {}), range(16)))
    assert [response.status_code for response in responses] == [200] * 16
    assert len(wire.asked("POST")) == 2
    assert len(wire.exchanges) == 32
    assert {one.token for one in wire.exchanges[16:]} == set(wire.alive)


def test_a_late_refusal_of_the_old_token_does_not_cost_the_new_one(wired, wire):
    together, renewed = threading.Barrier(2, timeout=30), threading.Event()

    def refuse(exchange):
        if exchange.token != old:
            renewed.set()
            return None
        if together.wait():
            # Another thread has signed in again and used its token by the time that this one is refused.
            renewed.wait(30)
        return answer(401)

    (old,) = wire.alive
    wire.react = refuse
    with ThreadPoolExecutor(2) as executor:
        list(executor.map(lambda number: wired.post("compute", f"/{number}/action", {}), range(2)))
    assert len(wire.asked("POST")) == 2


def test_a_service_that_refuses_every_token_ends_it_after_two_more(wired, wire):
    wire.react = lambda exchange: answer(401, {"error": {"message": "No."}})
    with pytest.raises(CloudError, match=r"^No\. \(compute service, HTTP 401\)$"):
        wired.post("compute", "/servers/1/action", {})
    assert len(wire.exchanges) == 3
    assert len(wire.asked("POST")) == 3


def test_keystones_rate_limit_is_waited_out_before_the_request_is_sent(wired, wire, time):
    wire.alive.clear()
    wire.answers["POST"] = [answer(429, Retry_After="30")]
    assert wired.post("compute", "/servers/1/action", {}).status_code == 200
    assert time.clock() >= 30
    # The one that was refused for its token, and the one with the new token.
    assert len(wire.exchanges) == 2


def test_a_password_that_is_refused_is_sent_once_and_shown_nowhere(wired, wire):
    wire.alive.clear()
    wire.stuck["POST"] = answer(401, {"error": {"message": "The request you have made requires authentication."}})
    with pytest.raises(CloudError, match="requires authentication") as raised:
        wired.post("compute", "/servers/1/action", {})
    assert raised.type is CloudError
    assert len(wire.asked("POST")) == 2
    assert PASSWORD not in str(raised.value)


def test_a_keystone_that_is_broken_for_a_moment_fails_nothing_that_can_be_asked_again(wired, wire):
    wire.alive.clear()
    wire.answers["POST"] = [answer(503), answer(500)]
    assert wired.get("compute", "/servers") == {}
    wire.alive.clear()
    wire.answers["POST"] = [answer(503)]
    with pytest.raises(UnconfirmedError):
        wired.post("compute", "/servers/1/action", {})
