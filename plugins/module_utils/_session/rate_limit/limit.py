# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rate limit that a user sets: a number, the name of a cloud, or whatever the cloud allows."""

from __future__ import annotations

import dataclasses
import math
import typing as t

from ..util.errors import ConfigurationError
from .schedule import FIRST_RATE

AUTO = "auto"
#: The share of a set rate that is used. Public clouds count in windows of a second that slide or begin at any moment:
#: of 20 a second sent evenly, the 21st would come exactly a second after the first, and be throttled when the network
#: is a little faster for it. This way it comes 31 ms later, at any rate.
USED_SHARE = 0.97
#: The lowest rate that can be set, in requests a second.
LOWEST_RATE = 0.01

Service = str


@dataclasses.dataclass(frozen=True)
class RateLimit:
    """Requests a second to each service; None for as many as the cloud allows."""

    number: float | None = None
    #: The rates of services that have their own.
    by_service: t.Mapping[Service, float] = dataclasses.field(default_factory=dict)
    #: How many jobs share it.
    slices: int = 1

    @classmethod
    def parse(cls, option: t.Any) -> RateLimit:
        if isinstance(option, str) and option.strip().lower() in _NAMED:
            return _NAMED[option.strip().lower()]
        try:
            number = math.nan if isinstance(option, bool) else float(option)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not LOWEST_RATE <= number < math.inf:
            raise ConfigurationError(
                f"requests_per_second is {option!r}, which is not a rate: give a number of at least {LOWEST_RATE}, or "
                f"one of {', '.join(_NAMED)}."
            )
        return cls(number)

    def share(self, slices: int) -> RateLimit:
        """The limit of each of so many slices of a job, which together send no more than this."""
        if min([self.number or FIRST_RATE, *self.by_service.values()]) / slices < LOWEST_RATE:
            raise ConfigurationError(
                f"slices is {slices}, so each slice would send less than {LOWEST_RATE} requests a second: use fewer "
                "slices."
            )
        return dataclasses.replace(self, slices=slices)

    @property
    def first_rate(self) -> float:
        """Requests a second at first, where the limit is not known."""
        return FIRST_RATE / self.slices

    def highest_rate(self, service: Service) -> float | None:
        """The most requests a second to a service; None where the limit is not known."""
        number = self.by_service.get(service, self.number)
        return None if number is None else number * USED_SHARE / self.slices


#: The limits that public clouds publish. Other clouds differ between regions, or report their limits in their answers.
_NAMED = {
    AUTO: RateLimit(),
    # From OVHcloud's page on the limits of its Public Cloud: 20 requests a second to each of Nova, Glance, Cinder and
    # Neutron for a project, and 60 a minute to Keystone for a user.
    "ovhcloud": RateLimit(20.0, {"identity": 1.0}),
    # 100 POST a minute, from the Cloud Servers guide of Rackspace's OpenStack. Nearly all requests of a bulk run are
    # POST; its few GET are far below their own limit of 1000 a minute.
    "rackspace": RateLimit(100 / 60),
}
