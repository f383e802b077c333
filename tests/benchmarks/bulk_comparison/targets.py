# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The targets of bulk runs: times are compared with what the cloud's limit allows, costs with other ways in
the same run."""

from __future__ import annotations

import typing as t

from .trials import MIB, Measurement

TOKENS = 1
REQUESTS_EACH = 1.2
OVER_THE_FLOOR = 1.10
#: At a rate that no public cloud allows, where the client's own work matters, and so does the machine's speed.
IN_PROPORTION = 1.25
MEMORY = 300 * MIB
OF_SHELL_LOOP = 50
OF_MODULE_LOOP = 20


class Target(t.NamedTuple):
    text: str
    #: The measured numbers.
    found: str
    met: bool

    def line(self) -> str:
        return f"{'PASS' if self.met else 'FAIL'}  {self.text}: {self.found}"


def of_a_run(
    run: Measurement, requests_per_second: int, over_the_floor: float = OVER_THE_FLOOR, allowance: float = 0.0
) -> list[Target]:
    """The targets of a bulk run on a cloud with this limit. A short run gets some seconds more to start and end."""
    counts = run.reported.get("counts", {})
    least = run.items / requests_per_second
    seconds = run.reported.get("seconds", 0.0)
    what = f"{run.items:,} servers at {requests_per_second} requests a second"
    return [
        Target(f"{what}: no item fails", f"{run.failed} failed", run.failed == 0 == counts.get("failed")),
        Target(
            f"{what}: what the module counts is in the access logs",
            f"{counts.get('done')} of {run.trials[-1].accepted}",
            counts.get("done") == run.trials[-1].accepted,
        ),
        Target(f"{what}: {TOKENS} token", f"{run.token_requests} token requests", run.token_requests == TOKENS),
        Target(
            f"{what}: at most {REQUESTS_EACH} requests an item, all services together",
            f"{run.requests_each:.3f}",
            run.requests_each <= REQUESTS_EACH,
        ),
        Target(
            f"{what}: at most {over_the_floor - 1:.0%} longer than the limit allows, {least:.0f} s",
            f"{seconds:.1f} s, {seconds / least:.3f} of it (ansible-playbook as a whole:"
            f" {run.trials[-1].usage.seconds:.1f} s)",
            0 < seconds <= over_the_floor * least + allowance,
        ),
        Target(
            f"{what}: the largest process stays below {MEMORY // MIB} MiB",
            f"{run.peak_memory / MIB:.0f} MiB",
            run.peak_memory < MEMORY,
        ),
    ]


def of_costs(bulk: Measurement, shell_loop: Measurement, module_loop: Measurement) -> list[Target]:
    """The targets of CPU time per item, each including its part of the start."""
    return [
        Target(
            f"CPU time of an item: at most 1/{share} of {other.way.title}".replace("`", ""),
            f"{bulk.cpu_seconds * 1000:.1f} ms of {other.cpu_seconds * 1000:.0f} ms,"
            f" 1/{other.cpu_seconds / bulk.cpu_seconds:.0f}",
            bulk.cpu_seconds * share <= other.cpu_seconds,
        )
        for other, share in ((shell_loop, OF_SHELL_LOOP), (module_loop, OF_MODULE_LOOP))
    ]
