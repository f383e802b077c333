# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that are brought into a state: what starting, stopping, rebooting, shelving and unshelving have in common."""

from __future__ import annotations

import dataclasses
import typing as t
from dataclasses import dataclass

from ...api.cloud_requests import CloudRequests, UnreadableError
from ...api.fields import Fields, readable
from ...engine.action import MISSES_ALLOWED, Action
from ...engine.item import ALREADY, DONE, FAILED, Item, State
from ...engine.reason import Code, Reason
from ...resources.selection import Criteria, Server, servers_detail

ACTIVE, ERROR = "ACTIVE", "ERROR"
#: Nova makes an image of the server, which leaves it in the status that it has.
IMAGE_TASKS = frozenset(
    {"image_snapshot", "image_snapshot_pending", "image_pending_upload", "image_uploading", "image_backup"}
)


@dataclass(frozen=True)
class SeenServer(Server):
    """A server as a listing has it just now."""

    #: When anything of it changed last, to the second.
    updated_at: str = ""
    #: What Nova says of a server in ERROR.
    fault: str = ""

    @classmethod
    def from_body(cls, body: dict[str, t.Any]) -> SeenServer:
        fields = Fields("compute", "server", body)
        fault = " ".join(fields.inner("fault").text("message").split())
        server = t.cast(SeenServer, super().from_body(body))
        return dataclasses.replace(server, updated_at=fields.text("updated"), fault=fault)

    @property
    def idle(self) -> bool:
        """Whether Nova does nothing with it that leads to another status."""
        return not self.task_state or self.task_state in IMAGE_TASKS


class ServerState(Action):
    """Brings each server into a state, unless it is there or on the way."""

    resources = "servers"
    awaited = "the servers"
    requests_each: t.Mapping[t.Any, int] = {"compute": 1}
    looks_at = ("compute",)
    #: What Nova is asked for.
    request: t.Mapping[str, t.Any]
    #: The statuses of servers that are there.
    statuses: t.AbstractSet[str]
    #: Nova's tasks that lead there.
    tasks: t.AbstractSet[str]
    #: A server in another status is refused by Nova, as far as can be told without asking.
    possible_in: t.AbstractSet[str]

    def __init__(self, requests: CloudRequests, criteria: Criteria) -> None:
        super().__init__(requests)
        self._criteria = criteria
        #: What each server that is under way was seen to do last.
        self._stages: dict[str, str] = {}

    def reached(self, server: SeenServer) -> bool:
        """Whether the server is in the state."""
        return server.status in self.statuses and server.idle

    def on_the_way(self, server: SeenServer) -> bool:
        """Whether Nova is bringing it there."""
        return server.task_state in self.tasks

    def is_there(self, server: SeenServer) -> bool:
        """Whether nothing is to be done, before anything is."""
        return self.reached(server)

    def found(self, item: Item, server: SeenServer) -> bool:
        """Whether Nova carried out what got no answer, or refused it as it was carried out before."""
        return self.on_the_way(server) or self.reached(server)

    def plan(self) -> list[Item]:
        listing = servers_detail(self.requests, bool(self._criteria.tags))
        unreadable: dict[str, UnreadableError] = {}
        servers = list(readable(listing, SeenServer.from_body, unreadable))
        selection = self._criteria.at(self.requests.cloud_clock).select(servers, "server", unreadable)
        return self.unresolved(selection.unresolved) + [self._item(server) for server in selection.resources]

    def _item(self, server: SeenServer) -> Item:
        item = Item(id=server.id, name=server.name, action=self.name, resource=server)
        if self.on_the_way(server):
            item.accept(ALREADY)
        elif self.is_there(server):
            item.settle(ALREADY)
        else:
            item.why = self._likely_refusal(server)
        return item

    def _likely_refusal(self, server: SeenServer) -> Reason | None:
        if server.task_state:
            return Reason(Code.BUSY, f"Nova may refuse it while the server is busy with {server.task_state}")
        if server.status not in self.possible_in:
            text = f"Nova may refuse it, as the server is in status {server.status}"
            return Reason(Code.UNSUITABLE_STATUS, text)
        return None

    def ask(self, item: Item) -> None:
        self.ask_nova(item, self.request, self.given_up)
        self.accept(item, DONE)

    def ask_nova(
        self, item: Item, request: t.Mapping[str, t.Any], given_up: t.Callable[[], bool] | None = None
    ) -> None:
        self.requests.post("compute", f"/servers/{item.id}/action", dict(request), given_up=given_up)

    def write_metadata(
        self, item: Item, metadata: t.Mapping[str, str], given_up: t.Callable[[], bool] | None = None
    ) -> None:
        """Add to the server's metadata."""
        self.requests.post("compute", f"/servers/{item.id}/metadata", {"metadata": metadata}, given_up=given_up)

    def accept(self, item: Item, outcome: str) -> None:
        """Nova carries it out."""
        item.why, item.misses = None, 0
        item.accept(outcome)

    def look(self, items: list[Item]) -> None:
        unseen = {item.id: item for item in items}
        for body in servers_detail(self.requests):
            if item := unseen.pop(body["id"], None):
                try:
                    self._see(item, SeenServer.from_body(body))
                except UnreadableError as exc:
                    item.settle(FAILED, Reason(Code.UNREADABLE, str(exc)))
                if not unseen:
                    break
        for item in unseen.values():
            if item.in_progress:
                item.miss(MISSES_ALLOWED, Reason(Code.DISAPPEARED, "the server does not exist any more"))

    def _see(self, item: Item, server: SeenServer) -> None:
        """Take in what a listing says of the server."""
        if item.state is State.UNSURE:
            if not self.found(item, server):
                return
            self.accept(item, ALREADY if refused_at_once(item) else DONE)
        self._stages[item.id] = f"busy with {server.task_state}" if server.task_state else f"in status {server.status}"
        self.watch(item, server)

    def watch(self, item: Item, server: SeenServer) -> None:
        """Settle it when it has come to an end."""
        if self.reached(server):
            item.settle(item.outcome, item.why)
        elif not server.idle:
            item.misses = 0
        elif server.status == ERROR != item.resource.status:
            item.settle(FAILED, Reason(Code.ERROR_STATUS, f"the server went into status {_spoken(server)}"))
        else:
            # Nova says nothing when it drops something.
            text = f"Nova dropped the {self.name}: the server is in status {_spoken(server)}"
            item.miss(MISSES_ALLOWED, Reason(Code.DROPPED, text))

    def stage(self, item: Item) -> str:
        return self._stages.get(item.id, "under way")


def refused_at_once(item: Item) -> bool:
    """Whether what the item waits for was asked for by somebody else, or by an earlier call."""
    return item.refused and item.attempts == 1


def _spoken(server: SeenServer) -> str:
    return f"{server.status}: {server.fault}" if server.fault else server.status
