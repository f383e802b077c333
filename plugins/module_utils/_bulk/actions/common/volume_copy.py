# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Cinder makes of volumes: what snapshots and backups have in common."""

from __future__ import annotations

import abc
import dataclasses
import typing as t
from dataclasses import dataclass

from ...api.cloud_requests import CloudRequests, UnreadableError
from ...engine.action import Action
from ...engine.item import ALREADY, DONE, Created, Item, State
from ...engine.reason import Code, Reason
from ...resources.labels import RUN, VOLUME_ID, Marks
from ...resources.selection import AVAILABLE, IN_USE, Criteria, Resource, Volume, select_servers, select_volumes
from ...resources.volume_copies import IN_PROGRESS, USABLE, Kind, VolumeCopy, see_volume_copies, volume_copies


@dataclass(frozen=True)
class AttachedTo(Criteria):
    """Volumes that are attached to one of these servers, and match the other criteria."""

    server_ids: t.Collection[str] = ()

    def match(self, resource: Resource) -> bool:
        attached = isinstance(resource, Volume) and any(id in self.server_ids for id in resource.server_ids)
        return attached and super().match(resource)


class VolumeCopyAction(Action, abc.ABC):
    """Makes one copy of each volume that has none of the run yet."""

    resources = "volumes"
    requests_each: t.Mapping[t.Any, int] = {"block_storage": 1}
    looks_at = ("block_storage",)

    def __init__(
        self, requests: CloudRequests, criteria: Criteria, servers: t.Sequence[str] | None, marks: Marks, force: bool
    ) -> None:
        super().__init__(requests)
        self._criteria = criteria
        self._servers = servers
        self._marks = marks
        self._force = force

    @property
    @abc.abstractmethod
    def kind(self) -> Kind:
        """What is made, as this cloud has it."""

    @abc.abstractmethod
    def create(self, volume: Volume, name: str, marks: t.Mapping[str, str]) -> str:
        """Ask Cinder for it; the id of what it begins to make."""

    def plan(self) -> list[Item]:
        criteria, items = self._criteria, []
        if self._servers is not None:
            servers = select_servers(self.requests, Criteria(names=self._servers))
            items = self.unresolved(servers.unresolved)
            criteria = AttachedTo(**vars(criteria), server_ids={server.id for server in servers.resources})
        selection = select_volumes(self.requests, criteria)
        items += self.unresolved(selection.unresolved)
        if selection.resources:
            copies = self._of_run(volume_copies(self.requests, self.kind, {}))
            items += [self._item(_named(volume), copies.get(volume.id)) for volume in selection.resources]
        return items

    def _of_run(self, copies: t.Iterable[VolumeCopy]) -> dict[str, VolumeCopy]:
        """The copy of each volume among those of the run: a complete one if there is any, else the newest."""
        found: dict[str, VolumeCopy] = {}
        for copy in copies:
            marks = copy.metadata
            if copy.usable and marks.get(RUN) == self._marks.run and marks.get(VOLUME_ID) == copy.volume_id:
                known = found.setdefault(copy.volume_id, copy)
                if known.status in IN_PROGRESS and copy.status not in IN_PROGRESS:
                    found[copy.volume_id] = copy
        return found

    def _item(self, volume: Volume, copy: VolumeCopy | None) -> Item:
        item = Item(id=volume.id, name=volume.name, action=self.name, resource=volume)
        if copy is not None:
            item.accept(ALREADY, _created(self.kind, copy))
            self._settle_if_complete(item)
        else:
            item.created = [Created(self.kind.type, name=self._marks.name_of(volume))]
            item.why = self._likely_refusal(volume)
        return item

    def _likely_refusal(self, volume: Volume) -> Reason | None:
        if volume.status in ({AVAILABLE, IN_USE} if self._force else {AVAILABLE}):
            return None
        without = " and force is off" if volume.status == IN_USE else ""
        text = f"Cinder may refuse it, as the volume is in status {volume.status}{without}"
        return Reason(Code.UNSUITABLE_STATUS, text)

    def ask(self, item: Item) -> None:
        name = self._marks.name_of(item.resource)
        copy_id = self.create(item.resource, name, self._marks.of(item.resource))
        item.why = None
        item.accept(DONE, Created(self.kind.type, copy_id, name))

    def look(self, items: list[Item]) -> None:
        unreadable: dict[str, UnreadableError] = {}
        copies: t.Iterable[VolumeCopy] = volume_copies(self.requests, self.kind, unreadable)
        in_doubt = [item for item in items if item.state is State.UNSURE]
        if in_doubt:
            copies = list(copies)
            self._find(in_doubt, self._of_run(copies))
        under_way = [item for item in items if item.state is State.UNDER_WAY]
        see_volume_copies(self.requests, self.kind, under_way, copies, unreadable)
        for item in under_way:
            self._settle_if_complete(item)

    def _find(self, in_doubt: list[Item], copies: t.Mapping[str, VolumeCopy]) -> None:
        for item in in_doubt:
            if copy := copies.get(item.id):
                # What Cinder refused as it was busy with it, an earlier call asked for.
                outcome = ALREADY if item.refused and item.attempts == 1 else DONE
                item.why = None
                item.accept(outcome, _created(self.kind, copy))

    @staticmethod
    def _settle_if_complete(item: Item) -> None:
        if not item.settled and all(created.status in USABLE for created in item.created):
            item.settle(item.outcome)


def _named(volume: Volume) -> Volume:
    """Volumes need no name; the id stands for one."""
    return dataclasses.replace(volume, name=volume.name or volume.id)


def _created(kind: Kind, copy: VolumeCopy) -> Created:
    return Created(kind.type, copy.id, copy.name, copy.status, copy.size)
