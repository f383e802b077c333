# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fill the cloud, adding only what is missing: seed.py identity|resources SANDBOX-DIRECTORY [SERVERS].

All requests go to internal endpoints, which are neither counted nor limited.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

import openstack

SERVICES = {
    "keystone": ("identity", "/v3"),
    "nova": ("compute", "/v2.1"),
    "glance": ("image", ""),
    "neutron": ("network", ""),
    "placement": ("placement", ""),
    "cinder": ("volumev3", "/v3/%(project_id)s"),
}
#: What public URLs of each region begin with.
PREFIXES = {"RegionOne": "", "RegionTwo": "/RegionTwo"}
MEMBERS = ("demo", "short")

FLAVORS = {"small": (1, 512), "medium": (2, 1024)}
IMAGE = "cirros"
IMAGE_BYTES = 16 * 1024
# In images and MiB.
IMAGE_QUOTAS = {
    "image_count_total": 10_000,
    "image_count_uploading": 1000,
    "image_size_total": 1_000_000,
    "image_stage_total": 100_000,
}
NETWORK = "private"
DATA_VOLUMES = ("data-01", "data-02", "data-03")
BROKEN = "broken-01"


class Sandbox:
    """Ports and passwords, as the control side wrote them."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.ports = self.read("ports.json")
        self.passwords = self.read("passwords.json")

    def read(self, name: str) -> dict[str, t.Any]:
        try:
            with open(os.path.join(self.directory, name), encoding="utf-8") as stream:
                return json.load(stream)
        except FileNotFoundError:
            return {}

    def write(self, name: str, content: dict[str, t.Any]) -> None:
        draft = os.path.join(self.directory, f"{name}.new")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
            json.dump(content, stream, indent=2)
        os.replace(draft, os.path.join(self.directory, name))

    def url(self, service: str, prefix: str) -> str:
        return f"http://127.0.0.1:{self.ports[service]}{prefix}"

    def connect(self, user: str, project: str) -> openstack.connection.Connection:
        keystone = f"{self.url('keystone', '/internal')}/v3"
        return openstack.connection.Connection(
            auth={
                "auth_url": keystone,
                "username": user,
                "password": self.passwords[user],
                "project_name": project,
                "user_domain_id": "default",
                "project_domain_id": "default",
            },
            region_name="RegionOne",
            interface="internal",
            # The catalog may still have former ports.
            identity_endpoint_override=keystone,
            app_name="sandbox-seed",
        )


def seed_identity(sandbox: Sandbox) -> None:
    """Projects, users, the catalog of both regions, and the demo user's application credential."""
    admin = sandbox.connect("admin", "admin")
    identity = admin.identity
    roles = {role.name: role for role in identity.roles()}
    projects = {project.name: project for project in identity.projects(domain_id="default")}
    for name in ("demo", "service"):
        if name not in projects:
            projects[name] = identity.create_project(name=name, domain_id="default")
    users = {user.name: user for user in identity.users(domain_id="default")}
    assigned = {(found.user.get("id"), found.role["id"]) for found in identity.role_assignments()}
    wanted: list[tuple[str, str, str, tuple[str, ...]]] = [
        (name, sandbox.passwords[name], "demo", ("member",)) for name in MEMBERS
    ]
    wanted += [
        (name, sandbox.passwords["service"], "service", ("admin", "service")) for name in SERVICES if name != "keystone"
    ]
    for name, password, project, role_names in wanted:
        if name not in users:
            users[name] = identity.create_user(name=name, password=password, domain_id="default")
        for role in role_names:
            if (users[name].id, roles[role].id) not in assigned:
                identity.assign_project_role_to_user(projects[project], users[name], roles[role])
    # So the administrator can sign in with every kind of scope; keystone-manage gave the role on the system.
    identity.assign_project_role_to_user(projects["demo"], users["admin"], roles["admin"])
    identity.assign_domain_role_to_user("default", users["admin"], roles["admin"])
    seed_catalog(sandbox, identity)
    seed_image_quotas(identity, projects["demo"].id)
    seed_application_credential(sandbox, projects["demo"].id, users["demo"].id)


