# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the next request may be sent to a service, at a rate that adapts to throttled requests.

The user's rate, if there is one, is the highest. A throttled request lowers the rate, which then comes back near the
one that was throttled within a few seconds, and further by small steps that grow with time. Without a rate of the
user's, it doubles each second until the first throttled request. In trials against limits by fixed and by sliding
windows, this got 90 % of the limit through, steps of one size 80 %; a set rate that never fell got about as much
through and was throttled twenty times as often.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import random
import struct
import zlib

#: Requests a second at first, where the user set no rate.
FIRST_RATE = 5.0
#: The share of the rate that is left when a request is throttled, where the limit is not known, and where the user set
#: the rate: then it is about right, and the network's jitter may be the reason.
BACK_OFF = 0.7
BACK_OFF_OF_SET_RATE = 0.9
#: The rate comes back to this share of the throttled one, going half the way in a second,
_NEAR = 0.95
_WAY_IN_A_SECOND = 0.5
#: then grows with each request by this for each second since: after ten seconds by 1 % a second.
_STEP = 0.001
#: The bounds of a rate that was learnt: requests that are throttled for another reason must not stop everything.
_LOWEST_RATE = 2.0
_HIGHEST_RATE = 1000.0
#: Nor does it fall below this share of a rate that the user set.
_LOWEST_SHARE = 0.25
#: The delay after a throttled answer that names none: so many seconds at first, doubled with each in a row up to the
#: longest.
FIRST_HOLD = 0.3
LONGEST_HOLD = 30.0
#: The longest delay, in seconds, that is believed of a service.
LONGEST_DELAY = 3600.0
#: Seconds between two probes: single requests that find out whether it really is that long.
PROBE_INTERVAL = 60.0
#: After a delay that a service asked for, processes on several machines start within this many seconds.
SPREAD = 0.25
#: A request may be late by this many seconds and the next one be on time, else each late wake-up would lower the rate.
#: It is a third of what limit.USED_SHARE leaves free in a second.
LATE = 0.01
#: What was learnt is forgotten after so many seconds without a request.
KEPT = 600.0

_NEVER = -math.inf
_FIELDS = struct.Struct("<16s7dI")
_CHECKSUM = struct.Struct("<I")


