# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.engine.plan import Plan
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.item import (
    ALREADY,
    DONE,
    FAILED,
    Created,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.report import summary
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.report.answer import RunFailedError, answer
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.images import IMAGE
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.report.reports import item, report


def test_the_answer_is_what_the_task_returns():
    done = item("a", DONE, attempts=1, created=[Created(IMAGE, "i")], started_at=1.0, ended_at=3.0)
    made = report(
        done, requests={"compute": 1}, seconds=3.14159, tokens_issued=1, throttled_seconds=0.27, files={"csv": "/r.csv"}
    )
    assert answer(made) == {
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
        "summary": {
            "result": "Run r1: 1 of 1 server snapshotted in 3 s.",
            "details": ["done: a", "Requests: 1 to compute; 1.0 for each server."],
            "failure": "",
        },
    }
    assert answer(report(item("a", ALREADY)))["changed"] is False


def test_a_run_that_failed_is_returned_all_the_same():
    made = report(item("a", FAILED, "no"))
    error = RunFailedError(made)
    assert str(error) == summary.failure(made) and error.result == answer(made)


def test_in_check_mode_the_plan_is_the_result():
    made = report(item("a"), item("c", ALREADY), plan=Plan({"compute": 2}, 0.1))
    returned = answer(made)
    assert returned["plan"] == {**made.plan.result(), "text": summary.plan(made)}
    assert returned["summary"]["result"] == summary.plan(made)
    assert "plan" not in answer(report(item("a", DONE)))


def test_the_failures_are_in_the_summary():
    made = report(item("a", FAILED, "no"))
    assert answer(made)["summary"]["failure"] == summary.failure(made)
