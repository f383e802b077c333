# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cinder's descriptions of volumes, snapshots and backups in each microversion."""

from __future__ import annotations

import json
import typing as t
import uuid

from .cloud import Cloud
from .resources import Backup, Image, Snapshot, Volume, in_microseconds

VOLUME_TYPE = "__DEFAULT__"
VOLUME_TYPE_ID = "830d57aa-7c61-46a5-a34f-cf22f0b949f6"
SERVICE_ID = "bae48b83-2b56-446b-8a05-0b0d07b35bbb"
#: The minor microversions that changed a body.
STEPS = {"volumes": (0, 13, 48, 63, 65), "snapshots": (0, 14, 41, 65), "backups": (0, 43)}


def encoded(kind: str, resource: t.Any, version: int, cloud: Cloud) -> bytes:
    step = max(step for step in STEPS[kind] if step <= version)
    return resource.encoded(step, lambda: json.dumps(BODIES[kind](resource, step, cloud)).encode())


def brief(kind: str, resource: t.Any, cloud: Cloud) -> dict[str, t.Any]:
    """The body in a listing without details."""
    if kind == "snapshots":
        return snapshot_summary(resource)
    return {"id": resource.id, "name": resource.name, "links": links(kind, resource.id, cloud)}


def links(kind: str, resource_id: str, cloud: Cloud) -> list[dict[str, str]]:
    url = cloud.urls["cinder"]
    return [
        {"rel": "self", "href": f"{url}/v3/{cloud.project_id}/{kind}/{resource_id}"},
        {"rel": "bookmark", "href": f"{url}/{cloud.project_id}/{kind}/{resource_id}"},
    ]


def volume_body(volume: Volume, version: int, cloud: Cloud) -> dict[str, t.Any]:
    content: dict[str, t.Any] = {
        "id": volume.id,
        "status": volume.status,
        "size": volume.size,
        "availability_zone": "nova",
        "created_at": in_microseconds(volume.created),
        "updated_at": in_microseconds(volume.updated),
        "name": volume.name,
        "description": None,
        "volume_type": VOLUME_TYPE,
        "snapshot_id": None,
        "source_volid": None,
        "metadata": volume.metadata,
        "links": links("volumes", volume.id, cloud),
        "user_id": cloud.user_id,
        "bootable": "true" if volume.bootable else "false",
        "encrypted": False,
        "replication_status": None,
        "consistencygroup_id": None,
        "multiattach": False,
        "attachments": [attachment(volume)] if volume.server_id else [],
    }
    additions = (
        (13, {"group_id": None}),
        (48, {"shared_targets": False, "service_uuid": SERVICE_ID}),
        (63, {"volume_type_id": VOLUME_TYPE_ID}),
        (65, {"consumes_quota": True}),
    )
    add(content, version, additions)
    content["os-vol-tenant-attr:tenant_id"] = cloud.project_id
    return content


def attachment(volume: Volume) -> dict[str, t.Any]:
    return {
        "id": volume.id,
        "attachment_id": str(uuid.uuid5(uuid.NAMESPACE_DNS, volume.id)),
        "volume_id": volume.id,
        "server_id": volume.server_id,
        "host_name": None,
        "device": "/dev/vda",
        "attached_at": in_microseconds(volume.created),
    }


def snapshot_summary(snapshot: Snapshot) -> dict[str, t.Any]:
    return {
        "id": snapshot.id,
        "created_at": in_microseconds(snapshot.created),
        "updated_at": in_microseconds(snapshot.updated),
        "name": snapshot.name,
        "description": snapshot.description,
        "volume_id": snapshot.volume_id,
        "status": snapshot.status,
        "size": snapshot.size,
        "metadata": snapshot.metadata,
    }


def snapshot_body(snapshot: Snapshot, version: int, cloud: Cloud) -> dict[str, t.Any]:
    content = snapshot_summary(snapshot)
    content["os-extended-snapshot-attributes:project_id"] = cloud.project_id
    content["os-extended-snapshot-attributes:progress"] = "100%" if snapshot.status == "available" else "0%"
    add(
        content,
        version,
        ((14, {"group_snapshot_id": None}), (41, {"user_id": cloud.user_id}), (65, {"consumes_quota": True})),
    )
    return content


def backup_body(backup: Backup, version: int, cloud: Cloud) -> dict[str, t.Any]:
    content = {
        "id": backup.id,
        "status": backup.status,
        "size": backup.size,
        "object_count": 0 if backup.status == "creating" else backup.size * 20,
        "availability_zone": "nova",
        "container": "volumebackups",
        "created_at": in_microseconds(backup.created),
        "updated_at": in_microseconds(backup.updated),
        "name": backup.name,
        "description": backup.description,
        "fail_reason": None,
        "volume_id": backup.volume_id,
        "links": links("backups", backup.id, cloud),
        "is_incremental": backup.parent_id is not None,
        "has_dependent_backups": backup.children > 0,
        "snapshot_id": backup.snapshot_id,
        "data_timestamp": in_microseconds(backup.created),
    }
    add(content, version, ((43, {"metadata": backup.metadata}),))
    return content


def add(content: dict[str, t.Any], version: int, additions: t.Iterable[tuple[int, dict[str, t.Any]]]) -> None:
    """Add the fields of microversions up to this one."""
    for since, more in additions:
        if version >= since:
            content.update(more)


def upload_summary(volume: Volume, image: Image) -> dict[str, t.Any]:
    """The answer when the upload of a volume as an image begins."""
    return {
        "id": volume.id,
        "updated_at": in_microseconds(volume.updated),
        "status": "uploading",
        "display_description": None,
        "size": volume.size,
        "volume_type": {"id": VOLUME_TYPE_ID, "name": VOLUME_TYPE},
        "image_id": image.id,
        "container_format": image.container_format,
        "disk_format": image.disk_format,
        "image_name": image.name,
    }


BODIES: dict[str, t.Callable[[t.Any, int, Cloud], dict[str, t.Any]]] = {
    "volumes": volume_body,
    "snapshots": snapshot_body,
    "backups": backup_body,
}
