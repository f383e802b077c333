# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The targets of tasks. None depends on the machine's speed: costs are compared with those of other ways in the same
run."""

from __future__ import annotations

import operator
import typing as t

from ..bulk_comparison.targets import Target
from .parts import Costs
from .runs import Cost

SECONDS = operator.attrgetter("seconds")
CPU = operator.attrgetter("cpu_seconds")
#: Seconds that the fork server may cost a run without OpenStack, which is noise, and a run with one task.
OF_NOTHING, OF_ONE = 0.02, 0.05


class Bound(t.NamedTuple):
    part: str
    way: str
    other: str
    figure: t.Callable[[Cost], float]
    most: float

    def check(self, costs: Costs) -> Target:
        figure = "CPU" if self.figure is CPU else "time"
        ratio = self.figure(costs[self.way]) / self.figure(costs[self.other])
        text = f"{self.part}: {figure} of {self.way}, at most {self.most:.2f} of {self.other}"
        return Target(text, f"{ratio:.3f}", ratio <= self.most)


def _of_light(part: str) -> list[Bound]:
    return [
        Bound(part, way, other, figure, most)
        for way, other, most in (
            ("direct", "password", 0.10),
            ("direct", "ping", 0.40),
            ("general", "password", 0.25),
            ("general", "ping", 1.0),
        )
        for figure in (SECONDS, CPU)
    ]


BOUNDS = (
    Bound("command", "direct", "cold", CPU, 0.33),
    Bound("mixed", "direct", "password", SECONDS, 0.35),
    Bound("hosts", "direct", "cold", SECONDS, 0.35),
    Bound("hosts", "general", "cold", SECONDS, 0.5),
)


def check(found: dict[str, Costs]) -> list[Target]:
    """The targets of the measured parts."""
    bounds = [bound for part in found if part.startswith("light") for bound in _of_light(part)]
    targets = [bound.check(found[bound.part]) for bound in (*bounds, *BOUNDS) if bound.part in found]
    for part in (part for part in found if part.startswith("light")):
        requests = sum(found[part]["direct"].requests.values())
        targets.append(Target(f"{part}: requests of direct, exactly 1", f"{requests:.2f}", round(requests, 2) == 1))
    for part, most in (("none", OF_NOTHING), ("one", OF_ONE)):
        if part in found:
            more = found[part]["direct"].seconds - found[part]["cold"].seconds
            text = f"{part}: time of direct, at most {most * 1000:.0f} ms more than cold"
            targets.append(Target(text, f"{more * 1000:+.0f} ms", more <= most))
    return targets
