# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images that runs made of servers and volumes, as Glance lists them: those with our marks, and no others."""

from __future__ import annotations

import datetime
import json
import typing as t
from dataclasses import dataclass

from ..session.clock import parse
from .cloud_requests import CloudRequests
from .item import IMAGE, Created
from .marks import NAME, RUN, SERVER_ID, SERVER_NAME, VOLUME_ID

ACTIVE, QUEUED = "active", "queued"
IN_PROGRESS = {QUEUED, "saving", "uploading", "importing"}


@dataclass(frozen=True)
class ImageCopy:
    id: str
    name: str
    status: str
    size: int | None
    run: str
    created_at: str
    server_id: str
    server_name: str
    volume_id: str
    #: Of a server that was booted from a volume: Nova has its volumes in these, and the image without any content.
    volume_snapshot_ids: tuple[str, ...]
    backup_type: str

    @classmethod
    def from_body(cls, body: dict[str, t.Any]) -> ImageCopy:
        return cls(
            id=body["id"],
            name=body.get("name") or "",
            status=body["status"],
            size=body.get("size"),
            run=body.get(RUN, ""),
            created_at=body["created_at"],
            server_id=body.get(SERVER_ID, ""),
            server_name=body.get(SERVER_NAME, ""),
            volume_id=body.get(VOLUME_ID, ""),
            volume_snapshot_ids=tuple(_volume_snapshot_ids(body)),
            backup_type=body.get("backup_type", ""),
        )

    @property
    def usable(self) -> bool:
        """Whether it is complete or may become so."""
        return self.status in IN_PROGRESS | {ACTIVE}

    @property
    def created(self) -> Created:
        return Created(IMAGE, self.id, self.name, self.status, self.size)

    def age(self, moment: datetime.datetime) -> float:
        """Seconds."""
        return (moment - parse(self.created_at)).total_seconds()


def image_copies(requests: CloudRequests, project_id: str | None, run: str | None = None) -> t.Iterator[ImageCopy]:
    """The project's images that a run made, or that any run made."""
    filters = {RUN: run} if run else {}
    if project_id:
        # An image that another project made public could carry our marks.
        filters["owner"] = project_id
    for body in requests.listing("image", "/images", "images", filters):
        if is_ours(body):
            yield ImageCopy.from_body(body)


def is_ours(body: t.Mapping[str, t.Any]) -> bool:
    """Whether a run made it. An image inherits the marks of the one that its server was booted from."""
    of_server = body.get(SERVER_ID)
    by_nova = body.get("instance_uuid")
    inherited = bool(by_nova and of_server and by_nova != of_server)
    return RUN in body and body.get(NAME) == body.get("name") and not inherited


def _volume_snapshot_ids(body: t.Mapping[str, t.Any]) -> list[str]:
    try:
        mapping = json.loads(body.get("block_device_mapping") or "[]")
        return [device["snapshot_id"] for device in mapping if device.get("snapshot_id")]
    except (ValueError, TypeError, AttributeError):
        return []
