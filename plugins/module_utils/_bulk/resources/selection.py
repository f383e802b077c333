# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which servers or volumes a call is about: those of the project that match every criterion, of which it needs one."""

from __future__ import annotations

import dataclasses
import datetime
import fnmatch
import typing as t
from dataclasses import dataclass, field

from ..._session.util.clock import parse
from ..._session.util.errors import ConfigurationError
from ..api.cloud_clock import CloudClock, CloudClockError
from ..model.errors import CloudError, UnreadableError
from ..model.reason import Code, Reason


@dataclass(frozen=True)
class Resource:
    """What servers and volumes have in common."""

    id: str
    name: str
    status: str
    metadata: dict[str, str] = field(default_factory=dict)
    availability_zone: str = ""
    created_at: str = ""
    tags: tuple[str, ...] = ()


AnyResource = t.TypeVar("AnyResource", bound=Resource)


@dataclass(frozen=True)
class Selection(t.Generic[AnyResource]):
    resources: list[AnyResource]
    #: The names that lead to no one resource, and why.
    unresolved: dict[str, Reason]


@dataclass(frozen=True)
class Criteria:
    """What a resource must be like; what is not given does not narrow."""

    #: Names or ids; no names at all select nothing, other than names that are not given.
    names: t.Sequence[str] | None = None
    name_pattern: str | None = None
    metadata: t.Mapping[str, t.Any] = field(default_factory=dict)
    tags: t.Sequence[str] = ()
    status: t.Sequence[str] = ()
    availability_zone: t.Sequence[str] = ()
    #: Seconds since the resource was made, at least and at most.
    older_than: int | None = None
    newer_than: int | None = None
    #: When that is, by the clock of the cloud.
    moment: datetime.datetime | None = None

    def __post_init__(self) -> None:
        # A variable that somebody forgot to set must not select a whole project.
        if self.name_pattern == "":
            raise ConfigurationError("name_pattern is empty: leave it out, or give ** for every name.")
        if "" in (self.names or ()):
            raise ConfigurationError("A name that is to be selected is empty: leave it out.")
        for option in ("older_than", "newer_than"):
            if (getattr(self, option) or 0) < 0:
                raise ConfigurationError(f"{option} is {getattr(self, option)}: give a number of seconds from 0 on.")

    @property
    def has_any(self) -> bool:
        """Whether anything says which resources are meant."""
        others = (self.name_pattern, self.metadata, self.tags, self.status, self.availability_zone)
        return any(others) or any(one is not None for one in (self.names, self.older_than, self.newer_than))

    @classmethod
    def of(cls, params: t.Mapping[str, t.Any], names: str, has_other: bool = False) -> Criteria:
        """Make the criteria of a module's options; `names` is the option with names or ids. One criterion is needed,
        unless another option of the module is one."""
        common = ("name_pattern", "metadata", "status", "availability_zone", "older_than", "newer_than")
        given = {name: params[name] for name in common}
        criteria = cls(names=params[names], tags=params.get("tags") or (), **given)
        require_criterion(criteria.has_any or has_other)
        return criteria

    @property
    def by_age(self) -> bool:
        return self.older_than is not None or self.newer_than is not None

    def at(self, clock: CloudClock) -> Criteria:
        """These, with ages measured by the cloud's clock as its last listing has it."""
        if not self.by_age:
            return self
        try:
            return dataclasses.replace(self, moment=clock.now())
        except CloudClockError as exc:
            raise CloudError(f"older_than and newer_than cannot be used here: {exc}.") from None

    def select(
        self, resources: t.Iterable[AnyResource], kind: str, unreadable: t.Mapping[str, UnreadableError] | None = None
    ) -> Selection[AnyResource]:
        """Of the resources, those that match. One that cannot be read may be meant, unless others are named."""
        # A list that changes while its pages are read may have something twice.
        listed = list({resource.id: resource for resource in resources}.values())
        failures = {id: Reason(Code.UNREADABLE, str(exc)) for id, exc in (unreadable or {}).items()}
        if self.names is None:
            return Selection([resource for resource in listed if self.match(resource)], failures)
        by_id = {resource.id: resource for resource in listed}
        by_name: dict[str, list[AnyResource]] = {}
        for resource in listed:
            by_name.setdefault(resource.name, []).append(resource)
        selected: dict[str, AnyResource] = {}
        unresolved: dict[str, Reason] = {}
        for wanted in self.names:
            called = [by_id[wanted]] if wanted in by_id else by_name.get(wanted, [])
            matching = [resource for resource in called if self.match(resource)]
            if wanted in failures:
                unresolved[wanted] = failures[wanted]
            elif not called:
                unresolved[wanted] = Reason(Code.NOT_FOUND, f"no {kind} of the project has this name or id")
            elif len(matching) > 1:
                ids = ", ".join(resource.id for resource in matching)
                text = f"{len(matching)} {kind}s have this name, give an id: {ids}"
                unresolved[wanted] = Reason(Code.AMBIGUOUS, text)
            else:
                selected.update((resource.id, resource) for resource in matching)
        return Selection(list(selected.values()), unresolved)

    def match(self, resource: Resource) -> bool:
        if self.name_pattern and not fnmatch.fnmatchcase(resource.name, self.name_pattern):
            return False
        if self.status and resource.status.upper() not in {status.upper() for status in self.status}:
            return False
        if self.availability_zone and resource.availability_zone not in self.availability_zone:
            return False
        if not set(self.tags) <= set(resource.tags):
            return False
        wanted = texts(self.metadata, "metadata")
        return self._match_age(resource) and all(resource.metadata.get(key) == value for key, value in wanted.items())

    def _match_age(self, resource: Resource) -> bool:
        if not self.by_age:
            return True
        if self.moment is None:
            raise ValueError("Ages need a moment: see at()")
        if not resource.created_at:
            raise UnreadableError(f"The cloud does not say when {resource.id} was made, so its age is not known.")
        age = (self.moment - parse(resource.created_at)).total_seconds()
        too_young = self.older_than is not None and age < self.older_than
        too_old = self.newer_than is not None and age > self.newer_than
        return not (too_young or too_old)


def require_criterion(has_any: bool) -> None:
    """Refuse to select a whole project only because a variable is missing or misspelt."""
    if not has_any:
        raise ConfigurationError(
            "No criterion was given: select with one such as name_pattern: 'web-*', or give name_pattern: '**' for all "
            "of the project."
        )


def texts(values: t.Mapping[str, t.Any], option: str) -> dict[str, str]:
    """Values of an option as OpenStack keeps them: text, with true and false in small letters."""
    converted = {}
    for key, value in values.items():
        if isinstance(value, bool):
            value = str(value).lower()
        elif not isinstance(value, (str, int, float)):
            raise ConfigurationError(f"The value of {key!r} in {option} must be a text or a number, not {value!r}.")
        converted[str(key)] = str(value)
    return converted
