# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cloud's resources, and listings that continue from a marker without going through all of them."""

from __future__ import annotations

import bisect
import dataclasses
import time
import typing as t

Encode = t.Callable[[t.Any], bytes]


@dataclasses.dataclass(eq=False, kw_only=True, slots=True)
class Resource:
    id: str
    name: str
    created: float = dataclasses.field(default_factory=time.time)
    updated: float = 0.0
    sequence: int = 0
    deleted: bool = False
    #: Encoded bodies by form, until the next change.
    forms: dict[t.Hashable, bytes] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        self.updated = self.updated or self.created

    def change(self, **values: t.Any) -> None:
        for name, value in values.items():
            setattr(self, name, value)
        self.updated = time.time()
        self.forms.clear()

    def encoded(self, form: t.Hashable, encode: t.Callable[[], bytes]) -> bytes:
        """The encoded body in this form, encoded again only after a change."""
        body = self.forms.get(form)
        if body is None:
            body = self.forms[form] = encode()
        return body


@dataclasses.dataclass(eq=False, kw_only=True, slots=True)
class Server(Resource):
    #: None for a server that was booted from a volume.
    image_id: str | None
    volume_ids: list[str] = dataclasses.field(default_factory=list)
    metadata: dict[str, str]
    tags: list[str] = dataclasses.field(default_factory=list)
    vm_state: str = "active"
    task_state: str | None = None
    power_state: int = 1
    shelved_image_id: str | None = None


@dataclasses.dataclass(eq=False, kw_only=True, slots=True)
class Image(Resource):
    status: str = "queued"
    visibility: str = "private"
    size: int | None = None
    disk_format: str | None = None
    container_format: str | None = None
    min_disk: int = 0
    min_ram: int = 0
    protected: bool = False
    hidden: bool = False
    tags: list[str] = dataclasses.field(default_factory=list)
    properties: dict[str, str] = dataclasses.field(default_factory=dict)
    #: The size of the data staged for an import.
    staged_size: int | None = None


@dataclasses.dataclass(eq=False, kw_only=True, slots=True)
class Volume(Resource):
    size: int
    status: str = "available"
    bootable: bool = False
    server_id: str | None = None
    metadata: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(eq=False, kw_only=True, slots=True)
class Snapshot(Resource):
    volume_id: str
    size: int
    status: str = "creating"
    description: str | None = None
    metadata: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(eq=False, kw_only=True, slots=True)
class Backup(Resource):
    volume_id: str
    size: int
    status: str = "creating"
    description: str | None = None
    snapshot_id: str | None = None
    parent_id: str | None = None
    children: int = 0
    metadata: dict[str, str] = dataclasses.field(default_factory=dict)


R = t.TypeVar("R", bound=Resource)


class MarkerError(LookupError):
    """The marker of a listing does not exist."""


class Collection(t.Generic[R]):
    """All resources of one kind, oldest first."""

    def __init__(self) -> None:
        self.by_id: dict[str, R] = {}
        self.live: list[R] = []
        self.ever: list[R] = []

    def add(self, resource: R) -> R:
        resource.sequence = len(self.ever)
        self.by_id[resource.id] = resource
        self.live.append(resource)
        self.ever.append(resource)
        return resource

    def remove(self, resource: R) -> None:
        resource.deleted = True
        if self.by_id.pop(resource.id, None):
            del self.live[bisect.bisect_left(self.live, resource.sequence, key=sequence_of)]

    def page(
        self,
        limit: int,
        marker: str | None = None,
        wanted: t.Callable[[R], bool] | None = None,
        order: t.Sequence[tuple[t.Callable[[R], t.Any], bool]] = (),
    ) -> tuple[list[R], bool]:
        """The next resources after the marker, and whether there are more; newest first by default."""
        if marker is not None and marker not in self.by_id:
            raise MarkerError(marker)
        following = self.ordered_after(marker, order) if order else self.newest_after(marker)
        found: list[t.Any] = []
        for resource in following:
            if wanted is None or wanted(resource):
                if len(found) == limit:
                    return found, True
                found.append(resource)
        return found, False

    def newest_after(self, marker: str | None) -> t.Iterator[R]:
        position = len(self.live)
        if marker is not None:
            position = bisect.bisect_left(self.live, self.by_id[marker].sequence, key=sequence_of)
        return (self.live[at] for at in range(position - 1, -1, -1))

    def ordered_after(
        self, marker: str | None, order: t.Sequence[tuple[t.Callable[[R], t.Any], bool]]
    ) -> t.Iterable[R]:
        everything = self.live[::-1]
        for value_of, descending in reversed(order):
            everything.sort(key=value_of, reverse=descending)
        return everything if marker is None else everything[everything.index(self.by_id[marker]) + 1 :]


def sequence_of(resource: Resource) -> int:
    return resource.sequence


def in_seconds(moment: float) -> str:
    """A time in the format of Nova and Glance."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def in_microseconds(moment: float) -> str:
    """A time in the format of Cinder and Keystone."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment % 1 * 1_000_000):06d}"
