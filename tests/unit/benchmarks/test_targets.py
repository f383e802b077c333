# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A target that is missed is told."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.onetoken.openstack.tests.benchmarks.bulk_comparison.clouds import StandInCloud
from ansible_collections.onetoken.openstack.tests.benchmarks.bulk_comparison.course import MIB, Course, Measurement
from ansible_collections.onetoken.openstack.tests.benchmarks.bulk_comparison.measuring import Usage
from ansible_collections.onetoken.openstack.tests.benchmarks.bulk_comparison.targets import of_a_run, of_costs
from ansible_collections.onetoken.openstack.tests.benchmarks.bulk_comparison.ways import BULK, PASSWORD, SHELL, Way

REQUESTS = {"keystone": 3, "nova": 102, "glance": 5, "cinder": 0}


def measured(directory: pathlib.Path, way: Way = BULK, cpu_seconds: float = 1.0, **changes: t.Any) -> Measurement:
    """A hundred items at 20 a second, as they should be but for these."""
    seconds = changes.pop("seconds", 5.2)
    memory = changes.pop("memory", 60 * MIB)
    course = Course(
        items=100,
        usage=Usage(0, "", 8.0, cpu_seconds, memory),
        requests=REQUESTS,
        token_requests=1,
        refused=0,
        accepted=100,
        told={"counts": {"done": 100, "failed": 0}, "seconds": seconds},
    )
    return Measurement(way, StandInCloud(directory, 100), [course._replace(**changes)])


def missed(run: Measurement) -> list[str]:
    return [target.text for target in of_a_run(run, 20) if not target.met]


def test_a_run_as_it_should_be_misses_nothing(tmp_path: pathlib.Path) -> None:
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
        ({"told": None}, "longer than the limit allows"),
    ],
)
def test_each_shortcoming_misses_its_target(tmp_path: pathlib.Path, changes: dict[str, t.Any], target: str) -> None:
    assert any(target in text for text in missed(measured(tmp_path, **changes)))


def test_costs_are_held_against_the_loops_of_the_same_run(tmp_path: pathlib.Path) -> None:
    bulk = measured(tmp_path, cpu_seconds=1.0)
    shell, loop = measured(tmp_path, SHELL, cpu_seconds=49.0), measured(tmp_path, PASSWORD, cpu_seconds=20.0)
    assert [target.met for target in of_costs(bulk, shell, loop)] == [False, True]


def test_what_a_run_costs_to_start_is_taken_off_for_one_item_more(tmp_path: pathlib.Path) -> None:
    loop = measured(tmp_path, SHELL, cpu_seconds=101.0)
    loop.single = loop.courses[0]._replace(items=1, usage=loop.courses[0].usage._replace(cpu_seconds=2.0))
    assert loop.cpu_seconds_of_one_more == 1.0
    assert loop.cpu_seconds == 1.01
