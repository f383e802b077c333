# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images as Glance lists them, with what tells whether their content is still to come."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..api.cloud_requests import CloudRequests, UnreadableError
from ..api.fields import Fields, readable
from ..engine.item import IMAGE, Created
from .image_copies import is_ours, may_be_of_older_version
from .labels import RESERVED, RUN

SAVING = "saving"
#: Being filled by Glance itself, as a URL is downloaded.
IMPORTING = {"uploading", "importing", SAVING}
JSON_PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}


@dataclass(frozen=True)
class RunImage:
    id: str
    name: str
    status: str
    size: int | None
    created_at: str
    protected: bool
    #: The run that it is marked as one of; empty for marks that it inherited with the properties of another image.
    run: str
    #: The same for one that nothing tells from an image that inherited them, as older versions made it.
    older_run: str
    #: Everything under our reserved prefix.
    marks: t.Mapping[str, str]
    hash_algorithm: str
    hash_value: str
    #: Whether an import is waiting or at work.
    has_import_task: bool
    import_failed: bool

    @classmethod
    def from_body(cls, body: dict[str, t.Any]) -> RunImage:
        fields = Fields("image", "image", body)
        return cls(
            id=fields.required("id"),
            name=fields.text("name"),
            status=fields.required("status"),
            size=fields.number("size"),
            created_at=fields.required_moment("created_at"),
            protected=fields.flag("protected"),
            run=fields.text(RUN) if is_ours(body) else "",
            older_run=fields.text(RUN) if may_be_of_older_version(body) else "",
            marks={key: fields.text(key) for key in body if key.startswith(RESERVED)},
            hash_algorithm=fields.text("os_hash_algo"),
            hash_value=fields.text("os_hash_value"),
            has_import_task=bool(body.get("os_glance_import_task")),
            import_failed=bool(body.get("os_glance_failed_import")),
        )

    @property
    def created(self) -> Created:
        return Created(IMAGE, self.id, self.name, self.status, self.size)


def list_images(
    requests: CloudRequests,
    project_id: str | None,
    run: str | None = None,
    unreadable: dict[str, UnreadableError] | None = None,
) -> list[RunImage]:
    """The project's images, or those that carry the mark of a run."""
    filters = {RUN: run} if run else {}
    if project_id:
        filters["owner"] = project_id
    return list(readable(requests.listing("image", "/images", "images", filters), RunImage.from_body, unreadable))


def patch_image(requests: CloudRequests, image_id: str, changes: list[dict[str, t.Any]]) -> None:
    """Change attributes and properties of an image; safe to repeat."""
    requests.send("image", "PATCH", f"/images/{image_id}", json=changes, headers=JSON_PATCH)


def delete_image(requests: CloudRequests, image_id: str, protected: bool) -> None:
    if protected:
        patch_image(requests, image_id, [{"op": "replace", "path": "/protected", "value": False}])
    requests.delete("image", f"/images/{image_id}")
