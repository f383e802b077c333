# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cinder: volumes, snapshots and backups."""

from __future__ import annotations

import ast
import json
import typing as t

from . import volume_bodies, work
from .cloud import Cloud
from .listings import Order, link_to_next, listing_answer, page, version_asked
from .messages import Answer, Headers, Request, fault, json_answer
from .resources import Backup, Collection, Image, Resource, Snapshot, Volume

MAXIMUM = 71
BACKUP_METADATA = 43
FILTERS_CHECKED = 31
SNAPSHOT_OF_ANY_VOLUME = 66
NOT_FILTERS = ("limit", "marker", "offset", "sort", "sort_key", "sort_dir", "all_tenants", "with_count")
#: The filters of each listing.
FILTERS = {
    "volumes": ("name", "status", "metadata", "bootable", "availability_zone", "size", "created_at", "updated_at"),
    "snapshots": ("name", "status", "volume_id", "metadata", "availability_zone"),
    "backups": ("name", "status", "volume_id"),
}
SORT_KEYS = ("id", "status", "size", "name", "created_at")


class Cinder:
    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.collections: dict[str, Collection[t.Any]] = {
            "volumes": cloud.volumes,
            "snapshots": cloud.snapshots,
            "backups": cloud.backups,
        }

    @property
    def url(self) -> str:
        return self.cloud.urls["cinder"]

    def versions(self, request: Request) -> Answer | None:
        if request.path.rstrip("/") not in ("", "/v3"):
            return None
        version = {
            "id": "v3.0",
            "status": "CURRENT",
            "version": f"3.{MAXIMUM}",
            "min_version": "3.0",
            "updated": "2023-08-31T00:00:00Z",
            "links": [
                {"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"},
                {"rel": "self", "href": f"{self.url}/v3/"},
            ],
            "media-types": [{"base": "application/json", "type": "application/vnd.openstack.volume+json;version=3"}],
        }
        return json_answer(200 if request.path.startswith("/v3") else 300, {"versions": [version]})

    def version_of(self, request: Request) -> int:
        return version_asked(request, "volume", MAXIMUM)

    def headers_for(self, version: int) -> Headers:
        return (("OpenStack-API-Version", f"volume 3.{version}"), ("Vary", "OpenStack-API-Version"))

    def answer(self, request: Request, version: int) -> Answer:
        _v3, *parts = request.path.strip("/").split("/")
        if parts[:1] != [self.cloud.project_id]:
            raise fault(400, "Malformed request url")
        parts = parts[1:]
        method = request.method
        if parts == ["limits"] and method == "GET":
            return self.limits()
        if parts and parts[0] in self.collections:
            kind = parts[0]
            if len(parts) == 1 and method == "POST" and kind != "volumes":
                return (
                    self.create_snapshot(request, version)
                    if kind == "snapshots"
                    else self.create_backup(request, version)
                )
            if parts[1:] in ([], ["detail"]) and method == "GET":
                return self.list_resources(kind, request, version, detailed=len(parts) == 2)
            if len(parts) == 2 and method == "GET":
                found = self.found(kind, parts[1])
                body = volume_bodies.encoded(kind, found, version, self.cloud)
                return Answer(200, b'{"%s": %s}' % (kind[:-1].encode(), body))
            if len(parts) == 2 and method == "DELETE" and kind != "volumes":
                return self.delete(self.found(kind, parts[1]))
            if len(parts) == 3 and method == "POST" and kind == "volumes" and parts[2] == "action":
                return self.act(parts[1], request, version)
        raise fault(404, "The resource could not be found.")

    def found(self, kind: str, resource_id: str) -> t.Any:
        resource = self.collections[kind].by_id.get(resource_id)
        if resource is None:
            raise fault(404, f"{kind[:-1].capitalize()} {resource_id} could not be found.")
        return resource

    # Listings

    def list_resources(self, kind: str, request: Request, version: int, detailed: bool) -> Answer:
        parameters = request.parameters()
        resources, more = page(
            self.collections[kind],
            parameters,
            wanted(kind, parameters, version),
            order(parameters),
            lambda marker: fault(404, f"{kind[:-1].capitalize()} {marker} could not be found."),
        )
        if detailed:
            bodies = [volume_bodies.encoded(kind, resource, version, self.cloud) for resource in resources]
        else:
            bodies = [json.dumps(volume_bodies.brief(kind, resource, self.cloud)).encode() for resource in resources]
        next_page = link_to_next(self.url, request, parameters, resources[-1]) if more else None
        return listing_answer(kind, bodies, next_page, ())

    def limits(self) -> Answer:
        cloud, settings = self.cloud, self.cloud.settings
        absolute = {
            "maxTotalVolumes": -1,
            "maxTotalSnapshots": settings.snapshot_quota,
            "maxTotalVolumeGigabytes": -1,
            "maxTotalBackups": settings.backup_quota,
            "maxTotalBackupGigabytes": -1,
            "totalVolumesUsed": len(cloud.volumes.live),
            "totalGigabytesUsed": gigabytes(cloud.volumes) + gigabytes(cloud.snapshots),
            "totalSnapshotsUsed": len(cloud.snapshots.live),
            "totalBackupsUsed": len(cloud.backups.live),
            "totalBackupGigabytesUsed": gigabytes(cloud.backups),
        }
        return json_answer(200, {"limits": {"rate": [], "absolute": absolute}})

    # Snapshots and backups

    def create_snapshot(self, request: Request, version: int) -> Answer:
        asked = asked_for(request, "snapshot", "volume_id")
        volume = self.found("volumes", asked["volume_id"])
        force = version >= SNAPSHOT_OF_ANY_VOLUME or is_true(asked.get("force"))
        if not force and volume.status != "available":
            state = f"status must be available, but current status is: {volume.status}."
            raise fault(400, f"Invalid volume: Volume {volume.id} {state}")
        try:
            snapshot = work.new_snapshot(
                self.cloud, volume, asked.get("name"), asked.get("description"), asked.get("metadata") or {}
            )
        except work.QuotaReachedError as exc:
            message = f"SnapshotLimitExceeded: Maximum number of snapshots allowed ({exc.limit}) exceeded"
            raise fault(413, message) from exc
        return json_answer(202, {"snapshot": volume_bodies.snapshot_summary(snapshot)})

    def create_backup(self, request: Request, version: int) -> Answer:
        asked = asked_for(request, "backup", "volume_id")
        if version < BACKUP_METADATA and "metadata" in asked:
            what = "Additional properties are not allowed ('metadata' was unexpected)"
            raise fault(400, f"Invalid input for field/attribute backup. Value: {asked}. {what}")
        volume: Volume = self.found("volumes", asked["volume_id"])
        snapshot_id = asked.get("snapshot_id")
        if snapshot_id:
            require_available(self.found("snapshots", snapshot_id))
        else:
            require_idle(volume, force=is_true(asked.get("force")))
        backup = Backup(
            id=self.cloud.new_id("backup", volume.id),
            name=asked.get("name") or "",
            volume_id=volume.id,
            size=volume.size,
            description=asked.get("description"),
            snapshot_id=snapshot_id,
            parent_id=self.latest_backup(volume).id if is_true(asked.get("incremental")) else None,
            metadata=asked.get("metadata") or {},
        )
        try:
            work.new_backup(self.cloud, volume, backup)
        except work.QuotaReachedError as exc:
            message = f"BackupLimitExceeded: Maximum number of backups allowed ({exc.limit}) exceeded"
            raise fault(413, message) from exc
        return json_answer(202, {"backup": volume_bodies.brief("backups", backup, self.cloud)})

    def latest_backup(self, volume: Volume) -> Backup:
        """The backup that an incremental one is based on."""
        for backup in reversed(self.cloud.backups.live):
            if backup.volume_id == volume.id and backup.status == "available":
                return backup
        raise fault(400, "Invalid backup: No backups available to do an incremental backup.")

    def delete(self, copy: Snapshot | Backup) -> Answer:
        if isinstance(copy, Snapshot):
            if copy.status not in ("available", "error"):
                state = "status must be available or error and Snapshot must not be part of a group."
                raise fault(400, f"Invalid snapshot: Snapshot {state}")
            work.delete_snapshot(self.cloud, copy)
            return Answer(202)
        if copy.status not in ("available", "error"):
            raise fault(400, "Invalid backup: Backup status must be available or error")
        if copy.children:
            raise fault(400, "Invalid backup: Incremental backups exist for this backup.")
        work.delete_backup(self.cloud, copy)
        return Answer(202)

    # Images of volumes

    def act(self, volume_id: str, request: Request, version: int) -> Answer:
        name = "os-volume_upload_image"
        asked = asked_for(request, name, "image_name")
        volume: Volume = self.found("volumes", volume_id)
        force = is_true(asked.get("force"))
        if volume.status not in (("available", "in-use") if force else ("available",)):
            statuses = "available or in-use" if force else "available"
            raise fault(400, f"Invalid volume: Volume {volume.id} status must be {statuses}")
        image = self.image_of(volume, asked, version)
        before = volume.status
        content = volume_bodies.upload_summary(volume, image)
        if version >= 1:
            content |= {"visibility": image.visibility, "protected": image.protected}
        volume.change(status="uploading")
        seconds = self.cloud.settings.snapshot_seconds
        size = volume.size * work.GIBIBYTE
        work.upload(self.cloud, image, size, seconds, done=lambda: volume.change(status=before))
        return json_answer(202, {name: content})

    def image_of(self, volume: Volume, asked: dict[str, t.Any], version: int) -> Image:
        shown = {"visibility": asked.get("visibility", "private"), "protected": is_true(asked.get("protected"))}
        try:
            return work.new_image(
                self.cloud,
                asked["image_name"],
                f"of volume {volume.id}",
                disk_format=asked.get("disk_format", "raw"),
                container_format=asked.get("container_format", "bare"),
                **(shown if version >= 1 else {"visibility": "shared"}),
            )
        except work.QuotaReachedError as exc:
            raise fault(400, f"The request returned a 413: image_count_total is limited to {exc.limit}.") from exc


