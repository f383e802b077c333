# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An answer of a service that a session keeps, to serve it again."""

from __future__ import annotations

import dataclasses
import math

from ..util import boot


@dataclasses.dataclass(frozen=True)
class Answer:
    """An HTTP answer, and when it came."""

    status: int
    headers: dict[str, str] = dataclasses.field(repr=False)
    body: str = dataclasses.field(repr=False)
    url: str
    #: When it came, in seconds since the start of this machine.
    at: float
    #: The id of that start.
    boot: str

    def __post_init__(self) -> None:
        """Refuse what a damaged file may hold."""
        texts = [self.body, self.url, self.boot, *(dict(self.headers).values())]
        numbers = isinstance(self.status, int) and isinstance(self.at, (int, float))
        if not numbers or not all(isinstance(text, str) for text in texts):
            raise TypeError("not an answer")

    @property
    def age(self) -> float:
        """Seconds since it came; infinite if it came before this start of the machine."""
        age = boot.now() - self.at
        return age if self.boot == boot.identifier() and age >= 0 else math.inf
