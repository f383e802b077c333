# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rate limiter: at most so many requests a second to a service, over all processes of the user on the machine
that work in the same project of the same cloud.

The processes share a small file for each service. Only one thread of a process at a time waits at it, and reads it
again at the moment of sending. So a process that was stopped for a while sends no burst of requests afterwards, a
throttled answer to any process delays all of them at once, and a thread that gives up leaves nothing reserved.
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
from .schedule import PROBE_INTERVAL, Schedule
from .shared_file import SharedFile
from .stopwatch import Stopwatch

#: Seconds between two checks whether a wait was cancelled: of the thread at the head of the queue, and of those behind
#: it, where most threads are most of the time.
_CHECK_INTERVAL, _CHECK_INTERVAL_IN_QUEUE = 0.2, 1.0
#: All processes wait for the same moment. Each oversleeps by up to so many seconds, else the same one would mostly win;
#: the schedule makes up for it (schedule.LATE).
_JITTER = 0.001
#: A wait below this, in seconds, is over: clocks are no finer.
_NO_TIME = 1e-6

Cancelled = t.Callable[[], bool]
T = t.TypeVar("T")


@dataclasses.dataclass
class _Queue:
    """The threads of this process that want to send to one service, and the file that all processes share."""

    file: SharedFile
    #: Held by the one that waits at the file.
    head: threading.Lock = dataclasses.field(default_factory=threading.Lock)


class RateLimiter:
    """Limits the rate of this process's requests, from any number of threads.

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
        #: However long a service asks to wait, a run of so many seconds sends a probe while it has time left.
        self._probe_interval = min(PROBE_INTERVAL, timeout / 2)
        self._limit = limit
        self._environ = environ
        self._clock = clock
        self._sleep = sleep
        self._wall_clock = wall_clock
        self._boot = boot.identifier()
        self._queues: dict[Service, _Queue] = {}
        self._lock = threading.Lock()
        self._throttled = Stopwatch(clock)
        #: Each throttled request: the service, and when by the clock.
        self.throttled_requests: list[tuple[Service, float]] = []

    def take(self, service: Service, deadline: float, cancelled: Cancelled | None = None) -> bool:
        """Wait until a request may be sent to the service, and count it as sent.

        False, with nothing counted, if that would be after the deadline, or was cancelled.
        """
        queue = self._queue(service)
        if not self._wait_for_head(queue, deadline, cancelled):
            return False
        try:
            return self._wait_to_send(service, deadline, cancelled)
        finally:
            queue.head.release()

    def limits(self, service: Service) -> bool:
        """Whether requests have to be taken: the user set a rate, or a limit was met. Returns at once."""
        if self._limit.highest_rate(service) is not None:
            return True
        content = self._queue(service).file.read()
        now = self._clock()
        return bool(content) and Schedule.read(content, self._boot, now).limits(now)

    def answered(self, service: Service, headers: t.Mapping[str, str], sent_at: float) -> None:
        """Report a request that was not throttled; its answer may say that it was the last one of a limit."""
        delay = waiting.delay_when_used_up(headers, self._wall_clock())

        def change(schedule: Schedule, now: float) -> None:
            schedule.succeeded(now, sent_at)
            if delay:
                schedule.hold_as_asked(now, delay)

        self._change(service, change)

    def throttled(self, service: Service, headers: t.Mapping[str, str], sent_at: float) -> None:
        """Report a throttled request, which was sent at this moment of the clock."""
        delay = waiting.delay_asked(headers, self._wall_clock())
        highest = self._limit.highest_rate(service)
        self._change(service, lambda schedule, now: schedule.throttled(now, sent_at, delay, highest))
        self.throttled_requests.append((service, self._clock()))

    @property
    def throttled_seconds(self) -> float:
        """For how long at least one thread of this process waited because of a throttled request."""
        return self._throttled.seconds

    def holding(self, service: Service | None = None) -> float:
        """The seconds for which a throttled request still delays others; without a service, the longest of all."""
        services = list(self._queues) if service is None else [service]
        return max((self._change(name, Schedule.hold) for name in services), default=0.0)

    def rate(self, service: Service) -> float:
        """The present requests a second to the service, over all processes."""
        highest = self._limit.highest_rate(service)
        return self._change(service, lambda schedule, _now: schedule.rate(highest))

    def _wait_for_head(self, queue: _Queue, deadline: float, cancelled: Cancelled | None) -> bool:
        while not queue.head.acquire(timeout=max(0.0, min(_CHECK_INTERVAL_IN_QUEUE, deadline - self._clock()))):
            if self._clock() >= deadline or (cancelled and cancelled()):
                return False
        return True

    def _wait_to_send(self, service: Service, deadline: float, cancelled: Cancelled | None) -> bool:
        highest = self._limit.highest_rate(service)
        had_to_wait = False

        def send(schedule: Schedule, now: float) -> tuple[float, float, float]:
            delay = schedule.delay(now, self._probe_interval)
            if delay < _NO_TIME and now <= deadline:
                schedule.send(now, highest, had_to_wait)
            return now, delay, schedule.hold(now)

        while not (cancelled and cancelled()):
            now, delay, hold = self._change(service, send)
            if now + delay > deadline:
                return False
            if delay < _NO_TIME:
                return True
            with self._throttled if hold else contextlib.nullcontext():
                self._sleep(min(delay, _CHECK_INTERVAL) + random.uniform(0, _JITTER))
            had_to_wait = True
        return False

    def _change(self, service: Service, change: t.Callable[[Schedule, float], T]) -> T:
        file = self._queue(service).file
        with file.locked():
            content = file.read()
            # Under the lock, as no other process may have written of a later moment.
            now = self._clock()
            schedule = Schedule.read(content, self._boot, now, self._limit.first_rate)
            result = change(schedule, now)
            written = schedule.written(self._boot)
            if written != content:
                file.write(written)
        return result

    def _queue(self, service: Service) -> _Queue:
        with self._lock:
            if service not in self._queues:
                self._queues[service] = _Queue(SharedFile(self._environ, self._key.file_name(f"requests {service}")))
            return self._queues[service]
