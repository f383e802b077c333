# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nova's description of a server in each microversion."""

from __future__ import annotations

import json
import typing as t
from hashlib import blake2b

from .cloud import Cloud
from .resources import Server, in_seconds

FLAVOR: dict[str, t.Any] = {
    "vcpus": 2,
    "ram": 4096,
    "disk": 20,
    "ephemeral": 0,
    "swap": 0,
    "original_name": "m1.small",
    "extra_specs": {"hw:cpu_policy": "shared", "quota:disk_total_iops_sec": "2000"},
}
FLAVOR_ID = "682245de-ba85-4d94-84d5-e4ca7ae45a85"
STATUSES = {
    "active": "ACTIVE",
    "stopped": "SHUTOFF",
    "error": "ERROR",
    "shelved": "SHELVED",
    "shelved_offloaded": "SHELVED_OFFLOADED",
}
REBOOTING = {"rebooting": "REBOOT", "rebooting_hard": "HARD_REBOOT"}
#: The minor microversions that changed the body.
STEPS = (1, 3, 9, 19, 26, 47, 63, 73, 90, 96)


def status_of(server: Server) -> str:
    return REBOOTING.get(server.task_state or "") or STATUSES[server.vm_state]


def encoded(server: Server, version: int, cloud: Cloud) -> bytes:
    step = max(step for step in STEPS if step <= version)
    return server.encoded(step, lambda: json.dumps(body(server, step, cloud)).encode())


def brief(server: Server, url: str) -> dict[str, t.Any]:
    """The body in a listing without details."""
    return {"id": server.id, "name": server.name, "links": links(url, server.id)}


def links(url: str, server_id: str) -> list[dict[str, str]]:
    return [
        {"rel": "self", "href": f"{url}/v2.1/servers/{server_id}"},
        {"rel": "bookmark", "href": f"{url}/servers/{server_id}"},
    ]


def body(server: Server, version: int, cloud: Cloud) -> dict[str, t.Any]:
    url = cloud.urls["nova"]
    offloaded = server.vm_state == "shelved_offloaded"
    flavor_link = {"rel": "bookmark", "href": f"{url}/flavors/{FLAVOR_ID}"}
    image: t.Any = ""
    if server.image_id:
        image_link = {"rel": "bookmark", "href": f"{url}/images/{server.image_id}"}
        image = {"id": server.image_id, "links": [image_link]}
    content: dict[str, t.Any] = {
        "accessIPv4": "",
        "accessIPv6": "",
        "addresses": addresses(server),
        "created": in_seconds(server.created),
        "flavor": FLAVOR if version >= 47 else {"id": FLAVOR_ID, "links": [flavor_link]},
        "hostId": "" if offloaded else blake2b(server.id[:2].encode(), digest_size=28).hexdigest(),
        "id": server.id,
        "image": image,
        "links": links(url, server.id),
        "metadata": server.metadata,
        "name": server.name,
        "status": status_of(server),
        "tenant_id": cloud.project_id,
        "user_id": cloud.user_id,
        "updated": in_seconds(server.updated),
        "OS-DCF:diskConfig": "MANUAL",
        "OS-EXT-AZ:availability_zone": "" if offloaded else "nova",
        "config_drive": "",
        "key_name": "operations",
        "OS-SRV-USG:launched_at": in_seconds(server.created + 9)[:-1] + ".000000",
        "OS-SRV-USG:terminated_at": None,
        "OS-EXT-STS:task_state": server.task_state,
        "OS-EXT-STS:vm_state": server.vm_state,
        "OS-EXT-STS:power_state": server.power_state,
        "os-extended-volumes:volumes_attached": volumes(server, version),
    }
    if server.vm_state == "active":
        content["progress"] = 0
    for since, more in additions(server):
        if version >= since:
            content.update(more)
    content["security_groups"] = [{"name": "default"}, {"name": server.metadata.get("role", "other")}]
    return content


def additions(server: Server) -> tuple[tuple[int, dict[str, t.Any]], ...]:
    """The fields that microversions added."""
    return (
        (9, {"locked": False}),
        (19, {"description": None}),
        (26, {"tags": server.tags}),
        (63, {"trusted_image_certificates": None}),
        (73, {"locked_reason": None}),
        (90, {"OS-EXT-SRV-ATTR:hostname": server.name}),
        (96, {"pinned_availability_zone": None}),
    )


def volumes(server: Server, version: int) -> list[dict[str, t.Any]]:
    if version >= 3:
        return [{"id": volume_id, "delete_on_termination": False} for volume_id in server.volume_ids]
    return [{"id": volume_id} for volume_id in server.volume_ids]


def addresses(server: Server) -> dict[str, t.Any]:
    """Addresses in two networks, derived from the server's number."""
    high, low = divmod(server.sequence + 2, 250)
    networks = (("private", "fixed", f"10.0.{high}.{low}"), ("private", "floating", f"198.18.{high}.{low}"))
    storage = ("storage", "fixed", f"10.1.{high}.{low}")
    found: dict[str, t.Any] = {}
    for network, kind, address in (*networks, storage):
        hardware = f"fa:16:3e:{'1e' if network == 'private' else '2f'}:{high:02x}:{low:02x}"
        found.setdefault(network, []).append(
            {"version": 4, "addr": address, "OS-EXT-IPS:type": kind, "OS-EXT-IPS-MAC:mac_addr": hardware}
        )
    return found
