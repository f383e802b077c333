# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions that bring a server into a status: starting, stopping, rebooting, shelving and unshelving."""

from __future__ import annotations

import typing as t

from ...model.item import FAILED, Item
from ...model.reason import Code, Reason
from ...resources.servers import Server
from .likely_refusal import likely_refusal
from .server_action import ServerAction

ACTIVE, ERROR = "ACTIVE", "ERROR"


class ServerStatus(ServerAction):
    #: The statuses that the action leads to.
    statuses: t.AbstractSet[str] = frozenset()
    #: Nova's tasks that lead there.
    tasks: t.AbstractSet[str] = frozenset()
    #: The statuses in which Nova allows the action, as far as this is known before the request.
    possible_in: t.AbstractSet[str] = frozenset()

    def is_done(self, server: Server) -> bool:
        return server.status in self.statuses and server.idle

    def is_in_progress(self, server: Server) -> bool:
        return server.task_state in self.tasks

    def likely_refusal(self, server: Server) -> Reason | None:
        return likely_refusal(server, self.possible_in)

    def settle_if_ended(self, item: Item[Server], server: Server) -> None:
        if self.is_done(server):
            item.settle(item.outcome, item.reason)
        elif not server.idle:
            item.seen()
        elif server.status == ERROR != item.resource.status:
            item.settle(FAILED, Reason(Code.ERROR_STATUS, f"the server went into status {_described(server)}"))
        else:
            # Nova says nothing when it drops something.
            text = f"Nova dropped the {self.name}: the server is in status {_described(server)}"
            item.miss(Reason(Code.DROPPED, text))


def _described(server: Server) -> str:
    return f"{server.status}: {server.fault}" if server.fault else server.status
