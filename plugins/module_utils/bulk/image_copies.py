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
from .cloud_requests import CloudRequests, UnreadableError
from .fields import Fields, readable
from .item import IMAGE, Created
from .marks import NAME, RUN, SERVER_ID, SERVER_NAME, VOLUME_ID, VOLUME_NAME

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
    volume_name: str
    #: Of a server that was booted from a volume: Nova has its volumes in these, and the image without any content.
    volume_snapshot_ids: tuple[str, ...]
    backup_type: str

    @classmethod
    def from_body(cls, body: dict[str, t.Any]) -> ImageCopy:
        fields = Fields("image", "image", body)
        return cls(
            id=fields.required("id"),
            name=fields.text("name"),
            status=fields.required("status"),
            size=fields.number("size"),
            run=fields.text(RUN),
            created_at=fields.required_moment("created_at"),
            server_id=fields.text(SERVER_ID),
            server_name=fields.text(SERVER_NAME),
            volume_id=fields.text(VOLUME_ID),
            volume_name=fields.text(VOLUME_NAME),
            volume_snapshot_ids=tuple(_volume_snapshot_ids(body)),
            backup_type=fields.text("backup_type"),
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


def image_copies(
    requests: CloudRequests,
    project_id: str | None,
    run: str | None = None,
    unreadable: dict[str, UnreadableError] | None = None,
) -> t.Iterator[ImageCopy]:
    """The project's images that a run made, or that any run made."""
    filters = {RUN: run} if run else {}
    if project_id:
        # An image that another project made public could carry our marks.
        filters["owner"] = project_id
    ours = filter(is_ours, requests.listing("image", "/images", "images", filters))
    yield from readable(ours, ImageCopy.from_body, unreadable)


def is_ours(body: t.Mapping[str, t.Any]) -> bool:
    """Whether a run made it. An image inherits the marks of the one that its server was booted from."""
    of_server = body.get(SERVER_ID)
    by_nova = body.get("instance_uuid")
    inherited = bool(by_nova and of_server and by_nova != of_server)
    return RUN in body and body.get(NAME) == body.get("name") and not inherited


def _volume_snapshot_ids(body: t.Mapping[str, t.Any]) -> list[str]:
    try:
        mapping = json.loads(body.get("block_device_mapping") or "[]")
        return [device["snapshot_id"] for device in mapping if isinstance(device.get("snapshot_id") or None, str)]
    except (ValueError, TypeError, AttributeError, RecursionError):
        return []
