# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many requests a second a user lets through: a number, a cloud's name, or as many as the cloud does."""

from __future__ import annotations

import dataclasses
import math
import typing as t

from ..util.errors import ConfigurationError
from .schedule import FIRST_RATE

AUTO = "auto"
#: The part of a set rate that is sent. Public clouds count in windows of a second that slide or begin at any moment: of
#: 20 a second sent evenly, the 21st would come exactly a second after the first, and be refused when the network is a
#: little faster for it. This way it comes 31 ms later, at any rate.
PACED = 0.97
#: The slowest rate that can be set, in requests a second.
SLOWEST = 0.01

Service = str


@dataclasses.dataclass(frozen=True)
class RateLimit:
    """How many requests a second the user lets through to each service; None: as many as the cloud does not refuse."""

    number: float | None = None
    #: What differs from it for a service.
    by_service: t.Mapping[Service, float] = dataclasses.field(default_factory=dict)
    #: How many jobs this is for together.
    slices: int = 1

    @classmethod
    def parse(cls, option: t.Any) -> RateLimit:
        if isinstance(option, str) and option.strip().lower() in _NAMED:
            return _NAMED[option.strip().lower()]
        try:
            number = math.nan if isinstance(option, bool) else float(option)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not SLOWEST <= number < math.inf:
            raise ConfigurationError(
                f"requests_per_second is {option!r}, which is no rate: give a number from {SLOWEST} on, or one of "
                f"{', '.join(_NAMED)}."
            )
        return cls(number)

    def share(self, slices: int) -> RateLimit:
        """What each of so many slices of a job may send, together no more than this."""
        if min([self.number or FIRST_RATE, *self.by_service.values()]) / slices < SLOWEST:
            raise ConfigurationError(
                f"slices is {slices}, of which each would send less than {SLOWEST} requests a second: give fewer of "
                "them."
            )
        return dataclasses.replace(self, slices=slices)

    @property
    def first_rate(self) -> float:
        """The requests a second to begin with, where the most is to be found out."""
        return FIRST_RATE / self.slices

    def most(self, service: Service) -> float | None:
        """The requests a second to be sent to a service at most; None where that is to be found out."""
        number = self.by_service.get(service, self.number)
        return None if number is None else number * PACED / self.slices


#: The limits that public clouds publish. Others are not the same everywhere, or tell of themselves in their answers.
_NAMED = {
    AUTO: RateLimit(),
    # By OVHcloud's page on the limits of its Public Cloud: 20 requests a second to each of Nova, Glance, Cinder and
    # Neutron for a project, and 60 a minute to Keystone for a user.
    "ovhcloud": RateLimit(20.0, {"identity": 1.0}),
    # 100 POST a minute, by the Cloud Servers guide of Rackspace's OpenStack; nearly all that a bulk run sends is POST,
    # and reading, with its 1000 GET a minute, takes few requests.
    "rackspace": RateLimit(100 / 60),
}
