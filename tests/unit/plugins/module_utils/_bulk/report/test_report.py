# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.item import (
    ALREADY,
    DONE,
    FAILED,
    SKIPPED,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.report.reports import (
    STARTED,
    item,
    report,
)


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
