# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting, stopping and rebooting servers."""

from __future__ import annotations

from ..._session.util.errors import OneTokenError
from ..api.client import Client
from ..model.item import MISSES_ALLOWED, Item
from ..model.reason import Code, Reason
from ..resources.labels import RESERVED, check_run
from ..resources.selection import Criteria
from ..resources.servers import Server
from .common.server_status import ACTIVE, ERROR, ServerStatus

#: Metadata of a server: the run that rebooted it last.
REBOOTED = f"{RESERVED}rebooted"
SOFT, HARD = "SOFT", "HARD"
HARD_REBOOT_TASKS = frozenset({"rebooting_hard", "reboot_pending_hard", "reboot_started_hard"})
#: A hard reboot does what a soft one does; the other way round it may be meant to end a soft one that hangs.
REBOOT_TASKS = {
    SOFT: HARD_REBOOT_TASKS | {"rebooting", "reboot_pending", "reboot_started"},
    HARD: HARD_REBOOT_TASKS,
}


class ServerStart(ServerStatus):
    name = "start"
    past = "started"
    request = {"os-start": None}
    statuses = frozenset({ACTIVE})
    tasks = REBOOT_TASKS[SOFT] | {"powering-on"}
    possible_in = frozenset({"SHUTOFF"})


class ServerStop(ServerStatus):
    name = "stop"
    past = "stopped"
    request = {"os-stop": None}
    statuses = frozenset({"SHUTOFF"})
    tasks = frozenset({"powering-off"})
    possible_in = frozenset({ACTIVE, ERROR})


class ServerReboot(ServerStatus):
    """Reboots each server, but not twice in a run; without a run, each call reboots."""

    name = "reboot"
    past = "rebooted"
    statuses = frozenset({ACTIVE})

    def __init__(self, client: Client, criteria: Criteria, reboot_type: str, run: str | None) -> None:
        super().__init__(client, criteria)
        self.request = {"reboot": {"type": reboot_type}}
        self.tasks = REBOOT_TASKS[reboot_type]
        self.possible_in = {ACTIVE, "SHUTOFF", "PAUSED", "SUSPENDED", ERROR} if reboot_type == HARD else {ACTIVE}
        self._run = check_run(run) if run else None
        self.requests_each = {"compute": 2 if run else 1}

    def needs_nothing(self, server: Server) -> bool:
        return bool(self._run) and server.metadata.get(REBOOTED) == self._run and server.status != ERROR

    def is_carried_out(self, item: Item[Server], server: Server) -> bool:
        rebooted = self.is_done(server) and _has_changed(item, server) and not item.was_busy_before
        return self.is_in_progress(server) or rebooted

    def accept(self, item: Item[Server], outcome: str) -> None:
        super().accept(item, outcome)
        if self._run:
            item.reason = self._label(item)

    def _label(self, item: Item[Server]) -> Reason | None:
        """Label the server with the run; why that failed, which makes the reboot no failure."""
        try:
            self.write_metadata(item, {REBOOTED: self._run or ""}, starts_item=False)
        except OneTokenError as exc:
            text = f"rebooted, but not labelled with the run, so its next call reboots it again: {exc}"
            return Reason(Code.NOT_LABELLED, text)
        return None

    def settle_if_ended(self, item: Item[Server], server: Server) -> None:
        # A server that has not begun and one that has finished differ in the moment of the last change only.
        if self.is_done(server) and not _has_changed(item, server) and item.misses < MISSES_ALLOWED:
            item.misses += 1
        else:
            super().settle_if_ended(item, server)


def _has_changed(item: Item[Server], server: Server) -> bool:
    """Since before it was submitted. Nova gives the second: what happens within one looks as if nothing had."""
    return server.updated_at != item.resource.updated_at
