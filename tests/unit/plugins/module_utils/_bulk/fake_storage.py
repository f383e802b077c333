# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cloud's images, volumes, snapshots and backups without a network, in which time passes only when somebody waits.

Cinder makes and deletes in some seconds, refuses what Cinder refuses, and knows which backup builds on which.
"""

from __future__ import annotations

import datetime
import json
import typing as t
from types import SimpleNamespace

from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_cloud import (
    PROJECT,
    FakeResponse,
    FakeService,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.fake_time import FakeTime

DAY = 86400


class FakeStorage:
    current_project_id = PROJECT

    def __init__(self, time: FakeTime, microversion=(3, 70)):
        self.time = time
        self.session = SimpleNamespace(timeout=None)
        self.servers = []
        self.volumes = []
        self.images = {}
        self.snapshots = {}
        self.backups = {}
        #: Every request, and those to Cinder and Glance that were refused.
        self.requests = []
        self.refused = []
        #: Ids in the order in which they were gone.
        self.gone = []
        self.page = 1000
        #: The id that the latest page ended with.
        self.page_end = ""
        self.creating_seconds = 2.0
        self.deleting_seconds = 2.0
        #: What a deletion by Cinder ends in; "gone" or a status.
        self.deleted_as = "gone"
        self.made_as = "available"
        #: Called before each request: what it returns is the answer, None goes on as usual.
        self.intercept: t.Callable[[str, str], FakeResponse | None] = lambda method, path: None
        #: Called after each request: what it returns is the answer instead of the service's own.
        self.lose: t.Callable[[str, str], FakeResponse | None] = lambda method, path: None
        self.compute = FakeService(self, self._guarded(self._compute))
        self.image = FakeService(self, self._guarded(self._image))
        self.block_storage = FakeService(self, self._guarded(self._block_storage), microversion)
        self._number = 0

    # What is there

    def server(self, name, image_id=""):
        """A server, booted from this image or else from a volume."""
        image = {"id": image_id} if image_id else ""
        self.servers.append(
            {"id": self._id("server"), "name": name, "status": "ACTIVE", "metadata": {}, "image": image}
        )
        return self.servers[-1]["id"]

    def volume(self, name="data", status="available", server_id=None, size=10, **metadata):
        attachments = [{"server_id": server_id}] if server_id else []
        self.volumes.append({
            "id": self._id("volume"), "name": name, "status": status, "size": size, "metadata": metadata,
            "attachments": attachments, "availability_zone": "nova", "created_at": self.moment(),
        })  # fmt: skip
        return self.volumes[-1]["id"]

    def add_image(self, days=0.0, name="image", status="active", **body):
        id = self._id("image")
        created_at = self.moment(days)[:19] + "Z"
        known = {"id": id, "name": name, "status": status, "owner": PROJECT, "protected": False, "size": 7}
        self.images[id] = {**known, "created_at": created_at, **body}
        return id

    def add_snapshot(self, days=0.0, name="snapshot", volume_id="volume", status="available", metadata=None):
        return self._add(self.snapshots, "snapshot", days, name, volume_id, status, metadata=metadata or {})

    def add_backup(
        self, days=0.0, name="backup", volume_id="volume", status="available", metadata=None, parent=None, **body
    ):
        body = {"metadata": metadata or {}, "parent": parent, "is_incremental": parent is not None, **body}
        return self._add(self.backups, "backup", days, name, volume_id, status, **body)

    def _add(self, collection, kind, days, name, volume_id, status, **body):
        id = self._id(kind)
        known = {"id": id, "name": name, "volume_id": volume_id, "status": status, "size": 10}
        collection[id] = {**known, "created_at": self.moment(days), **body}
        return id

    def _id(self, kind):
        self._number += 1
        return f"{kind}-{self._number:04}"

    def moment(self, days=0.0):
        """So many days ago, as Cinder writes it."""
        # Of two things that were made in one moment the later one is the newer one all the same.
        seconds = self.time.wall_clock() - days * DAY + self._number / 1000
        moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
        return moment.replace(tzinfo=None).isoformat(timespec="microseconds")

    def children(self, id):
        return [backup["id"] for backup in self.backups.values() if backup["parent"] == id]

    def count(self, method, path):
        return sum(request[0] == method and request[1].startswith(path) for request in self.requests)

    # What the services answer

    def _guarded(self, handle):
        def answer(path, method, options):
            early = self.intercept(method, path)
            response = early or handle(path, method, options)
            looked_up = method == "GET" and response.status_code == 404 and not path.endswith("/detail")
            if response.status_code >= 400 and not early and not looked_up:
                self.refused.append((method, path, response.text))
            return self.lose(method, path) or response

        return answer

    def _compute(self, path, method, options):
        assert method == "GET" and path in ("/servers", "/servers/detail")
        return FakeResponse(200, {"servers": self.servers})

    def _image(self, path, method, options):
        if method == "DELETE":
            return self._delete_image(path.split("/")[2])
        if path != "/images":
            body = self.images.get(path.split("/")[2])
            return FakeResponse(200, dict(body)) if body else FakeResponse(404, {"message": "No image found"})
        wanted = {key: value for key, value in options["params"].items() if key not in ("limit", "marker")}
        found = [body for body in self.images.values() if all(body.get(key) == wanted[key] for key in wanted)]
        return self._page(sorted(found, key=lambda body: body["id"], reverse=True), "images", options)

    def _delete_image(self, id):
        if id not in self.images:
            return FakeResponse(404, {"message": "No image found"})
        if self.images[id]["protected"]:
            return FakeResponse(403, text=f"<h1>403 Forbidden</h1>Image {id} is protected and cannot be deleted.")
        del self.images[id]
        self.gone.append(id)
        return FakeResponse(204)

    def _block_storage(self, path, method, options):
        self._let_time_pass()
        kind = path.split("/")[1]
        if kind == "volumes":
            return self._page(self.volumes, "volumes", options)
        if kind == "limits":
            limits = {"maxTotalSnapshots": 5, "totalSnapshotsUsed": 4, "maxTotalBackups": -1, "totalBackupsUsed": 0}
            return FakeResponse(200, {"limits": {"absolute": limits}})
        collection = {"snapshots": self.snapshots, "backups": self.backups}[kind]
        if method == "POST":
            return self._make(collection, kind[:-1], options)
        if method == "DELETE":
            return self._delete(collection, path.split("/")[2])
        if path == f"/{kind}/detail":
            return self._list(collection, kind, options)
        return self._show(collection.get(path.split("/")[2]), kind, options)

    def _list(self, collection, kind, options):
        assert options["params"]["sort"] == "created_at:desc"
        newest_first = sorted(collection.values(), key=lambda body: body["created_at"], reverse=True)
        return self._page([self._body(kind, body, options) for body in newest_first], kind, options)

    def _show(self, body, kind, options):
        if body is None:
            return FakeResponse(404, {"itemNotFound": {"message": "could not be found."}})
        return FakeResponse(200, {kind[:-1]: self._body(kind, body, options)})

    def _body(self, kind, body, options):
        if kind == "snapshots":
            return body
        shown = {key: value for key, value in body.items() if key != "parent"}
        if options["microversion"] is None:
            del shown["metadata"]
        return {**shown, "has_dependent_backups": bool(self.children(body["id"]))}

    def _make(self, collection, kind, options):
        wanted = options["json"][kind]
        status = next(volume["status"] for volume in self.volumes if volume["id"] == wanted["volume_id"])
        if status not in (("available", "in-use") if wanted["force"] else ("available",)):
            return FakeResponse(400, {"badRequest": {"message": f"Invalid volume: its status is {status}"}})
        add = self.add_snapshot if kind == "snapshot" else self.add_backup
        extra = {} if kind == "snapshot" else {"description": wanted.get("description")}
        if wanted.get("incremental"):
            parents = [b for b in self.backups.values() if b["volume_id"] == wanted["volume_id"]]
            if not parents:
                message = "Invalid backup: No backups available to do an incremental backup."
                return FakeResponse(400, {"badRequest": {"message": message}})
            extra["parent"] = parents[-1]["id"]
        id = add(0, wanted["name"], wanted["volume_id"], "creating", wanted.get("metadata"), **extra)
        collection[id]["until"] = self.time.clock() + self.creating_seconds
        return FakeResponse(202, {kind: {"id": id, "name": wanted["name"]}})

    def _delete(self, collection, id):
        if id not in collection:
            return FakeResponse(404, {"itemNotFound": {"message": f"{id} could not be found."}})
        if collection[id]["status"] not in ("available", "error"):
            return FakeResponse(400, {"badRequest": {"message": "status must be available or error"}})
        if self.children(id):
            message = "Invalid backup: Incremental backups exist for this backup."
            return FakeResponse(400, {"badRequest": {"message": message}})
        collection[id] |= {"status": "deleting", "until": self.time.clock() + self.deleting_seconds}
        return FakeResponse(202)

    def _let_time_pass(self):
        for collection in (self.snapshots, self.backups):
            for id, body in list(collection.items()):
                if "until" not in body or self.time.clock() < body["until"]:
                    continue
                del body["until"]
                if body["status"] == "creating":
                    body["status"] = self.made_as
                elif self.deleted_as != "gone":
                    body["status"] = self.deleted_as
                else:
                    del collection[id]
                    self.gone.append(id)

    def _page(self, resources, key, options):
        ids = [body["id"] for body in resources]
        marker = options["params"].get("marker")
        if marker and marker not in ids:
            return FakeResponse(404, {"itemNotFound": {"message": f"{marker} could not be found."}})
        start = ids.index(marker) + 1 if marker else 0
        page = resources[start : start + self.page]
        body = {key: page}
        self.page_end = page[-1]["id"] if page else ""
        if start + self.page < len(resources):
            following = f"http://elsewhere/{key}?sort=created_at:desc&marker={page[-1]['id']}"
            if key == "images":
                following = f"/v2/images?owner={PROJECT}&marker={page[-1]['id']}"
            body |= {"next": following} if key == "images" else {f"{key}_links": [{"rel": "next", "href": following}]}
        return FakeResponse(200, json.loads(json.dumps(body)))
