# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bulk run in a few lines, for people."""

from __future__ import annotations

from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.engine.plan import Plan
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.item import (
    ALREADY,
    DONE,
    FAILED,
    SKIPPED,
    Created,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.quota import Quota
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.reason import Code
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.report.summary import (
    FIRST_NAMES,
    MOST_NAMES,
    REASONS_SHOWN,
    details,
    failure,
    plan,
    result,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.images import IMAGE
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.report.reports import item, report


def test_failures_are_reported_in_a_sentence():
    made = report(item("a", DONE), item("b", FAILED, "it is busy."), item("c", FAILED, "no such server"))
    assert failure(made) == ("The snapshot of run r1 failed for 2 of 3 servers: b: it is busy; c: no such server.")
    assert failure(report(item("b", FAILED, "no"), run="")) == "The snapshot failed for 1 of 1 server: b: no."


def test_of_many_failures_the_first_ones_are_reported():
    made = report(*(item(f"{number:05}", FAILED, "no") for number in range(10_000)))
    assert failure(made).count(": no") == REASONS_SHOWN
    assert failure(made).endswith("; and 9980 more, see results.")


def test_why_some_were_not_submitted_is_reported_once():
    made = report(item("a", FAILED, "no"), item("b", SKIPPED, "x"), item("c", SKIPPED, "x"), stopped="the time was up")
    assert failure(made) == (
        "The snapshot of run r1 failed for 3 of 3 servers: a: no; "
        "2 were not submitted, as the time was up: run it again to finish them."
    )


def test_what_was_left_alone_without_a_stop_has_its_own_reason():
    why = "the servers could not be listed (no answer), so one may have been booted from it: try again"
    left = [item(name, SKIPPED, why, Code.USE_UNKNOWN) for name in "ab"]
    text = failure(report(*left))
    assert text == f"The snapshot of run r1 failed for 2 of 2 servers: 2 were left alone: {why}."
    late = item("c", SKIPPED, "not submitted: the time was up", Code.TIMEOUT)
    text = failure(report(*left, late, stopped="the time was up", stopped_code="timeout"))
    assert f"2 were left alone: {why}; 1 were not submitted, as the time was up: run it again" in text


def test_the_plan_is_reported():
    items = [item("a"), item("b", text="it is busy", code=Code.BUSY), item("c", ALREADY)]
    made = report(*items, plan=Plan({"compute": 2}, 0.1))
    assert plan(made) == (
        "Nothing was done: 2 of 3 servers would be snapshotted (1 already, the cloud may refuse 1). "
        "About 2 requests (2 to compute), less than a second to submit all of it."
    )
    # Where a reason is no bad sign, it is not counted.
    old = item("a", text="older than the last one", code=Code.EXPIRED)
    assert plan(report(old, item("c", ALREADY))) == (
        "Nothing was done: 1 of 2 servers would be snapshotted (1 already)."
    )


def test_without_anything_to_do_the_plan_has_no_cost():
    assert plan(report(item("a", ALREADY), plan=Plan({"compute": 0}, 0.0))) == (
        "Nothing was done: 0 of 1 server would be snapshotted (1 already)."
    )
    assert plan(report(plan=Plan({}, 0.0, [Quota("x", 1, 1, 1)]))) == (
        "No server matches the selection, so nothing was done."
    )


def test_the_result_is_a_sentence():
    assert result(report(item("a", DONE), item("b", DONE), seconds=41.2)) == (
        "Run r1: 2 of 2 servers snapshotted in 41 s."
    )
    assert result(report(item("a", DONE), run="", seconds=1)) == "1 of 1 server snapshotted in 1 s."


def test_the_result_counts_what_was_not_done_now():
    made = report(item("a", DONE), item("b", ALREADY), item("c", FAILED), item("d", SKIPPED), seconds=200)
    assert result(made) == "Run r1: 2 of 4 servers snapshotted, 1 already done, 1 skipped, 1 failed, in 3 min."
    assert result(report(item("a", ALREADY), item("b", ALREADY), seconds=3)) == (
        "Run r1: 2 of 2 servers snapshotted, all already done, in 3 s."
    )


def test_the_result_of_nothing_says_so():
    assert result(report(seconds=1)) == "No server matches the selection, so nothing was done."


def test_each_reason_has_a_line_with_the_names_of_its_items():
    made = report(item("a", DONE), item("b", FAILED, "it is busy"), item("c", FAILED, "it is busy"))
    assert details(made) == ["done: a", "failed: b, c: it is busy"]


def test_many_names_are_cut_short():
    many = [item(f"{number:03}", DONE) for number in range(FIRST_NAMES + 7)]
    assert details(report(*many))[0].endswith("004 and 7 more")
    failed = [item(f"{number:03}", FAILED, "no") for number in range(MOST_NAMES + 3)]
    assert details(report(*failed))[0].endswith("019 and 3 more: no")


def test_a_plan_names_all_that_would_be_made():
    made = report(item("a", created=[Created(IMAGE, "", "a-r1")]), item("b", text="it is busy", code=Code.BUSY))
    assert details(made) == ["planned: a as a-r1", "planned: b: it is busy"]


def test_the_requests_and_the_waiting_are_in_the_details():
    made = report(item("a", DONE), item("b", DONE), requests={"block_storage": 3, "compute": 2}, throttled_seconds=12.3)
    assert details(made)[-1] == (
        "Requests: 3 to block storage, 2 to compute; 2.5 for each server; 12 s spent waiting on the cloud's limit."
    )
