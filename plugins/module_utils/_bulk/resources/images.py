# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images, as Glance lists them."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from ..api.client import Client
from ..api.fields import Fields, readable
from ..model.errors import UnreadableError
from ..model.item import Created
from .labels import RESERVED, RUN, SERVER_ID, SERVER_NAME, VOLUME_ID, VOLUME_NAME

IMAGE = "image"
ACTIVE, QUEUED, SAVING, KILLED = "active", "queued", "saving", "killed"
#: Being filled by Glance itself, as a URL is downloaded.
IMPORTING = frozenset({"uploading", "importing", SAVING})
IN_PROGRESS = IMPORTING | {QUEUED}
JSON_PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}


@dataclass(frozen=True)
class Image:
    id: str
    name: str
    status: str
    #: Bytes, None until it is known.
    size: int | None
    created_at: str
    protected: bool
    #: Everything under our reserved prefix.
    labels: t.Mapping[str, str]
    #: The server that Nova made it of, and the image that this server was booted from; empty where Nova says neither.
    instance_uuid: str
    base_image_id: str
    #: Of a server that was booted from a volume: Nova has its volumes in these, and the image without any content.
    volume_snapshot_ids: tuple[str, ...]
    hash_algorithm: str
    hash_value: str
    #: Whether an import is waiting or at work.
    has_import_task: bool
    import_failed: bool

    @classmethod
    def from_body(cls, body: dict[str, t.Any]) -> Image:
        fields = Fields("image", "image", body)
        return cls(
            id=fields.required("id"),
            name=fields.text("name"),
            status=fields.required("status"),
            size=fields.number("size"),
            created_at=fields.required_moment("created_at"),
            protected=fields.flag("protected"),
            labels={
                key: fields.text(key) for key, value in body.items() if key.startswith(RESERVED) and value is not None
            },
            instance_uuid=_text(body, "instance_uuid"),
            base_image_id=_text(body, "base_image_ref"),
            volume_snapshot_ids=tuple(_volume_snapshot_ids(body)),
            hash_algorithm=fields.text("os_hash_algo"),
            hash_value=fields.text("os_hash_value"),
            has_import_task=bool(body.get("os_glance_import_task")),
            import_failed=bool(body.get("os_glance_failed_import")),
        )

    @property
    def run(self) -> str:
        """The run in its labels, which it may have inherited."""
        return self.labels.get(RUN, "")

    @property
    def server_id(self) -> str:
        return self.labels.get(SERVER_ID, "")

    @property
    def server_name(self) -> str:
        return self.labels.get(SERVER_NAME, "")

    @property
    def volume_id(self) -> str:
        return self.labels.get(VOLUME_ID, "")

    @property
    def volume_name(self) -> str:
        return self.labels.get(VOLUME_NAME, "")

    @property
    def usable(self) -> bool:
        """Whether it is complete or may become so."""
        return self.status == ACTIVE or self.status in IN_PROGRESS

    @property
    def created(self) -> Created:
        return Created(IMAGE, self.id, self.name, self.status, self.size)


def list_images(
    client: Client,
    project_id: str | None,
    run: str | None = None,
    unreadable: dict[str, UnreadableError] | None = None,
) -> list[Image]:
    """The project's images, or those that have the label of a run."""
    filters = {RUN: run} if run else {}
    if project_id:
        # An image that another project made public could carry our labels.
        filters["owner"] = project_id
    return list(readable(client.listing("image", "/images", "images", filters), Image.from_body, unreadable))


def patch_image(client: Client, image_id: str, changes: list[dict[str, t.Any]]) -> None:
    """Change attributes and properties of an image; safe to repeat."""
    client.send("image", "PATCH", f"/images/{image_id}", json=changes, headers=JSON_PATCH)


def delete_image(client: Client, image_id: str, protected: bool) -> None:
    if protected:
        patch_image(client, image_id, [{"op": "replace", "path": "/protected", "value": False}])
    client.delete("image", f"/images/{image_id}")


def _text(body: t.Mapping[str, t.Any], key: str) -> str:
    """A property of Nova's; anybody's image may have one of this name that is no text."""
    value = body.get(key)
    return value if isinstance(value, str) else ""


def _volume_snapshot_ids(body: t.Mapping[str, t.Any]) -> list[str]:
    try:
        mapping = json.loads(body.get("block_device_mapping") or "[]")
        return [device["snapshot_id"] for device in mapping if isinstance(device.get("snapshot_id") or None, str)]
    except (ValueError, TypeError, AttributeError, RecursionError):
        return []
