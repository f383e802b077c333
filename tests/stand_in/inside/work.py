# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work that continues after an answer: uploads of images, copies of volumes."""

from __future__ import annotations

import typing as t
from hashlib import sha512

from .cloud import GIBIBYTE, Cloud
from .resources import Backup, Image, Snapshot, Volume

#: The part of an upload's time in which the image is queued.
QUEUED_PART = 0.2


class QuotaReachedError(Exception):
    """The project has reached a quota."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit


def new_image(cloud: Cloud, name: str, origin: str, **values: t.Any) -> Image:
    quota = cloud.settings.image_quota
    if quota and owned_images(cloud) >= quota:
        raise QuotaReachedError(quota)
    return cloud.images.add(Image(id=values.pop("id", None) or cloud.new_id("image", origin), name=name, **values))


def owned_images(cloud: Cloud) -> int:
    """The number of the project's own images: all but the one that servers boot from."""
    return len(cloud.images.live) - 1


def upload(
    cloud: Cloud,
    image: Image,
    size: int,
    seconds: float,
    saving: str = "saving",
    done: t.Callable[[], None] = lambda: None,
) -> None:
    """Take the image from queued over saving to active, unless it stays queued for ever."""
    stuck = cloud.settings.stuck > 0
    if stuck:
        cloud.settings.stuck -= 1

    def save() -> None:
        if not (stuck or image.deleted):
            image.change(status=saving)

    def finish() -> None:
        if not (stuck or image.deleted):
            image.change(status="active", size=size)
        done()

    if seconds > 0:
        cloud.later(seconds * QUEUED_PART, save)
    cloud.later(seconds, finish)


def snapshot_size(server_id: str) -> int:
    """The size of a snapshot of this server, which is always the same."""
    return GIBIBYTE + int.from_bytes(sha512(server_id.encode()).digest()[:3], "big") * 64


def new_snapshot(
    cloud: Cloud, volume: Volume, name: str | None, description: str | None, metadata: dict[str, str]
) -> Snapshot:
    quota = cloud.settings.snapshot_quota
    if 0 <= quota <= len(cloud.snapshots.live):
        raise QuotaReachedError(quota)
    snapshot = cloud.snapshots.add(
        Snapshot(
            id=cloud.new_id("snapshot", volume.id),
            name=t.cast(str, name),
            volume_id=volume.id,
            size=volume.size,
            description=description,
            metadata=metadata,
        )
    )
    cloud.later(cloud.settings.action_seconds, lambda: settle(snapshot))
    return snapshot


def new_backup(cloud: Cloud, volume: Volume, backup: Backup) -> None:
    quota = cloud.settings.backup_quota
    if 0 <= quota <= len(cloud.backups.live):
        raise QuotaReachedError(quota)
    cloud.backups.add(backup)
    if backup.parent_id:
        parent = cloud.backups.by_id[backup.parent_id]
        parent.change(children=parent.children + 1)
    before = volume.status
    if not backup.snapshot_id:
        volume.change(status="backing-up")

    def finish() -> None:
        settle(backup)
        if not backup.snapshot_id:
            volume.change(status=before)

    cloud.later(cloud.settings.action_seconds, finish)


def settle(copy: Snapshot | Backup) -> None:
    if not copy.deleted:
        copy.change(status="available")


def delete_snapshot(cloud: Cloud, snapshot: Snapshot) -> None:
    snapshot.change(status="deleting")
    cloud.later(cloud.settings.action_seconds, lambda: cloud.snapshots.remove(snapshot))


def delete_backup(cloud: Cloud, backup: Backup) -> None:
    backup.change(status="deleting")

    def finish() -> None:
        cloud.backups.remove(backup)
        parent = cloud.backups.by_id.get(backup.parent_id or "")
        if parent:
            parent.change(children=parent.children - 1)

    cloud.later(cloud.settings.action_seconds, finish)
