# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.engine.poller import MAX_ATTEMPTS
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.errors import (
    RefusedError,
    UnconfirmedError,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.item import (
    ALREADY,
    DONE,
    FAILED,
    State,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import OneTokenError
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.engine.work import (
    raising,
)


def test_an_item_that_is_not_found_is_submitted_again_with_more_patience_each_time_and_given_up(start, time):
    started = start(["a"])
    moments = []

    def lose(item):
        moments.append(time.clock())
        raise UnconfirmedError("no answer")

    started.work.on_ask = lose
    started.carry_out()
    assert started.outcomes == {"a": FAILED}
    assert started.reasons == {"a": "no answer; nothing of the run appeared"}
    assert len(moments) == MAX_ATTEMPTS
    pauses = [later - earlier for earlier, later in zip(moments, moments[1:], strict=False)]
    assert all(pause >= 5 * 2**number for number, pause in enumerate(pauses))
    assert started.items[0].changed


def test_a_conflict_is_settled_by_the_next_look(start):
    started = start(["a", "mine"])
    busy = RefusedError("it is busy", 409)

    def refuse(item):
        if item.id == "mine":
            started.work.make(item)
        raise busy

    started.work.on_ask = refuse
    started.carry_out()
    assert started.outcomes == {"a": FAILED, "mine": ALREADY}
    assert started.reasons == {"a": "it is busy"}
    assert started.work.asked == ["a", "mine"]
    assert not any(item.changed for item in started.items)


def test_a_conflict_with_what_got_no_answer_has_the_same_patience(start, time):
    """The resource is busy with what was asked for first, and that shows up late."""
    started = start(["a"])
    started.work.on_ask = raising({"a": [UnconfirmedError("no answer"), RefusedError("it is busy", 409)]})

    def appear(items):
        if len(started.work.asked) == 2 and time.clock() > 13:
            started.work.made.setdefault("a", time.clock())

    started.work.on_look = appear
    started.carry_out()
    assert started.outcomes == {"a": DONE} and started.work.asked == ["a", "a"]


def test_a_refusal_is_final_and_stops_no_other(start):
    started = start(["a", "b"])
    started.work.on_ask = raising({"a": [RefusedError("policy", 403)]})
    started.carry_out()
    assert started.outcomes == {"a": FAILED, "b": DONE}
    assert started.work.asked == ["a", "b"] and not started.items[0].changed


def test_an_error_that_is_the_items_own_stops_no_other(start):
    started = start(["a", "b"])
    started.work.on_ask = raising({"a": [OneTokenError("a file cannot be read")]})
    assert started.carry_out().reasons == {"a": "a file cannot be read"}
    assert started.outcomes["b"] == DONE


def test_unconfirmed_when_the_time_is_up_it_has_failed_with_its_doubt(start, time):
    started = start(["a"], timeout=3)
    started.work.on_ask = raising({"a": [UnconfirmedError("no answer")]})
    assert started.carry_out().reasons == {"a": "no answer"}
    assert time.clock() <= 4


def test_submitted_before_and_not_again_it_is_not_skipped(start, interruption):
    """It may have been carried out after all."""
    started = start(["a"])
    started.work.on_ask = raising({"a": [UnconfirmedError("no answer")]})

    def interrupt(items):
        if started.client.budget.spent > 5:
            interruption.reason = "interrupted by SIGINT"

    started.work.on_look = interrupt
    started.carry_out()
    assert started.outcomes == {"a": FAILED}
    assert started.reasons["a"].startswith("no answer")
    assert started.work.asked == ["a"] and started.items[0].changed


def test_an_item_that_a_poll_wants_submitted_again_is(start):
    started = start(["a", "b"], concurrency=1)
    again = {"a", "b"}

    def look(items):
        for item in items:
            if item.state is State.IN_PROGRESS and item.id in again:
                again.remove(item.id)
                item.resume()

    started.work.on_look = look
    assert started.carry_out().counts == {DONE: 2}
    assert started.work.asked == ["a", "a", "b", "b"]
