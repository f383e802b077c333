# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shelving servers, and unshelving those that a run has shelved."""

from __future__ import annotations

import dataclasses
import typing as t

from ..api.client import Client
from ..model.errors import RefusedError
from ..model.item import DONE, Item
from ..resources.labels import RESERVED, check_run
from ..resources.selection import Criteria
from ..resources.servers import Server
from .common.server_status import ACTIVE, ERROR, ServerStatus

#: Metadata of a server: the run that shelved it last.
SHELVED_BY = f"{RESERVED}shelved"
SHELVED, OFFLOADED = "SHELVED", "SHELVED_OFFLOADED"
SHELVING_TASKS = frozenset(
    {"shelving", "shelving_image_pending_upload", "shelving_image_uploading", "shelving_offloading"}
)


class ServerShelve(ServerStatus):
    """Shelves each server, after labelling it with the run: a shelved one takes no metadata."""

    name = "shelve"
    past = "shelved"
    request = {"shelve": None}
    #: Some clouds offload at once, all do so where the server was booted from a volume.
    statuses = frozenset({SHELVED, OFFLOADED})
    tasks = SHELVING_TASKS
    possible_in = frozenset({ACTIVE, "SHUTOFF", "PAUSED", "SUSPENDED"})

    def __init__(self, client: Client, criteria: Criteria, run: str | None) -> None:
        """Without a run, servers get no label."""
        super().__init__(client, criteria)
        self._run = check_run(run) if run else None
        self.requests_each = {"compute": 2 if run else 1}

    def submit(self, item: Item[Server]) -> None:
        if self._run and item.resource.metadata.get(SHELVED_BY) != self._run:
            self.write_metadata(item, {SHELVED_BY: self._run}, starts_item=True)
        super().submit(item)


class ServerOffload(ServerShelve):
    """Shelves each server, and then takes it off its hypervisor where the cloud does not do so itself."""

    name = "offload"
    past = "offloaded"
    statuses = frozenset({OFFLOADED})
    possible_in = ServerShelve.possible_in | {SHELVED}

    def __init__(self, client: Client, criteria: Criteria, run: str | None) -> None:
        super().__init__(client, criteria, run)
        self.requests_each = {"compute": self.requests_each["compute"] + 1}

    def is_carried_out(self, item: Item[Server], server: Server) -> bool:
        return super().is_carried_out(item, server) or _is_newly_shelved(item, server)

    def accept(self, item: Item[Server], outcome: str) -> None:
        super().accept(item, outcome)
        if item.resource.status != SHELVED:
            item.accept_part(outcome)

    def submit(self, item: Item[Server]) -> None:
        if item.resource.status == SHELVED:
            self._offload(item)
        else:
            super().submit(item)

    def _offload(self, item: Item[Server]) -> None:
        try:
            self.post_action(item, {"shelveOffload": None})
        except RefusedError as exc:
            raise RefusedError(f"it is shelved, but not offloaded: {exc}", exc.status_code) from None
        self.accept(item, DONE)

    def settle_if_ended(self, item: Item[Server], server: Server) -> None:
        if _is_newly_shelved(item, server):
            # What is left is another request, which a worker sends.
            item.resume(server)
        else:
            super().settle_if_ended(item, server)


def _is_newly_shelved(item: Item[Server], server: Server) -> bool:
    """Since it was last submitted."""
    return server.status == SHELVED != item.resource.status and server.idle


class ServerUnshelve(ServerStatus):
    """Brings shelved servers back: those that a run has shelved, or all."""

    name = "unshelve"
    past = "unshelved"
    request = {"unshelve": None}
    tasks = frozenset({"unshelving", "spawning", "powering-on"})
    possible_in = frozenset({SHELVED, OFFLOADED})

    def __init__(self, client: Client, criteria: Criteria, run: str | None) -> None:
        if run:
            metadata: dict[str, t.Any] = {**criteria.metadata, SHELVED_BY: check_run(run)}
            criteria = dataclasses.replace(criteria, metadata=metadata)
        super().__init__(client, criteria)

    def is_done(self, server: Server) -> bool:
        """Whatever else a server does that is not shelved, or about to be."""
        return server.status not in {SHELVED, OFFLOADED, ERROR} and server.task_state not in SHELVING_TASKS
