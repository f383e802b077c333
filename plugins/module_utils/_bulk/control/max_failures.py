# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many items may fail before the run is cancelled."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..._session.util.errors import ConfigurationError


@dataclass(frozen=True)
class MaxFailures:
    number: float
    is_share: bool = False

    @classmethod
    def parse(cls, text: str | None) -> MaxFailures | None:
        """A number, or a share of all items; None where as many may fail as there are."""
        if text is None:
            return None
        found = re.fullmatch(r"(\d+)(%?)", text.replace(" ", ""))
        if not found or (found[2] and int(found[1]) > 100):
            raise ConfigurationError(f"max_failures takes a number such as 5 or a share such as 10%, not {text!r}.")
        return cls(float(found[1]), bool(found[2]))

    def exceeded(self, failed: int, total: int) -> bool:
        return failed > (self.number * total / 100 if self.is_share else self.number)
