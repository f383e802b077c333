# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Missed targets are noticed."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.onetoken.openstack.tests.benchmarks.bulk_comparison.clouds import StandInCloud
from ansible_collections.onetoken.openstack.tests.benchmarks.bulk_comparison.measuring import Usage
from ansible_collections.onetoken.openstack.tests.benchmarks.bulk_comparison.targets import of_a_run, of_costs
from ansible_collections.onetoken.openstack.tests.benchmarks.bulk_comparison.trials import MIB, Measurement, Trial
from ansible_collections.onetoken.openstack.tests.benchmarks.bulk_comparison.ways import BULK, PASSWORD, SHELL, Way

REQUESTS = {"keystone": 3, "nova": 102, "glance": 5, "cinder": 0}


def measured(directory: pathlib.Path, way: Way = BULK, cpu_seconds: float = 1.0, **changes: t.Any) -> Measurement:
    """A run that meets all targets, at 20 requests a second, with these changes."""
    seconds = changes.pop("seconds", 5.2)
    memory = changes.pop("memory", 60 * MIB)
    trial = Trial(
        items=100,
        usage=Usage(0, "", 8.0, cpu_seconds, memory),
        requests=REQUESTS,
        token_requests=1,
        throttled=0,
        accepted=100,
        reported={"counts": {"done": 100, "failed": 0}, "seconds": seconds},
    )
    return Measurement(way, StandInCloud(directory, 100), [trial._replace(**changes)])


def missed(run: Measurement) -> list[str]:
    return [target.text for target in of_a_run(run, 20) if not target.met]


def test_a_good_run_misses_no_target(tmp_path: pathlib.Path) -> None:
    assert missed(measured(tmp_path)) == []


@pytest.mark.parametrize(
    ("changes", "target"),
    [
        ({"accepted": 99}, "no item fails"),
        ({"accepted": 101}, "what the module counts"),
        ({"token_requests": 2}, "1 token"),
        ({"requests": {**REQUESTS, "nova": 120}}, "at most 1.2 requests an item"),
        ({"seconds": 5.6}, "longer than the limit allows"),
        ({"memory": 301 * MIB}, "below 300 MiB"),
        ({"reported": None}, "longer than the limit allows"),
    ],
)
def test_each_shortcoming_misses_its_target(tmp_path: pathlib.Path, changes: dict[str, t.Any], target: str) -> None:
    assert any(target in text for text in missed(measured(tmp_path, **changes)))


def test_costs_are_compared_with_loops_in_the_same_run(tmp_path: pathlib.Path) -> None:
    bulk = measured(tmp_path, cpu_seconds=1.0)
    shell, loop = measured(tmp_path, SHELL, cpu_seconds=49.0), measured(tmp_path, PASSWORD, cpu_seconds=20.0)
    assert [target.met for target in of_costs(bulk, shell, loop)] == [False, True]


def test_the_cost_of_one_more_item_excludes_the_start(tmp_path: pathlib.Path) -> None:
    loop = measured(tmp_path, SHELL, cpu_seconds=101.0)
    loop.single = loop.trials[0]._replace(items=1, usage=loop.trials[0].usage._replace(cpu_seconds=2.0))
    assert loop.cpu_seconds_of_one_more == 1.0
    assert loop.cpu_seconds == 1.01
