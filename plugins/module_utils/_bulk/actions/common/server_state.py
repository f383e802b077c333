# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing servers into a state: what starting, stopping, rebooting, shelving and unshelving have in common."""

from __future__ import annotations

import typing as t

from ...api.client import Client
from ...model.action import Action
from ...model.errors import UnreadableError
from ...model.item import ALREADY, DONE, FAILED, Item, State
from ...model.reason import Code, Reason
from ...resources.selection import Criteria
from ...resources.servers import Server, select_servers, servers_detail
from .likely_refusal import likely_refusal

ACTIVE, ERROR = "ACTIVE", "ERROR"


class ServerState(Action[Server]):
    """Brings each server into a state, unless it is there or on the way."""

    resources = "servers"
    awaited = "the servers"
    requests_each: t.Mapping[str, int] = {"compute": 1}
    polled_services = ("compute",)
    #: The body of the request to Nova.
    request: t.Mapping[str, t.Any]
    #: The statuses of servers that are there.
    statuses: t.AbstractSet[str]
    #: Nova's tasks that lead there.
    tasks: t.AbstractSet[str]
    #: A server in another status is refused by Nova, as far as this is known before the request.
    possible_in: t.AbstractSet[str]

    def __init__(self, client: Client, criteria: Criteria) -> None:
        self.client = client
        self._criteria = criteria
        #: What each server in progress did when it was last polled.
        self._stages: dict[str, str] = {}

    def reached(self, server: Server) -> bool:
        """Whether the server is in the state."""
        return server.status in self.statuses and server.idle

    def on_the_way(self, server: Server) -> bool:
        """Whether Nova is bringing it there."""
        return server.task_state in self.tasks

    def is_there(self, server: Server) -> bool:
        """Whether nothing is to be done, before the first request."""
        return self.reached(server)

    def found(self, item: Item[Server], server: Server) -> bool:
        """Whether Nova carries out what got no answer, or refused it as it was carried out before."""
        return self.on_the_way(server) or self.reached(server)

    def plan(self) -> list[Item[Server]]:
        selection = select_servers(self.client, self._criteria)
        return self.unresolved(selection.unresolved) + [self._item(server) for server in selection.resources]

    def _item(self, server: Server) -> Item[Server]:
        item = Item(server.id, server.name, self.name, server)
        if self.on_the_way(server):
            item.accept(ALREADY)
        elif self.is_there(server):
            item.settle(ALREADY)
        else:
            item.reason = likely_refusal(server, self.possible_in)
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
            if not self.found(item, server):
                return
            self.accept(item, ALREADY if item.was_busy_before else DONE)
        self._stages[item.id] = f"busy with {server.task_state}" if server.task_state else f"in status {server.status}"
        self.settle_if_ended(item, server)

    def settle_if_ended(self, item: Item[Server], server: Server) -> None:
        """Settle it if it has ended."""
        if self.reached(server):
            item.settle(item.outcome, item.reason)
        elif not server.idle:
            item.seen()
        elif server.status == ERROR != item.resource.status:
            item.settle(FAILED, Reason(Code.ERROR_STATUS, f"the server went into status {_described(server)}"))
        else:
            # Nova says nothing when it drops something.
            text = f"Nova dropped the {self.name}: the server is in status {_described(server)}"
            item.miss(Reason(Code.DROPPED, text))

    def stage(self, item: Item[Server]) -> str:
        return self._stages.get(item.id, "under way")


def _described(server: Server) -> str:
    return f"{server.status}: {server.fault}" if server.fault else server.status
