# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The seconds that a bulk run has: how many have passed, and how many are left."""

from __future__ import annotations

import math
import time
import typing as t

from ..._session.util.waiting import Waiter


class TimeBudget:
    def __init__(
        self,
        timeout: float,
        clock: t.Callable[[], float] = time.monotonic,
        new_waiter: t.Callable[[float], Waiter] = Waiter,
    ) -> None:
        self.timeout = timeout
        self.clock = clock
        self._new_waiter = new_waiter
        self._began_at = clock()

    @property
    def spent(self) -> float:
        return self.since_start(self.clock())

    @property
    def left(self) -> float:
        return max(0.0, self.timeout - self.spent)

    @property
    def deadline(self) -> float:
        """The moment of the clock at which nothing is left."""
        return self._began_at + self.timeout

    def since_start(self, moment: float) -> float:
        """A moment of the clock as seconds since the run began."""
        return moment - self._began_at

    def pause(self, seconds: float) -> None:
        """Let this much time pass."""
        self._new_waiter(math.inf).pause(seconds)

    def waiter(self, longest: float) -> Waiter:
        """For something that may be tried for this long, within what is left."""
        return self._new_waiter(min(longest, self.left))
