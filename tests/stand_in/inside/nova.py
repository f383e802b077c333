# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nova: servers and their actions."""

from __future__ import annotations

import json
import re
import typing as t
from datetime import datetime, timezone

from . import server_body, work
from .cloud import Cloud
from .listings import Order, link_to_next, listing_answer, page, version_asked
from .messages import Answer, Headers, Request, fault, json_answer
from .resources import Server, Snapshot

MAXIMUM = 96
#: From this microversion on, the answer's body has the image's id.
IMAGE_ID_IN_BODY = 45
RUNNING = ("active", "stopped", "paused", "suspended")
SORT_KEYS: dict[str, t.Callable[[Server], t.Any]] = {
    "created_at": lambda server: server.created,
    "updated_at": lambda server: server.updated,
    "display_name": lambda server: server.name,
    "uuid": lambda server: server.id,
    "vm_state": lambda server: server.vm_state,
}
UNEXPECTED = (
    "Unexpected API Error. Please report this at http://bugs.launchpad.net/nova/ and attach the Nova API log if "
    "possible.\n<class 'glanceclient.exc.HTTPOverLimit'>"
)
REBOOTS = ("HARD", "Hard", "hard", "SOFT", "Soft", "soft")


class Nova:
    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.actions: dict[str, t.Callable[[Server, t.Any, int], Answer]] = {
            "createImage": self.create_image,
            "createBackup": self.create_backup,
            "shelve": self.shelve,
            "shelveOffload": self.shelve_offload,
            "unshelve": self.unshelve,
            "os-start": self.start,
            "os-stop": self.stop,
            "reboot": self.reboot,
        }

    @property
    def url(self) -> str:
        return self.cloud.urls["nova"]

    def versions(self, request: Request) -> Answer | None:
        version = {
            "id": "v2.1",
            "status": "CURRENT",
            "version": f"2.{MAXIMUM}",
            "min_version": "2.1",
            "updated": "2013-07-23T11:33:21Z",
            "links": [{"rel": "self", "href": f"{self.url}/v2.1/"}],
        }
        if request.path == "/":
            return json_answer(200, {"versions": [version]})
        if request.path.rstrip("/") == "/v2.1":
            media_type = "application/vnd.openstack.compute+json;version=2.1"
            version["media-types"] = [{"base": "application/json", "type": media_type}]
            return json_answer(200, {"version": version})
        return None

    def version_of(self, request: Request) -> int:
        return version_asked(request, "compute", MAXIMUM)

    def headers_for(self, version: int) -> Headers:
        return (
            ("OpenStack-API-Version", f"compute 2.{version}"),
            ("X-OpenStack-Nova-API-Version", f"2.{version}"),
            ("Vary", "OpenStack-API-Version, X-OpenStack-Nova-API-Version"),
        )

    def answer(self, request: Request, version: int) -> Answer:
        parts = request.path.strip("/").split("/")[1:]
        method = request.method
        if method == "GET":
            if parts in (["servers"], ["servers", "detail"]):
                return self.list_servers(request, version, detailed=len(parts) == 2)
            if parts == ["limits"]:
                return self.limits(version)
            if len(parts) == 2 and parts[0] == "servers":
                server = self.server(parts[1])
                return Answer(200, b'{"server": %s}' % server_body.encoded(server, version, self.cloud))
            if len(parts) == 3 and parts[::2] == ["servers", "metadata"]:
                return json_answer(200, {"metadata": self.server(parts[1]).metadata})
        if method == "POST" and len(parts) == 3 and parts[0] == "servers":
            if parts[2] == "action":
                return self.act(parts[1], request, version)
            if parts[2] == "metadata":
                return self.update_metadata(parts[1], request)
        raise fault(404, "The resource could not be found.")

    def server(self, server_id: str, message: str = "Instance {} could not be found.") -> Server:
        server = self.cloud.servers.by_id.get(server_id)
        if server is None:
            raise fault(404, message.format(server_id))
        return server

    # Listings

    def list_servers(self, request: Request, version: int, detailed: bool) -> Answer:
        parameters = request.parameters()
        servers, more = page(
            self.cloud.servers,
            parameters,
            wanted_servers(parameters, version),
            server_order(parameters),
            lambda marker: fault(400, f"marker [{marker}] not found"),
        )
        if detailed:
            bodies = [server_body.encoded(server, version, self.cloud) for server in servers]
        else:
            bodies = [json.dumps(server_body.brief(server, self.url)).encode() for server in servers]
        next_page = link_to_next(self.url, request, parameters, servers[-1]) if more else None
        return listing_answer("servers", bodies, next_page, ())

    def limits(self, version: int) -> Answer:
        used = len(self.cloud.servers.live)
        absolute = {
            "maxTotalCores": -1,
            "maxTotalInstances": -1,
            "maxTotalKeypairs": -1,
            "maxServerMeta": 128,
            "maxTotalRAMSize": -1,
            "maxServerGroups": -1,
            "maxServerGroupMembers": 10,
            "totalRAMUsed": used * server_body.FLAVOR["ram"],
            "totalCoresUsed": used * server_body.FLAVOR["vcpus"],
            "totalInstancesUsed": used,
            "totalServerGroupsUsed": 0,
        }
        if version < 39:
            absolute["maxImageMeta"] = 128
        return json_answer(200, {"limits": {"rate": [], "absolute": absolute}})

    # Actions

    def act(self, server_id: str, request: Request, version: int) -> Answer:
        try:
            ((name, arguments),) = request.json().items()
        except (ValueError, AttributeError) as exc:
            raise fault(400, "Malformed request body") from exc
        if name not in self.actions:
            raise fault(400, f"There is no such action: {name}")
        server = self.server(server_id, "Instance {} has no mapping to a cell.")
        return self.actions[name](server, arguments, version)

    def create_image(self, server: Server, arguments: t.Any, version: int) -> Answer:
        name, metadata = image_arguments("createImage", arguments)
        require(server, "createImage", RUNNING)
        if server.image_id is None:
            return self.create_image_of_volumes(server, name, metadata, version)
        properties = {**self.inherited(server), **metadata, "image_type": "snapshot"}
        return self.upload(server, name, properties, "image_snapshot", version)

    def create_backup(self, server: Server, arguments: t.Any, version: int) -> Answer:
        name, metadata = image_arguments("createBackup", arguments, "backup_type", "rotation")
        kind, rotation = str(arguments["backup_type"]), int(arguments["rotation"])
        require(server, "createBackup", RUNNING)
        if server.image_id is None:
            raise fault(400, "Backup is not supported for volume-backed instances.")
        properties = {**self.inherited(server), **metadata, "image_type": "backup", "backup_type": kind}
        return self.upload(
            server, name, properties, "image_backup", version, lambda: self.rotate(server, kind, rotation)
        )

    def upload(
        self,
        server: Server,
        name: str,
        properties: dict[str, str],
        task_state: str,
        version: int,
        after: t.Callable[[], None] = lambda: None,
    ) -> Answer:
        """Make an image of the server's disk, which is uploaded after the answer."""
        image = self.new_image(server, name, properties, disk_format="qcow2")
        server.change(task_state=task_state)

        def finish() -> None:
            server.change(task_state=None)
            after()

        seconds = self.cloud.settings.snapshot_seconds
        work.upload(self.cloud, image, work.snapshot_size(server.id), seconds, done=finish)
        if server.task_state:
            uploading = seconds * work.QUEUED_PART
            self.cloud.later(uploading, lambda: server.change(task_state="image_uploading"))
        return self.image_answer(image.id, version)

    def new_image(self, server: Server, name: str, properties: dict[str, str], **values: t.Any) -> work.Image:
        try:
            return work.new_image(
                self.cloud,
                name,
                f"of server {server.id}",
                container_format="bare",
                min_disk=server_body.FLAVOR["disk"],
                properties=properties,
                **values,
            )
        except work.QuotaReachedError as exc:
            # Nova has no better answer if Glance refuses.
            raise fault(500, UNEXPECTED) from exc

    def create_image_of_volumes(self, server: Server, name: str, metadata: dict[str, str], version: int) -> Answer:
        """An image without data that names a snapshot of each volume."""
        volumes = [self.cloud.volumes.by_id[volume_id] for volume_id in server.volume_ids]
        quota = self.cloud.settings.snapshot_quota
        if 0 <= quota < len(self.cloud.snapshots.live) + len(volumes):
            raise fault(403, "Quota exceeded for resources: snapshots")
        snapshots = [work.new_snapshot(self.cloud, volume, f"snapshot for {name}", "", {}) for volume in volumes]
        properties = {
            "base_image_ref": "",
            **self.owners(),
            **metadata,
            "root_device_name": "/dev/vda",
            "bdm_v2": "True",
            "block_device_mapping": json.dumps([device(number, made) for number, made in enumerate(snapshots)]),
        }
        image = self.new_image(server, name, properties, disk_format="raw", status="active", size=0)
        return self.image_answer(image.id, version)

    def image_answer(self, image_id: str, version: int) -> Answer:
        if version >= IMAGE_ID_IN_BODY:
            return json_answer(202, {"image_id": image_id})
        location = f"{self.cloud.urls['glance']}/images/{image_id}"
        return Answer(202, headers=(("Location", location),))

    def owners(self) -> dict[str, str]:
        return {"owner_user_name": "demo", "owner_project_name": "demo", "boot_roles": "reader,member"}

    def inherited(self, server: Server) -> dict[str, str]:
        """The properties that an image gets from its server."""
        origin = self.cloud.images.by_id.get(server.image_id or "")
        return {
            **(origin.properties if origin else {}),
            "base_image_ref": server.image_id or "",
            **self.owners(),
            "instance_uuid": server.id,
            "user_id": self.cloud.user_id,
            "image_location": "snapshot",
            "image_state": "available",
        }

    def rotate(self, server: Server, kind: str, rotation: int) -> None:
        """Keep this many backups of this type, and delete the older ones."""
        backups = [
            image
            for image in self.cloud.images.live
            if image.properties.get("instance_uuid") == server.id
            and image.properties.get("image_type") == "backup"
            and image.properties.get("backup_type") == kind
        ]
        for image in backups[: max(0, len(backups) - rotation)]:
            self.cloud.images.remove(image)

    def shelve(self, server: Server, _arguments: t.Any, _version: int) -> Answer:
        require(server, "shelve", RUNNING)
        seconds, offload_seconds = self.cloud.settings.action_seconds, self.cloud.settings.shelved_offload_seconds
        if server.image_id is not None:
            properties = {**self.inherited(server), "image_type": "snapshot"}
            image = self.new_image(server, f"{server.name}-shelved", properties, disk_format="qcow2")
            server.shelved_image_id = image.id
            work.upload(self.cloud, image, work.snapshot_size(server.id), seconds)
        server.change(task_state="shelving")
        # A server booted from a volume is offloaded at once.
        at_once = offload_seconds == 0 or server.image_id is None
        self.cloud.later(seconds, lambda: self.shelved(server, offloaded=at_once))
        if not at_once and offload_seconds > 0:
            self.cloud.later(seconds + offload_seconds, lambda: self.offload_idle(server))
        return Answer(202)

    def shelved(self, server: Server, offloaded: bool) -> None:
        state = "shelved_offloaded" if offloaded else "shelved"
        server.change(vm_state=state, task_state=None, power_state=4)

    def offload_idle(self, server: Server) -> None:
        if server.vm_state == "shelved" and server.task_state is None:
            self.shelved(server, offloaded=True)

    def shelve_offload(self, server: Server, _arguments: t.Any, _version: int) -> Answer:
        if not self.cloud.settings.admin:
            message = "Policy doesn't allow os_compute_api:os-shelve:shelve_offload to be performed."
            raise fault(403, message)
        require(server, "shelveOffload", ("shelved",))
        return self.begin(server, "shelving_offloading", lambda: self.shelved(server, offloaded=True))

    def unshelve(self, server: Server, _arguments: t.Any, _version: int) -> Answer:
        require(server, "unshelve", ("shelved", "shelved_offloaded"))

        def finish() -> None:
            image = self.cloud.images.by_id.get(server.shelved_image_id or "")
            if image:
                self.cloud.images.remove(image)
            server.change(vm_state="active", task_state=None, power_state=1, shelved_image_id=None)

        return self.begin(server, "unshelving", finish)

    def start(self, server: Server, _arguments: t.Any, _version: int) -> Answer:
        require(server, "start", ("stopped",))
        return self.begin(server, "powering-on", lambda: running(server))

    def stop(self, server: Server, _arguments: t.Any, _version: int) -> Answer:
        require(server, "stop", ("active", "error"))
        stopped = {"vm_state": "stopped", "task_state": None, "power_state": 4}
        return self.begin(server, "powering-off", lambda: server.change(**stopped))

    def reboot(self, server: Server, arguments: t.Any, _version: int) -> Answer:
        kind = arguments.get("type") if isinstance(arguments, dict) else None
        if kind not in REBOOTS:
            message = f"Invalid input for field/attribute type. Value: {kind}. {kind!r} is not one of {list(REBOOTS)}"
            raise fault(400, message)
        if kind.upper() == "SOFT":
            require(server, "reboot", ("active",))
            return self.begin(server, "rebooting", lambda: running(server))
        require(server, "reboot", (*RUNNING, "error"))
        return self.begin(server, "rebooting_hard", lambda: running(server))

    def begin(self, server: Server, task_state: str, finish: t.Callable[[], None]) -> Answer:
        server.change(task_state=task_state)
        self.cloud.later(self.cloud.settings.action_seconds, finish)
        return Answer(202)

    def update_metadata(self, server_id: str, request: Request) -> Answer:
        server = self.server(server_id)
        try:
            metadata = dict(request.json()["metadata"])
        except (ValueError, KeyError, TypeError) as exc:
            raise fault(400, "Malformed request body") from exc
        require(server, "update metadata", RUNNING, even_if_busy=True)
        server.change(metadata={**server.metadata, **metadata})
        return json_answer(200, {"metadata": server.metadata})


