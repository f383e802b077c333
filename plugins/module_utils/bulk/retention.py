# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deleting the old copies that runs made: what copies of every kind have in common."""

from __future__ import annotations

import abc
import typing as t
from dataclasses import dataclass, field

from ..session.clock import now
from .action import Action
from .cloud_requests import NOT_FOUND, CloudRequests, RefusedError, Service
from .item import ALREADY, DONE, SKIPPED, Item
from .reason import Code, Reason
from .retention_rules import Condition, Copy, Keep, Sources, Verdict, judge


@dataclass
class Deletion:
    """What an item is about."""

    copy: Copy
    why: Reason
    #: Of an image: the volume snapshots that go before it.
    snapshot_ids: list[str] = field(default_factory=list)
    #: Of a backup: those that build on it and go before it.
    children: list[Item] = field(default_factory=list)


class Retention(Action, abc.ABC):
    """Deletes the copies that have had their time."""

    name = "delete"
    awaited = "the deletions"
    nothing = "No copy has had its time: nothing is deleted."

    def __init__(self, requests: CloudRequests, keep: Keep, sources: Sources) -> None:
        super().__init__(requests)
        self._keep = keep
        self._sources = sources
        #: How many of the selected copies stay.
        self.kept = 0

    @abc.abstractmethod
    def copies(self) -> list[Copy]:
        """Every copy in the project that a run made, and no other."""

    def plan(self) -> list[Item]:
        moment = now()
        groups = self._sources.select(self.copies())
        verdicts = [verdict for copies in groups.values() for verdict in judge(copies, self._keep, moment)]
        items = self.items(verdicts)
        going = sum(item.outcome != SKIPPED for item in items)
        self.kept = sum(len(copies) for copies in groups.values()) - going
        return [*(self._without_copies(wanted) for wanted in self._sources.unknown(groups)), *items]

    def items(self, verdicts: list[Verdict]) -> list[Item]:
        return [self.item(verdict) for verdict in verdicts]

    def item(self, verdict: Verdict) -> Item:
        copy = verdict.copy
        item = Item(id=copy.id, name=copy.name, action=self.name, resource=Deletion(copy, verdict.why))
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

    def gone(self, item: Item) -> None:
        """It is not there any more: by this call, or before the first request of this call could be carried out."""
        outcome = ALREADY if item.outcome == ALREADY or item.attempts == 0 or item.refused else DONE
        item.settle(outcome, item.resource.why)

    def extras(self) -> dict[str, t.Any]:
        return {"kept": self.kept}

    def stage(self, item: Item) -> str:
        return "being deleted"
