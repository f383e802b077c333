# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import threading

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.errors import (
    OutageError,
    RefusedError,
    UnconfirmedError,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util import deadline
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.api.reactions import (
    in_turn,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.wire_cloud import (
    CUT,
    CUT_IN_THE_MIDDLE,
    answer,
)


@pytest.mark.parametrize("reaction", [CUT, CUT_IN_THE_MIDDLE, answer(500), answer(502, "<html>"), answer(504, "")])
def test_a_request_whose_answer_is_lost_is_sent_once(wired, wire, reaction):
    wire.react = in_turn(reaction)
    with pytest.raises(UnconfirmedError) as raised:
        wired.post("compute", "/servers/1/action", {"createImage": {}})
    assert len(wire.sent("POST", "/action")) == 1
    assert "\n" not in str(raised.value) and "compute service" in str(raised.value)


@pytest.mark.parametrize("reaction", [CUT, CUT_IN_THE_MIDDLE, answer(503)])
def test_what_only_reads_is_asked_again_for_a_minute(wired, wire, time, reaction):
    wire.react = in_turn(reaction, reaction)
    assert wired.get("compute", "/servers") == {}
    assert len(wire.exchanges) == 3
    wire.react = lambda exchange: reaction
    began = time.clock()
    with pytest.raises(OutageError):
        wired.get("compute", "/servers")
    assert 20 < time.clock() - began <= 61


def test_a_cloud_that_is_gone_is_an_outage(new_wired, wire):
    requests = new_wired(signed_in=False)
    wire.stop()
    with pytest.raises(OutageError, match="a request to the compute service got no answer: "):
        requests.get("compute", "/servers")
    with pytest.raises(UnconfirmedError):
        requests.post("compute", "/servers/1/action", {})


def test_an_answer_that_takes_too_long_is_lost(wired, wire, wired_connection):
    over = threading.Event()
    wired_connection.session.timeout = 0.05
    wire.react = lambda exchange: over.wait(30) and None
    try:
        with pytest.raises(UnconfirmedError, match="timed out"):
            wired.post("compute", "/servers/1/action", {})
    finally:
        over.set()
    assert len(wire.sent("POST", "/action")) == 1


@pytest.fixture
def first_is_late(monkeypatch, time):
    """The first answer takes longer than it may."""
    left = [True]

    within = deadline.within

    def late_once(seconds, work):
        if not left:
            return within(seconds, work)
        left.pop()
        time.sleep(seconds)
        raise deadline.LateError

    monkeypatch.setattr(deadline, "within", late_once)


@pytest.mark.parametrize(
    ("timeout", "told"),
    [
        (130, r"within 120 s \(set api_timeout higher if the cloud is that slow\)"),
        (121, "within 120 s"),
        (60, "before the time of 60 s was up"),
    ],
)
def test_an_answer_that_does_not_come_names_the_limit_that_ended_it(new_wired, first_is_late, timeout, told):
    with pytest.raises(UnconfirmedError, match=f"got no answer {told}"):
        new_wired(timeout=timeout, signed_in=False).post("compute", "/servers/1/action", {})


@pytest.mark.parametrize(
    "ask",
    [
        lambda requests: requests.get("compute", "/servers") == {},
        lambda requests: requests.delete("compute", "/servers/1"),
        lambda requests: requests.supports_microversion("compute", "2.1"),
    ],
    ids=["reading", "deleting", "versions"],
)
def test_what_is_safe_to_repeat_is_repeated_after_an_answer_that_took_longer_than_an_outage(
    new_wired, time, first_is_late, ask
):
    assert ask(new_wired(signed_in=False))
    assert time.clock() > 120


def test_a_deletion_is_repeated_and_what_the_first_one_deleted_counts(wired, wire):
    wire.react = in_turn(CUT, answer(404))
    assert wired.delete("image", "/images/1") is True
    wire.exchanges.clear()
    wire.react = in_turn(answer(404))
    assert wired.delete("image", "/images/1") is False
    wire.exchanges.clear()
    wire.react = in_turn(answer(204))
    assert wired.delete("image", "/images/1") is True
    wire.exchanges.clear()
    wire.react = in_turn(answer(409, {"message": "in use"}))
    with pytest.raises(RefusedError, match="in use"):
        wired.delete("image", "/images/1")
    assert len(wire.exchanges) == 1
