# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Cinder makes of volumes: what snapshots and backups have in common."""

from __future__ import annotations

import abc
import dataclasses
import typing as t
from dataclasses import dataclass

from ...api.client import Client
from ...model.action import Action
from ...model.errors import UnreadableError
from ...model.item import ALREADY, DONE, Created, Item, State
from ...model.reason import Code, Reason
from ...resources.labels import RUN, VOLUME_ID, Labels
from ...resources.selection import Criteria, Resource
from ...resources.servers import select_servers
from ...resources.volume_copies import IN_PROGRESS, USABLE, Kind, VolumeCopy, update_from_volume_copies, volume_copies
from ...resources.volumes import AVAILABLE, IN_USE, Volume, select_volumes


@dataclass(frozen=True)
class AttachedTo(Criteria):
    """Volumes that are attached to one of these servers, and match the other criteria."""

    server_ids: t.Collection[str] = ()

    def match(self, resource: Resource) -> bool:
        attached = isinstance(resource, Volume) and any(id in self.server_ids for id in resource.server_ids)
        return attached and super().match(resource)


class VolumeCopyAction(Action[Volume], abc.ABC):
    """Makes one copy of each volume that has none of the run yet."""

    resources = "volumes"
    requests_each: t.Mapping[str, int] = {"block_storage": 1}
    polled_services = ("block_storage",)

    def __init__(
        self, client: Client, criteria: Criteria, servers: t.Sequence[str] | None, labels: Labels, force: bool
    ) -> None:
        self.client = client
        self._criteria = criteria
        self._servers = servers
        self._labels = labels
        self._force = force

    @property
    @abc.abstractmethod
    def kind(self) -> Kind:
        """What is made, as this cloud has it."""

    @abc.abstractmethod
    def create(self, volume: Volume, name: str, labels: t.Mapping[str, str]) -> str:
        """Have Cinder make it; the id of what it begins to make."""

    def plan(self) -> list[Item[Volume]]:
        criteria = self._criteria
        items: list[Item[Volume]] = []
        if self._servers is not None:
            servers = select_servers(self.client, Criteria(names=self._servers))
            items = self.unresolved(servers.unresolved)
            criteria = AttachedTo(**vars(criteria), server_ids={server.id for server in servers.resources})
        selection = select_volumes(self.client, criteria)
        items += self.unresolved(selection.unresolved)
        if selection.resources:
            copies = self._of_run(volume_copies(self.client, self.kind, {}))
            items += [self._item(_named(volume), copies.get(volume.id)) for volume in selection.resources]
        return items

    def _of_run(self, copies: t.Iterable[VolumeCopy]) -> dict[str, VolumeCopy]:
        """The copy of each volume among those of the run: a complete one if there is any, else the newest."""
        found: dict[str, VolumeCopy] = {}
        for copy in copies:
            labels = copy.metadata
            if copy.usable and labels.get(RUN) == self._labels.run and labels.get(VOLUME_ID) == copy.volume_id:
                known = found.setdefault(copy.volume_id, copy)
                if known.status in IN_PROGRESS and copy.status not in IN_PROGRESS:
                    found[copy.volume_id] = copy
        return found

    def _item(self, volume: Volume, copy: VolumeCopy | None) -> Item[Volume]:
        item = Item(volume.id, volume.name, self.name, volume)
        if copy is not None:
            item.accept(ALREADY, _created(self.kind, copy))
            self._settle_if_complete(item)
        else:
            item.created = [Created(self.kind.type, name=self._labels.name_of(volume))]
            item.reason = self._likely_refusal(volume)
        return item

    def _likely_refusal(self, volume: Volume) -> Reason | None:
        if volume.status in ({AVAILABLE, IN_USE} if self._force else {AVAILABLE}):
            return None
        without = " and force is off" if volume.status == IN_USE else ""
        text = f"Cinder may refuse it, as the volume is in status {volume.status}{without}"
        return Reason(Code.UNSUITABLE_STATUS, text)

    def submit(self, item: Item[Volume]) -> None:
        name = self._labels.name_of(item.resource)
        copy_id = self.create(item.resource, name, self._labels.for_resource(item.resource))
        item.reason = None
        item.accept(DONE, Created(self.kind.type, copy_id, name))

    def poll(self, items: list[Item[Volume]]) -> None:
        unreadable: dict[str, UnreadableError] = {}
        copies: t.Iterable[VolumeCopy] = volume_copies(self.client, self.kind, unreadable)
        unconfirmed = [item for item in items if item.state is State.UNCONFIRMED]
        if unconfirmed:
            copies = list(copies)
            self._find(unconfirmed, self._of_run(copies))
        in_progress = [item for item in items if item.state is State.IN_PROGRESS]
        update_from_volume_copies(self.client, self.kind, in_progress, copies, unreadable)
        for item in in_progress:
            self._settle_if_complete(item)

    def _find(self, unconfirmed: list[Item[Volume]], copies: t.Mapping[str, VolumeCopy]) -> None:
        for item in unconfirmed:
            if copy := copies.get(item.id):
                # What Cinder refused as it was busy with it, an earlier call requested.
                outcome = ALREADY if item.was_busy_before else DONE
                item.reason = None
                item.accept(outcome, _created(self.kind, copy))

    @staticmethod
    def _settle_if_complete(item: Item[Volume]) -> None:
        if not item.settled and all(created.status in USABLE for created in item.created):
            item.settle(item.outcome)


def _named(volume: Volume) -> Volume:
    """Volumes need no name; the id stands for one."""
    return dataclasses.replace(volume, name=volume.name or volume.id)


def _created(kind: Kind, copy: VolumeCopy) -> Created:
    return Created(kind.type, copy.id, copy.name, copy.status, copy.size)