def asked_for(request: Request, key: str, required: str) -> dict[str, t.Any]:
    """The request's body."""
    try:
        asked = request.json()[key]
    except (ValueError, KeyError, TypeError) as exc:
        raise fault(400, "Malformed request body") from exc
    if not isinstance(asked, dict) or required not in asked:
        what = f"'{required}' is a required property"
        raise fault(400, f"Invalid input for field/attribute {key}. Value: {asked}. {what}")
    return asked


def require_available(snapshot: Snapshot) -> None:
    if snapshot.status != "available":
        status = f'but the current status is "{snapshot.status}".'
        raise fault(400, f"Invalid snapshot: Snapshot to be backed up must be available, {status}")


def require_idle(volume: Volume, force: bool) -> None:
    if volume.status not in ("available", "in-use"):
        status = f'but the current status is "{volume.status}".'
        raise fault(400, f"Invalid volume: Volume to be backed up must be available or in-use, {status}")
    if volume.status == "in-use" and not force:
        raise fault(400, "Invalid volume: Backing up an in-use volume must use the force flag.")


def is_true(value: t.Any) -> bool:
    return str(value).lower() in ("true", "1", "yes", "on")


def gigabytes(collection: Collection[t.Any]) -> int:
    return sum(resource.size for resource in collection.live)


