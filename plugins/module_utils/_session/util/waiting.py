# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting, the one place where this collection sleeps: at a server's word, or longer each time within a limit."""

from __future__ import annotations

import datetime
import email.utils
import math
import random
import time
import typing as t

FIRST_DELAY = 1.0
LONGEST_DELAY = 30.0
#: What says how many requests are left of a limit, and when they are more again: with X- by gateways in front of
#: services, without it by the draft of the IETF.
_RESETS = {"X-RateLimit-Remaining": "X-RateLimit-Reset", "RateLimit-Remaining": "RateLimit-Reset"}
#: A reset header above this is a moment in epoch seconds, below it a number of seconds from now.
_EPOCH = 1_000_000_000
#: How long a wait that can be given up goes without asking, in seconds.
_ATTENTION = 1.0


def delay_asked(headers: t.Mapping[str, str], now: float) -> float | None:
    """The seconds for which a refusal's headers ask to wait, None when they say nothing that can be read."""
    delays = (_seconds(headers, name, now) for name in ("Retry-After", "X-Retry-After", *_RESETS.values()))
    return next((delay for delay in delays if delay is not None), None)


def delay_when_used_up(headers: t.Mapping[str, str], now: float) -> float | None:
    """The seconds until a limit lets requests through again, where a success says that it was the last one."""
    for remaining, reset in _RESETS.items():
        if _value(headers, remaining) == "0":
            return _seconds(headers, reset, now)
    return None


def _seconds(headers: t.Mapping[str, str], name: str, now: float) -> float | None:
    """How far away the moment is that a header names: in seconds from now, in seconds of the epoch, or as a date."""
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
    """A header's value, in whatever case its name is written; empty when it is not there."""
    return next((value.strip() for key, value in headers.items() if key.lower() == name.lower()), "")


class Waiter:
    """Waits between the tries of one thing, until its time is up."""

    def __init__(
        self,
        timeout: float,
        clock: t.Callable[[], float] = time.monotonic,
        wall_clock: t.Callable[[], float] = time.time,
        sleep: t.Callable[[float], None] = time.sleep,
        given_up: t.Callable[[], bool] | None = None,
    ) -> None:
        self._deadline = clock() + timeout
        self._clock = clock
        self._wall_clock = wall_clock
        self._sleep = sleep
        #: Asked each second while waiting: whether what is waited for is still wanted.
        self._given_up = given_up
        self._backoff = FIRST_DELAY

    @property
    def seconds_left(self) -> float:
        return max(0.0, self._deadline - self._clock())

    def wait(self, headers: t.Mapping[str, str] | None = None) -> bool:
        """Wait before the next try; False, at once, when that would be too late. No delay asked is no delay known."""
        delay = delay_asked(headers or {}, self._wall_clock())
        if not delay:
            # Full jitter: many processes refused in one moment do not come back in one moment.
            delay = random.uniform(self._backoff / 2, self._backoff)
            self._backoff = min(LONGEST_DELAY, self._backoff * 2)
        return self.pause(delay)

    def pause(self, seconds: float) -> bool:
        """Wait for this long; False, at once, when that would be too late."""
        if seconds > self.seconds_left:
            return False
        if self._given_up is None:
            self._sleep(seconds)
            return True
        while seconds > 0 and not self._given_up():
            self._sleep(min(seconds, _ATTENTION))
            seconds -= _ATTENTION
        return not self._given_up()
