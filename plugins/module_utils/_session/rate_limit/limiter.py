# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rate limiter: at most so many requests a second to a service, over all processes of the user on the machine
that work in the same project of the same cloud.

The processes share a small file for each service. Only one thread of a process at a time waits at it for its turn, and
looks into it again at the moment of sending: so a process that was stopped for a while sends no heap of requests
afterwards, a refusal that any process got holds all of them at once, and nothing stays reserved by who gives up.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import random
import threading
import time
import typing as t

from ..util import boot, waiting
from .limit import RateLimit, Service
from .project_key import ProjectKey
from .schedule import PROBE, Schedule
from .shared_file import SharedFile
from .stopwatch import Stopwatch

#: How long a wait goes without asking whether it was given up, in seconds: at the head of the line, and in it, where
#: most threads are most of the time.
_ATTENTION, _ATTENTION_IN_LINE = 0.2, 1.0
#: All processes wait for the same moment. Each oversleeps by up to so many seconds, else the same one would win most
#: turns; the schedule makes up for it (schedule.LATE).
_SHUFFLE = 0.001
#: A wait below this, in seconds, is over: clocks are no finer.
_NO_TIME = 1e-6

GivenUp = t.Callable[[], bool]
T = t.TypeVar("T")


@dataclasses.dataclass
class _Line:
    """The threads of this process that want to send to one service, and the file that all processes share."""

    file: SharedFile
    head: threading.Lock = dataclasses.field(default_factory=threading.Lock)


class RateLimiter:
    """Lets this process's requests through, from any number of threads.

    Without the environment that says where the shared files are, it has a rate of its own.
    """

    def __init__(
        self,
        key: ProjectKey,
        limit: RateLimit,
        environ: t.Mapping[str, str] | None,
        clock: t.Callable[[], float] = time.monotonic,
        sleep: t.Callable[[float], None] = time.sleep,
        wall_clock: t.Callable[[], float] = time.time,
        timeout: float = math.inf,
    ) -> None:
        self._key = key
        #: Whatever a service asks for, a run of so many seconds finds out in them whether it is still refused.
        self._patience = min(PROBE, timeout / 2)
        self._limit = limit
        self._environ = environ
        self._clock = clock
        self._sleep = sleep
        self._wall_clock = wall_clock
        self._boot = boot.identifier()
        self._lines: dict[Service, _Line] = {}
        self._lock = threading.Lock()
        self._throttled = Stopwatch(clock)
        #: Each refusal: the service, and when by the clock.
        self.refusals: list[tuple[Service, float]] = []

    def take(self, service: Service, deadline: float, given_up: GivenUp | None = None) -> bool:
        """Wait until a request may be sent to the service, and count it as sent; False, with nothing counted, when that
        would be after the deadline or was given up."""
        line = self._line(service)
        if not self._come_to_head(line, deadline, given_up):
            return False
        try:
            return self._wait_for_turn(service, deadline, given_up)
        finally:
            line.head.release()

    def limits(self, service: Service) -> bool:
        """Whether requests have to be taken: by the user's word, or since a limit was met. It waits for nobody."""
        if self._limit.most(service) is not None:
            return True
        content = self._line(service).file.read()
        now = self._clock()
        return bool(content) and Schedule.read(content, self._boot, now).limits(now)

    def answered(self, service: Service, headers: t.Mapping[str, str], sent_at: float) -> None:
        """A request was let through; where its answer says that it was the last one, others wait."""
        used_up = waiting.delay_when_used_up(headers, self._wall_clock())

        def change(schedule: Schedule, now: float) -> None:
            schedule.succeed(now, sent_at)
            if used_up:
                schedule.hold_as_asked(now, used_up)

        self._change(service, change)

    def refused(self, service: Service, headers: t.Mapping[str, str], sent_at: float) -> None:
        """A limit on the rate turned a request away that was sent at this moment of the clock."""
        asked = waiting.delay_asked(headers, self._wall_clock())
        most = self._limit.most(service)
        self._change(service, lambda schedule, now: schedule.refuse(now, sent_at, asked, most))
        self.refusals.append((service, self._clock()))

    @property
    def throttled_seconds(self) -> float:
        """For how long a thread of this process waited for a limit, or several did."""
        return self._throttled.seconds

    def holding(self, service: Service | None = None) -> float:
        """The seconds for which a limit still holds the service; of those that were used, the longest held one's."""
        services = list(self._lines) if service is None else [service]
        return max((self._change(name, Schedule.hold) for name in services), default=0.0)

    def rate(self, service: Service) -> float:
        """The requests a second that go to the service at present, over all processes."""
        most = self._limit.most(service)
        return self._change(service, lambda schedule, _now: schedule.rate(most))

    def _come_to_head(self, line: _Line, deadline: float, given_up: GivenUp | None) -> bool:
        while not line.head.acquire(timeout=max(0.0, min(_ATTENTION_IN_LINE, deadline - self._clock()))):
            if self._clock() >= deadline or (given_up and given_up()):
                return False
        return True

    def _wait_for_turn(self, service: Service, deadline: float, given_up: GivenUp | None) -> bool:
        most = self._limit.most(service)
        had_to_wait = False

        def send(schedule: Schedule, now: float) -> tuple[float, float, float]:
            delay = schedule.delay(now, self._patience)
            if delay < _NO_TIME and now <= deadline:
                schedule.send(now, most, had_to_wait)
            return now, delay, schedule.hold(now)

        while not (given_up and given_up()):
            now, delay, hold = self._change(service, send)
            if now + delay > deadline:
                return False
            if delay < _NO_TIME:
                return True
            with self._throttled if hold else contextlib.nullcontext():
                self._sleep(min(delay, _ATTENTION) + random.uniform(0, _SHUFFLE))
            had_to_wait = True
        return False

    def _change(self, service: Service, change: t.Callable[[Schedule, float], T]) -> T:
        file = self._line(service).file
        with file.turn():
            content = file.read()
            # In one's turn, as no other process may have written of a later moment.
            now = self._clock()
            schedule = Schedule.read(content, self._boot, now, self._limit.first_rate)
            result = change(schedule, now)
            written = schedule.written(self._boot)
            if written != content:
                file.write(written)
        return result

    def _line(self, service: Service) -> _Line:
        with self._lock:
            if service not in self._lines:
                self._lines[service] = _Line(SharedFile(self._environ, self._key.file_name(f"requests {service}")))
            return self._lines[service]
