# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import collections
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.control.interruption import Interruption
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.control.max_failures import MaxFailures
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.engine.poller import ATTEMPTS
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.engine.run import PlanError
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.engine.workers import WORKERS
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.action import Action
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.errors import (
    CancelledError,
    CloudError,
    DeadlineError,
    OutageError,
    RefusedError,
    UnconfirmedError,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.item import (
    ACCEPTED,
    ALREADY,
    DONE,
    FAILED,
    INCOMPLETE,
    SKIPPED,
    Created,
    Item,
    State,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.reason import Code, Reason
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import OneTokenError
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_cloud import InlineExecutor
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.runs import run_of

BUG = "there was an unexpected {}, please report this as a bug"


class Work(Action):
    """Makes one thing of each item, which takes the cloud some seconds."""

    name = "work"
    resources = "things"
    awaited = "the works"
    requests_each = {"compute": 1}
    polled_services = ("compute",)

    def __init__(self, client, names):
        self.client = client
        self.planned = [Item(name, name, self.name, name) for name in names]
        self.seconds = 5.0
        #: Ids in the order in which they were asked for, and the numbers of items at each look.
        self.asked = []
        self.looks = []
        #: When each was made, how often, and which are not there yet.
        self.made = {}
        self.times_made = collections.Counter()
        self.counts_under_way = True
        self.under_way_at_most = 0
        self.on_ask = lambda item: None
        self.on_look = lambda items: None
        self.lock = threading.Lock()

    def plan(self):
        return self.planned

    def make(self, item):
        with self.lock:
            self.times_made[item.id] += 1
            self.made.setdefault(item.id, self.client.budget.spent)
            if self.counts_under_way:
                under_way = sum(moment + self.seconds > self.client.budget.spent for moment in self.made.values())
                self.under_way_at_most = max(self.under_way_at_most, under_way)

    def submit(self, item):
        with self.lock:
            self.asked.append(item.id)
        self.on_ask(item)
        self.make(item)
        item.accept(DONE, Created("image", item.id, status="saving"))

    def poll(self, items):
        self.looks.append(len(items))
        self.on_look(items)
        for item in items:
            if item.id in self.made:
                if item.state is State.UNCONFIRMED:
                    item.accept(ALREADY if item.refused_at_first else DONE, Created("image", item.id))
                if self.client.budget.spent >= self.made[item.id] + self.seconds:
                    item.settle(item.outcome)


class Reported:
    """What a run reports of its progress."""

    def __init__(self):
        self.newest = {}
        self.stopped = []

    def begin(self, action, resources):
        self.begun = (action, resources)

    def update(self, **standing):
        self.newest = {**standing, "outcomes": dict(standing["outcomes"])}
        ended = sum(standing["outcomes"].values())
        assert ended + standing["in_progress"] + standing["waiting"] == standing["total"]


class Started:
    def __init__(self, run, work, reported, client, slots):
        self.run = run
        self.work = work
        self.reported = reported
        self.client = client
        self.slots = slots

    @property
    def items(self):
        return self.run.items

    def carry_out(self):
        self.run.plan()
        self.run.carry_out()
        return self

    @property
    def outcomes(self):
        return {item.name: item.outcome for item in self.items}

    @property
    def counts(self):
        return dict(collections.Counter(item.outcome for item in self.items))

    @property
    def reasons(self):
        return {item.name: item.reason_text for item in self.items if item.reason_text}


@pytest.fixture
def start(new_client, new_slots, interruption):
    def new(
        names,
        executor=InlineExecutor,
        wait=True,
        max_failures=None,
        interruption=interruption,
        lock=None,
        concurrency=0,
        **options,
    ):
        client, slots = new_client(interruption=interruption, **options), new_slots(concurrency)
        work, reported = Work(client, names), Reported()
        limit = MaxFailures.parse(max_failures)
        run = run_of(
            work, client, reported, wait=wait, max_failures=limit, lock=lock, slots=slots, new_executor=executor
        )
        return Started(run, work, reported, client, slots)

    return new


def raising(errors):
    """Raises what is told for an item, the next time that it is asked for."""

    def on_ask(item):
        if left := errors.get(item.id):
            raise left.pop(0)

    return on_ask


def free_slots(slots, most):
    """How many slots are free, of so many."""
    free = 0
    while free < most + 1 and slots.take():
        free += 1
    return free


# The course of a run


def test_all_are_asked_for_in_the_order_of_their_names_and_looked_at_together(start, time):
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


def test_what_an_earlier_call_asked_for_is_watched_and_not_asked_for(start):
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


# Doubt


def test_an_item_that_is_not_found_is_asked_for_again_with_more_patience_each_time_and_given_up(start, time):
    started = start(["a"])
    moments = []

    def lose(item):
        moments.append(time.clock())
        raise UnconfirmedError("no answer")

    started.work.on_ask = lose
    started.carry_out()
    assert started.outcomes == {"a": FAILED}
    assert started.reasons == {"a": "no answer; nothing of the run appeared"}
    assert len(moments) == ATTEMPTS
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


def test_in_doubt_when_the_time_is_up_it_has_failed_with_its_doubt(start, time):
    started = start(["a"], timeout=3)
    started.work.on_ask = raising({"a": [UnconfirmedError("no answer")]})
    assert started.carry_out().reasons == {"a": "no answer"}
    assert time.clock() <= 4


def test_asked_for_before_and_not_again_it_is_not_skipped(start, interruption):
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


def test_an_item_that_a_look_wants_asked_for_again_is(start):
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


# Slots of actions under way


@pytest.mark.parametrize("executor", [InlineExecutor, ThreadPoolExecutor])
def test_no_more_are_under_way_than_there_may_be(start, executor):
    started = start([f"{number:02}" for number in range(20)], executor, concurrency=3).carry_out()
    assert started.counts == {DONE: 20}
    assert started.work.under_way_at_most <= 3
    assert free_slots(started.slots, 3) == 3


def test_one_that_is_asked_for_again_does_not_stand_in_line_behind_those_that_wait_for_its_place(start, time):
    started = start(["a", "b", "c"], concurrency=1)
    started.work.on_ask = raising({"a": [UnconfirmedError("no answer")]})
    assert started.carry_out().counts == {DONE: 3}
    assert started.work.asked == ["a", "a", "b", "c"]
    assert time.clock() < 100


@pytest.mark.parametrize(
    "error",
    [
        RefusedError("no", 403), RefusedError("busy", 409), UnconfirmedError("lost"), CloudError("down"),
        DeadlineError("late"), KeyError("bug"), None,
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_places_are_returned_however_it_ends(start, error):
    started = start([str(number) for number in range(9)], concurrency=4, timeout=60)
    started.work.on_ask = raising({str(number): [error] * 9 for number in range(9)} if error else {})
    started.work.seconds = 5 if error else 1000
    started.carry_out()
    assert all(item.settled for item in started.items)
    assert free_slots(started.slots, 4) == 4


# What stops a run


def test_when_the_time_is_up_nothing_more_is_asked_for(start, time):
    started = start(["a", "b"], concurrency=1, timeout=60)
    started.work.seconds = 1000
    started.carry_out()
    assert started.reasons == {
        "a": "still saving after 60 s; it goes on in the cloud",
        "b": "not submitted: the time of 60 s was up",
    }
    assert started.outcomes == {"a": FAILED, "b": SKIPPED}
    assert started.client.cancellation.reason.text == "the time of 60 s was up"
    assert 59 <= time.clock() <= 61


def test_a_request_that_would_come_too_late_stops_the_asking_and_says_why(start):
    started = start(["a", "b"], timeout=60)
    started.work.on_ask = raising({"a": [DeadlineError("the time was up, as the cloud limits the rate: slow down")]})
    started.carry_out()
    assert started.counts == {SKIPPED: 2} or started.outcomes["b"] == DONE
    assert started.reasons["a"] == "not submitted: the time was up, as the cloud limits the rate: slow down"
    assert started.client.cancellation.reason.text.startswith("the time was up, as the cloud limits the rate")
    assert (started.items[0].attempts, started.items[0].started_at, started.items[0].changed) == (0, None, False)


def test_half_of_what_an_item_takes_is_no_skipped_item(start):
    started = start(["a"])

    def half(item):
        item.created = [Created("volume_snapshot", "s-1"), Created("volume_snapshot")]
        raise DeadlineError("the time was up")

    started.work.on_ask = half
    started.carry_out()
    assert started.client.cancellation.reason.code is Code.TIMEOUT
    assert started.outcomes == {"a": INCOMPLETE} and started.items[0].changed
    assert started.items[0].reason_code == "timeout"
    assert started.reasons == {"a": "only a part of it was submitted: the time was up"}


def test_a_look_that_comes_too_late_fails_nothing_by_itself(start):
    started = start(["a"], timeout=30)
    started.work.seconds = 1000

    def late(items):
        if started.client.budget.spent > 20:
            raise DeadlineError("the time of 30 s was up before it could be sent")

    started.work.on_look = late
    assert started.carry_out().reasons == {"a": "still saving after 30 s; it goes on in the cloud"}


def test_too_many_failures_stop_the_asking(start):
    started = start([f"{number:03}" for number in range(200)], max_failures="3")

    def refuse(item):
        if item.id != "000":
            raise RefusedError("no", 403)

    started.work.on_ask = refuse
    started.carry_out()
    assert started.outcomes["000"] == DONE
    assert 3 < started.counts[FAILED] <= 3 + WORKERS + 1
    assert sum(started.counts.values()) == 200
    assert started.reasons["199"].startswith("not submitted: the run was stopped by max_failures after ")


def test_failures_that_are_found_while_planning_count(start):
    started = start(["a", "b", "c"], max_failures="1")
    for item in started.work.planned[:2]:
        item.settle(FAILED, Reason(Code.NOT_FOUND, "no such server"))
    started.carry_out()
    assert (started.work.asked, started.outcomes["c"]) == ([], SKIPPED)


def test_a_cloud_that_cannot_be_used_is_not_tried_once_an_item(start):
    started = start([f"{number:03}" for number in range(100)])
    started.work.on_ask = raising({"001": [CloudError("The password is wrong.")]})
    started.carry_out()
    assert started.counts[SKIPPED] >= 100 - WORKERS and started.counts[FAILED] == 1
    assert started.reasons["099"] == "not submitted: The password is wrong"
    assert started.outcomes["000"] == DONE


def test_an_interrupted_run_sees_what_is_under_way_to_its_end(start, interruption):
    started = start([f"{number:03}" for number in range(100)])

    def interrupt(item):
        if item.id == "010":
            interruption.reason = "interrupted by SIGTERM"

    started.work.on_ask = interrupt
    started.carry_out()
    assert started.counts[DONE] == len(started.work.asked) <= 11 + WORKERS
    assert started.reasons["099"] == "not submitted: the run was interrupted by SIGTERM"
    assert started.reported.newest["stopped"] == "the run was interrupted by SIGTERM"


def test_what_is_given_up_while_it_waits_for_its_turn_is_skipped(start, interruption):
    started = start(["a", "b"])

    def give_up(item):
        interruption.reason = "interrupted by SIGINT"
        assert started.client.cancellation.requested
        raise CancelledError("it was not wanted any more")

    started.work.on_ask = give_up
    started.carry_out()
    assert started.counts == {SKIPPED: 2}
    assert set(started.reasons.values()) == {"not submitted: the run was interrupted by SIGINT"}


def test_who_insists_is_not_kept_waiting_for_what_is_under_way(start, time):
    gone = []
    started = start(["a", "b"], concurrency=1, interruption=Interruption(lambda: bool(gone), patience=0))
    started.work.seconds = 1000
    started.work.on_look = gone.append
    started.carry_out()
    assert time.clock() < 5
    assert started.reasons == {
        "a": "still saving when the run was stopped; it goes on in the cloud",
        "b": "not submitted: the run was interrupted by the end of the playbook run",
    }
    assert started.client.cancellation.at_once


def test_the_end_of_a_job_is_noticed_also_when_all_is_asked_for(start, time):
    gone = []
    started = start(["a"], interruption=Interruption(lambda: bool(gone), patience=0))
    started.work.seconds = 1000
    started.work.on_look = gone.append
    started.carry_out()
    assert time.clock() < 5
    assert started.reasons == {"a": "still saving when the run was stopped; it goes on in the cloud"}


def test_a_run_that_is_interrupted_before_it_began_asks_for_nothing(start, interruption):
    interruption.reason = "interrupted by the end of the playbook run"
    started = start(["a", "b"]).carry_out()
    assert (started.counts, started.work.asked, started.work.looks) == ({SKIPPED: 2}, [], [])


def test_only_the_runs_own_thread_asks_whether_its_listener_is_there(start):
    """A pipe that two threads find closed at a time is closed twice."""
    threads = set()
    interruption = Interruption(lambda: bool(threads.add(threading.current_thread())))
    started = start([str(number) for number in range(40)], ThreadPoolExecutor, interruption=interruption)
    started.work.on_ask = lambda item: started.client.cancellation.requested
    assert started.carry_out().counts == {DONE: 40}
    assert threads == {threading.current_thread()}


# Planning that fails


@pytest.mark.parametrize(
    "error", [OutageError("no answer"), RefusedError("policy", 403), DeadlineError("the time was up")], ids=repr
)
def test_what_cannot_be_listed_is_a_sentence(start, error):
    started = start(["a"])

    def plan():
        raise error

    started.work.plan = plan
    with pytest.raises(PlanError, match=rf"^Nothing was submitted, as listing the things failed: {error}\.$"):
        started.run.plan()


def test_a_plan_that_was_given_up_is_a_sentence(start, interruption):
    started = start(["a"])

    def plan():
        interruption.reason = "interrupted by SIGINT"
        raise CancelledError("it was not wanted any more")

    started.work.plan = plan
    with pytest.raises(CancelledError, match=r"^Nothing was submitted: the run was interrupted by SIGINT\.$"):
        started.run.plan()


# Looks that fail


def test_an_outage_is_outlasted(start, time):
    started = start(["a"])

    def out(items):
        if time.clock() < 100:
            raise OutageError("no answer.")

    started.work.on_look = out
    assert started.carry_out().outcomes == {"a": DONE}
    assert started.reasons == {}


def test_an_outage_that_lasts_is_told(start):
    started = start(["a"], timeout=100)

    def out(items):
        raise OutageError("no answer.")

    started.work.on_look = out
    started.carry_out()
    assert started.reasons == {"a": "still saving after 100 s; it goes on in the cloud, as far as is known: no answer"}


def test_an_outage_that_is_over_is_not_told(start, time):
    started = start(["a"], timeout=100)
    started.work.seconds = 1000

    def out(items):
        if time.clock() < 50:
            raise OutageError("no answer.")

    started.work.on_look = out
    assert started.carry_out().reasons == {"a": "still saving after 100 s; it goes on in the cloud"}


def test_a_look_that_is_refused_ends_the_run_with_what_is_known(start):
    started = start(["a", "b"], concurrency=1)

    def refuse(items):
        raise RefusedError("policy", 403)

    started.work.on_look = refuse
    started.carry_out()
    assert started.outcomes == {"a": FAILED, "b": SKIPPED}
    assert started.reasons == {"a": "not watched to its end: policy", "b": "not submitted: policy"}
    assert started.items[0].created[0].id == "a"


# Bugs


@pytest.mark.parametrize("executor", [InlineExecutor, ThreadPoolExecutor])
def test_a_bug_in_the_asking_ends_the_run_and_loses_nothing_of_it(start, executor):
    started = start([f"{number:03}" for number in range(100)], executor)
    started.work.on_ask = raising({"005": [KeyError("a secret")]})
    started.carry_out()
    assert started.outcomes["005"] == FAILED and started.counts[DONE] >= 5
    assert started.reasons["005"] == BUG.format("KeyError")
    assert started.counts[SKIPPED] >= 100 - 6 - 2 * WORKERS
    assert started.reasons["099"] == f"not submitted: {BUG.format('KeyError')}"


@pytest.mark.parametrize("executor", [InlineExecutor, ThreadPoolExecutor])
def test_a_bug_in_a_look_ends_the_run_and_loses_nothing_of_it(start, executor):
    started = start(["a", "b"], executor, concurrency=1)

    def trip(items):
        raise TypeError("a secret")

    started.work.on_look = trip
    started.carry_out()
    assert started.reasons == {
        "a": f"not watched to its end: {BUG.format('TypeError')}",
        "b": f"not submitted: {BUG.format('TypeError')}",
    }


def test_a_bug_in_the_run_itself_does_not_leave_senders_waiting(start):
    started = start([str(number) for number in range(40)], ThreadPoolExecutor)
    over = threading.Event()

    def wait_for_a_turn(item):
        while not started.client.cancellation.requested:
            over.wait(0.01)
        raise CancelledError("it was not wanted any more")

    def trip(**standing):
        raise ZeroDivisionError

    started.work.on_ask = wait_for_a_turn
    started.reported.update = trip
    with pytest.raises(ZeroDivisionError):
        started.carry_out()


# Many items, many threads


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
        assert item.attempts == storm.attempts[item.id] <= ATTEMPTS
    assert len(storm.fates) == 6 and storm.fates["lost"] > 50
    if concurrency:
        assert started.work.under_way_at_most <= concurrency
        assert free_slots(started.slots, concurrency) == concurrency


def test_ten_thousand_items_cost_no_look_at_each_of_them_whenever_something_happens(start):
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


def test_who_waits_for_the_lock_until_the_time_is_up_asks_for_nothing(start):
    started = start("a", lock=Taken(lambda: None), timeout=10)
    with pytest.raises(PlanError, match="another task of this run is still submitting, after 10 s"):
        started.carry_out()
    assert started.work.asked == []


def test_who_is_interrupted_while_it_waits_for_the_lock_asks_for_nothing(start, interruption):
    def interrupt():
        interruption.reason = "interrupted by SIGINT"

    started = start("a", lock=Taken(interrupt))
    with pytest.raises(PlanError, match="is still submitting, and the run was interrupted by SIGINT"):
        started.carry_out()
    assert started.work.asked == []


def test_one_in_doubt_that_is_not_asked_for_again_stays_in_doubt_until_it_is_seen(start):
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
