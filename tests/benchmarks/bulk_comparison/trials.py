# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure a way on a cloud: what it costs the client, and the requests in the cloud's access logs."""

from __future__ import annotations

import itertools
import json
import pathlib
import re
import typing as t
from collections import Counter
from dataclasses import dataclass, field

from .clouds import SERVICES, Cloud, is_accepted_item, is_token_request
from .measuring import Usage, measure
from .ways import VOLUMES, Job, Way

MIB = 1 << 20
TOO_MANY_REQUESTS = 429
REPORTED = re.compile(r'"msg": ("reported: .*")$', re.MULTILINE)


class Trial(t.NamedTuple):
    """One run of a way."""

    items: int
    usage: Usage
    #: By service, including throttled ones.
    requests: dict[str, int]
    token_requests: int
    throttled: int
    accepted: int
    #: The bulk module's own counts.
    reported: dict[str, t.Any] | None


@dataclass
class Measurement:
    """All runs of a way on a cloud."""

    way: Way
    cloud: Cloud
    trials: list[Trial] = field(default_factory=list)
    #: A run for one item, which shows what a start costs.
    single: Trial | None = None

    @property
    def items(self) -> int:
        return sum(trial.items for trial in self.trials)

    @property
    def failed(self) -> int:
        return self.items - sum(trial.accepted for trial in self.trials)

    @property
    def requests(self) -> Counter[str]:
        return sum((Counter(trial.requests) for trial in self.trials), Counter())

    @property
    def token_requests(self) -> int:
        return sum(trial.token_requests for trial in self.trials)

    @property
    def throttled(self) -> int:
        return sum(trial.throttled for trial in self.trials)

    @property
    def cpu_seconds(self) -> float:
        """Per item, including its part of the start."""
        return sum(trial.usage.cpu_seconds for trial in self.trials) / self.items

    @property
    def cpu_seconds_of_one_more(self) -> float | None:
        """Of one more item in a run."""
        more = self.items - len(self.trials)
        if self.single is None or more < 1:
            return None
        total = sum(trial.usage.cpu_seconds for trial in self.trials)
        return max(0.0, (total - len(self.trials) * self.single.usage.cpu_seconds) / more)

    @property
    def seconds(self) -> float:
        """Per item, by the clock."""
        return sum(trial.usage.seconds for trial in self.trials) / self.items

    @property
    def peak_memory(self) -> int:
        return max(trial.usage.peak_memory for trial in self.trials)

    @property
    def requests_each(self) -> float:
        return self.requests.total() / self.items

    @property
    def reported(self) -> dict[str, t.Any]:
        """The bulk module's own counts in the last run."""
        return self.trials[-1].reported or {}


class Comparison:
    """Runs the ways in alternation, so that other load on the machine affects all of them."""

    def __init__(self, directory: pathlib.Path, prefix: str, say: t.Callable[[str], None]) -> None:
        self.directory = directory
        self.prefix = prefix
        self.say = say
        self._numbers = itertools.count(1)

    def compare(self, cloud: Cloud, plan: t.Sequence[tuple[Way, int, int]], singles: bool) -> list[Measurement]:
        """Run each way for a number of items in a number of rounds."""
        measurements = {way.key: Measurement(way, cloud) for way, _items, _rounds in plan}
        for number in range(max(rounds for _way, _items, rounds in plan)):
            for way, items, rounds in plan:
                measurement = measurements[way.key]
                if number == 0 and singles:
                    measurement.single = self.run(way, cloud, 1)
                if number < rounds:
                    measurement.trials.append(self.run(way, cloud, items // rounds))
        return list(measurements.values())

    def run(self, way: Way, cloud: Cloud, items: int) -> Trial:
        if way.resources == VOLUMES:
            names, there = cloud.volumes(items), cloud.volume_count
        else:
            names, there = cloud.servers(items), cloud.server_count
        run = f"{self.prefix}{next(self._numbers)}"
        job = Job(cloud, names, run, self.directory, cloud.requests_per_second, items == there)
        prepared = way.prepare(job)
        cloud.begin()
        usage = measure(prepared.command, {**cloud.environment(), **prepared.environment})
        sent = cloud.requests()
        trial = Trial(
            items=items,
            usage=usage,
            requests={service: sum(one.service == service for one in sent) for service in SERVICES},
            token_requests=sum(map(is_token_request, sent)),
            throttled=sum(one.status == TOO_MANY_REQUESTS for one in sent),
            accepted=sum(map(is_accepted_item, sent)),
            reported=_reported(usage.output),
        )
        self.say(
            f"{cloud.title}: {way.title}: {items} items, {items - trial.accepted} failed, {usage.seconds:.1f} s,"
            f" {usage.cpu_seconds:.1f} s CPU, {usage.peak_memory / MIB:.0f} MiB, {len(sent)} requests"
        )
        if not trial.accepted:
            # The way is wrong, not slow.
            raise SystemExit(f"{way.title} made nothing:\n{usage.output[-4000:]}")
        return trial


def _reported(output: str) -> dict[str, t.Any] | None:
    """The bulk module's own counts: JSON in a text, which Ansible prints as JSON."""
    found = REPORTED.search(output)
    return json.loads(json.loads(found.group(1)).removeprefix("reported: ")) if found else None
