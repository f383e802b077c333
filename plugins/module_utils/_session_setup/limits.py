# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options for rate limits, as a session has them on record."""

from __future__ import annotations

from .._session.rate_limit.limit import RateLimit
from .._session.store.session import OFF, LimitOptions
from .._session.util.errors import ConfigurationError

#: The most seconds that a timeout option may have.
LONGEST_TIMEOUT = 604800


def options(requests_per_second: str, timeout: int) -> LimitOptions:
    """The options for a rate, which any false value of YAML disables, and the seconds for which a request waits.

    :raises ConfigurationError: one of them is invalid
    """
    is_off = requests_per_second.strip().lower() in ("false", "no", "off")
    chosen = LimitOptions(OFF if is_off else requests_per_second, timeout)
    check_timeout("limit_timeout", timeout)
    if chosen.requests_per_second != OFF:
        RateLimit.parse(chosen.requests_per_second)
    return chosen


def check_timeout(option: str, seconds: int) -> None:
    if not 0 <= seconds <= LONGEST_TIMEOUT:
        raise ConfigurationError(
            f"{option} is {seconds}, but it takes a number of seconds from 0 to {LONGEST_TIMEOUT}."
        )
