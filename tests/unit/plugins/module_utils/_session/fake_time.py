# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time that passes only when somebody waits."""

from __future__ import annotations

import time

from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.waiting import Waiter


class FakeTime:
    def __init__(self, wall: float = 1_800_000_000.0) -> None:
        self.naps: list[float] = []
        self._passed = 0.0
        self._wall = wall
        self._behind = 0.0

    def clock(self) -> float:
        return self._passed

    def wall_clock(self) -> float:
        return self._wall + self._passed

    def set_behind(self, seconds: float) -> None:
        """Let the wall clock of this time, such as a cloud's, be so far behind that of this machine."""
        self._wall = time.time() - seconds - self._passed
        self._behind = seconds

    def machine_clock(self) -> float:
        """The wall clock of this machine, where that of this time is behind it."""
        return self.wall_clock() + self._behind

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self._passed += seconds

    def waiter(self, timeout: float) -> Waiter:
        return Waiter(timeout, self.clock, self.wall_clock, self.sleep)
