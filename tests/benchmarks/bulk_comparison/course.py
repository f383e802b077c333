# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One way on one cloud, measured: what it cost the client, and what the cloud's access logs say of it."""

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
TOLD = re.compile(r'"msg": ("told: .*")$', re.MULTILINE)


class Course(t.NamedTuple):
    """One run of one way."""

    items: int
    usage: Usage
    #: By service, refused ones included.
    requests: dict[str, int]
    token_requests: int
    refused: int
    accepted: int
    #: What the bulk module says of itself.
    told: dict[str, t.Any] | None


@dataclass
class Measurement:
    """All runs of a way on a cloud."""

    way: Way
    cloud: Cloud
    courses: list[Course] = field(default_factory=list)
    #: A run for one item, for what it costs to start.
    single: Course | None = None

    @property
    def items(self) -> int:
        return sum(course.items for course in self.courses)

    @property
    def failed(self) -> int:
        return self.items - sum(course.accepted for course in self.courses)

    @property
    def requests(self) -> Counter[str]:
        return sum((Counter(course.requests) for course in self.courses), Counter())

    @property
    def token_requests(self) -> int:
        return sum(course.token_requests for course in self.courses)

    @property
    def refused(self) -> int:
        return sum(course.refused for course in self.courses)

    @property
    def cpu_seconds(self) -> float:
        """Of one item, with its part of what the runs took to start."""
        return sum(course.usage.cpu_seconds for course in self.courses) / self.items

    @property
    def cpu_seconds_of_one_more(self) -> float | None:
        """Of one item more in a run that goes on."""
        more = self.items - len(self.courses)
        if self.single is None or more < 1:
            return None
        total = sum(course.usage.cpu_seconds for course in self.courses)
        return max(0.0, (total - len(self.courses) * self.single.usage.cpu_seconds) / more)

    @property
    def seconds(self) -> float:
        """Of one item, by the clock."""
        return sum(course.usage.seconds for course in self.courses) / self.items

    @property
    def peak_memory(self) -> int:
        return max(course.usage.peak_memory for course in self.courses)

    @property
    def requests_each(self) -> float:
        return self.requests.total() / self.items

    @property
    def told(self) -> dict[str, t.Any]:
        """What the bulk module said at the end of its last run."""
        return self.courses[-1].told or {}


class Comparison:
    """Runs the ways in turns, so that whatever else the machine does meets all of them."""

    def __init__(self, directory: pathlib.Path, prefix: str, say: t.Callable[[str], None]) -> None:
        self.directory = directory
        self.prefix = prefix
        self.say = say
        self._numbers = itertools.count(1)

    def compare(self, cloud: Cloud, plan: t.Sequence[tuple[Way, int, int]], singles: bool) -> list[Measurement]:
        """Each way for so many items in so many turns."""
        measurements = {way.key: Measurement(way, cloud) for way, _items, _turns in plan}
        for turn in range(max(turns for _way, _items, turns in plan)):
            for way, items, turns in plan:
                measurement = measurements[way.key]
                if turn == 0 and singles:
                    measurement.single = self.run(way, cloud, 1)
                if turn < turns:
                    measurement.courses.append(self.run(way, cloud, items // turns))
        return list(measurements.values())

    def run(self, way: Way, cloud: Cloud, items: int) -> Course:
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
        course = Course(
            items=items,
            usage=usage,
            requests={service: sum(one.service == service for one in sent) for service in SERVICES},
            token_requests=sum(map(is_token_request, sent)),
            refused=sum(one.status == TOO_MANY_REQUESTS for one in sent),
            accepted=sum(map(is_accepted_item, sent)),
            told=told(usage.output),
        )
        self.say(
            f"{cloud.title}: {way.title}: {items} items, {items - course.accepted} failed, {usage.seconds:.1f} s,"
            f" {usage.cpu_seconds:.1f} s CPU, {usage.peak_memory / MIB:.0f} MiB, {len(sent)} requests"
        )
        if not course.accepted:
            # A way that does nothing at all is written wrongly, not slow.
            raise SystemExit(f"{way.title} made nothing:\n{usage.output[-4000:]}")
        return course


def told(output: str) -> dict[str, t.Any] | None:
    """What the bulk module said of itself; Ansible shows a text as JSON, and this text is JSON again."""
    found = TOLD.search(output)
    return json.loads(json.loads(found.group(1)).removeprefix("told: ")) if found else None
