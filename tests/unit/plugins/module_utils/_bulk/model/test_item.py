# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.item import (
    ACCEPTED,
    ALREADY,
    BLOCKED,
    DONE,
    FAILED,
    INCOMPLETE,
    PLANNED,
    SKIPPED,
    Created,
    Item,
    State,
    is_unsatisfied,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.reason import INTENDED, Code, Reason
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.images import IMAGE

NO_ANSWER = Reason(Code.UNCONFIRMED, "no answer")
GONE = Reason(Code.DISAPPEARED, "gone")


def make(**attributes):
    item = Item("1", "web", "snapshot")
    for name, value in attributes.items():
        setattr(item, name, value)
    return item


def test_an_item_is_planned_until_something_becomes_of_it():
    item = make()
    assert (item.outcome, item.state, item.settled, item.polled, item.changed) == (
        PLANNED, State.PENDING, False, False, True,
    )  # fmt: skip


def test_what_is_accepted_is_watched_and_has_no_doubt_any_more():
    item = make(created=[Created(IMAGE, name="planned")], refused=True)
    item.begin(5.0)
    item.mark_unconfirmed(NO_ANSWER, 7.0)
    assert (item.unconfirmed, item.unconfirmed_since, item.polled) == (NO_ANSWER, 7.0, True)
    item.accept(DONE, Created(IMAGE, "i-1"))
    assert (item.outcome, item.unconfirmed, item.refused, item.polled) == (DONE, None, False, True)
    assert [created.id for created in item.created] == ["i-1"]


def test_to_be_accepted_without_anything_new_keeps_what_is_known():
    item = make(created=[Created(IMAGE, "i-1")])
    item.accept(ALREADY)
    assert [created.id for created in item.created] == ["i-1"]


def test_only_so_many_misses_in_a_row_are_allowed():
    item = make()
    item.accept(DONE)
    item.miss(GONE)
    item.miss(GONE)
    assert not item.settled
    item.miss(GONE)
    assert (item.outcome, item.reason) == (FAILED, GONE)


@pytest.mark.parametrize(
    ("outcome", "attempts", "refused", "changed"),
    [
        (DONE, 1, False, True),
        (FAILED, 1, False, True),
        (FAILED, 1, True, False),
        (FAILED, 0, False, False),
        (ACCEPTED, 1, False, True),
        (INCOMPLETE, 1, False, True),
        (BLOCKED, 0, False, False),
        (SKIPPED, 0, False, False),
        (SKIPPED, 1, False, False),
        (ALREADY, 0, False, False),
        # Refused at first, as an earlier call had asked for it.
        (ALREADY, 1, False, False),
        (PLANNED, 0, False, True),
    ],
)
def test_what_was_changed(outcome, attempts, refused, changed):
    item = make(attempts=attempts, refused=refused)
    if outcome != PLANNED:
        item.settle(outcome)
    assert item.changed is changed


@pytest.mark.parametrize("outcome", [FAILED, INCOMPLETE])
def test_a_part_that_was_done_is_a_change_though_the_rest_was_refused(outcome):
    item = make(attempts=1, refused=True, partly_done=True)
    item.settle(outcome)
    assert item.changed


@pytest.mark.parametrize(("started", "ended", "seconds"), [(None, None, 0), (None, 9, 0), (5, None, 0), (5, 9.04, 4.0)])
def test_the_result_is_what_the_task_returns(started, ended, seconds):
    item = make(created=[Created(IMAGE, "i", "web-r1", "active", 7)], started_at=started, ended_at=ended)
    item.settle(DONE, Reason(Code.EXPIRED, "why"))
    assert item.result() == {
        "id": "1",
        "name": "web",
        "action": "snapshot",
        "outcome": "done",
        "reason_code": "expired",
        "reason": "why",
        "seconds": seconds,
        "created": [{"type": "image", "id": "i", "name": "web-r1", "status": "active", "size": 7}],
    }


@pytest.mark.parametrize("outcome", [SKIPPED, BLOCKED, INCOMPLETE])
def test_what_is_left_undone_is_satisfied_only_if_that_was_intended(outcome):
    intended = {code for code in Code if not is_unsatisfied(outcome, code.value)}
    assert intended == set(INTENDED)
    assert is_unsatisfied(outcome, "")


def test_what_failed_is_never_satisfied_and_what_was_done_always_is():
    assert all(is_unsatisfied(FAILED, code.value) for code in Code)
    assert not any(is_unsatisfied(outcome, "") for outcome in (DONE, ALREADY, ACCEPTED, PLANNED))
