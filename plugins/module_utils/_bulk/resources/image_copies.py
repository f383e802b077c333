# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images that runs made of servers and volumes, as Glance lists them: those with our marks, and no others.

Marks alone prove nothing. A server or a volume that is made from one of our images inherits them, and so does an image
that its owner makes of it, perhaps under the same name. So an image is ours only where the cloud says so too:

- What we make ourselves, or may change once it is there, has its own id among its marks.
- Of an image that Nova made for us, Nova says of which server it is. It does not where the server was booted from a
  volume, and Cinder copies what Nova said. So it must also have been made when its marks say that it was asked for, and
  of several with the same marks only the oldest is ours (``inheritors``).

In doubt, an image is not ours.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from ..._session.util.clock import parse
from ..api.cloud_requests import CloudRequests, UnreadableError
from ..api.fields import Fields, readable
from ..engine.item import IMAGE, Created
from .labels import ASKED_AT, IMAGE_ID, NAME, RUN, SERVER_ID, SERVER_NAME, VOLUME_ID, VOLUME_NAME

ACTIVE, QUEUED = "active", "queued"
KILLED = "killed"
IN_PROGRESS = {QUEUED, "saving", "uploading", "importing"}
#: Seconds that an image may have been made before it was asked for, as services' clocks differ, and after, as a request
#: may wait for the cloud's rate limit.
BEFORE, AFTER = 300.0, 3600.0


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
    def labels(self) -> tuple[str, str, str]:
        """What images that inherited its marks have in common with it."""
        return self.run, self.server_id, self.name

    @property
    def created(self) -> Created:
        return Created(IMAGE, self.id, self.name, self.status, self.size)


def image_copies(
    requests: CloudRequests,
    project_id: str | None,
    run: str,
    awaited: t.Container[str] = (),
    unreadable: dict[str, UnreadableError] | None = None,
) -> t.Iterator[ImageCopy]:
    """The project's images that a run made. Those that this call asked for are: the cloud gave their ids."""
    filters = {RUN: run}
    if project_id:
        # An image that another project made public could carry our marks.
        filters["owner"] = project_id
    listing = requests.listing("image", "/images", "images", filters)
    ours = (body for body in listing if body["id"] in awaited or is_ours(body))
    yield from readable(ours, ImageCopy.from_body, unreadable)


def is_ours(body: t.Mapping[str, t.Any]) -> bool:
    """Whether a run made it, as far as it can be told from this image alone."""
    return RUN in body and body.get(NAME) == body.get("name") and (has_own_id(body) or is_of_server(body))


def has_own_id(body: t.Mapping[str, t.Any]) -> bool:
    """Whether its marks were written on this very image."""
    return body.get(IMAGE_ID) == body["id"]


def is_of_server(body: t.Mapping[str, t.Any]) -> bool:
    """Whether it was made of the server in its marks, as far as Nova says so."""
    if not body.get(SERVER_ID) or has_own_id(body):
        return False
    # Nova writes the volume snapshots behind an image on that image alone, and no server's id beside them.
    of_server = bool(_volume_snapshot_ids(body)) or body.get("instance_uuid") == body[SERVER_ID]
    return of_server and _made_when_asked_for(body)


def _made_when_asked_for(body: t.Mapping[str, t.Any]) -> bool:
    if not body.get(ASKED_AT):
        # The cloud did not say what time it was, or the image is older than this mark.
        return True
    try:
        delay = (parse(body["created_at"]) - parse(body[ASKED_AT])).total_seconds()
    except (AttributeError, KeyError, TypeError, ValueError):
        return False
    return -BEFORE <= delay <= AFTER


def may_have_inherited(body: t.Mapping[str, t.Any]) -> bool:
    """Whether nothing tells it from an image of a server whose volume was made from a copy that is gone. It may be a
    copy all the same: where it only has to be found it is one, and where copies are deleted it is none."""
    return not has_own_id(body) and not body.get(ASKED_AT) and body.get("instance_uuid") != body.get(SERVER_ID)


def may_be_of_older_version(body: t.Mapping[str, t.Any]) -> bool:
    """Whether it may be an image that a version which did not write its own id on it made of a file, a URL or a volume.
    It may as well have inherited its marks, so it must be neither changed nor deleted."""
    of_nova = body.get("instance_uuid") or _volume_snapshot_ids(body)
    return RUN in body and body.get(NAME) == body.get("name") and not body.get(IMAGE_ID) and not of_nova


def inheritors(images: t.Iterable[ImageCopy]) -> dict[str, ImageCopy]:
    """Those of Nova's images that may have their marks from an older one, with that one, by their ids."""
    oldest: dict[tuple[str, str, str], ImageCopy] = {}
    doubtful: dict[str, ImageCopy] = {}
    for image in sorted(images, key=lambda image: (image.created_at, image.id)):
        # Nothing was ever made from an image without content.
        if image.status == KILLED or image.status in IN_PROGRESS:
            origin = oldest.get(image.labels)
        else:
            origin = oldest.setdefault(image.labels, image)
        if origin is not None and origin is not image:
            doubtful[image.id] = origin
    return doubtful


def made_from_copy(body: t.Mapping[str, t.Any], bodies: t.Mapping[str, t.Mapping[str, t.Any]]) -> bool:
    """Whether it is an image of a server that was booted from a copy with the same labels, whatever that is called now.

    Nova says from which image the server was booted.
    """
    base = bodies.get(str(body.get("base_image_ref") or ""))
    labels = (RUN, SERVER_ID, NAME, ASKED_AT)
    return base is not None and base is not body and all(body.get(label) == base.get(label) for label in labels)


def _volume_snapshot_ids(body: t.Mapping[str, t.Any]) -> list[str]:
    try:
        mapping = json.loads(body.get("block_device_mapping") or "[]")
        return [device["snapshot_id"] for device in mapping if isinstance(device.get("snapshot_id") or None, str)]
    except (ValueError, TypeError, AttributeError, RecursionError):
        return []
