# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots of servers: an image of each, or the snapshots of its volumes alone where it was booted from one."""

from __future__ import annotations

import typing as t

from ..api.client import Client
from ..model.item import ALREADY, DONE, Created, Item, State
from ..model.quota import Quota
from ..resources.images import Image
from ..resources.labels import SERVER_ID, Labels
from ..resources.quotas import volume_quotas
from ..resources.selection import Criteria
from ..resources.servers import Server
from ..resources.volume_copies import SNAPSHOTS, VOLUME_SNAPSHOT, VolumeCopy, copies_of_run
from ..resources.volume_requests import create_snapshot
from .common.server_image import ServerImage

#: What may be made of a server that was booted from a volume, instead of an image.
AS_VOLUME_SNAPSHOTS = "volume_snapshots"


class ServerSnapshot(ServerImage):
    name = "snapshot"
    past = "snapshotted"

    def __init__(
        self, client: Client, criteria: Criteria, labels: Labels, queued_timeout: int, volume_backed: str
    ) -> None:
        super().__init__(client, criteria, labels, queued_timeout)
        self._volumes_alone = volume_backed == AS_VOLUME_SNAPSHOTS
        #: The snapshots of the run, by server and volume.
        self._snapshots: dict[tuple[str, str], VolumeCopy] = {}

    def request_of(self, server: Server, labels: t.Mapping[str, str]) -> dict[str, t.Any]:
        return {"createImage": {"name": self._labels.name_of(server), "metadata": dict(labels)}}

    def plan(self) -> list[Item[Server]]:
        if self._volumes_alone:
            self._list_snapshots()
        return super().plan()

    def _list_snapshots(self) -> None:
        copies = copies_of_run(self.client, SNAPSHOTS, self._labels.run)
        self._snapshots = {(copy.metadata.get(SERVER_ID, ""), copy.volume_id): copy for copy in copies}

    def _is_of_volumes(self, server: Server) -> bool:
        return self._volumes_alone and server.volume_backed

    def _item(self, server: Server, copy: Image | None) -> Item[Server]:
        if not self._is_of_volumes(server):
            return super()._item(server, copy)
        item = Item(server.id, server.name, self.name, server)
        item.created = [Created(VOLUME_SNAPSHOT, name=self._snapshot_name(server, at)) for at in self._places(server)]
        if self._find_snapshots(item):
            item.accept(ALREADY)
        return item

    @staticmethod
    def _places(server: Server) -> range:
        return range(len(server.volume_ids))

    def _snapshot_name(self, server: Server, place: int) -> str:
        name = self._labels.name_of(server)
        return f"{name}-{place + 1}" if len(server.volume_ids) > 1 else name

    def _find_snapshots(self, item: Item[Server]) -> bool:
        """Note the snapshots of the run that exist; whether there is one of each volume."""
        for place, volume_id in enumerate(item.resource.volume_ids):
            if copy := self._snapshots.get((item.id, volume_id)):
                item.created[place] = Created(VOLUME_SNAPSHOT, copy.id, copy.name, copy.status, copy.size)
        return all(created.id for created in item.created)

    def submit(self, item: Item[Server]) -> None:
        server: Server = item.resource
        if not self._is_of_volumes(server):
            super().submit(item)
            return
        is_first = True
        for place, volume_id in enumerate(server.volume_ids):
            if not item.created[place].id:
                name, labels = item.created[place].name, self._labels.for_resource(server)
                snapshot_id = create_snapshot(self.client, volume_id, name, labels, True, starts_item=is_first)
                item.created[place].id = snapshot_id
                item.partly_done = True
                # Snapshots of a part of the volumes are of no use: the others are sent even if the run is cancelled.
                is_first = False
        item.accept(DONE)

    def poll(self, items: list[Item[Server]]) -> None:
        of_volumes = [item for item in items if self._is_of_volumes(item.resource)]
        unconfirmed = [item for item in of_volumes if item.state is State.UNCONFIRMED]
        if unconfirmed:
            self._list_snapshots()
        for item in unconfirmed:
            if self._find_snapshots(item):
                item.accept(DONE)
        others = [item for item in items if not self._is_of_volumes(item.resource)]
        super().poll([*others, *(item for item in of_volumes if item.state is State.IN_PROGRESS)])

    def quotas(self, items: list[Item[Server]]) -> list[Quota]:
        snapshots = sum(len(item.resource.volume_ids) for item in items if item.resource.volume_backed)
        quotas = super().quotas([item for item in items if not self._is_of_volumes(item.resource)])
        return [*quotas, *(volume_quotas(self.client, snapshots=snapshots) if snapshots else [])]