def seed_catalog(sandbox: Sandbox, identity) -> None:
    """Make every service's endpoints in both regions."""
    regions = {region.id for region in identity.regions()}
    for region in PREFIXES:
        if region not in regions:
            identity.create_region(id=region)
    services = {service.type: service for service in identity.services()}
    endpoints = {(found.service_id, found.region_id, found.interface): found for found in identity.endpoints()}
    for name, (service_type, path) in SERVICES.items():
        service = services.get(service_type) or identity.create_service(name=name, type=service_type)
        for region, public in PREFIXES.items():
            for interface, prefix in (("public", public), ("internal", "/internal")):
                url = sandbox.url(name, prefix) + path
                found = endpoints.get((service.id, region, interface))
                if found is None:
                    identity.create_endpoint(service_id=service.id, region_id=region, interface=interface, url=url)
                elif found.url != url:
                    identity.update_endpoint(found, url=url)


def seed_image_quotas(identity, project: str) -> None:
    """Set Glance's quotas for every project, and for demo as its own, which take one request to look up."""
    service = identity.find_service("glance", ignore_missing=False).id
    where = {"service_id": service, "region_id": "RegionOne"}
    registered = {limit.resource_name for limit in identity.registered_limits(**where)}
    own = {limit.resource_name for limit in identity.limits(**where, project_id=project)}
    for name, limit in IMAGE_QUOTAS.items():
        if name not in registered:
            identity.create_registered_limit(**where, resource_name=name, default_limit=limit)
        if name not in own:
            identity.create_limit(**where, project_id=project, resource_name=name, resource_limit=limit)


def seed_application_credential(sandbox: Sandbox, project: str, user: str) -> None:
    """Make it again if its secret is lost, which Keystone shows only once."""
    known = sandbox.read("state/identity.json")
    demo = sandbox.connect("demo", "demo")
    existing = {found.id: found for found in demo.identity.application_credentials(user)}
    if known.get("application_credential_id") in existing:
        return
    for found in existing.values():
        if found.name == "sandbox":
            demo.identity.delete_application_credential(user, found)
    made = demo.identity.create_application_credential(user, "sandbox")
    sandbox.write(
        "state/identity.json",
        {
            "project_id": project,
            "user_id": user,
            "application_credential_id": made.id,
            "application_credential_secret": made.secret,
        },
    )


