# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs of an action that needs no cloud."""

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.control.max_failures import MaxFailures
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.engine.work import (
    Reported,
    Started,
    Work,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_cloud import InlineExecutor
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.runs import run_of


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
