# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime

from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.engine.plan import Plan
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.item import (
    ALREADY,
    DONE,
    FAILED,
    SKIPPED,
    Created,
    Item,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.quota import Quota
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.reason import Code, Reason
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.report.report import (
    REASONS_SHOWN,
    Report,
    RunFailedError,
    results_of,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.images import IMAGE

STARTED = datetime.datetime(2026, 1, 31, 1, 0, 4, tzinfo=datetime.timezone.utc)


def item(name, outcome=None, text="", code=Code.REFUSED, **changes):
    why = Reason(code, text) if text else None
    made = Item(f"id-{name}", name, "snapshot")
    for attribute, value in {"reason": why, **changes}.items():
        setattr(made, attribute, value)
    if outcome:
        made.settle(outcome, why)
    return made


def report(*items, **changes):
    given = {
        "run": "r1",
        "results": results_of(items),
        "started": STARTED,
        "seconds": 0.0,
        "changed": any(item.changed for item in items),
    }
    return Report("snapshot", "servers", **{**given, **changes})


def test_every_outcome_is_counted():
    made = report(item("a", DONE), item("b", FAILED), item("c", FAILED))
    assert made.counts == {
        "done": 2 - 1,
        "already": 0,
        "accepted": 0,
        "incomplete": 0,
        "blocked": 0,
        "skipped": 0,
        "failed": 2,
        "planned": 0,
    }
    assert [one["name"] for one in made.failed] == ["b", "c"]


def test_what_is_skipped_is_not_as_it_should_be():
    assert [one["name"] for one in report(item("a", SKIPPED), item("b", ALREADY)).failed] == ["a"]


def test_the_answer_is_what_the_task_returns():
    done = item("a", DONE, attempts=1, created=[Created(IMAGE, "i")], started_at=1.0, ended_at=3.0)
    made = report(
        done, requests={"compute": 1}, seconds=3.14159, tokens_issued=1, throttled_seconds=0.27, files={"csv": "/r.csv"}
    )
    assert made.answer() == {
        "changed": True,
        "run": "r1",
        "counts": {
            "done": 1,
            "already": 0,
            "accepted": 0,
            "incomplete": 0,
            "blocked": 0,
            "skipped": 0,
            "failed": 0,
            "planned": 0,
        },
        "results": [done.result()],
        "requests": {"compute": 1},
        "seconds": 3.1,
        "tokens_issued": 1,
        "throttled_seconds": 0.3,
        "report": {"csv": "/r.csv"},
    }
    assert report(item("a", ALREADY)).answer()["changed"] is False


def test_a_run_that_failed_is_returned_all_the_same():
    made = report(item("a", FAILED, "no"))
    error = RunFailedError(made)
    assert str(error) == made.failure() and error.result == made.answer()


def test_failures_are_reported_in_a_sentence():
    made = report(item("a", DONE), item("b", FAILED, "it is busy."), item("c", FAILED, "no such server"))
    assert made.failure() == ("The snapshot of run r1 failed for 2 of 3 servers: b: it is busy; c: no such server.")
    assert report(item("b", FAILED, "no"), run="").failure() == "The snapshot failed for 1 of 1 servers: b: no."


def test_of_many_failures_the_first_ones_are_reported():
    made = report(*(item(f"{number:05}", FAILED, "no") for number in range(10_000)))
    assert made.failure().count(": no") == REASONS_SHOWN
    assert made.failure().endswith("; and 9980 more, see results.")


def test_why_some_were_not_submitted_is_reported_once():
    made = report(item("a", FAILED, "no"), item("b", SKIPPED, "x"), item("c", SKIPPED, "x"), stopped="the time was up")
    assert made.failure() == (
        "The snapshot of run r1 failed for 3 of 3 servers: a: no; "
        "2 were not submitted, as the time was up: run it again to finish them."
    )


def test_the_plan_is_reported():
    items = [item("a"), item("b", text="it is busy", code=Code.BUSY), item("c", ALREADY)]
    made = report(*items, plan=Plan({"compute": 2}, 0.1))
    assert made.describe_plan() == (
        "Snapshot of 2 of 3 servers (1 already, 1 that the cloud may refuse). "
        "About 2 requests (2 to compute), 0 s to submit all of it."
    )
    assert made.answer()["plan"] == {**made.plan.result(), "text": made.describe_plan()}
    assert "plan" not in report(item("a", DONE)).answer()
    # Where a reason is no bad sign, it is not counted.
    old = item("a", text="older than the last one", code=Code.EXPIRED)
    assert report(old, item("c", ALREADY)).describe_plan() == "Snapshot of 1 of 2 servers (1 already)."


def test_without_anything_to_do_the_plan_has_no_cost():
    assert report(item("a", ALREADY), plan=Plan({"compute": 0}, 0.0)).describe_plan() == (
        "Snapshot of 0 of 1 servers (1 already)."
    )
    assert report(plan=Plan({}, 0.0, [Quota("x", 1, 1, 1)])).describe_plan() == "Snapshot of 0 of 0 servers."


def test_the_content_of_its_files():
    done = item("a", DONE, attempts=1, started_at=1.25, ended_at=3.5)
    made = report(
        done,
        item("b", ALREADY),
        seconds=4.0,
        cloud="production",
        project="demo",
        region_name="RegionOne",
        refusals=[("compute", 1.5)],
        stopped="why",
        stopped_code="timeout",
    )
    content = made.content()
    assert (content["cloud"], content["project"], content["region_name"], content["run"]) == (
        "production", "demo", "RegionOne", "r1",
    )  # fmt: skip
    assert (content["started"], content["refusals"]) == (STARTED, [{"service": "compute", "seconds": 1.5}])
    assert (content["stopped"], content["stopped_code"]) == ("why", "timeout")
    assert [(one["started_at"], one["ended_at"]) for one in content["results"]] == [(1.25, 3.5), (None, None)]


def test_what_was_left_alone_without_a_stop_has_its_own_reason():
    why = "the servers could not be listed (no answer), so one may have been booted from it: try again"
    left = [item(name, SKIPPED, why, Code.USE_UNKNOWN) for name in "ab"]
    text = report(*left).failure()
    assert text == f"The snapshot of run r1 failed for 2 of 2 servers: 2 were left alone: {why}."
    late = item("c", SKIPPED, "not submitted: the time was up", Code.TIMEOUT)
    text = report(*left, late, stopped="the time was up", stopped_code="timeout").failure()
    assert f"2 were left alone: {why}; 1 were not submitted, as the time was up: run it again" in text
