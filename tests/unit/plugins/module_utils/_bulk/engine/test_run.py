# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.errors import (
    UnconfirmedError,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.item import (
    ACCEPTED,
    ALREADY,
    DONE,
    Created,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.engine.work import (
    free_slots,
)


def test_all_are_submitted_in_the_order_of_their_names_and_polled_together(start, time):
    started = start(["c", "a", "b"]).carry_out()
    assert started.work.asked == ["a", "b", "c"]
    assert [item.name for item in started.items] == ["a", "b", "c"]
    assert started.counts == {DONE: 3}
    assert set(started.work.looks) == {3} and len(started.work.looks) < 6
    assert 5 <= time.clock() < 10
    assert all(5 <= item.seconds < 10 for item in started.items)
    assert started.reported.begun == ("work", "things")
    assert started.reported.newest["outcomes"] == {DONE: 3} and started.reported.newest["in_progress"] == 0


def test_nothing_to_do_is_done_at_once(start, time):
    started = start([]).carry_out()
    assert (started.items, started.work.looks, time.clock()) == ([], [], 0)
    started = start(["a", "b"])
    for item in started.work.planned:
        item.settle(ALREADY)
    assert started.carry_out().counts == {ALREADY: 2}
    assert (started.work.asked, started.work.looks) == ([], [])


def test_what_an_earlier_call_submitted_is_watched_and_not_submitted(start):
    started = start(["a"])
    started.work.planned[0].accept(ALREADY, Created("image", "a"))
    started.work.made["a"] = 3.0
    assert started.carry_out().outcomes == {"a": ALREADY}
    assert started.work.asked == [] and started.items[0].seconds == 0


def test_what_is_not_waited_for_is_accepted_and_not_done(start, time):
    started = start(["a", "b", "old"], wait=False, concurrency=1)
    started.work.planned[2].accept(ALREADY, Created("image", "old"))
    started.carry_out()
    assert started.outcomes == {"a": ACCEPTED, "b": ACCEPTED, "old": ALREADY}
    assert started.items[2].reason_code == "in_progress"
    assert (started.work.looks, started.work.asked) == ([], ["a", "b"])
    assert time.clock() < 2
    assert free_slots(started.slots, 1) == 1


def test_what_is_not_waited_for_is_still_looked_for_when_its_answer_was_lost(start):
    started = start(["a"], wait=False)

    def lose(item):
        started.work.make(item)
        raise UnconfirmedError("no answer")

    started.work.on_ask = lose
    assert started.carry_out().outcomes == {"a": ACCEPTED}
    assert started.work.asked == ["a"] and started.work.looks == [1]
