# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The targets of bulk runs, checked by the access logs of the stand-in. `make bench` measures more."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.onetoken.openstack.tests.benchmarks.bulk_comparison import targets
from ansible_collections.onetoken.openstack.tests.benchmarks.bulk_comparison.clouds import StandInCloud
from ansible_collections.onetoken.openstack.tests.benchmarks.bulk_comparison.trials import Comparison, Measurement
from ansible_collections.onetoken.openstack.tests.benchmarks.bulk_comparison.ways import BULK

#: Seconds that a short run may take to start and end on a busy machine. Only the benchmark, with its long runs, checks
#: that a run takes at most 10 % longer than the limit allows.
ALLOWANCE = 6.0
Snapshot = t.Callable[[int, int], Measurement]


@pytest.fixture
def snapshot_all(tmp_path: pathlib.Path) -> Snapshot:
    """Measure a snapshot of a number of servers on a cloud that accepts a number of requests a second."""

    def measured(servers: int, requests_per_second: int) -> Measurement:
        with StandInCloud(tmp_path, servers, requests_per_second=requests_per_second) as cloud:
            (measurement,) = Comparison(tmp_path, "test-", print).compare(cloud, [(BULK, servers, 1)], singles=False)
        return measurement

    return measured


def test_a_run_at_the_clouds_limit_meets_all_targets(
    snapshot_all: Snapshot,
) -> None:
    run = snapshot_all(400, 20)
    missed = [target.line() for target in targets.of_a_run(run, 20, allowance=ALLOWANCE) if not target.met]
    assert not missed, run.trials[-1].usage.output


def test_a_run_reports_the_requests_that_the_services_got(snapshot_all: Snapshot) -> None:
    run = snapshot_all(300, 100)
    reported, logged = run.reported["requests"], run.trials[-1].requests
    assert (reported["compute"], reported["image"]) == (logged["nova"], logged["glance"])
    # Other processes issue and revoke the token.
    assert run.token_requests == run.reported["tokens_issued"] == 1


@pytest.mark.repeats
def test_ten_thousand_servers_fit_into_little_memory(snapshot_all: Snapshot) -> None:
    run = snapshot_all(10_000, 1000)
    assert run.failed == 0
    assert run.peak_memory < targets.MEMORY
