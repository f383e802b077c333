# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots of servers: an image of each, or the snapshots of its volumes alone where it was booted from one."""

from __future__ import annotations

import typing as t

from ..api.cloud_requests import CloudRequests
from ..engine.item import ALREADY, DONE, VOLUME_SNAPSHOT, Created, Item, State
from ..resources.image_copies import ImageCopy
from ..resources.labels import SERVER_ID, Marks
from ..resources.quotas import Quota, volume_quotas
from ..resources.selection import Criteria, Server
from ..resources.volume_copies import SNAPSHOTS, VolumeCopy, copies_of_run
from ..resources.volume_requests import create_snapshot
from .common.server_image import ServerImage

#: What may be made of a server that was booted from a volume, instead of an image.
AS_VOLUME_SNAPSHOTS = "volume_snapshots"


class ServerSnapshot(ServerImage):
    name = "snapshot"

    def __init__(
        self, requests: CloudRequests, criteria: Criteria, marks: Marks, queued_timeout: int, volume_backed: str
    ) -> None:
        super().__init__(requests, criteria, marks, queued_timeout)
        self._volumes_alone = volume_backed == AS_VOLUME_SNAPSHOTS
        #: The snapshots of the run that are there, by server and volume.
        self._snapshots: dict[tuple[str, str], VolumeCopy] = {}

    def request_of(self, server: Server, marks: t.Mapping[str, str]) -> dict[str, t.Any]:
        return {"createImage": {"name": self._marks.name_of(server), "metadata": dict(marks)}}

    def plan(self) -> list[Item]:
        if self._volumes_alone:
            self._list_snapshots()
        return super().plan()

    def _list_snapshots(self) -> None:
        copies = copies_of_run(self.requests, SNAPSHOTS, self._marks.run)
        self._snapshots = {(copy.metadata.get(SERVER_ID, ""), copy.volume_id): copy for copy in copies}

    def _is_of_volumes(self, server: Server) -> bool:
        return self._volumes_alone and server.volume_backed

    def _item(self, server: Server, copy: ImageCopy | None) -> Item:
        if not self._is_of_volumes(server):
            return super()._item(server, copy)
        item = Item(id=server.id, name=server.name, action=self.name, resource=server)
        item.created = [Created(VOLUME_SNAPSHOT, name=self._snapshot_name(server, at)) for at in self._places(server)]
        if self._find_snapshots(item):
            item.accept(ALREADY)
        return item

    @staticmethod
    def _places(server: Server) -> range:
        return range(len(server.volume_ids))

    def _snapshot_name(self, server: Server, place: int) -> str:
        name = self._marks.name_of(server)
        return f"{name}-{place + 1}" if len(server.volume_ids) > 1 else name

    def _find_snapshots(self, item: Item) -> bool:
        """Take in the snapshots of the run that are there; whether there is one of each volume."""
        for place, volume_id in enumerate(item.resource.volume_ids):
            if copy := self._snapshots.get((item.id, volume_id)):
                item.created[place] = Created(VOLUME_SNAPSHOT, copy.id, copy.name, copy.status, copy.size)
        return all(created.id for created in item.created)

    def ask(self, item: Item) -> None:
        server: Server = item.resource
        if not self._is_of_volumes(server):
            super().ask(item)
            return
        given_up = self.given_up
        for place, volume_id in enumerate(server.volume_ids):
            if not item.created[place].id:
                name, marks = item.created[place].name, self._marks.of(server)
                item.created[place].id = create_snapshot(self.requests, volume_id, name, marks, True, given_up)
                item.partly_done = True
                # Snapshots of a part of the volumes are of no use.
                given_up = _never
        item.accept(DONE)

    def look(self, items: list[Item]) -> None:
        of_volumes = [item for item in items if self._is_of_volumes(item.resource)]
        in_doubt = [item for item in of_volumes if item.state is State.UNSURE]
        if in_doubt:
            self._list_snapshots()
        for item in in_doubt:
            if self._find_snapshots(item):
                item.accept(DONE)
        others = [item for item in items if not self._is_of_volumes(item.resource)]
        super().look([*others, *(item for item in of_volumes if item.state is State.UNDER_WAY)])

    def quotas(self, items: list[Item]) -> list[Quota]:
        snapshots = sum(len(item.resource.volume_ids) for item in items if item.resource.volume_backed)
        quotas = super().quotas([item for item in items if not self._is_of_volumes(item.resource)])
        return [*quotas, *(volume_quotas(self.requests, snapshots=snapshots) if snapshots else [])]


def _never() -> bool:
    return False
