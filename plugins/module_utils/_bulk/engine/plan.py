# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bulk run will cost: requests, time at the rate limit, quotas."""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass, field

from ..model.action import Action
from ..model.item import PLANNED, Item
from ..model.quota import Quota
from .poller import FIRST_INTERVAL, INTERVAL_GROWTH, LONGEST_INTERVAL


@dataclass(frozen=True)
class Plan:
    requests: t.Mapping[str, int]
    #: Without what the cloud itself needs to finish what was submitted last.
    seconds: float
    quotas: t.Sequence[Quota] = field(default_factory=list)

    @classmethod
    def of(cls, action: Action[t.Any], items: list[Item[t.Any]], rate: t.Callable[[str], float], page: int) -> Plan:
        """The plan for these items, at so many requests a second to each service, and so many rows in a listing."""
        # Some of what is planned waits for something else first.
        waiting = [item for item in items if item.outcome == PLANNED]
        submitted = action.requests_of(waiting)
        seconds = max((count / rate(service) for service, count in submitted.items()), default=0.0)
        requests = dict(submitted)
        if waiting:
            for service in action.polled_services:
                requests[service] = requests.get(service, 0) + _polls(seconds) * math.ceil(len(items) / page)
        return cls(requests, seconds, action.quotas(waiting) if waiting else [])

    def result(self) -> dict[str, t.Any]:
        return {
            "requests": dict(self.requests),
            "seconds": round(self.seconds, 1),
            "quotas": [quota.result() for quota in self.quotas],
        }

    def describe(self) -> str:
        requests = ", ".join(f"{count} to {service.replace('_', ' ')}" for service, count in self.requests.items())
        time = f"{self.seconds:.0f} s" if self.seconds >= 1 else "less than a second"
        text = f"About {sum(self.requests.values())} requests ({requests}), {time} to submit all of it."
        shortages = [quota.shortage() for quota in self.quotas if not quota.suffices]
        return f"{text} The quota is too small: {'; '.join(shortages)}." if shortages else text


def _polls(seconds: float) -> int:
    """How often a run polls that submits for so long."""
    polls, interval, passed = 1, FIRST_INTERVAL, 0.0
    while interval < LONGEST_INTERVAL and passed < seconds:
        passed += interval
        interval = min(LONGEST_INTERVAL, interval * INTERVAL_GROWTH)
        polls += 1
    return polls + math.ceil(max(0.0, seconds - passed) / LONGEST_INTERVAL)
