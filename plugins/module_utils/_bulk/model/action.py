# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bulk run needs to know of an action: which items there are, how one is submitted, how those submitted end."""

from __future__ import annotations

import abc
import typing as t

from .errors import UnreadableError
from .item import FAILED, Item
from .quota import Quota
from .reason import Code, Reason

R = t.TypeVar("R")


class Action(abc.ABC, t.Generic[R]):
    """One kind of action on one kind of resource. The run says when, this says how."""

    #: As results have it, such as ``snapshot``.
    name: str
    #: The same of what is done, such as ``snapshotted``.
    past: str
    #: What it acts on, as messages have it, such as ``servers``.
    resources: str
    #: What of an item is waited for, as progress has it, such as ``the images``.
    awaited: str
    #: The services that one item costs a request, each as often.
    requests_each: t.Mapping[str, int]
    #: The services that a poll asks for a listing.
    polled_services: t.Sequence[str]

    @abc.abstractmethod
    def plan(self) -> list[Item[R]]:
        """Every item that the call is about: those that exist already accepted, those that cannot be done settled."""

    @abc.abstractmethod
    def submit(self, item: Item[R]) -> None:
        """Send the requests that the item takes, and accept it; several threads do this at a time.

        What it may raise, and what that means for the item, is in errors.py.
        """

    @abc.abstractmethod
    def poll(self, items: list[Item[R]]) -> None:
        """List once, settle the items that have ended, and accept the unconfirmed ones that the listing shows."""

    def stage(self, item: Item[R]) -> str:
        """What an item that is in progress is still waiting for."""
        statuses = {created.status for created in item.created if created.status} or {"creating"}
        return ", ".join(sorted(statuses))

    @property
    def nothing_selected(self) -> str:
        """What to say when there is no item."""
        return f"No {self.resources.removesuffix('s')} matches the selection, so nothing was done."

    def requests_of(self, items: list[Item[R]]) -> dict[str, int]:
        """How many requests it takes to submit these, by service."""
        return {service: each * len(items) for service, each in self.requests_each.items()}

    def extras(self) -> dict[str, t.Any]:
        """What its task returns besides what all return."""
        return {}

    def quotas(self, items: list[Item[R]]) -> list[Quota]:
        """The quotas that these items count for."""
        return []

    def fail_unreadable(self, awaited: dict[str, Item[R]], unreadable: t.Mapping[str, UnreadableError]) -> None:
        """Settle the items that wait for something whose listing cannot be understood; all by the id of that."""
        for id in awaited.keys() & unreadable.keys():
            awaited.pop(id).settle(FAILED, Reason(Code.UNREADABLE, str(unreadable[id])))

    def unresolved(self, reasons: t.Mapping[str, Reason]) -> list[Item[R]]:
        """Names that lead to no resource are failed items, each under its name."""
        items: list[Item[R]] = [Item("", name, self.name) for name in reasons]
        for item in items:
            item.settle(FAILED, reasons[item.name])
        return items
