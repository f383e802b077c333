# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What time it is in the cloud, by the Date headers of its services.

The age of anything in the cloud is measured with this clock, and not with the wall clock of the machine that runs the
module: where that is wrong, copies that are minutes old would look expired. A service's clock may be wrong, too. So
before anything is deleted for its age, a second clock must agree: another service's, or this machine's where only one
service reports its time.
"""

from __future__ import annotations

import datetime
import email.utils
import math
import threading
import time
import typing as t

from ..._session.util.clock import parse
from ..._session.util.errors import OneTokenError

#: Seconds by which the services' clocks may differ. Beyond, no age is known.
LARGEST_DIFFERENCE = 300.0


class CloudClockError(OneTokenError):
    """The services do not say what time it is, or do not agree."""


class CloudClock:
    """Keeps the offsets between the services' clocks and a monotonic one."""

    def __init__(
        self, clock: t.Callable[[], float] = time.monotonic, wall_clock: t.Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        self._wall_clock = wall_clock
        self._earliest, self._latest = math.inf, -math.inf
        #: The latest time of each service, as its offset.
        self._services: dict[str, float] = {}
        self._lock = threading.Lock()

    @property
    def services(self) -> frozenset[str]:
        """Those that have reported their time."""
        with self._lock:
            return frozenset(self._services)

    def record(self, headers: t.Mapping[str, str], service: str = "") -> None:
        """Learn from an answer that has just arrived. One without a readable Date says nothing."""
        try:
            moment = email.utils.parsedate_to_datetime(headers.get("Date") or "")
            # A Date without a zone is in UTC, as HTTP has no other.
            offset = moment.replace(tzinfo=moment.tzinfo or datetime.timezone.utc).timestamp() - self._clock()
        except (TypeError, ValueError, IndexError, OverflowError):
            return
        with self._lock:
            self._earliest, self._latest = min(self._earliest, offset), max(self._latest, offset)
            self._services[service] = max(self._services.get(service, -math.inf), offset)

    def now(self) -> datetime.datetime:
        """By the service whose clock is the furthest behind, so that no age comes out too high."""
        with self._lock:
            earliest, latest = self._earliest, self._latest
        if earliest > latest:
            raise CloudClockError("no service of the cloud says what time it is (HTTP header Date), so no age is known")
        if latest - earliest > LARGEST_DIFFERENCE:
            raise CloudClockError(
                f"the clocks of the cloud's services differ by {latest - earliest:.0f} s, so no age is certain"
            )
        return datetime.datetime.fromtimestamp(self._clock() + earliest, datetime.timezone.utc)

    def confirmed_now(self) -> datetime.datetime:
        """Like now(), but a second clock must agree: for every age by which something is deleted."""
        moment = self.now()
        if len(services := self.services) < 2:
            difference = abs(self._wall_clock() - moment.timestamp())
            if difference > LARGEST_DIFFERENCE:
                name = " ".join(services).replace("_", " ")
                raise CloudClockError(
                    f"only the {name} service reports its time, and the clock of this machine differs from it by "
                    f"{difference:.0f} s, so no age is certain"
                )
        return moment

    def latest(self, service: str) -> datetime.datetime:
        """The latest time that it can be by this service's clock, or by this machine's where the service has none."""
        with self._lock:
            offset = self._services.get(service)
        seconds = self._wall_clock() if offset is None else self._clock() + offset
        return datetime.datetime.fromtimestamp(seconds + LARGEST_DIFFERENCE, datetime.timezone.utc)

    def has_passed(self, seconds: float, created_at: str) -> bool:
        """Whether it is certain that so much time has passed since then."""
        try:
            return (self.now() - parse(created_at)).total_seconds() > seconds
        except CloudClockError:
            return False
