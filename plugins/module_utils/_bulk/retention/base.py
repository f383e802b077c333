# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deleting the old copies that runs made: what copies of every kind have in common."""

from __future__ import annotations

import abc
import datetime
import enum
import typing as t
from dataclasses import dataclass, field

from ..api.cloud_clock import CloudClockError
from ..api.cloud_requests import (
    BAD_REQUEST,
    NOT_FOUND,
    CloudError,
    CloudRequests,
    RefusedError,
    Service,
    UnreadableError,
)
from ..engine.action import Action
from ..engine.item import ALREADY, DONE, SKIPPED, Item
from ..engine.reason import Code, Reason
from ..engine.run import CONFLICT
from ..resources.volume_copies import DELETING, Kind, volume_copy
from .rules import Condition, Copy, Keep, Sources, Verdict, judge, of_whole_servers

#: For so many seconds the newest good copy counts as present once it was seen, so that several deletions of one source
#: at a high rate do not cost a poll each. A deletion that waits longer for its turn is sent without another poll, as
#: that would have to wait for its turn as well.
SEEN_FOR = 1.0


class Deleted(enum.Enum):
    """What a request for a deletion came to."""

    ASKED_FOR = enum.auto()
    #: Somebody else asked for it before.
    BY_OTHERS = enum.auto()
    #: There was nothing to delete.
    NOTHING = enum.auto()


@dataclass
class Deletion:
    """What an item is about."""

    copy: Copy
    why: Reason
    #: What must be there for the copy to go.
    newest_good: Copy | None
    #: Whether a part of it is gone or going already, so that what is left is of no use.
    begun: bool = False
    #: Of an image: the volume snapshots that go before it.
    snapshot_ids: list[str] = field(default_factory=list)
    #: Of a backup: those that build on it and go before it.
    children: list[Item] = field(default_factory=list)


