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

from ..api.client import BAD_REQUEST, NOT_FOUND, Client
from ..api.cloud_clock import CloudClockError
from ..api.services import Service
from ..model.action import Action
from ..model.errors import CONFLICT, CloudError, RefusedError, UnreadableError
from ..model.item import ALREADY, DONE, SKIPPED, Item
from ..model.reason import Code, Reason
from ..resources.volume_copies import DELETING, Kind, volume_copy
from .rules import Condition, Copy, Keep, Sources, Verdict, judge, of_whole_servers

#: For so many seconds the newest good copy counts as present once it was seen, so that several deletions of one source
#: at a high rate do not cost a request each. A deletion that waits longer for the rate limit is sent without another
#: one, as that would have to wait as well.
SEEN_FOR = 1.0


class Deleted(enum.Enum):
    """The result of a request for a deletion."""

    REQUESTED = enum.auto()
    #: Somebody else requested it before.
    BY_OTHERS = enum.auto()
    #: There was nothing to delete.
    NOTHING = enum.auto()


@dataclass
class Deletion:
    """What an item of a retention run is about."""

    copy: Copy
    reason: Reason
    #: What must be there for the copy to go.
    newest_good: Copy | None
    #: Whether a part of it is gone or going already, so that what is left is of no use.
    begun: bool = False
    #: Of an image: the volume snapshots that go before it.
    snapshot_ids: list[str] = field(default_factory=list)
    #: Of a backup: those that build on it and go before it.
    children: list[Item[Deletion]] = field(default_factory=list)


class Retention(Action[Deletion], abc.ABC):
    """Deletes the copies that have expired."""

    name = "delete"
    past = "deleted"
    awaited = "the deletions"
    #: The service that lists the copies, and says when each was made.
    listed_by: Service
    nothing_selected = "No copy has expired: nothing was deleted."

    def __init__(self, client: Client, keep: Keep, sources: Sources) -> None:
        self.client = client
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
    def request_deletion(self, item: Item[Deletion]) -> None:
        """Request the deletion of a copy that may go."""

    def plan(self) -> list[Item[Deletion]]:
        copies = self.copies()
        groups = self._sources.select(copies)
        self._spared = of_whole_servers(self._sources.counting(copies))
        verdicts = self._judge(groups)
        if self._keep.days is not None and not all(verdict.keep_reason for verdict in verdicts):
            # The clock that these ages were measured with may be wrong.
            self.check_other_clocks()
            self._confirmed_now()
            verdicts = self._judge(groups)
        items = self.items(verdicts)
        going = sum(item.outcome != SKIPPED for item in items)
        self.kept = sum(len(copies) for copies in groups.values()) - going
        return [*(self._without_copies(wanted) for wanted in self._sources.unknown(groups)), *items]

    def _judge(self, groups: t.Mapping[tuple[str, ...], list[Copy]]) -> list[Verdict]:
        moment = None if self._keep.days is None else self._now(self.client.cloud_clock.now)
        latest = self.client.cloud_clock.latest(self.listed_by)
        return [
            verdict for copies in groups.values() for verdict in judge(copies, self._keep, moment, latest, self._spared)
        ]

    def _confirmed_now(self) -> datetime.datetime:
        return self._now(self.client.cloud_clock.confirmed_now)

    @staticmethod
    def _now(now: t.Callable[[], datetime.datetime]) -> datetime.datetime:
        """By the clocks of the services that have answered so far."""
        try:
            return now()
        except CloudClockError as exc:
            raise CloudError(f"Nothing was deleted, as keep_days cannot be used here: {exc}.") from None

    def check_other_clocks(self) -> None:
        """List whatever must be listed before anything is deleted, and read the clock of at least one more service."""
        self.client.read_second_clock()

    def requests_of(self, items: list[Item[Deletion]]) -> dict[str, int]:
        sources = len({item.resource.newest_good.id for item in items if item.resource.newest_good})
        return {service: count + sources for service, count in super().requests_of(items).items()}

    def submit(self, item: Item[Deletion]) -> None:
        """What was judged by a listing may be judged wrongly by now, as another run may work on the same copies."""
        newest_good = item.resource.newest_good
        if self._keep.days is not None and not item.resource.begun:
            try:
                # Another answer since may have had another time.
                self.client.cloud_clock.confirmed_now()
            except CloudClockError as exc:
                item.settle(SKIPPED, Reason(Code.AGE_UNCERTAIN, str(exc)))
                return
        if item.resource.begun or (newest_good is not None and self._is_still_good(newest_good)):
            try:
                self.request_deletion(item)
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
        """Look the newest good copy up before the next deletion: something is not as it was expected to be."""
        if copy is not None:
            self._seen_at.pop(copy.id, None)

    def _is_still_good(self, copy: Copy) -> bool:
        moment = self.client.budget.spent
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

    def items(self, verdicts: list[Verdict]) -> list[Item[Deletion]]:
        return [self.item(verdict) for verdict in verdicts]

    def item(self, verdict: Verdict) -> Item[Deletion]:
        copy = verdict.copy
        deletion = Deletion(copy, verdict.reason, verdict.newest_good)
        item = Item(copy.id, copy.name, self.name, deletion)
        item.reason = verdict.reason
        if verdict.keep_reason:
            item.settle(SKIPPED, verdict.keep_reason)
        elif copy.condition is Condition.DELETING:
            item.accept(ALREADY)
        return item

    def _without_copies(self, wanted: str) -> Item[Deletion]:
        item: Item[Deletion] = Item("", wanted, self.name)
        item.settle(SKIPPED, Reason(Code.NO_COPY, "no copy of it is selected"))
        return item

    def delete(self, service: Service, path: str, is_first: bool = True) -> bool:
        """Send one DELETE, the first one of an item unless the run is cancelled; False when there was nothing."""
        try:
            self.client.send(service, "DELETE", path, starts_item=is_first)
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
            copy = volume_copy(self.client, kind, id)
            if copy is not None and copy.status != DELETING:
                raise
            return Deleted.NOTHING if copy is None else Deleted.BY_OTHERS
        return Deleted.REQUESTED if found else Deleted.NOTHING

    def gone(self, item: Item[Deletion]) -> None:
        """It is gone: by this call, or before the first request of this call could be carried out."""
        outcome = ALREADY if item.outcome == ALREADY or item.attempts == 0 or item.refused else DONE
        item.settle(outcome, item.resource.reason)

    def extras(self) -> dict[str, t.Any]:
        return {"kept": self.kept}

    def stage(self, item: Item[Deletion]) -> str:
        return "being deleted"
