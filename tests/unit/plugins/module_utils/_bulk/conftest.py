# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of bulk actions in a cloud without a network."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.api.client import Client
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.api.request_counts import RequestCounts
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.control.interruption import Interruption
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.control.max_failures import MaxFailures
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.control.slots import Slots
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.engine.run import Run
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.item import Item, is_unsatisfied
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.report import summary
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.report.answer import answer
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.report.report import Report, results_of
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.limit import RateLimit
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.limiter import RateLimiter
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.project_key import ProjectKey
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.clock import now
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_cloud import (
    PROJECT,
    FakeConnection,
    InlineExecutor,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.runs import client_of, run_of
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.wire_cloud import WireCloud
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.fake_time import FakeTime

KEY = ProjectKey("http://keystone", PROJECT, "RegionOne")


class FinishedRun(t.NamedTuple):
    """A run that was carried out, or planned in check mode."""

    items: list[Item[t.Any]]
    report: Report

    @property
    def outcomes(self) -> dict[str, str]:
        return {item.name: item.outcome for item in self.items}

    @property
    def reasons(self) -> dict[str, str]:
        return {item.name: item.reason_text for item in self.items if item.reason_text}

    @property
    def failed(self) -> list[Item[t.Any]]:
        return [item for item in self.items if is_unsatisfied(item.outcome, item.reason_code)]

    @property
    def counts(self) -> dict[str, int]:
        return self.report.counts

    @property
    def changed(self) -> bool:
        return self.report.changed

    def answer(self) -> dict[str, t.Any]:
        return answer(self.report)

    def failure(self) -> str:
        return summary.failure(self.report)


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def cloud(time: FakeTime) -> FakeConnection:
    return FakeConnection(time)


@pytest.fixture
def new_client(
    time: FakeTime, cloud: FakeConnection, environ: dict[str, str], interruption: Interruption
) -> t.Callable[..., Client]:
    """Requests to the cloud in the time that is not real, at a rate at which they cost hardly any."""

    def new(timeout: float = 1800, connection: t.Any = None, interruption: Interruption = interruption) -> Client:
        limiter = RateLimiter(KEY, RateLimit.parse("100000"), environ, time.clock, time.sleep, time.wall_clock)
        return client_of(connection or cloud, limiter, timeout, time, interruption, time.machine_clock)

    return new


@pytest.fixture
def interruption() -> t.Any:
    """What interrupts the run."""
    return Interruption()


@pytest.fixture
def new_slots(environ: dict[str, str]) -> t.Callable[[int], Slots]:
    """Slots for so many actions in progress; 0 is no limit."""
    return lambda concurrency: Slots(KEY, concurrency, environ)


@pytest.fixture
def carry_out(new_client: t.Any, new_slots: t.Any) -> t.Callable[..., FinishedRun]:
    """Carry an action out: a function of the client makes it."""

    def run(
        new_action: t.Callable[[Client], t.Any],
        check_mode: bool = False,
        wait: bool = True,
        max_failures: str | None = None,
        concurrency: int = 0,
        on_plan: t.Callable[[Run], None] = lambda run: None,
        **options: t.Any,
    ) -> FinishedRun:
        client = new_client(**options)
        action = new_action(client)
        run = run_of(
            action,
            client,
            wait=wait,
            max_failures=MaxFailures.parse(max_failures),
            slots=new_slots(concurrency),
            new_executor=InlineExecutor,
        )
        run.plan()
        on_plan(run)
        if not check_mode:
            run.carry_out()
        stopped = client.cancellation.reason
        report = Report(
            action.name,
            action.past,
            action.resources,
            "r1",
            results_of(run.items),
            now(),
            client.budget.spent,
            any(item.changed for item in run.items),
            stopped=stopped.text if stopped else "",
        )
        return FinishedRun(run.items, report)

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
def new_wired(wired_connection: t.Any, time: FakeTime, environ: dict[str, str]) -> t.Callable[..., Client]:
    """A client over the socket, in a time that passes when somebody waits."""

    def new(
        timeout: float = 1800,
        signed_in: bool = True,
        counts: RequestCounts | None = None,
        interruption: Interruption | None = None,
    ) -> Client:
        limiter = RateLimiter(KEY, RateLimit.parse("100000"), environ, time.clock, time.sleep, time.wall_clock, timeout)
        (counts or RequestCounts()).watch(wired_connection, 32)
        if signed_in:
            wired_connection.authorize()
        return client_of(wired_connection, limiter, timeout, time, interruption)

    return new
