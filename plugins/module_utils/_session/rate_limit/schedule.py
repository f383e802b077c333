# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the next request may be sent to a service: one after the other at a rate that refusals teach.

The rate is what the user set at most. It falls with a refusal and comes back near the rate that was refused within a
few seconds, then on by small steps that grow with the time since the refusal. Where the user set none, it doubles each
second until the first refusal. In trials against limits by fixed and by sliding windows, this got 90 % of the limit
through, steps of one size 80 %; a set rate that never fell got about as much through and was refused twenty times as
often.
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
#: The part of the rate that a refusal leaves where the rate is to be found out, and where the user set it: then it is
#: about right, and the refusal may come of the network's jitter.
BACK_OFF = 0.7
BACK_OFF_OF_SET = 0.9
#: The rate comes back to this part of the refused one, going half the way in a second,
NEAR = 0.95
_WAY_IN_A_SECOND = 0.5
#: then grows with each request by this for each second since the refusal: after ten seconds by 1 % a second.
_STEP = 0.001
#: The rate that was learnt stays in these bounds: refusals that have another reason than the rate must not end it all.
_SLOWEST = 2.0
_FASTEST = 1000.0
#: Nor does it fall below this part of a rate that the user set.
_LEAST_SHARE = 0.25
#: A refusal that does not say how long to wait: the seconds at first, doubled with each one in a row up to the longest.
FIRST_HOLD = 0.3
LONGEST_HOLD = 30.0
#: No service is believed that it will be longer, in seconds.
LONGEST_ASKED = 3600.0
#: Seconds after which one request finds out whether it really is that long.
PROBE = 60.0
#: After a delay that a service asked for, processes on several machines start within this many seconds.
SPREAD = 0.25
#: A request may be late by this many seconds and the next one be on time, else each late waking would lower the rate.
#: It is a third of the room that limit.PACED leaves in a second.
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
    #: Since when nothing was sent, while requests are held: the beginning of that, or the last probe.
    quiet_since: float = _NEVER
    backed_off_at: float = _NEVER
    refused_rate: float = 0.0
    learnt_rate: float = FIRST_RATE
    refusals_in_a_row: int = 0

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

    def rate(self, most: float | None) -> float:
        """Requests a second at present, of a process that is to send so many at most."""
        if most is None:
            return self.learnt_rate
        return min(most, max(most * _LEAST_SHARE, self.learnt_rate)) if self._was_refused else most

    def delay(self, now: float, patience: float = PROBE) -> float:
        """The seconds until the next request may be sent, of a process that believes in a hold for so many seconds."""
        return max(0.0, self.next_at - now, min(self.held_until, self.quiet_since + patience) - now)

    def limits(self, now: float) -> bool:
        """Whether a limit was met, so that requests are sent at a rate."""
        return self.backed_off_at != _NEVER or self.hold(now) > 0

    def hold(self, now: float) -> float:
        """The seconds for which requests are still held by a refusal."""
        return max(0.0, self.held_until - now)

    def send(self, now: float, most: float | None, had_to_wait: bool) -> None:
        """A request is sent. One that had to wait for its turn shows that a faster rate would be made use of."""
        if self.hold(now):
            self.quiet_since = now
        elif had_to_wait:
            self._speed_up(now, most)
        interval = 1 / self.rate(most)
        # From the present on: what was not sent before is no credit, as a cloud that counts by the second gives none.
        self.next_at = max(self.next_at, now - min(LATE, interval)) + interval
        self.used_at = now

    def refuse(self, now: float, sent_at: float, asked: float | None, most: float | None) -> None:
        """A limit turned a request away; all that were sent before the last back-off tell of that same moment."""
        # One that was sent while requests were held tells nothing of the rate.
        was_probe = self.quiet_since <= sent_at < self.held_until
        if asked:
            self.hold_as_asked(now, asked)
        if sent_at <= self.backed_off_at:
            return
        if was_probe:
            if not asked:
                self._hold_for(now, self._own_hold())
            self.refusals_in_a_row += 1
            return
        if self.next_at == _NEVER:
            # Nothing was sent at a rate yet, so none was refused: it is found out from here on.
            self.backed_off_at = now
            if not asked:
                self._hold_for(now, self._own_hold())
            self.refusals_in_a_row += 1
            return
        self.refused_rate = self.rate(most)
        self.learnt_rate = max(_SLOWEST, self.refused_rate * (BACK_OFF if most is None else BACK_OFF_OF_SET))
        self.backed_off_at = now
        if not asked:
            self._hold_for(now, self._own_hold())
        self.refusals_in_a_row += 1

    def hold_as_asked(self, now: float, seconds: float) -> None:
        self._hold_for(now, min(LONGEST_ASKED, seconds) + random.uniform(0, SPREAD))

    def succeed(self, now: float, sent_at: float) -> None:
        """Limits let requests through again, unless it is an answer to one that was sent before the refusal."""
        if self.hold(now) and sent_at < self.quiet_since:
            return
        self.held_until = min(self.held_until, now)
        self.refusals_in_a_row = 0

    @property
    def _was_refused(self) -> bool:
        return self.refused_rate > 0

    def _hold_for(self, now: float, seconds: float) -> None:
        self.held_until = max(self.held_until, now + seconds)
        self.used_at = self.quiet_since = now

    def _own_hold(self) -> float:
        # Above 2**10 it is the longest in any case.
        seconds = FIRST_HOLD * 2 ** min(self.refusals_in_a_row, 10) * random.uniform(1, 1.5)
        return min(LONGEST_HOLD, seconds)

    def _speed_up(self, now: float, most: float | None) -> None:
        rate = self.rate(most)
        if self._was_refused:
            way = (self.refused_rate * NEAR - rate) * min(1.0, _WAY_IN_A_SECOND / rate)
            step = _STEP * (now - self.backed_off_at)
            self.learnt_rate = max(self.learnt_rate, rate + max(way, step))
        elif most is None:
            self.learnt_rate = rate * 2 ** (1 / rate)
        self.learnt_rate = min(_FASTEST, self.learnt_rate)


def _digest(boot: str) -> bytes:
    return hashlib.sha256(boot.encode()).digest()[:16]
