# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes, as Cinder lists them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..api.client import Client
from ..api.fields import Fields, readable
from ..model.errors import UnreadableError
from .selection import Criteria, Resource, Selection

#: Statuses of volumes.
AVAILABLE, IN_USE = "available", "in-use"
#: How Cinder calls the copy of an attached volume that it backs up, with the volume's id behind it.
TEMPORARY = "backup-vol-"


@dataclass(frozen=True)
class Volume(Resource):
    #: GiB.
    size: int = 0
    server_ids: tuple[str, ...] = ()

    @classmethod
    def from_body(cls, body: dict[str, t.Any]) -> Volume:
        fields = Fields("block_storage", "volume", body)
        return cls(
            id=fields.required("id"),
            name=fields.text("name"),
            status=fields.required("status"),
            metadata=fields.metadata("metadata"),
            availability_zone=fields.text("availability_zone"),
            created_at=fields.moment("created_at"),
            size=fields.number("size") or 0,
            # A volume may be attached to a host instead of a server.
            server_ids=tuple(id for one in fields.rows("attachments") if (id := one.text("server_id"))),
        )


def list_volumes(client: Client, unreadable: dict[str, UnreadableError] | None = None) -> list[Volume]:
    """Every volume of the project, but those that Cinder itself makes to back up one that is attached."""
    listing = client.listing("block_storage", "/volumes/detail", "volumes")
    volumes = list(readable(listing, Volume.from_body, unreadable))
    temporary = {f"{TEMPORARY}{volume.id}" for volume in volumes}
    return [volume for volume in volumes if volume.name not in temporary]


def select_volumes(client: Client, criteria: Criteria) -> Selection[Volume]:
    unreadable: dict[str, UnreadableError] = {}
    volumes = list_volumes(client, unreadable)
    return criteria.at(client.cloud_clock).select(volumes, "volume", unreadable)
