# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which copies of a server or a volume have expired. These rules delete people's backups: they are all here.

- The newest good copy stays, whatever else is said.
- A good copy goes when it is neither among the last ones nor young enough, as far as either is given.
- A failed copy goes when there is a newer good one.
- A copy that lacks something does not count as good, and goes when a good one in its place would.
- As long as the newest copy of all is not good, nothing goes.
- As long as a copy is dated after the time that it is, nothing goes: which copy is the newest is not certain.
- As long as good copies are of altogether different volumes, nothing goes: they are not of one server.
- Of a server's volumes, those copies of a run stay that no newer run has all of.
- What a run has just made stays, where deleting old copies is a part of that run.
"""

from __future__ import annotations

import datetime
import enum
import fnmatch
import typing as t
from dataclasses import dataclass

from ..._session.util.errors import ConfigurationError
from ..model.reason import Code, Reason
from ..resources.selection import require_criterion

SECONDS_A_DAY = 86400


class Condition(enum.Enum):
    """What a copy is worth."""

    #: Complete: something can be restored from it.
    GOOD = enum.auto()
    IN_PROGRESS = enum.auto()
    #: It will never be complete.
    FAILED = enum.auto()
    #: Something of it is missing, as far as listings show.
    INCOMPLETE = enum.auto()
    DELETING = enum.auto()
    #: A status that says none of this: such a copy is left alone.
    UNCLEAR = enum.auto()


@dataclass(frozen=True)
class Copy:
    """What a run made of a server or a volume, as a listing has it."""

    id: str
    name: str
    run: str
    #: The ids of what it was made of: copies with the same ids are copies of one thing.
    source: tuple[str, ...]
    source_name: str
    created_at: datetime.datetime
    status: str
    condition: Condition
    #: Why it is not to be deleted even when it has expired.
    keep_reason: Reason | None = None
    #: Of an image of a server that was booted from a volume: the ids of its volumes.
    volumes: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not self.source or not all(self.source):
            # Copies of different things would pass for copies of one.
            raise ValueError(f"The source of copy {self.id} is not known.")

    @property
    def rank(self) -> tuple[tuple[str, ...], datetime.datetime, str]:
        """Its place among the copies of its source, which nothing changes."""
        return self.source, self.created_at, self.id


@dataclass(frozen=True)
class Keep:
    """How many copies of each source are kept, and for how many days."""

    last: int | None = None
    days: int | None = None
    #: The run whose good copies all stay.
    run: str | None = None

    def __post_init__(self) -> None:
        if self.last is None and self.days is None:
            raise ConfigurationError("Give keep_last, keep_days or both: without them, nothing is too old.")
        for option, value in (("keep_last", self.last), ("keep_days", self.days)):
            if value is not None and value < 1:
                raise ConfigurationError(f"{option} must be at least 1, so that a copy remains, not {value}.")

    def covers(self, copy: Copy, newer: int, moment: datetime.datetime | None) -> bool:
        """Whether a copy stays of which there are so many newer good ones."""
        if newer < (self.last or 1) or (self.run is not None and copy.run == self.run):
            return True
        if self.days is None:
            return False
        return moment is None or (moment - copy.created_at).total_seconds() <= self.days * SECONDS_A_DAY

    def describe(self, source_name: str) -> str:
        """What a copy that goes is older than."""
        last = f"the last {'one' if self.last == 1 else self.last} of {source_name}" if self.last else ""
        days = f"{self.days} day{'' if self.days == 1 else 's'}" if self.days else ""
        return " and than ".join(part for part in (last, days) if part)


@dataclass(frozen=True)
class Sources:
    """Which copies a call is about: others neither count nor are touched."""

    #: Ids or names of servers and volumes.
    wanted: t.Sequence[str] | None = None
    name_pattern: str | None = None
    run_pattern: str | None = None
    #: Only sources of which this run has a good copy.
    after_run: str | None = None

    def __post_init__(self) -> None:
        # A variable that somebody forgot to set must not mean all copies of a project.
        for option in ("name_pattern", "run_pattern"):
            if getattr(self, option) == "":
                raise ConfigurationError(f"{option} is empty: leave it out, or give ** for every name.")
        if self.after_run == "":
            raise ConfigurationError("after_run is empty: leave it out, or name a run.")

    @classmethod
    def of(cls, params: t.Mapping[str, t.Any]) -> Sources:
        """As the module's options have them; one of them is needed."""
        given = (params["sources"], params["name_pattern"], params["run_pattern"])
        require_criterion(any(criterion is not None for criterion in given))
        return cls(*given, after_run=params.get("after_run"))

    def select(self, copies: t.Iterable[Copy]) -> dict[tuple[str, ...], list[Copy]]:
        """The copies of each source, the newest first."""
        found: dict[tuple[str, ...], list[Copy]] = {}
        copies = list(copies)
        for copy in self.counting(copies):
            found.setdefault(copy.source, []).append(copy)
        for of_source in found.values():
            of_source.sort(key=_age_rank, reverse=True)
        matching = {source: of_source for source, of_source in found.items() if self._match(of_source[0])}
        if self.after_run is None:
            return matching
        good = [copy for copy in copies if copy.condition is Condition.GOOD]
        in_run = {copy.source for copy in good if copy.run == self.after_run}
        return {source: of_source for source, of_source in matching.items() if source in in_run}

    def counting(self, copies: t.Iterable[Copy]) -> list[Copy]:
        """Those of the runs that are meant, of whatever source."""
        # A list whose pages shift while they are read has a copy twice, which must not pass for a newer one of itself.
        by_id = {copy.id: copy for copy in copies}
        pattern = self.run_pattern
        return [copy for copy in by_id.values() if not pattern or fnmatch.fnmatchcase(copy.run, pattern)]

    def _match(self, newest: Copy) -> bool:
        """By the name that the source had when its newest copy was made."""
        if self.name_pattern and not fnmatch.fnmatchcase(newest.source_name, self.name_pattern):
            return False
        return self.wanted is None or any(_means(wanted, newest) for wanted in self.wanted)

    def unknown(self, groups: t.Mapping[tuple[str, ...], t.Sequence[Copy]]) -> list[str]:
        """Those wanted of which there is no copy."""
        newest = [of_source[0] for of_source in groups.values()]
        return [wanted for wanted in self.wanted or () if not any(_means(wanted, copy) for copy in newest)]


