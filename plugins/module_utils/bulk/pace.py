# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pacer of bulk runs: at most so many requests a second to a service, over all processes of the user on the machine
that work in the same project of the same cloud.

The processes share a small file for each service. Only one thread of a process at a time waits at it for its turn, and
looks into it again at the moment of sending: so a process that was stopped for a while sends no heap of requests
afterwards, a refusal that any process got holds all of them at once, and nothing stays reserved by who gives up.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
import os
import random
import threading
import time
import typing as t

from .._session.store.owners import Owner
from .._session.util import waiting
from .._session.util.errors import ConfigurationError
from .pace_file import SharedFile
from .pace_places import Places
from .pace_schedule import FIRST_RATE, PROBE, Schedule

AUTO = "auto"
#: The part of a set rate that is sent. Public clouds count in windows of a second that slide or begin at any moment: of
#: 20 a second sent evenly, the 21st would come exactly a second after the first, and be refused when the network is a
#: little faster for it. This way it comes 31 ms later, at any rate.
PACED = 0.97
#: The slowest rate that can be set, in requests a second.
SLOWEST = 0.01
#: How long a wait goes without asking whether it was given up, in seconds: at the head of the line, and in it, where
#: most threads are most of the time.
_ATTENTION, _ATTENTION_IN_LINE = 0.2, 1.0
#: All processes wait for the same moment. Each oversleeps by up to so many seconds, else the same one would win most
#: turns; the schedule makes up for it (pace_schedule.LATE).
_SHUFFLE = 0.001
#: A wait below this, in seconds, is over: clocks are no finer.
_NO_TIME = 1e-6

Service = str
GivenUp = t.Callable[[], bool]
T = t.TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Pace:
    """How many requests a second the user lets through to each service; None: as many as the cloud does not refuse."""

    number: float | None = None
    #: What differs from it for a service.
    by_service: t.Mapping[Service, float] = dataclasses.field(default_factory=dict)
    #: How many jobs this is for together.
    slices: int = 1

    @classmethod
    def parse(cls, option: t.Any) -> Pace:
        if isinstance(option, str) and option.strip().lower() in _NAMED:
            return _NAMED[option.strip().lower()]
        try:
            number = math.nan if isinstance(option, bool) else float(option)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not SLOWEST <= number < math.inf:
            raise ConfigurationError(
                f"requests_per_second is {option!r}, which is no rate: give a number from {SLOWEST} on, or one of "
                f"{', '.join(_NAMED)}."
            )
        return cls(number)

    def share(self, slices: int) -> Pace:
        """What each of so many slices of a job may send, together no more than this."""
        if min([self.number or FIRST_RATE, *self.by_service.values()]) / slices < SLOWEST:
            raise ConfigurationError(
                f"slices is {slices}, of which each would send less than {SLOWEST} requests a second: give fewer of "
                "them."
            )
        return dataclasses.replace(self, slices=slices)

    @property
    def first_rate(self) -> float:
        """The requests a second to begin with, where the most is to be found out."""
        return FIRST_RATE / self.slices

    def most(self, service: Service) -> float | None:
        """The requests a second to be sent to a service at most; None where that is to be found out."""
        number = self.by_service.get(service, self.number)
        return None if number is None else number * PACED / self.slices


#: The limits that public clouds publish. Others are not the same everywhere, or tell of themselves in their answers.
_NAMED = {
    AUTO: Pace(),
    # By OVHcloud's page on the limits of its Public Cloud: 20 requests a second to each of Nova, Glance, Cinder and
    # Neutron for a project, and 60 a minute to Keystone for a user.
    "ovhcloud": Pace(20.0, {"identity": 1.0}),
    # 100 POST a minute, by the Cloud Servers guide of Rackspace's OpenStack; nearly all that a bulk run sends is POST,
    # and reading, with its 1000 GET a minute, takes few requests.
    "rackspace": Pace(100 / 60),
}


@dataclasses.dataclass(frozen=True)
class ProjectKey:
    """What a cloud counts requests by."""

    auth_url: str
    project_id: str | None
    region_name: str | None

    def file_name(self, of: str) -> str:
        # The same Keystone is written with its version and without.
        cloud = self.auth_url.rstrip("/").removesuffix("/v3")
        text = json.dumps([cloud, self.project_id, self.region_name, of])
        return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclasses.dataclass
class _Line:
    """The threads of this process that want to send to one service, and the file that all processes share."""

    file: SharedFile
    head: threading.Lock = dataclasses.field(default_factory=threading.Lock)


class Pacer:
    """Lets this process's requests and actions through, from any number of threads.

    Without the environment that says where the shared files are, it has a pace of its own.
    """

    def __init__(
        self,
        key: ProjectKey,
        pace: Pace,
        concurrency: int,
        environ: t.Mapping[str, str] | None,
        clock: t.Callable[[], float] = time.monotonic,
        sleep: t.Callable[[float], None] = time.sleep,
        wall_clock: t.Callable[[], float] = time.time,
        timeout: float = math.inf,
    ) -> None:
        self._key = key
        #: Whatever a service asks for, a run of so many seconds finds out in them whether it is still refused.
        self._patience = min(PROBE, timeout / 2)
        self._pace = pace
        self._environ = environ
        self._clock = clock
        self._sleep = sleep
        self._wall_clock = wall_clock
        process = Owner.of_process(os.getpid())
        self._boot = process.boot if process else ""
        self._places = Places(SharedFile(environ, key.file_name("places")), concurrency, process)
        self._lines: dict[Service, _Line] = {}
        self._lock = threading.Lock()
        self._throttled = _Stopwatch(clock)
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
        most = self._pace.most(service)
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
        most = self._pace.most(service)
        return self._change(service, lambda schedule, _now: schedule.rate(most))

    def try_start(self) -> bool:
        """One more action under way; False when there are as many as there may be."""
        return self._places.take()

    def finish(self) -> None:
        """An action that was started is under way no more."""
        self._places.leave()

    def _come_to_head(self, line: _Line, deadline: float, given_up: GivenUp | None) -> bool:
        while not line.head.acquire(timeout=max(0.0, min(_ATTENTION_IN_LINE, deadline - self._clock()))):
            if self._clock() >= deadline or (given_up and given_up()):
                return False
        return True

    def _wait_for_turn(self, service: Service, deadline: float, given_up: GivenUp | None) -> bool:
        most = self._pace.most(service)
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
            schedule = Schedule.read(content, self._boot, now, self._pace.first_rate)
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


class _Stopwatch:
    """Runs while at least one thread is inside: the time that passed, not the sum over threads."""

    def __init__(self, clock: t.Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._inside = 0
        self._since = 0.0
        self._seconds = 0.0

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._since = self._clock()
            self._inside += 1

    def __exit__(self, *_exc: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._seconds += self._clock() - self._since

    @property
    def seconds(self) -> float:
        with self._lock:
            return self._seconds + (self._clock() - self._since if self._inside else 0.0)
