# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import collections
import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.engine.poller import MAX_ATTEMPTS
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.engine.run import PlanError
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.errors import (
    CancelledError,
    RefusedError,
    UnconfirmedError,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.item import (
    ALREADY,
    DONE,
    FAILED,
    Item,
    State,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.engine.work import (
    free_slots,
)


class Storm:
    """Does to each item what a seed says, and checks that nothing is asked for twice without a look in between."""

    def __init__(self, work, seed):
        self.work = work
        self.seed = seed
        self.attempts = collections.Counter()
        self.seen_in_doubt = set()
        self.fates = collections.Counter()

    def on_ask(self, item):
        with self.work.lock:
            self.attempts[item.id] += 1
            attempt = self.attempts[item.id]
            if attempt > 1:
                assert item.id in self.seen_in_doubt
                self.seen_in_doubt.remove(item.id)
        assert item.state is State.SUBMITTING and item.attempts == attempt
        chance = random.Random(f"{self.seed} {item.id} {attempt}").random()
        fate = ("refused", "conflict", "made and conflict", "lost", "made and lost", "done")[
            sum(chance > limit for limit in (0.05, 0.1, 0.15, 0.3, 0.45))
        ]
        with self.work.lock:
            self.fates[fate] += 1
        if fate.startswith("made"):
            self.work.make(item)
        if fate == "refused":
            raise RefusedError("policy", 403)
        if fate.endswith("conflict"):
            raise RefusedError("busy", 409)
        if fate.endswith("lost"):
            raise UnconfirmedError("no answer")

    def on_look(self, items):
        assert len({id(item) for item in items}) == len(items)
        for item in items:
            assert item.polled
            if item.state is State.UNCONFIRMED:
                with self.work.lock:
                    self.seen_in_doubt.add(item.id)


@pytest.mark.parametrize(("seed", "concurrency"), [(1, 0), (2, 50), (3, 7)])
def test_in_a_storm_each_item_comes_to_one_end(start, seed, concurrency):
    names = [f"{number:03}" for number in range(500)]
    started = start(names, ThreadPoolExecutor, concurrency=concurrency, timeout=100_000)
    storm = Storm(started.work, seed)
    started.work.on_ask, started.work.on_look = storm.on_ask, storm.on_look
    started.carry_out()

    assert [item.name for item in started.items] == names
    assert all(item.settled for item in started.items)
    assert sum(started.counts.values()) == 500 and set(started.counts) == {DONE, ALREADY, FAILED}
    assert started.reported.newest["outcomes"] == started.counts
    assert (started.reported.newest["in_progress"], started.reported.newest["waiting"]) == (0, 0)
    # No bug of the run or of the storm hides in a reason.
    assert {item.reason_text.partition(";")[0] for item in started.items} <= {"", "policy", "busy", "no answer"}
    assert set(started.work.times_made.values()) == {1}
    for item in started.items:
        assert (item.outcome in (DONE, ALREADY)) == (item.id in started.work.made)
        assert item.attempts == storm.attempts[item.id] <= MAX_ATTEMPTS
    assert len(storm.fates) == 6 and storm.fates["lost"] > 50
    if concurrency:
        assert started.work.under_way_at_most <= concurrency
        assert free_slots(started.slots, concurrency) == concurrency


def test_ten_thousand_items_cost_no_poll_at_each_of_them_whenever_something_happens(start):
    """A turn of the run may cost more for more senders, not for more items."""
    turns = []
    for count in (100, 10_000):
        started = start([f"{number:05}" for number in range(count)])
        started.work.counts_under_way = False
        steps = [0]
        settled = Item.settled.fget

        class Counting(Item):
            @property
            def settled(self):
                steps[0] += 1  # noqa: B023
                return settled(self)  # noqa: B023

        started.work.planned = [Counting(id=item.id, name=item.name, action="work") for item in started.work.planned]
        started.carry_out()
        assert started.counts == {DONE: count}
        turns.append(steps[0] / count)
    assert turns[1] <= turns[0] * 1.5


class Taken:
    """A lock that another call of the run does not release."""

    def __init__(self, on_pause):
        self._on_pause = on_pause

    def acquire(self, pause, goes_on):
        while goes_on():
            pause(1)
            self._on_pause()
        return False


def test_who_waits_for_the_lock_until_the_time_is_up_submits_nothing(start):
    started = start("a", lock=Taken(lambda: None), timeout=10)
    with pytest.raises(PlanError, match="another task of this run is still submitting, after 10 s"):
        started.carry_out()
    assert started.work.asked == []


def test_who_is_interrupted_while_it_waits_for_the_lock_submits_nothing(start, interruption):
    def interrupt():
        interruption.reason = "interrupted by SIGINT"

    started = start("a", lock=Taken(interrupt))
    with pytest.raises(PlanError, match="is still submitting, and the run was interrupted by SIGINT"):
        started.carry_out()
    assert started.work.asked == []


def test_one_unconfirmed_that_is_not_submitted_again_stays_unconfirmed_until_it_is_seen(start):
    """The first request was carried out after all, and shows late."""

    def submit(item):
        if item.attempts == 1:
            started.work.times_made[item.id] += 1
            raise UnconfirmedError("the connection was cut")
        started.work.made[item.id] = started.client.budget.spent
        raise CancelledError("it was not wanted any more")

    started = start("a")
    started.work.on_ask = submit
    started.carry_out()
    assert started.outcomes == {"a": DONE}
    assert started.work.asked == ["a", "a"] and started.work.times_made["a"] == 1
