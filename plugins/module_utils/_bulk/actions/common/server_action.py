# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions of Nova on servers: one request each, whose effect the next listings show."""

from __future__ import annotations

import abc
import typing as t

from ...api.client import Client
from ...model.action import Action
from ...model.errors import UnreadableError
from ...model.item import ALREADY, DONE, FAILED, Item, State
from ...model.reason import Code, Reason
from ...resources.selection import Criteria
from ...resources.servers import Server, select_servers, servers_detail


class ServerAction(Action[Server], abc.ABC):
    """Sends Nova an action for each server that needs it."""

    resources = "servers"
    awaited = "the servers"
    requests_each: t.Mapping[str, int] = {"compute": 1}
    polled_services = ("compute",)
    #: The body of the request to Nova.
    request: t.Mapping[str, t.Any]

    def __init__(self, client: Client, criteria: Criteria) -> None:
        self.client = client
        self._criteria = criteria
        #: What each server in progress did when it was last polled.
        self._stages: dict[str, str] = {}

    @abc.abstractmethod
    def is_done(self, server: Server) -> bool:
        """Whether a listing shows the effect of the action."""

    @abc.abstractmethod
    def settle_if_ended(self, item: Item[Server], server: Server) -> None:
        """Settle an item in progress if it has ended."""

    def is_in_progress(self, server: Server) -> bool:
        """Whether Nova is carrying the action out."""
        return False

    def needs_nothing(self, server: Server) -> bool:
        """Whether no request is to be sent at all."""
        return self.is_done(server)

    def is_carried_out(self, item: Item[Server], server: Server) -> bool:
        """Whether Nova carries out what got no answer, or refused it as it was carried out before."""
        return self.is_in_progress(server) or self.is_done(server)

    def likely_refusal(self, server: Server) -> Reason | None:
        """Why Nova may refuse the action; None where nothing speaks against it."""
        return None

    def plan(self) -> list[Item[Server]]:
        selection = select_servers(self.client, self._criteria)
        return self.unresolved(selection.unresolved) + [self._item(server) for server in selection.resources]

    def _item(self, server: Server) -> Item[Server]:
        item = Item(server.id, server.name, self.name, server)
        if self.is_in_progress(server):
            item.accept(ALREADY)
        elif self.needs_nothing(server):
            item.settle(ALREADY)
        else:
            item.reason = self.likely_refusal(server)
        return item

    def submit(self, item: Item[Server]) -> None:
        self.post_action(item, self.request)
        self.accept(item, DONE)

    def post_action(self, item: Item[Server], action: t.Mapping[str, t.Any]) -> None:
        self.client.post("compute", f"/servers/{item.id}/action", dict(action), starts_item=True)

    def write_metadata(self, item: Item[Server], metadata: t.Mapping[str, str], starts_item: bool) -> None:
        """Add to the server's metadata."""
        path = f"/servers/{item.id}/metadata"
        self.client.post("compute", path, {"metadata": metadata}, starts_item=starts_item)

    def accept(self, item: Item[Server], outcome: str) -> None:
        """Nova carries it out."""
        item.reason = None
        item.seen()
        item.accept(outcome)

    def poll(self, items: list[Item[Server]]) -> None:
        missing = {item.id: item for item in items}
        for body in servers_detail(self.client):
            if item := missing.pop(body["id"], None):
                try:
                    self._update(item, Server.from_body(body))
                except UnreadableError as exc:
                    item.settle(FAILED, Reason(Code.UNREADABLE, str(exc)))
                if not missing:
                    break
        for item in missing.values():
            if item.in_progress:
                item.miss(Reason(Code.DISAPPEARED, "the server does not exist any more"))

    def _update(self, item: Item[Server], server: Server) -> None:
        """Update it from what a listing says of the server."""
        if item.state is State.UNCONFIRMED:
            if not self.is_carried_out(item, server):
                return
            self.accept(item, ALREADY if item.was_busy_before else DONE)
        self._stages[item.id] = f"busy with {server.task_state}" if server.task_state else f"in status {server.status}"
        self.settle_if_ended(item, server)

    def stage(self, item: Item[Server]) -> str:
        return self._stages.get(item.id, "under way")
