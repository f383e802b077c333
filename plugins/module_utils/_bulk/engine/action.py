# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bulk run needs to know of an action: which items there are, how one is asked for, what became of them."""

from __future__ import annotations

import abc
import typing as t

from ..api.cloud_requests import CloudRequests, Service, UnreadableError
from ..resources.quotas import Quota
from .item import FAILED, IMAGE, Item
from .reason import Code, Reason

#: What has just been made may be absent from listings that come from a late database replica.
MISSES_ALLOWED = 2


class Action(abc.ABC):
    """One kind of action on one kind of resource. The run says when, this says how."""

    #: As results have it, such as ``snapshot``.
    name: str
    #: What it acts on, as messages have it, such as ``servers``.
    resources: str
    #: What of an item is waited for, as progress has it, such as ``the images``.
    awaited: str
    #: The services that one item costs a request, each as often.
    requests_each: t.Mapping[Service, int]
    #: The services that a look asks for a listing.
    looks_at: t.Sequence[Service]

    def __init__(self, requests: CloudRequests) -> None:
        self.requests = requests
        #: Set by the run: whether what was not sent yet is not wanted any more.
        self.given_up: t.Callable[[], bool] = lambda: False
        #: Set by the run: whether not even what is being sent is to be sent to its end.
        self.abandoned: t.Callable[[], bool] = lambda: False

    @abc.abstractmethod
    def plan(self) -> list[Item]:
        """Every item that the call is about: those that are there already accepted, those that cannot be settled."""

    @abc.abstractmethod
    def ask(self, item: Item) -> None:
        """Send what the item takes, and accept it; several threads do this at a time."""

    @abc.abstractmethod
    def look(self, items: list[Item]) -> None:
        """Settle those of the items that have come to an end, and accept those in doubt that are found; one listing."""

    def stage(self, item: Item) -> str:
        """What an item that is under way is still waiting for."""
        first_status = "queued" if any(created.type == IMAGE for created in item.created) else "creating"
        statuses = {created.status for created in item.created if created.status} or {first_status}
        return ", ".join(sorted(statuses))

    @property
    def nothing(self) -> str:
        """What to say when there is no item."""
        return f"None of the project's {self.resources} is selected: nothing was done."

    def requests_of(self, items: list[Item]) -> dict[str, int]:
        """How many requests it takes to ask for these, by service."""
        return {service: each * len(items) for service, each in self.requests_each.items()}

    def extras(self) -> dict[str, t.Any]:
        """What its task returns besides what all return."""
        return {}

    def quotas(self, items: list[Item]) -> list[Quota]:
        """The quotas that these items count for."""
        return []

    def fail_unreadable(self, awaited: dict[str, Item], unreadable: t.Mapping[str, UnreadableError]) -> None:
        """Settle those that wait for what a listing has, but in a way that cannot be understood; all by its id."""
        for id in awaited.keys() & unreadable.keys():
            awaited.pop(id).settle(FAILED, Reason(Code.UNREADABLE, str(unreadable[id])))

    def unresolved(self, reasons: t.Mapping[str, Reason]) -> list[Item]:
        """Names that lead to no resource are failures, each under its name."""
        items = [Item(id="", name=name, action=self.name) for name in reasons]
        for item in items:
            item.settle(FAILED, reasons[item.name])
        return items
