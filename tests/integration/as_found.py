# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leaving a cloud as it was found: what was made since then is deleted, and what was changed is changed back."""

from __future__ import annotations

import contextlib
import functools
import pathlib
import typing as t

from ansible_collections.onetoken.openstack.tests.helpers.waiting import wait_for
from openstack.compute.v2.server import Server
from openstack.config import OpenStackConfig
from openstack.connection import Connection

#: Seconds for a cloud to do one thing.
LONG = 120


def administrator(clouds_file: pathlib.Path) -> Connection:
    """One in the project of the tests, who also takes a refusal by a rate for what it is."""
    config = OpenStackConfig(config_files=[str(clouds_file)], load_envvars=False)
    cloud = Connection(config=config.get_one("sandbox-admin", project_name="demo"))
    for proxy in (cloud.compute, cloud.image, cloud.block_storage):
        proxy.retriable_status_codes, proxy.status_code_retries = [429], 10
    return cloud


@contextlib.contextmanager
def left_as_found(cloud: Connection) -> t.Iterator[None]:
    """Servers with their metadata and tags, volumes with their metadata, and all copies of them of one project."""
    servers = {server.id: server for server in cloud.compute.servers()}
    volumes = {volume.id: volume for volume in cloud.block_storage.volumes()}
    copies = {kind: {one.id for one in list_all()} for kind, list_all in _copies(cloud).items()}
    try:
        yield
    finally:
        _bring_back_servers(cloud, servers)
        for volume in cloud.block_storage.volumes():
            if volume.id in volumes and volume.metadata != volumes[volume.id].metadata:
                cloud.block_storage.put(
                    f"/volumes/{volume.id}/metadata", json={"metadata": volumes[volume.id].metadata}
                )
        for kind, list_all in _copies(cloud).items():
            _delete(cloud, kind, list_all, copies[kind])


def _copies(cloud: Connection) -> dict[str, t.Callable[[], t.Iterable[t.Any]]]:
    """What copies there are of servers and volumes, in an order in which they can be deleted."""
    return {
        # An administrator sees those of other projects, too.
        "image": lambda: cloud.image.images(owner=cloud.current_project_id),
        "snapshot": cloud.block_storage.snapshots,
        "backup": cloud.block_storage.backups,
    }


def _bring_back_servers(cloud: Connection, found: dict[str, Server]) -> None:
    def now() -> list[Server]:
        return [server for server in cloud.compute.servers() if found[server.id].status == "ACTIVE"]

    wait_for(lambda: all(server.task_state is None for server in now()), LONG, "all servers are at rest")
    for server in now():
        if server.status.startswith("SHELVED"):
            cloud.compute.unshelve_server(server)
        elif server.status == "SHUTOFF":
            cloud.compute.start_server(server)
        if server.metadata != found[server.id].metadata:
            cloud.compute.put(f"/servers/{server.id}/metadata", json={"metadata": found[server.id].metadata})
        if server.tags != found[server.id].tags:
            set_tags(cloud, server, found[server.id].tags)
    wait_for(lambda: {server.status for server in now()} <= {"ACTIVE"}, LONG, "all servers run again")


def set_tags(cloud: Connection, server: Server, tags: list[str]) -> None:
    cloud.compute.put(f"/servers/{server.id}/tags", json={"tags": tags}, microversion="2.26")


def _delete(
    cloud: Connection, kind: str, list_all: t.Callable[[], t.Iterable[t.Any]], found: t.Collection[str]
) -> None:
    proxy = cloud.image if kind == "image" else cloud.block_storage

    def left() -> list[t.Any]:
        return sorted((one for one in list_all() if one.id not in found), key=lambda one: one.created_at, reverse=True)

    if kind != "image":
        wait_for(lambda: all("ing" not in one.status for one in left()), LONG, f"no {kind} is under way")
    for one in left():
        if kind == "image" and one.is_protected:
            cloud.image.update_image(one, is_protected=False)
        getattr(proxy, f"delete_{kind}")(one)
        if kind == "backup":
            # An incremental one goes before that which it is based on.
            wait_for(functools.partial(lambda id: id not in {other.id for other in left()}, one.id), LONG, "it is gone")
    wait_for(lambda: not left(), LONG, f"each {kind} is gone")