def wanted(kind: str, parameters: dict[str, str], version: int) -> t.Callable[[t.Any], bool] | None:
    """The test for the request's filters; unknown ones are ignored, or refused from 3.31 on."""
    asked = {key: value for key, value in parameters.items() if key not in NOT_FILTERS}
    unknown = [key for key in asked if key not in FILTERS[kind]]
    if unknown and version >= FILTERS_CHECKED:
        raise fault(400, f"Invalid filters {','.join(unknown)} are found in query options.")
    tests = [test_for(key, value) for key, value in asked.items() if key not in unknown]
    return (lambda resource: all(test(resource) for test in tests)) if tests else None


def test_for(key: str, value: str) -> t.Callable[[t.Any], bool]:
    if key == "metadata":
        try:
            pairs = dict(ast.literal_eval(value)).items()
        except (ValueError, SyntaxError, TypeError) as exc:
            raise fault(400, f"Could not evaluate value {value}, assuming string") from exc
        return lambda resource: pairs <= resource.metadata.items()
    return lambda resource: str(getattr(resource, key, None)).lower() == value.lower()


def order(parameters: dict[str, str]) -> Order:
    """From sort=key:direction,... or from sort_key and sort_dir; newest first needs no sorting."""
    text = parameters.get("sort") or f"{parameters.get('sort_key', '')}:{parameters.get('sort_dir', 'desc')}"
    found: Order = []
    for part in text.split(","):
        key, _colon, direction = part.partition(":")
        if key and key not in SORT_KEYS:
            raise fault(400, f"Invalid sort key: {key}")
        if key:
            found.append((value_of(key), direction != "asc"))
    newest_first = text.startswith("created_at") and not text.startswith("created_at:asc")
    return [] if newest_first else found


def value_of(key: str) -> t.Callable[[Resource], t.Any]:
    name = "created" if key == "created_at" else key
    return lambda resource: getattr(resource, name) or ""
