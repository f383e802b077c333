# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting between requests: as long as a server asks, or longer each time."""

from __future__ import annotations

import datetime
import email.utils
import math
import random
import time
import typing as t

FIRST_DELAY = 1.0
LONGEST_DELAY = 30.0
#: The headers with the requests that are left of a limit, and with when it starts again: with X- of gateways in front
#: of services, without it of the draft of the IETF.
_RESETS = {"X-RateLimit-Remaining": "X-RateLimit-Reset", "RateLimit-Remaining": "RateLimit-Reset"}
#: A reset header above this is a moment in epoch seconds, below it a number of seconds from now.
_EPOCH = 1_000_000_000
#: Seconds between two checks whether a wait was cancelled.
_CHECK_INTERVAL = 1.0


def delay_asked(headers: t.Mapping[str, str], now: float) -> float | None:
    """The seconds for which the headers of an answer ask to wait; None if they name no delay that can be read."""
    delays = (_seconds(headers, name, now) for name in ("Retry-After", "X-Retry-After", *_RESETS.values()))
    return next((delay for delay in delays if delay is not None), None)


def delay_when_used_up(headers: t.Mapping[str, str], now: float) -> float | None:
    """The seconds until a limit starts again, where the headers of a success say that no request is left."""
    for remaining, reset in _RESETS.items():
        if _value(headers, remaining) == "0":
            return _seconds(headers, reset, now)
    return None


def _seconds(headers: t.Mapping[str, str], name: str, now: float) -> float | None:
    """The seconds until the time in a header: a delay, seconds of the epoch, or a date."""
    value = _value(headers, name)
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = email.utils.parsedate_to_datetime(value)
        except (TypeError, ValueError, OverflowError):
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=datetime.timezone.utc)
        seconds = moment.timestamp() - now
    else:
        if seconds > _EPOCH:
            seconds -= now
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _value(headers: t.Mapping[str, str], name: str) -> str:
    """The value of a header, whose name has no case; empty if it is missing."""
    return next((value.strip() for key, value in headers.items() if key.lower() == name.lower()), "")


class Waiter:
    """Waits between attempts, until the time for all of them is up."""

    def __init__(
        self,
        timeout: float,
        clock: t.Callable[[], float] = time.monotonic,
        wall_clock: t.Callable[[], float] = time.time,
        sleep: t.Callable[[float], None] = time.sleep,
        cancelled: t.Callable[[], bool] | None = None,
    ) -> None:
        self._deadline = clock() + timeout
        self._clock = clock
        self._wall_clock = wall_clock
        self._sleep = sleep
        #: Checked each second while waiting.
        self._cancelled = cancelled
        self._backoff = FIRST_DELAY

    @property
    def seconds_left(self) -> float:
        return max(0.0, self._deadline - self._clock())

    def wait(self, headers: t.Mapping[str, str] | None = None) -> bool:
        """Wait before the next attempt; False, at once, if that would be too late. A delay of 0 counts as none."""
        delay = delay_asked(headers or {}, self._wall_clock())
        if not delay:
            # Jitter: many processes that fail at one moment do not come back at one moment.
            delay = random.uniform(self._backoff / 2, self._backoff)
            self._backoff = min(LONGEST_DELAY, self._backoff * 2)
        return self.pause(delay)

    def pause(self, seconds: float) -> bool:
        """Wait for so many seconds; False, at once, if that would be too late."""
        if seconds > self.seconds_left:
            return False
        if self._cancelled is None:
            self._sleep(seconds)
            return True
        while seconds > 0 and not self._cancelled():
            self._sleep(min(seconds, _CHECK_INTERVAL))
            seconds -= _CHECK_INTERVAL
        return not self._cancelled()
