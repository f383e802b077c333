# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.errors import (
    CloudError,
    DeadlineError,
    RefusedError,
    UnconfirmedError,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.item import (
    DONE,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.engine.work import (
    free_slots,
    raising,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_cloud import InlineExecutor


@pytest.mark.parametrize("executor", [InlineExecutor, ThreadPoolExecutor])
def test_no_more_are_in_progress_than_there_may_be(start, executor):
    started = start([f"{number:02}" for number in range(20)], executor, concurrency=3).carry_out()
    assert started.counts == {DONE: 20}
    assert started.work.under_way_at_most <= 3
    assert free_slots(started.slots, 3) == 3


def test_one_that_is_submitted_again_does_not_stand_in_line_behind_those_that_wait_for_its_place(start, time):
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
