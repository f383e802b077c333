# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.engine.workers import WORKERS
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.errors import (
    CancelledError,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.item import (
    DONE,
    FAILED,
    SKIPPED,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.engine.work import (
    BUG,
    raising,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_cloud import InlineExecutor


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
def test_a_bug_in_a_poll_ends_the_run_and_loses_nothing_of_it(start, executor):
    started = start(["a", "b"], executor, concurrency=1)

    def trip(items):
        raise TypeError("a secret")

    started.work.on_look = trip
    started.carry_out()
    assert started.reasons == {
        "a": f"not watched to its end: {BUG.format('TypeError')}",
        "b": f"not submitted: {BUG.format('TypeError')}",
    }


def test_a_bug_in_the_run_itself_does_not_leave_workers_waiting(start):
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
