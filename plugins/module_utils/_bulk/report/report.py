# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a bulk run: its items, what it cost, and what its files are made of."""

from __future__ import annotations

import datetime
import functools
import typing as t
from collections import Counter
from dataclasses import dataclass, field

from ..engine.plan import Plan
from ..model.item import OUTCOMES, Item, is_unsatisfied

#: Of an item, only for the files: when it began and ended, in seconds since the start or None.
MOMENTS = ("started_at", "ended_at")

Result = dict[str, t.Any]


@dataclass(frozen=True)
class Report:
    action: str
    #: What it did to them, as a participle.
    past: str
    resources: str
    #: None where an action knows no runs.
    run: str | None
    #: The items as the task returns them, with their moments.
    results: t.Sequence[Result]
    started: datetime.datetime
    seconds: float
    #: Whether anything was changed, or would be.
    changed: bool = False
    cloud: str = ""
    project: str = ""
    region_name: str = ""
    #: By service.
    requests: t.Mapping[str, int] = field(default_factory=dict)
    tokens_issued: int = 0
    throttled_seconds: float = 0.0
    #: What the cloud's limit refused: the service, and when, in seconds since the start.
    refusals: t.Sequence[tuple[str, float]] = ()
    #: Why the run ended early, in a sentence; empty when it did not.
    stopped: str = ""
    #: The same for programs.
    stopped_code: str = ""
    #: What the task returns besides what all return.
    extras: t.Mapping[str, t.Any] = field(default_factory=dict)
    #: In check mode.
    plan: Plan | None = None
    #: What to say where there is no item.
    nothing_selected: str = ""
    #: The paths of the report's files, by format.
    files: t.Mapping[str, str] = field(default_factory=dict)

    @property
    def ended(self) -> datetime.datetime:
        return self.moment(self.seconds)

    def moment(self, seconds: float) -> datetime.datetime:
        return self.started + datetime.timedelta(seconds=seconds)

    @functools.cached_property
    def counts(self) -> dict[str, int]:
        """Items by outcome."""
        counted = Counter(result["outcome"] for result in self.results)
        return {outcome: counted[outcome] for outcome in OUTCOMES}

    @functools.cached_property
    def failed(self) -> list[Result]:
        """The items that are not as they should be."""
        return [result for result in self.results if is_unsatisfied(result["outcome"], result["reason_code"])]

    def content(self) -> dict[str, t.Any]:
        """What its files have."""
        return {
            "run": self.run or "",
            "action": self.action,
            "cloud": self.cloud,
            "project": self.project,
            "region_name": self.region_name,
            "started": self.started,
            "ended": self.ended,
            "seconds": self.seconds,
            "counts": self.counts,
            "requests": dict(self.requests),
            "tokens_issued": self.tokens_issued,
            "throttled_seconds": self.throttled_seconds,
            "refusals": [{"service": service, "seconds": seconds} for service, seconds in self.refusals],
            "results": list(self.results),
            "stopped": self.stopped,
            "stopped_code": self.stopped_code,
        }


def results_of(items: t.Iterable[Item[t.Any]]) -> list[Result]:
    """Items as a report has them."""
    return [{**item.result(), "started_at": item.started_at, "ended_at": item.ended_at} for item in items]