class Resources:
    """The demo project's servers, volumes and network, and what they are made from."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.demo = sandbox.connect("demo", "demo")
        self.sandbox = sandbox

    @functools.cached_property
    def admin(self) -> openstack.connection.Connection:
        """For what a member may not do; connected when first needed."""
        return self.sandbox.connect("admin", "admin")

    def seed(self, servers: int) -> None:
        names = server_names(servers)
        existing = {server.name for server in self.demo.compute.servers(details=False)}
        missing = [name for name in (*names, BROKEN) if name not in existing]
        self.flavors = self.ensure_flavors()
        self.image = self.ensure_image()
        self.network = self.ensure_network()
        self.volumes = self.ensure_volumes([f"{name}-root" for name in names if name.startswith("db")])
        if missing:
            print(f"creating {len(missing)} servers", flush=True)
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(self.create_server, missing))
            self.wait_for_servers(missing)
        if BROKEN in missing:
            broken = self.demo.compute.find_server(BROKEN, ignore_missing=False)
            self.admin.compute.reset_server_state(broken, "error")
        self.ensure_attached(names)

    def ensure_flavors(self) -> dict[str, t.Any]:
        found = {flavor.name: flavor for flavor in self.demo.compute.flavors()}
        for name, (vcpus, ram) in FLAVORS.items():
            if name not in found:
                found[name] = self.admin.compute.create_flavor(name=name, vcpus=vcpus, ram=ram, disk=1)
        return found

    def ensure_image(self):
        """Random bytes, as the hypervisor does not read them."""
        images = {image.name: image for image in self.demo.image.images(visibility="public")}
        if IMAGE in images:
            return images[IMAGE]
        return self.admin.image.create_image(
            name=IMAGE,
            data=os.urandom(IMAGE_BYTES),
            disk_format="raw",
            container_format="bare",
            visibility="public",
            min_disk=1,
        )

    def ensure_network(self):
        network = self.demo.network.find_network(NETWORK)
        if network is None:
            network = self.demo.network.create_network(name=NETWORK)
        if not list(self.demo.network.subnets(network_id=network.id)):
            # There is no DHCP agent to wait for.
            self.demo.network.create_subnet(
                network_id=network.id, name=NETWORK, ip_version=4, cidr="10.0.0.0/16", is_dhcp_enabled=False
            )
        return network

    def ensure_volumes(self, roots: t.Sequence[str]) -> dict[str, t.Any]:
        storage = self.demo.block_storage
        found = {volume.name: volume for volume in storage.volumes()}
        made = []
        for name in (*roots, *DATA_VOLUMES):
            if name not in found:
                found[name] = storage.create_volume(name=name, size=1, metadata={"seeded": "yes"})
                made.append(name)
        for name in made:
            storage.wait_for_status(found[name], "available", interval=0.2, wait=60)
        for name in roots:
            if not found[name].is_bootable:
                storage.set_volume_bootable_status(found[name], True)
        return found

    def create_server(self, name: str):
        role = name.split("-")[0]
        boot: dict[str, t.Any] = {"image_id": self.image.id}
        if role == "db":
            boot = {
                "block_device_mapping": [
                    {
                        "boot_index": 0,
                        "source_type": "volume",
                        "destination_type": "volume",
                        "uuid": self.volumes[f"{name}-root"].id,
                        "delete_on_termination": False,
                    }
                ]
            }
        return self.demo.compute.create_server(
            name=name,
            flavor_id=self.flavors["medium" if role == "db" else "small"].id,
            networks=[{"uuid": self.network.id}],
            metadata={"role": role, "environment": "test"},
            **boot,
        )

    def wait_for_servers(self, names: t.Collection[str]) -> None:
        """Poll those in BUILD only: listing all of them again and again would slow Nova down."""
        deadline = time.monotonic() + 120 + 5 * len(names)
        while waiting := self.count("BUILD"):
            if time.monotonic() > deadline:
                sys.exit(f"{waiting} servers did not become ACTIVE in time.")
            time.sleep(1)
        failed = [server for server in self.demo.compute.servers(status="ERROR") if server.name in names]
        if failed:
            reason = (failed[0].fault or {}).get("message", "no reason is given")
            sys.exit(f"The server {failed[0].name} went into ERROR: {reason}")

    def count(self, status: str) -> int:
        return sum(1 for server in self.demo.compute.servers(details=False, status=status))

    def ensure_attached(self, names: t.Sequence[str]) -> None:
        """Attach a data volume to the first web server."""
        volume = self.volumes[DATA_VOLUMES[0]]
        if volume.status == "available" and "web-01" in names:
            server = self.demo.compute.find_server("web-01", ignore_missing=False)
            self.demo.compute.create_volume_attachment(server, volume_id=volume.id)
            self.demo.block_storage.wait_for_status(volume, "in-use", interval=0.2, wait=60)


def server_names(count: int) -> list[str]:
    """The names of the servers; two boot from a volume, if there are more than two."""
    databases = [f"db-{number:02d}" for number in (1, 2)] if count > 2 else []
    return databases + [f"web-{number:02d}" for number in range(1, count - len(databases) + 1)]


def main() -> None:
    what, sandbox = sys.argv[1], Sandbox(sys.argv[2])
    if what == "identity":
        seed_identity(sandbox)
    else:
        Resources(sandbox).seed(int(sys.argv[3]))


if __name__ == "__main__":
    main()
