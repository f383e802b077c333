# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One of the project's limits, and how much of it a run needs."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass


@dataclass(frozen=True)
class Quota:
    name: str
    limit: int
    used: int
    needed: int

    @property
    def suffices(self) -> bool:
        return self.limit < 0 or self.used + self.needed <= self.limit

    def result(self) -> dict[str, t.Any]:
        return {
            "name": self.name,
            "limit": self.limit,
            "used": self.used,
            "needed": self.needed,
            "suffices": self.suffices,
        }

    def shortage(self) -> str:
        """What is missing, as part of a sentence."""
        return f"{self.name} allows {self.limit}, {self.used} are used and {self.needed} more are needed"
