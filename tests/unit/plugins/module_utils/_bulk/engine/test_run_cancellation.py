# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.control.interruption import Interruption
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.engine.workers import WORKERS
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.errors import (
    CancelledError,
    CloudError,
    DeadlineError,
    RefusedError,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.item import (
    DONE,
    FAILED,
    INCOMPLETE,
    SKIPPED,
    Created,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.reason import Code, Reason
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.engine.work import (
    raising,
)


def test_when_the_time_is_up_nothing_more_is_submitted(start, time):
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


def test_a_poll_that_comes_too_late_fails_nothing_by_itself(start):
    started = start(["a"], timeout=30)
    started.work.seconds = 1000

    def late(items):
        if started.client.budget.spent > 20:
            raise DeadlineError("the time of 30 s ended before it could be sent")

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


def test_an_interrupted_run_sees_what_is_in_progress_to_its_end(start, interruption):
    started = start([f"{number:03}" for number in range(100)])

    def interrupt(item):
        if item.id == "010":
            interruption.reason = "interrupted by SIGTERM"

    started.work.on_ask = interrupt
    started.carry_out()
    assert started.counts[DONE] == len(started.work.asked) <= 11 + WORKERS
    assert started.reasons["099"] == "not submitted: the run was interrupted by SIGTERM"
    assert started.reported.newest["stopped"] == "the run was interrupted by SIGTERM"


def test_what_is_cancelled_while_it_waits_for_the_rate_limit_is_skipped(start, interruption):
    started = start(["a", "b"])

    def give_up(item):
        interruption.reason = "interrupted by SIGINT"
        assert started.client.cancellation.requested
        raise CancelledError("it was not wanted any more")

    started.work.on_ask = give_up
    started.carry_out()
    assert started.counts == {SKIPPED: 2}
    assert set(started.reasons.values()) == {"not submitted: the run was interrupted by SIGINT"}


def test_who_insists_is_not_kept_waiting_for_what_is_in_progress(start, time):
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
    assert started.client.cancellation.immediate


def test_the_end_of_a_job_is_noticed_also_when_all_is_submitted(start, time):
    gone = []
    started = start(["a"], interruption=Interruption(lambda: bool(gone), patience=0))
    started.work.seconds = 1000
    started.work.on_look = gone.append
    started.carry_out()
    assert time.clock() < 5
    assert started.reasons == {"a": "still saving when the run was stopped; it goes on in the cloud"}


def test_a_run_that_is_interrupted_before_it_began_submits_nothing(start, interruption):
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