def require(server: Server, action: str, vm_states: tuple[str, ...], even_if_busy: bool = False) -> None:
    """Raise Nova's conflict unless the server is in one of these states and not busy."""
    if server.vm_state not in vm_states:
        state = f"vm_state {server.vm_state}"
    elif server.task_state and not even_if_busy:
        state = f"task_state {server.task_state}"
    else:
        return
    raise fault(409, f"Cannot '{action}' instance {server.id} while it is in {state}")


def running(server: Server) -> None:
    server.change(vm_state="active", task_state=None, power_state=1)


def image_arguments(action: str, arguments: t.Any, *required: str) -> tuple[str, dict[str, str]]:
    """The name and metadata of a new image."""
    for key in ("name", *required):
        if not isinstance(arguments, dict) or key not in arguments:
            message = f"Invalid input for field/attribute {action}. Value: {arguments}. '{key}' is a required property"
            raise fault(400, message)
    if not arguments["name"]:
        raise fault(400, "Invalid input for field/attribute name. Value: . '' should be non-empty")
    return arguments["name"], arguments.get("metadata") or {}


def device(number: int, snapshot: Snapshot) -> dict[str, t.Any]:
    """A disk of an image that consists of volume snapshots."""
    return {
        "delete_on_termination": False,
        "tag": None,
        "encryption_format": None,
        "no_device": None,
        "source_type": "snapshot",
        "destination_type": "volume",
        "device_type": "disk",
        "volume_id": None,
        "volume_type": None,
        "snapshot_id": snapshot.id,
        "encryption_secret_uuid": None,
        "disk_bus": "virtio",
        "boot_index": number,
        "guest_format": None,
        "encrypted": None,
        "image_id": None,
        "volume_size": snapshot.size,
        "encryption_options": None,
        "device_name": f"/dev/vd{chr(ord('a') + number)}",
    }


