# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots and backups of volumes, as Cinder makes and lists them."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from ..api.client import NOT_FOUND, Client
from ..api.fields import Fields, readable
from ..model.errors import OutageError, RefusedError, UnreadableError
from ..model.item import FAILED, Item
from ..model.reason import Code, Reason
from .description_labels import described
from .labels import NAME, RUN, SERVER_ID, VOLUME_ID
from .quotas import GIB

#: From this microversion on, Cinder keeps the metadata of backups.
BACKUP_METADATA = "3.43"
IN_PROGRESS = {"creating"}
USABLE = {"available", "backing-up", "restoring"}
DELETING = "deleting"
VOLUME_SNAPSHOT, VOLUME_BACKUP = "volume_snapshot", "volume_backup"


@dataclass(frozen=True)
class Kind:
    """Snapshots or backups."""

    type: str
    #: As Cinder calls them in paths and bodies.
    plural: str
    singular: str
    display_name: str
    microversion: str | None = None


SNAPSHOTS = Kind(VOLUME_SNAPSHOT, "snapshots", "snapshot", "volume snapshot")
BACKUPS = Kind(VOLUME_BACKUP, "backups", "backup", "volume backup", BACKUP_METADATA)
#: Where Cinder keeps no metadata of backups, the labels are in the descriptions.
BACKUPS_WITHOUT_METADATA = Kind(VOLUME_BACKUP, "backups", "backup", "volume backup")


def kind_of_backups(client: Client) -> Kind:
    """As this cloud has them."""
    return BACKUPS if client.supports_microversion("block_storage", BACKUP_METADATA) else BACKUPS_WITHOUT_METADATA


@dataclass(frozen=True)
class VolumeCopy:
    id: str
    name: str
    status: str
    #: Bytes.
    size: int | None
    volume_id: str
    created_at: str
    metadata: t.Mapping[str, str] = field(default_factory=dict)
    #: Of a backup: whether it builds on an earlier one, whether later ones build on it, and why it failed.
    is_incremental: bool = False
    has_dependents: bool = False
    fail_reason: str = ""

    @classmethod
    def from_body(cls, body: dict[str, t.Any]) -> VolumeCopy:
        fields = Fields("block_storage", "volume copy", body)
        size, name = fields.number("size"), fields.text("name")
        metadata = fields.metadata("metadata")
        if not metadata and (labels := described(fields.text("description"))):
            # A description has no room for the name, and nothing inherits it.
            metadata = {**labels, NAME: name}
        return cls(
            id=fields.required("id"),
            name=name,
            status=fields.required("status"),
            size=None if size is None else size * GIB,
            volume_id=fields.required("volume_id"),
            created_at=fields.required_moment("created_at"),
            metadata=metadata,
            is_incremental=fields.flag("is_incremental"),
            has_dependents=fields.flag("has_dependent_backups"),
            fail_reason=fields.text("fail_reason"),
        )

    @property
    def usable(self) -> bool:
        """Whether it is complete or may become so."""
        return self.status in USABLE | IN_PROGRESS


def is_ours(copy: VolumeCopy) -> bool:
    """Whether a run made it. What was given another name since is its user's."""
    labels = copy.metadata
    if RUN not in labels or NAME not in labels:
        return False
    if labels.get(VOLUME_ID, copy.volume_id) != copy.volume_id:
        return False
    if SERVER_ID in labels:
        # Of a server's volumes, each copy has its place among them in its name.
        return bool(re.fullmatch(rf"{re.escape(labels[NAME])}(-[0-9]+)?", copy.name))
    return VOLUME_ID in labels and labels[NAME] == copy.name


def volume_copies(
    client: Client, kind: Kind, unreadable: dict[str, UnreadableError] | None = None
) -> t.Iterator[VolumeCopy]:
    """The project's snapshots or backups, the newest first, so that a poll need not list years of them."""
    path, order = f"/{kind.plural}/detail", {"sort": "created_at:desc"}
    listing = client.listing("block_storage", path, kind.plural, order, kind.microversion)
    yield from readable(listing, VolumeCopy.from_body, unreadable)


def volume_copy(client: Client, kind: Kind, id: str) -> VolumeCopy | None:
    """One snapshot or backup, None when it is gone."""
    try:
        answer = client.get("block_storage", f"/{kind.plural}/{id}", microversion=kind.microversion)
    except RefusedError as exc:
        if exc.status_code != NOT_FOUND:
            raise
        return None
    body = answer.get(kind.singular)
    if not isinstance(body, dict):
        raise OutageError(f"The block storage service gave an answer without the {kind.display_name} {id}.")
    return VolumeCopy.from_body(body)


def copies_of_run(client: Client, kind: Kind, run: str) -> list[VolumeCopy]:
    return [copy for copy in volume_copies(client, kind, {}) if copy.metadata.get(RUN) == run and copy.usable]


def update_from_volume_copies(
    client: Client,
    kind: Kind,
    items: list[Item[t.Any]],
    listed: t.Iterable[VolumeCopy] | None = None,
    unreadable: dict[str, UnreadableError] | None = None,
) -> None:
    """Update these items from what Cinder says of their snapshots or backups, with one listing unless one is given."""
    awaited = {
        created.id: (item, created)
        for item in items
        for created in item.created
        if created.type == kind.type and created.id and created.status not in USABLE
    }
    if not awaited:
        return
    unreadable = {} if unreadable is None else unreadable
    looked_for = {id(item): item for item, _created in awaited.values()}
    for copy in volume_copies(client, kind, unreadable) if listed is None else listed:
        if copy.id in awaited:
            item, created = awaited.pop(copy.id)
            created.name, created.status, created.size = copy.name, copy.status, copy.size
            if not copy.usable and not item.settled:
                cause = f": {copy.fail_reason}" if copy.fail_reason else ""
                text = f"the {kind.display_name} {copy.id} is in status {copy.status}{cause}"
                item.settle(FAILED, Reason(Code.ERROR_STATUS, text))
            if not awaited:
                break
    for copy_id in awaited.keys() & unreadable.keys():
        item, _created = awaited.pop(copy_id)
        item.settle(FAILED, Reason(Code.UNREADABLE, str(unreadable[copy_id])))
    # One of each item is enough: a listing that lacks several is one listing.
    missing = {id(item): created for item, created in awaited.values()}
    for key, item in looked_for.items():
        if key not in missing:
            item.seen()
        elif not item.settled:
            text = f"the {kind.display_name} {missing[key].id} does not exist any more"
            item.miss(Reason(Code.DISAPPEARED, text))