@dataclass(frozen=True)
class Verdict:
    """That a copy has expired."""

    copy: Copy
    reason: Reason
    #: Why it stays for now nevertheless; None when it goes.
    keep_reason: Reason | None = None
    #: The newest good copy, without which this one would have to stay.
    newest_good: Copy | None = None


def judge(
    newest_first: t.Sequence[Copy],
    keep: Keep,
    moment: datetime.datetime | None,
    latest: datetime.datetime | None = None,
    spared: t.Container[str] = (),
) -> list[Verdict]:
    """The verdicts on the copies of one source that have expired, at this moment where days count. A copy that is dated
    after the latest time that it can be is doubtful. Those that are spared, by their ids, count and stay."""
    leaving = [copy for copy in newest_first if copy.condition is Condition.DELETING]
    present = [copy for copy in newest_first if copy.condition is not Condition.DELETING]
    good = [copy for copy in present if copy.condition is Condition.GOOD]
    verdicts = [Verdict(copy, Reason(Code.DELETING, "it was being deleted already")) for copy in leaving]
    if not good:
        return verdicts
    newest, newest_good = present[0], good[0]
    keep_reason = None
    if newest is not newest_good:
        text = f"the newest copy of {newest.source_name} is not good yet: {newest.name} is {newest.status}"
        keep_reason = Reason(Code.NEWEST_NOT_GOOD, text)
    elif latest is not None and newest.created_at > latest:
        dated = newest.created_at.strftime("%Y-%m-%d %H:%M:%S UTC")
        text = f"{newest.name} is dated {dated}, which is in the future: rename or delete it"
        keep_reason = Reason(Code.AGE_UNCERTAIN, text)
    elif unrelated := _of_other_volumes(newest_good, good):
        text = f"{newest.name} and {unrelated.name} ({newest.id} and {unrelated.id}) are not of the same volumes"
        keep_reason = Reason(Code.LABELS_SHARED, f"{text}: delete or rename the one that is not a copy")
    newer_good = 0
    for copy in present:
        reason = None
        if copy.condition in (Condition.GOOD, Condition.INCOMPLETE):
            if not keep.covers(copy, newer_good, moment) and copy.id not in spared:
                reason = Reason(Code.EXPIRED, f"older than {keep.describe(copy.source_name)}")
            newer_good += copy.condition is Condition.GOOD
        elif copy.condition is Condition.FAILED and copy.created_at < newest_good.created_at:
            reason = Reason(Code.SUPERSEDED, f"{copy.status}, and older than the good copy {newest_good.name}")
        if reason:
            verdicts.append(Verdict(copy, reason, keep_reason or copy.keep_reason, newest_good))
    return verdicts


def of_whole_servers(copies: t.Iterable[Copy]) -> set[str]:
    """The ids of a server's good copies without which no run would have all of those volumes any more.

    Each volume of a server is a source by itself. A run that was stopped halfway has copies of some of them, and those
    of the run before belong together.
    """
    servers: dict[str, dict[str, dict[tuple[str, ...], Copy]]] = {}
    for copy in sorted(copies, key=_age_rank):
        if len(copy.source) > 1 and copy.condition is Condition.GOOD:
            # Of several of one run, the newest.
            servers.setdefault(copy.source[0], {}).setdefault(copy.run, {})[copy.source] = copy
    spared: set[str] = set()
    for runs in servers.values():
        newer: list[t.KeysView[tuple[str, ...]]] = []
        for of_run in sorted(runs.values(), key=lambda run: max(map(_age_rank, run.values())), reverse=True):
            if not any(of_run.keys() <= volumes for volumes in newer):
                spared |= {copy.id for copy in of_run.values()}
                newer.append(of_run.keys())
    return spared


def _of_other_volumes(newest_good: Copy, good: t.Sequence[Copy]) -> Copy | None:
    """A copy that has no volume in common with the newest one: an image of another server may have its labels."""
    if not newest_good.volumes:
        return None
    return next((copy for copy in good if copy.volumes and newest_good.volumes.isdisjoint(copy.volumes)), None)


def _age_rank(copy: Copy) -> tuple[t.Any, ...]:
    """Of copies made in one moment, one that is not good counts as the newer one: then nothing is deleted."""
    return copy.created_at, copy.condition is not Condition.GOOD, copy.id


def _means(wanted: str, copy: Copy) -> bool:
    return wanted == copy.source_name or wanted in copy.source