def wanted_servers(parameters: dict[str, str], version: int) -> t.Callable[[Server], bool] | None:
    """The test for the request's filters; unknown ones are ignored, as Nova does for users."""
    tests: list[t.Callable[[Server], t.Any]] = []
    if "name" in parameters:
        pattern = pattern_of(parameters["name"])
        tests.append(lambda server: pattern.search(server.name))
    if "status" in parameters:
        status = parameters["status"].upper()
        tests.append(lambda server: server_body.status_of(server) == status)
    if "vm_state" in parameters:
        tests.append(lambda server: server.vm_state == parameters["vm_state"])
    if "image" in parameters:
        tests.append(lambda server: server.image_id == parameters["image"])
    if "tags" in parameters and version >= 26:
        tags = set(parameters["tags"].split(","))
        tests.append(lambda server: tags <= set(server.tags))
    if "changes-since" in parameters:
        since = moment_of(parameters["changes-since"])
        tests.append(lambda server: server.updated >= since)
    return (lambda server: all(test(server) for test in tests)) if tests else None


def pattern_of(text: str) -> re.Pattern[str]:
    """A filter for names is a regular expression."""
    try:
        return re.compile(text, re.IGNORECASE)
    except re.error as exc:
        raise fault(400, f"Invalid input for query parameters name. Value: {text}. '{text}' is not a 'regex'") from exc


def moment_of(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as exc:
        message = f"Invalid input for query parameters changes-since. Value: {text}. '{text}' is not a 'date-time'"
        raise fault(400, message) from exc
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def server_order(parameters: dict[str, str]) -> Order:
    key = parameters.get("sort_key")
    return [(SORT_KEYS[key], parameters.get("sort_dir", "desc") == "desc")] if key in SORT_KEYS else []