class Retention(Action, abc.ABC):
    """Deletes the copies that have had their time."""

    name = "delete"
    awaited = "the deletions"
    #: The service that lists the copies, and says when each was made.
    listed_by: Service
    nothing = "No copy has expired: nothing was deleted."

    def __init__(self, requests: CloudRequests, keep: Keep, sources: Sources) -> None:
        super().__init__(requests)
        self._keep = keep
        self._sources = sources
        #: How many of the selected copies stay.
        self.kept = 0
        #: The ids of copies that stay for the sake of others.
        self._spared: set[str] = set()
        #: When the newest good copies were seen to be there, by their ids, in seconds since the run began.
        self._seen_at: dict[str, float] = {}

    @abc.abstractmethod
    def copies(self) -> list[Copy]:
        """Every copy in the project that a run made, and no other."""

    @abc.abstractmethod
    def look_up(self, copy: Copy) -> Copy | None:
        """What the cloud says of this very copy now; None when it is gone or not a run's any more."""

    @abc.abstractmethod
    def ask_for(self, item: Item) -> None:
        """Ask for the deletion of a copy that may go."""

    def plan(self) -> list[Item]:
        copies = self.copies()
        groups = self._sources.select(copies)
        self._spared = of_whole_servers(self._sources.counting(copies))
        verdicts = self._judge(groups)
        if self._keep.days is not None and not all(verdict.obstacle for verdict in verdicts):
            # The clock that these ages were measured with may be wrong.
            self.hear_other_clocks()
            self._confirmed_now()
            verdicts = self._judge(groups)
        items = self.items(verdicts)
        going = sum(item.outcome != SKIPPED for item in items)
        self.kept = sum(len(copies) for copies in groups.values()) - going
        return [*(self._without_copies(wanted) for wanted in self._sources.unknown(groups)), *items]

    def _judge(self, groups: t.Mapping[tuple[str, ...], list[Copy]]) -> list[Verdict]:
        moment = None if self._keep.days is None else self._now(self.requests.cloud_clock.now)
        latest = self.requests.cloud_clock.latest(self.listed_by)
        return [
            verdict for copies in groups.values() for verdict in judge(copies, self._keep, moment, latest, self._spared)
        ]

    def _confirmed_now(self) -> datetime.datetime:
        return self._now(self.requests.cloud_clock.confirmed_now)

    @staticmethod
    def _now(now: t.Callable[[], datetime.datetime]) -> datetime.datetime:
        """By the clocks of the services that were asked so far."""
        try:
            return now()
        except CloudClockError as exc:
            raise CloudError(f"Nothing was deleted, as keep_days cannot be used here: {exc}.") from None

    def hear_other_clocks(self) -> None:
        """Ask whatever must be asked before anything is deleted, and at least one more service for its time."""
        self.requests.hear_second_clock()

    def requests_of(self, items: list[Item]) -> dict[str, int]:
        sources = len({item.resource.newest_good.id for item in items if item.resource.newest_good})
        return {service: count + sources for service, count in super().requests_of(items).items()}

    def ask(self, item: Item) -> None:
        """What was judged by a list may be judged wrongly when its turn comes: another run works here too, perhaps."""
        newest_good = item.resource.newest_good
        if self._keep.days is not None and not item.resource.begun:
            try:
                # Another answer since may have had another time.
                self.requests.cloud_clock.confirmed_now()
            except CloudClockError as exc:
                item.settle(SKIPPED, Reason(Code.AGE_UNCERTAIN, str(exc)))
                return
        if item.resource.begun or (newest_good is not None and self._is_still_good(newest_good)):
            try:
                self.ask_for(item)
            except Exception:
                self._see_again(newest_good)
                raise
            if item.outcome == ALREADY:
                # Somebody else deletes here, too.
                self._see_again(newest_good)
        else:
            name = newest_good.name if newest_good else "the newest good copy"
            how = "is gone, not good any more or cannot be read"
            text = f"{name}, the newest good copy when the copies were listed, {how}"
            item.settle(SKIPPED, Reason(Code.NEWEST_GONE, text))

    def _see_again(self, copy: Copy | None) -> None:
        """Have the newest good copy asked for before the next deletion: something is not as it was expected to be."""
        if copy is not None:
            self._seen_at.pop(copy.id, None)

    def _is_still_good(self, copy: Copy) -> bool:
        moment = self.requests.seconds_spent
        seen_at = self._seen_at.get(copy.id)
        if seen_at is None or moment - seen_at > SEEN_FOR:
            try:
                seen = self.look_up(copy)
            except UnreadableError:
                return False
            if seen is None or seen.condition is not Condition.GOOD or seen.rank != copy.rank:
                return False
            self._seen_at[copy.id] = moment
        return True

    def items(self, verdicts: list[Verdict]) -> list[Item]:
        return [self.item(verdict) for verdict in verdicts]

    def item(self, verdict: Verdict) -> Item:
        copy = verdict.copy
        deletion = Deletion(copy, verdict.why, verdict.newest_good)
        item = Item(id=copy.id, name=copy.name, action=self.name, resource=deletion)
        item.why = verdict.why
        if verdict.obstacle:
            item.settle(SKIPPED, verdict.obstacle)
        elif copy.condition is Condition.DELETING:
            item.accept(ALREADY)
        return item

    def _without_copies(self, wanted: str) -> Item:
        item = Item(id="", name=wanted, action=self.name)
        item.settle(SKIPPED, Reason(Code.NO_COPY, "no copy of it is selected"))
        return item

    def delete(self, service: Service, path: str, is_first: bool = True) -> bool:
        """Ask once for a deletion, the first one of an item as long as it is wanted; False when there was nothing."""
        try:
            self.requests.send(service, "DELETE", path, given_up=self.given_up if is_first else None)
        except RefusedError as exc:
            if exc.status_code != NOT_FOUND:
                raise
            return False
        return True

    def delete_in_cinder(self, kind: Kind, id: str, is_first: bool = True) -> Deleted:
        """The same for a snapshot or backup. Cinder refuses to delete what is being deleted, which is no failure."""
        try:
            found = self.delete("block_storage", f"/{kind.plural}/{id}", is_first)
        except RefusedError as exc:
            if exc.status_code not in (BAD_REQUEST, CONFLICT):
                raise
            copy = volume_copy(self.requests, kind, id)
            if copy is not None and copy.status != DELETING:
                raise
            return Deleted.NOTHING if copy is None else Deleted.BY_OTHERS
        return Deleted.ASKED_FOR if found else Deleted.NOTHING

    def gone(self, item: Item) -> None:
        """It is not there any more: by this call, or before the first request of this call could be carried out."""
        outcome = ALREADY if item.outcome == ALREADY or item.attempts == 0 or item.refused else DONE
        item.settle(outcome, item.resource.why)

    def extras(self) -> dict[str, t.Any]:
        return {"kept": self.kept}

    def stage(self, item: Item) -> str:
        return "being deleted"
