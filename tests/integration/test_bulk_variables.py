# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of the bulk playbooks are checked before anything is done."""

from __future__ import annotations

import re
import typing as t

import pytest
from ansible_collections.onetoken.openstack.tests.integration.bulk_results import reported

REPEATS = pytest.mark.repeats
#: One of each kind; the unit tests of the variables have the others.
WRONG = [
    ("bulk_snapshot", {"timeout": "soon"}, 'timeout is "soon", not a whole number from 0 up'),
    ("bulk_shelve", {"state": "stopped"}, "state must be one of: shelved, offloaded, got: stopped"),
    ("bulk_unshelve", {}, "missing required arguments: run_name"),
    ("bulk_snapshot", {"server": "web-01"}, "this playbook has no variable server: write servers"),
    ("bulk_snapshot", {}, "no criterion was given: select with one such as name_pattern: 'web-"),
    # A survey sends an empty text for an unanswered question: it must not select the whole project.
    ("bulk_snapshot", {"name_pattern": "", "servers": "web-01"}, "name_pattern is empty: leave it out, or give"),
    ("bulk_image_create", {"target": "targets", "from_volumes": True, "volumes": ["data-01"]}, "leave out volumes"),
    ("retention", {"target": "targets", "kind": "volume_backup", "keep_last": 1}, "the inventory lists no volume"),
]


@pytest.mark.parametrize(("name", "variables", "message"), WRONG)
def test_a_wrong_variable_is_reported_before_anything_is_done(
    controller, keystone, bulk_playbook, static_inventory, name, variables, message
):
    run = bulk_playbook(name, *static_inventory("web-01")[:2], **variables)
    assert run.status == 2
    assert re.search(f"Nothing was done: .*{message}", run.output), run.output
    assert keystone.requests() == [] and controller.sessions == []


@REPEATS
def test_answers_to_a_survey_are_understood(bulk_playbook, run_name):
    """Lists on several lines; unanswered questions are as good as absent variables."""
    empty = ("status", "metadata", "availability_zone", "older_than", "volume_backed", "keep_last", "timeout", "report")
    answers: dict[str, t.Any] = {**dict.fromkeys(empty, ""), "concurrency": None, "region_name": None}
    run = bulk_playbook(
        "bulk_snapshot", "--check", servers="web-01, web-02\r\n\nweb-03\n", run_name=run_name, **answers
    )
    assert run.ok and reported(run, "planned") == ["web-01", "web-02", "web-03"], run.output
