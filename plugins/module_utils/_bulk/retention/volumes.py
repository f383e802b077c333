# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deleting the old snapshots and backups that runs made of volumes.

Cinder refuses to delete a backup on which incremental ones build. It does not say which those are: they are the
incremental backups after it, up to the next full one. So whatever a backup that stays may build on stays as well, and
the others go from the newest to the oldest, each when Cinder says that nothing builds on it any more.
"""

from __future__ import annotations

import functools
import typing as t

from ..._session.util.clock import parse
from ..api.client import Client
from ..model.item import ALREADY, BLOCKED, DONE, FAILED, Item, State
from ..model.reason import Code, Reason
from ..resources.labels import RUN, SERVER_ID, SERVER_NAME, VOLUME_NAME
from ..resources.volume_copies import (
    BACKUPS,
    DELETING,
    IN_PROGRESS,
    SNAPSHOTS,
    USABLE,
    Kind,
    VolumeCopy,
    is_ours,
    kind_of_backups,
    volume_copies,
    volume_copy,
)
from .base import Deleted, Deletion, Retention
from .rules import Condition, Copy, Keep, Sources, Verdict

AVAILABLE, ERROR_DELETING = "available", "error_deleting"
CONDITIONS = {
    **dict.fromkeys(USABLE, Condition.GOOD),
    **dict.fromkeys(IN_PROGRESS, Condition.IN_PROGRESS),
    **dict.fromkeys(("error", ERROR_DELETING), Condition.FAILED),
    DELETING: Condition.DELETING,
}


class VolumeRetention(Retention):
    listed_by = "block_storage"
    requests_each: t.Mapping[str, int] = {"block_storage": 1}
    polled_services = ("block_storage",)

    def __init__(self, client: Client, keep: Keep, sources: Sources, kind: Kind) -> None:
        super().__init__(client, keep, sources)
        self.resources = f"{kind.display_name}s"
        self._wanted = kind
        #: Everything that is there: what somebody else made may build on what a run made.
        self._present: list[VolumeCopy] = []

    @functools.cached_property
    def _kind(self) -> Kind:
        """As this cloud has it."""
        return kind_of_backups(self.client) if self._wanted is BACKUPS else self._wanted

    def copies(self) -> list[Copy]:
        # By id, as a list whose pages shift while they are read has something twice.
        self._present = list({copy.id: copy for copy in volume_copies(self.client, self._kind)}.values())
        return [_copy(copy) for copy in self._present if is_ours(copy)]

    def items(self, verdicts: list[Verdict]) -> list[Item[Deletion]]:
        going = {verdict.copy.id for verdict in verdicts if not verdict.keep_reason}
        spared, children = self._families(going) if self._kind is not SNAPSHOTS else (set(), {})
        items = {verdict.copy.id: self.item(verdict) for verdict in verdicts if verdict.copy.id not in spared}
        for parent_id, child_ids in children.items():
            parent = items[parent_id]
            parent.resource.children = [items[id] for id in child_ids if id in items]
            parent.block()
        return list(items.values())

    def _families(self, going: t.Collection[str]) -> tuple[set[str], dict[str, list[str]]]:
        """Of the backups that something builds on: those that stay, and what goes before each of the others."""
        spared: set[str] = set()
        children: dict[str, list[str]] = {}
        for chain in self._chains():
            newer: list[str] = []
            is_needed = False
            for backup in chain:
                goes = backup.id in going or backup.status == DELETING
                if goes and backup.has_dependents and backup.status != DELETING:
                    # Where nothing newer is known, what builds on it is not known either.
                    if is_needed or not newer:
                        spared.add(backup.id)
                        goes = False
                    else:
                        children[backup.id] = list(newer)
                is_needed = is_needed or not goes
                newer.append(backup.id)
        return spared, children

    def _chains(self) -> t.Iterator[list[VolumeCopy]]:
        """The backups that may build on each other, the newest first, the full one last."""
        chains: dict[str, list[VolumeCopy]] = {}
        for backup in sorted(self._present, key=lambda backup: (backup.created_at, backup.id), reverse=True):
            chain = chains.setdefault(backup.volume_id, [])
            chain.append(backup)
            if not backup.is_incremental:
                yield chains.pop(backup.volume_id)
        yield from chains.values()

    def look_up(self, copy: Copy) -> Copy | None:
        seen = volume_copy(self.client, self._kind, copy.id)
        return _copy(seen) if seen is not None and is_ours(seen) else None

    def request_deletion(self, item: Item[Deletion]) -> None:
        deleted = self.delete_in_cinder(self._kind, item.id)
        if deleted is Deleted.REQUESTED:
            item.accept(DONE)
        elif deleted is Deleted.BY_OTHERS:
            # By this call, where its first request got no answer.
            item.accept(DONE if item.attempts > 1 else ALREADY)
        else:
            item.settle(DONE if item.attempts > 1 else ALREADY, item.resource.reason)

    def poll(self, items: list[Item[Deletion]]) -> None:
        present = {copy.id: copy for copy in volume_copies(self.client, self._kind)}
        # The children of a backup are newer than it is.
        for item in sorted(items, key=lambda item: item.resource.copy.created_at, reverse=True):
            copy = present.get(item.id)
            if copy is None:
                self.gone(item)
            elif item.state is State.BLOCKED:
                self._release(item, copy)
            elif copy.status == DELETING:
                item.seen()
                if item.state is State.UNCONFIRMED:
                    item.accept(ALREADY if item.was_busy_before else DONE)
            elif item.state is State.IN_PROGRESS:
                self._see_left(item, copy)

    def _release(self, item: Item[Deletion], backup: VolumeCopy) -> None:
        """Have a backup submitted when nothing builds on it any more."""
        if not backup.has_dependents:
            item.resume()
        elif all(child.settled for child in item.resource.children):
            item.miss(Reason(Code.DEPENDENTS, "a backup that builds on it is still there"), BLOCKED)

    def _see_left(self, item: Item[Deletion], copy: VolumeCopy) -> None:
        """Note that a copy that was to be deleted still exists, and is not being deleted."""
        if copy.status == ERROR_DELETING:
            cause = f": {copy.fail_reason}" if copy.fail_reason else ""
            text = f"Cinder could not delete it, it is in status {copy.status}{cause}"
            item.settle(FAILED, Reason(Code.NOT_DELETED, text))
        else:
            text = f"Cinder did not delete it, it is in status {copy.status} again"
            item.miss(Reason(Code.NOT_DELETED, text))

    def stage(self, item: Item[Deletion]) -> str:
        if item.state is State.BLOCKED:
            return "waiting for the backups that build on it to be deleted"
        return super().stage(item)


def _copy(copy: VolumeCopy) -> Copy:
    server_id = copy.metadata.get(SERVER_ID)
    name = copy.metadata.get(SERVER_NAME if server_id else VOLUME_NAME)
    in_use = copy.status in USABLE and copy.status != AVAILABLE
    return Copy(
        id=copy.id,
        name=copy.name,
        run=copy.metadata[RUN],
        source=(server_id, copy.volume_id) if server_id else (copy.volume_id,),
        source_name=name or server_id or copy.volume_id,
        created_at=parse(copy.created_at),
        status=copy.status,
        condition=CONDITIONS.get(copy.status, Condition.UNCLEAR),
        keep_reason=Reason(Code.IN_USE, f"it is in use, in status {copy.status}") if in_use else None,
    )
