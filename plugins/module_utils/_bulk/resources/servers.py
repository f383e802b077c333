# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers, as Nova lists them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..._session.util.errors import ConfigurationError
from ..api.client import Client
from ..api.fields import Fields, readable
from ..model.errors import RefusedError, UnreadableError
from .selection import Criteria, Resource, Selection

#: From this microversion on, Nova lists the tags of servers.
TAGS = "2.26"
NOT_ACCEPTABLE = 406
#: Nova makes an image of the server, which leaves it in the status that it has.
IMAGE_TASKS = frozenset(
    {"image_snapshot", "image_snapshot_pending", "image_pending_upload", "image_uploading", "image_backup"}
)


@dataclass(frozen=True)
class Server(Resource):
    task_state: str | None = None
    volume_backed: bool = False
    volume_ids: tuple[str, ...] = ()
    #: Whether Nova reports that it does nothing with it; some clouds do not show tasks.
    has_no_task: bool = False
    #: When anything of it changed last, to the second.
    updated_at: str = ""
    #: What Nova says of a server in ERROR.
    fault: str = ""

    @classmethod
    def from_body(cls, body: dict[str, t.Any]) -> Server:
        fields = Fields("compute", "server", body)
        return cls(
            id=fields.required("id"),
            name=fields.text("name"),
            status=fields.required("status"),
            metadata=fields.metadata("metadata"),
            availability_zone=fields.text("OS-EXT-AZ:availability_zone"),
            created_at=fields.moment("created"),
            tags=fields.texts("tags"),
            task_state=fields.text("OS-EXT-STS:task_state") or None,
            # Nova has an empty text there for a server that was booted from a volume.
            volume_backed=body.get("image") == "",
            volume_ids=tuple(one.required("id") for one in fields.rows("os-extended-volumes:volumes_attached")),
            has_no_task=body.get("OS-EXT-STS:task_state", "unknown") is None,
            updated_at=fields.text("updated"),
            fault=" ".join(fields.inner("fault").text("message").split()),
        )

    @property
    def idle(self) -> bool:
        """Whether Nova does nothing with it that leads to another status."""
        return not self.task_state or self.task_state in IMAGE_TASKS


def servers_detail(client: Client, with_tags: bool = False) -> t.Iterator[dict[str, t.Any]]:
    """What Nova says of every server of the project."""
    microversion = TAGS if with_tags else None
    try:
        for body in client.listing("compute", "/servers/detail", "servers", microversion=microversion):
            if with_tags and "tags" not in body:
                raise _without_tags()
            yield body
    except RefusedError as exc:
        if with_tags and exc.status_code == NOT_ACCEPTABLE:
            raise _without_tags() from None
        raise


def _without_tags() -> ConfigurationError:
    return ConfigurationError(
        f"This cloud's Nova does not list the tags of servers (that takes microversion {TAGS}): leave tags out."
    )


def list_servers(
    client: Client, with_tags: bool = False, unreadable: dict[str, UnreadableError] | None = None
) -> list[Server]:
    """Every server of the project."""
    return list(readable(servers_detail(client, with_tags), Server.from_body, unreadable))


def select_servers(client: Client, criteria: Criteria) -> Selection[Server]:
    unreadable: dict[str, UnreadableError] = {}
    servers = list_servers(client, bool(criteria.tags), unreadable)
    return criteria.at(client.cloud_clock).select(servers, "server", unreadable)
