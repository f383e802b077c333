# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a token is due for renewal."""

from __future__ import annotations

import dataclasses
import re

from ..util.errors import ConfigurationError
from .token import Token

DEFAULT_RENEW_AFTER = "33%"
#: keystoneauth itself signs in again if less than this is left of a token's lifetime, in seconds.
LEAST = 120


@dataclasses.dataclass(frozen=True)
class RenewalPolicy:
    """A token is renewed at an age, in seconds or as a share of its lifetime, or when too little lifetime is left."""

    renew_after: str = DEFAULT_RENEW_AFTER
    min_remaining: int = 0

    def __post_init__(self) -> None:
        share = self.renew_after.endswith("%")
        number = self.renew_after[:-1] if share else self.renew_after
        if not re.fullmatch("[0-9]+", number) or int(number) < 1 or (share and int(number) > 100):
            raise ConfigurationError(
                f"renew_after is {self.renew_after!r}, which is neither a number of seconds such as 3600 nor a share "
                "of the token's lifetime from 1% to 100%."
            )
        if self.min_remaining < 0:
            raise ConfigurationError(f"min_remaining is {self.min_remaining}, but it takes a number of seconds from 0.")

    def due_age(self, lifetime: float) -> float:
        """The age in seconds from which a token of this lifetime is due."""
        share = self.renew_after.endswith("%")
        age = lifetime * int(self.renew_after[:-1]) / 100 if share else float(self.renew_after)
        return min(age, lifetime - min(LEAST, lifetime / 2))

    def due_in(self, token: Token) -> float:
        """Seconds until the token is due; 0 or less if it is."""
        if not token.renewable:
            return token.seconds_left
        # If a lifetime is shorter than min_remaining, renewal does not help: the next token would live no longer.
        counts = self.min_remaining < token.lifetime
        last_moment = token.seconds_left - (self.min_remaining if counts else 0)
        return min(last_moment, self.due_age(token.lifetime) - token.age)

    def is_due(self, token: Token) -> bool:
        return self.due_in(token) <= 0
