# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cloud without a network, in which time passes only when somebody waits: for what happens between two looks."""

from __future__ import annotations

import datetime
import email.utils
import json
from concurrent import futures
from types import SimpleNamespace

from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.fake_time import FakeTime

PROJECT = "project-1"


class InlineExecutor(futures.Executor):
    """Does at once what it is given, so that the order of events is the same each time."""

    def __init__(self, _workers):
        super().__init__()

    def submit(self, function, /, *arguments, **options):
        future = futures.Future()
        try:
            future.set_result(function(*arguments, **options))
        except BaseException as exc:
            future.set_exception(exc)
        return future


class FakeResponse:
    def __init__(self, status_code, body=None, headers=None, text=""):
        self.status_code = status_code
        self.headers = headers or {}
        self.reason = "reason"
        self.text = json.dumps(body) if body is not None else text

    def json(self):
        return json.loads(self.text)


class FakeService:
    """A proxy of openstacksdk, as far as it is used: raw requests."""

    default_microversion = None
    endpoint_override = None
    #: By how many seconds the service's clock is ahead; None where it does not say what time it is.
    clock: float | None = 0.0

    def __init__(self, cloud, handle, microversion=(2, 96)):
        self._cloud = cloud
        self._handle = handle
        self._microversion = microversion

    def get_endpoint_data(self):
        return SimpleNamespace(min_microversion=(2, 1), max_microversion=self._microversion)

    def get_endpoint(self):
        return "http://cloud"

    def request(self, path, method, **options):
        assert options["endpoint_override"] == "http://cloud"
        assert options["raise_exc"] is False
        assert options["connect_retries"] == 0
        assert options["allow_reauth"] is False
        assert options["timeout"]
        self._cloud.requests.append((method, path))
        response = self._handle(path, method, options)
        if self.clock is not None:
            response.headers.setdefault(
                "Date", email.utils.formatdate(self._cloud.time.wall_clock() + self.clock, usegmt=True)
            )
        return response


class FakeConnection:
    """A cloud with servers, whose images become active after some seconds."""

    current_project_id = PROJECT

    def __init__(self, time: FakeTime, microversion=(2, 96)):
        self.time = time
        self.servers = []
        self.images = []
        self.snapshots = []
        self.requests = []
        self.sign_ins = 0
        self.session = SimpleNamespace(timeout=None, invalidate=self._invalidate)
        self.config = SimpleNamespace(get_region_name=lambda: "RegionOne", get_interface=lambda service: "public")
        self.image_seconds = 5.0
        self.snapshot_seconds = 2.0
        self.end_status = "active"
        self.page = 1000
        #: Called in place of createImage: what it returns is the answer, None goes on as usual.
        self.intercept = lambda server: None
        self.before_listing = lambda path: None
        self.compute = FakeService(self, self._compute, microversion)
        self.image = FakeService(self, self._image)
        self.block_storage = FakeService(self, self._block_storage)

    def _invalidate(self):
        self.sign_ins += 1

    @property
    def now(self):
        return self.time.clock()

    def server(self, name, status="ACTIVE", volumes=0, **metadata):
        number = len(self.servers)
        attached = [{"id": f"volume-{number}-{place}"} for place in range(volumes)]
        self.servers.append(
            {
                "id": f"id-{number}",
                "name": name,
                "status": status,
                "metadata": metadata,
                "image": "" if volumes else {"id": "cirros"},
                "OS-EXT-STS:task_state": None,
                "os-extended-volumes:volumes_attached": attached,
            }
        )
        return f"id-{number}"

    def count(self, method, path):
        return sum(request[0] == method and request[1].endswith(path) for request in self.requests)

    def _compute(self, path, method, options):
        if method == "GET":
            return self.before_listing(path) or self._page(self.servers, "servers", options)
        server = next(server for server in self.servers if server["id"] == path.split("/")[2])
        if answer := self.intercept(server):
            return answer
        if server["status"] == "ERROR":
            return FakeResponse(409, {"conflictingRequest": {"message": "it is in vm_state error"}})
        ((_name, action),) = options["json"].items()
        self.make_image(server, action)
        image_id = self.images[-1]["id"]
        if options["microversion"] == "2.45":
            return FakeResponse(202, {"image_id": image_id})
        return FakeResponse(202, headers={"Location": f"http://glance/images/{image_id}"})

    def make_image(self, server, action):
        body = {"id": f"image-{len(self.images)}", "name": action["name"], "owner": PROJECT, "size": 7}
        body |= {"created_at": self._moment(), "made": self.now, "volumes": 0}
        if volumes := server["os-extended-volumes:volumes_attached"]:
            ids = [f"snapshot-{len(self.snapshots) + number}" for number in range(len(volumes))]
            self.snapshots += [self._snapshot(id, "snapshot for server") for id in ids]
            mapping = [{"snapshot_id": id} for id in ids] + [{"snapshot_id": None}]
            body |= {"block_device_mapping": json.dumps(mapping), "size": 0, "volumes": len(volumes)}
        else:
            body["instance_uuid"] = server["id"]
        self.images.append({**body, **action["metadata"]})

    def _moment(self):
        # Of two images that were made in one moment the later one is the newer one all the same.
        moment = datetime.datetime.fromtimestamp(
            self.time.wall_clock() + len(self.images) / 1000, datetime.timezone.utc
        )
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def _snapshot(self, id, name, volume_id="volume", metadata=None):
        return {
            "id": id, "name": name, "size": 20, "made": self.now, "volume_id": volume_id, "metadata": metadata or {},
            "created_at": self._moment(),
        }  # fmt: skip

    def _image(self, path, method, options):
        if method == "DELETE":
            (image,) = (image for image in self.images if image["id"] == path.split("/")[2])
            image["status"] = "gone"
            return FakeResponse(204)
        wanted = {key: value for key, value in options["params"].items() if key not in ("limit", "marker")}
        found = []
        for image in self.images:
            ready = image["volumes"] or self.now >= image["made"] + self.image_seconds
            status = image.get("status") or (self.end_status if ready else "saving")
            if status != "gone" and all(image.get(key) == value for key, value in wanted.items()):
                found.append({**image, "status": status})
        return self.before_listing(path) or self._page(found, "images", options)

    def _block_storage(self, path, method, options):
        if method == "POST":
            wanted = options["json"]["snapshot"]
            made = self._snapshot(
                f"snapshot-{len(self.snapshots)}", wanted["name"], wanted["volume_id"], wanted["metadata"]
            )
            self.snapshots.append(made)
            return FakeResponse(202, {"snapshot": {**made, "status": "creating"}})

        def status(snapshot):
            ready = self.now >= snapshot["made"] + self.snapshot_seconds
            return snapshot.get("status") or ("available" if ready else "creating")

        found = [{**snapshot, "status": status(snapshot)} for snapshot in reversed(self.snapshots)]
        return self.before_listing(path) or self._page(found, "snapshots", options)

    def _page(self, resources, key, options):
        start = int(options["params"].get("marker", 0))
        body = {key: resources[start : start + self.page]}
        if start + self.page < len(resources):
            following = f"http://elsewhere/{key}?marker={start + self.page}"
            body |= {"next": following} if key == "images" else {f"{key}_links": [{"rel": "next", "href": following}]}
        return FakeResponse(200, body)