@dataclasses.dataclass
class Schedule:
    """Of one service to one project. Moments are of the system's monotonic clock, which all its processes share."""

    used_at: float = _NEVER
    next_at: float = _NEVER
    held_until: float = _NEVER
    #: The beginning of the hold, or the last probe in it: nothing was sent since then.
    quiet_since: float = _NEVER
    backed_off_at: float = _NEVER
    throttled_rate: float = 0.0
    learnt_rate: float = FIRST_RATE
    throttled_in_a_row: int = 0

    @classmethod
    def read(cls, content: bytes, boot: str, now: float, first_rate: float = FIRST_RATE) -> Schedule:
        """What was written last; a new one where that is damaged, too old, or of another boot and so another clock."""
        new = cls(learnt_rate=first_rate)
        if len(content) != _FIELDS.size + _CHECKSUM.size:
            return new
        fields = content[: _FIELDS.size]
        written_boot, *values = _FIELDS.unpack(fields)
        if _CHECKSUM.pack(zlib.crc32(fields)) != content[_FIELDS.size :] or written_boot != _digest(boot):
            return new
        schedule = cls(*values)
        # No moment is further after its last use than the longest hold, so none of another clock holds for ever.
        is_current = schedule.used_at <= now < max(schedule.used_at + KEPT, schedule.held_until)
        return schedule if is_current else new

    def written(self, boot: str) -> bytes:
        # As they are declared; dataclasses.astuple takes ten times as long, and this is done for each request.
        fields = _FIELDS.pack(_digest(boot), *vars(self).values())
        return fields + _CHECKSUM.pack(zlib.crc32(fields))

    def rate(self, highest: float | None) -> float:
        """The present requests a second of a process with this highest rate."""
        if highest is None:
            return self.learnt_rate
        return min(highest, max(highest * _LOWEST_SHARE, self.learnt_rate)) if self._was_throttled else highest

    def delay(self, now: float, probe_interval: float = PROBE_INTERVAL) -> float:
        """The seconds until a process that sends probes at this interval may send the next request."""
        return max(0.0, self.next_at - now, min(self.held_until, self.quiet_since + probe_interval) - now)

    def limits(self, now: float) -> bool:
        """Whether a limit was met, so that requests are sent at a rate."""
        return self.backed_off_at != _NEVER or self.hold(now) > 0

    def hold(self, now: float) -> float:
        """The seconds for which a throttled request still delays others."""
        return max(0.0, self.held_until - now)

    def send(self, now: float, highest: float | None, had_to_wait: bool) -> None:
        """Count a request as sent. One that had to wait shows that a higher rate would be used."""
        if self.hold(now):
            self.quiet_since = now
        elif had_to_wait:
            self._speed_up(now, highest)
        interval = 1 / self.rate(highest)
        # From the present on: time without requests is no credit, as a cloud that counts by the second gives none.
        self.next_at = max(self.next_at, now - min(LATE, interval)) + interval
        self.used_at = now

    def throttled(self, now: float, sent_at: float, delay: float | None, highest: float | None) -> None:
        """Learn from a throttled request, unless it was sent before the last back-off, and shows no more than that."""
        # The rate is not the reason where a probe is throttled.
        was_probe = self.quiet_since <= sent_at < self.held_until
        if delay:
            self.hold_as_asked(now, delay)
        if sent_at <= self.backed_off_at:
            return
        if not was_probe:
            self._back_off(now, highest)
        if not delay:
            self._hold_for(now, self._own_hold())
        self.throttled_in_a_row += 1

    def _back_off(self, now: float, highest: float | None) -> None:
        self.backed_off_at = now
        # Until something is sent at a rate, no rate has been too high.
        if self.next_at != _NEVER:
            self.throttled_rate = self.rate(highest)
            share = BACK_OFF if highest is None else BACK_OFF_OF_SET_RATE
            self.learnt_rate = max(_LOWEST_RATE, self.throttled_rate * share)

    def hold_as_asked(self, now: float, seconds: float) -> None:
        self._hold_for(now, min(LONGEST_DELAY, seconds) + random.uniform(0, SPREAD))

    def succeeded(self, now: float, sent_at: float) -> None:
        """End the hold, unless the request was sent before it began."""
        if self.hold(now) and sent_at < self.quiet_since:
            return
        self.held_until = min(self.held_until, now)
        self.throttled_in_a_row = 0

    @property
    def _was_throttled(self) -> bool:
        return self.throttled_rate > 0

    def _hold_for(self, now: float, seconds: float) -> None:
        self.held_until = max(self.held_until, now + seconds)
        self.used_at = self.quiet_since = now

    def _own_hold(self) -> float:
        # Above 2**10 it is the longest in any case.
        seconds = FIRST_HOLD * 2 ** min(self.throttled_in_a_row, 10) * random.uniform(1, 1.5)
        return min(LONGEST_HOLD, seconds)

    def _speed_up(self, now: float, highest: float | None) -> None:
        rate = self.rate(highest)
        if self._was_throttled:
            way = (self.throttled_rate * _NEAR - rate) * min(1.0, _WAY_IN_A_SECOND / rate)
            step = _STEP * (now - self.backed_off_at)
            self.learnt_rate = max(self.learnt_rate, rate + max(way, step))
        elif highest is None:
            self.learnt_rate = rate * 2 ** (1 / rate)
        self.learnt_rate = min(_HIGHEST_RATE, self.learnt_rate)


def _digest(boot: str) -> bytes:
    return hashlib.sha256(boot.encode()).digest()[:16]
