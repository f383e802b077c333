# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of bulk actions in a cloud without a network."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.api.cloud_requests import CloudRequests
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.api.request_counts import RequestCounts
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.engine.interruption import Interruption
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.engine.max_failures import MaxFailures
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.engine.progress import Progress
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.engine.run import Run
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.engine.slots import Slots
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.report.report import Report
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.limit import RateLimit
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.limiter import RateLimiter
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.project_key import ProjectKey
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_cloud import (
    PROJECT,
    FakeConnection,
    InlineExecutor,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.wire_cloud import WireCloud
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.fake_time import FakeTime

KEY = ProjectKey("http://keystone", PROJECT, "RegionOne")


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def cloud(time: FakeTime) -> FakeConnection:
    return FakeConnection(time)


@pytest.fixture
def new_requests(time: FakeTime, cloud: FakeConnection, environ: dict[str, str]) -> t.Callable[..., CloudRequests]:
    """Requests to the cloud in the time that is not real, at a rate at which they cost hardly any."""

    def new(timeout: float = 1800, connection: t.Any = None) -> CloudRequests:
        limit = RateLimit.parse("100000")
        limiter = RateLimiter(KEY, limit, environ, time.clock, time.sleep, time.wall_clock)
        return CloudRequests(
            connection or cloud,
            limiter,
            timeout,
            clock=time.clock,
            new_waiter=time.waiter,
            wall_clock=time.machine_clock,
        )

    return new


@pytest.fixture
def interruption() -> t.Any:
    """What the run asks whether it is to stop."""
    return Interruption()


@pytest.fixture
def new_slots(environ: dict[str, str]) -> t.Callable[[int], Slots]:
    """Slots for so many actions under way; 0 is no limit."""
    return lambda concurrency: Slots(KEY, concurrency, environ)


@pytest.fixture
def carry_out(new_requests: t.Any, new_slots: t.Any, time: FakeTime, interruption: t.Any) -> t.Callable[..., Report]:
    """Carry an action out: a function of the requests makes it."""

    def run(
        new_action: t.Callable[[CloudRequests], t.Any],
        check_mode: bool = False,
        wait: bool = True,
        max_failures: str | None = None,
        concurrency: int = 0,
        on_plan: t.Callable[[Run], None] = lambda run: None,
        **options: t.Any,
    ) -> Report:
        requests = new_requests(**options)
        action = new_action(requests)
        progress = Progress(None, clock=time.clock)
        limit = MaxFailures.parse(max_failures)
        run = Run(action, requests, progress, interruption, wait, limit, None, new_slots(concurrency), InlineExecutor)
        run.plan()
        on_plan(run)
        if not check_mode:
            run.carry_out()
        return Report(action.name, action.resources, "r1", run.items, stopped=run.stopped)

    return run


@pytest.fixture
def wire() -> t.Iterator[WireCloud]:
    """A cloud behind a socket."""
    with WireCloud() as running:
        yield running


@pytest.fixture
def wired_connection(wire: WireCloud, no_cloud: t.Any) -> t.Any:
    import openstack

    connection = openstack.connect(load_yaml_config=False, load_envvars=False, **wire.entry())
    yield connection
    connection.close()


@pytest.fixture
def new_wired(wired_connection: t.Any, time: FakeTime, environ: dict[str, str]) -> t.Callable[..., CloudRequests]:
    """Requests over the socket, in a time that passes when somebody waits."""

    def new(timeout: float = 1800, signed_in: bool = True) -> CloudRequests:
        limiter = RateLimiter(KEY, RateLimit.parse("100000"), environ, time.clock, time.sleep, time.wall_clock, timeout)
        counts = RequestCounts()
        counts.watch(wired_connection, 32)
        if signed_in:
            wired_connection.authorize()
        return CloudRequests(wired_connection, limiter, timeout, counts, time.clock, time.waiter)

    return new
