# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leave a cloud as it was: delete what was made since, and change back what was changed."""

from __future__ import annotations

import contextlib
import functools
import typing as t

from ansible_collections.onetoken.openstack.tests.helpers.waiting import TIMEOUT, wait_for
from openstack.compute.v2.server import Server
from openstack.connection import Connection

Listing = t.Callable[[], t.Iterable[t.Any]]


@contextlib.contextmanager
def left_as_found(cloud: Connection) -> t.Iterator[None]:
    """Restore a project's servers with metadata and tags and its volumes with metadata; delete new copies of both."""
    servers = {server.id: server for server in cloud.compute.servers()}
    volumes = {volume.id: volume for volume in cloud.block_storage.volumes()}
    copies = {kind: {one.id for one in list_all()} for kind, list_all in _copies(cloud).items()}
    try:
        yield
    finally:
        _restore_servers(cloud, servers)
        for volume in cloud.block_storage.volumes():
            if volume.id in volumes and volume.metadata != volumes[volume.id].metadata:
                cloud.block_storage.put(
                    f"/volumes/{volume.id}/metadata", json={"metadata": volumes[volume.id].metadata}
                )
        for kind, list_all in _copies(cloud).items():
            _delete_new(cloud, kind, list_all, copies[kind])


def delete_named(cloud: Connection, part: str) -> None:
    """Delete the servers, images, volumes and copies that have this in their names."""
    for server in cloud.compute.servers():
        if part in server.name:
            cloud.compute.delete_server(server)
            cloud.compute.wait_for_delete(server, interval=1, wait=60)
    for image in cloud.image.images():
        if part in (image.name or ""):
            cloud.image.update_image(image, is_protected=False)
            cloud.image.delete_image(image)
    cinder = cloud.block_storage
    for list_all, delete in (
        (cinder.snapshots, cinder.delete_snapshot),
        (cinder.backups, cinder.delete_backup),
        (cinder.volumes, cinder.delete_volume),
    ):
        # The newest first: an incremental backup must go before the one that it is based on.
        for one in _newest_first(one for one in list_all() if part in one.name):
            delete(one)
            _wait_until_gone(one, list_all)


def set_tags(cloud: Connection, server: Server, tags: list[str]) -> None:
    cloud.compute.put(f"/servers/{server.id}/tags", json={"tags": tags}, microversion="2.26")


def _copies(cloud: Connection) -> dict[str, Listing]:
    """What copies of servers and volumes there are, in an order in which they can be deleted."""
    return {
        # An administrator also sees those of other projects.
        "image": lambda: cloud.image.images(owner=cloud.current_project_id),
        "snapshot": cloud.block_storage.snapshots,
        "backup": cloud.block_storage.backups,
    }


def _restore_servers(cloud: Connection, found: dict[str, Server]) -> None:
    def now() -> list[Server]:
        return [server for server in cloud.compute.servers() if found[server.id].status == "ACTIVE"]

    wait_for(lambda: all(server.task_state is None for server in now()), TIMEOUT, "no server is busy")
    for server in now():
        if server.status.startswith("SHELVED"):
            cloud.compute.unshelve_server(server)
        elif server.status == "SHUTOFF":
            cloud.compute.start_server(server)
        if server.metadata != found[server.id].metadata:
            cloud.compute.put(f"/servers/{server.id}/metadata", json={"metadata": found[server.id].metadata})
        if server.tags != found[server.id].tags:
            set_tags(cloud, server, found[server.id].tags)
    wait_for(lambda: {server.status for server in now()} <= {"ACTIVE"}, TIMEOUT, "all servers run again")


def _delete_new(cloud: Connection, kind: str, list_all: Listing, found: t.Collection[str]) -> None:
    proxy = cloud.image if kind == "image" else cloud.block_storage

    def left() -> list[t.Any]:
        return _newest_first(one for one in list_all() if one.id not in found)

    if kind != "image":
        wait_for(lambda: all("ing" not in one.status for one in left()), TIMEOUT, f"no {kind} is in progress")
    for one in left():
        if kind == "image" and one.is_protected:
            cloud.image.update_image(one, is_protected=False)
        getattr(proxy, f"delete_{kind}")(one)
        if kind == "backup":
            _wait_until_gone(one, list_all)
    wait_for(lambda: not left(), TIMEOUT, f"every {kind} is gone")


def _newest_first(resources: t.Iterable[t.Any]) -> list[t.Any]:
    return sorted(resources, key=lambda one: one.created_at, reverse=True)


def _wait_until_gone(resource: t.Any, list_all: Listing) -> None:
    gone = functools.partial(lambda id: id not in {other.id for other in list_all()}, resource.id)
    wait_for(gone, TIMEOUT, f"{resource.name} is gone")
