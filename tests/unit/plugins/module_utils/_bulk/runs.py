# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of a bulk run, put together as the modules do it."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.api.client import Client
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.control.cancellation import Cancellation
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.control.interruption import Interruption
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.control.time_budget import TimeBudget
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.engine.progress import Progress
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.engine.run import Run
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.action import Action
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.limiter import RateLimiter
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.fake_time import FakeTime


def client_of(
    connection: t.Any,
    limiter: RateLimiter,
    timeout: float,
    fake_time: FakeTime | None = None,
    interruption: Interruption | None = None,
    wall_clock: t.Callable[[], float] = time.time,
) -> Client:
    """A client in real time, or in one that is not real."""
    budget = TimeBudget(timeout, fake_time.clock, fake_time.waiter) if fake_time else TimeBudget(timeout)
    return Client(connection, limiter, budget, Cancellation(interruption), wall_clock)


def run_of(action: Action[t.Any], client: Client, progress: t.Any = None, **options: t.Any) -> Run:
    """A run on this client, whose progress nobody follows unless somebody is given."""
    progress = progress or Progress(None, clock=client.budget.clock)
    return Run(action, client.limiter, client.budget, client.cancellation, progress, **options)
