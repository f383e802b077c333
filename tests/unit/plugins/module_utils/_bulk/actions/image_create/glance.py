# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images of files, URLs and volumes in a cloud without a network."""

from __future__ import annotations

import datetime
from types import SimpleNamespace

from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_cloud import (
    PROJECT,
    FakeResponse,
    FakeService,
)
from keystoneauth1 import exceptions as keystoneauth

CONTENT = b"content" * 100_000

URL = "https://images.example/debian.qcow2"

SECRET_URL = "https://reader:s3cretword@images.example/debian.qcow2?signature=s1gnature"


class FakeGlance:
    """A cloud with images, and volumes that can be made images of. Imports and volumes take some seconds."""

    current_project_id = PROJECT

    def __init__(self, time):
        self.time = time
        self.session = SimpleNamespace(timeout=None, invalidate=lambda: None)
        self.image = FakeService(self, self._image)
        self.block_storage = FakeService(self, self._block_storage)
        self.requests = []
        self.images = {}
        self.volumes = []
        self.seconds = 5.0
        #: By a method and the end of a path: called with the request's options, before or after it is carried out.
        self.before = {}
        self.after = {}
        self.task_message = ""
        self.import_fails = False

    def count(self, method, ending=""):
        return sum(sent == method and path.endswith(ending) for sent, path in self.requests)

    def add(self, age=0.0, **body):
        """An image that is there already."""
        made = datetime.datetime.fromtimestamp(self.time.wall_clock() - age, datetime.timezone.utc)
        image = {
            "id": f"image-{len(self.requests)}-{len(self.images)}",
            "status": "queued",
            "size": None,
            "owner": PROJECT,
            "created_at": made.strftime("%Y-%m-%dT%H:%M:%SZ"),
            **body,
        }
        self.images[image["id"]] = image
        return image

    def volume(self, name, status="available"):
        self.volumes.append({"id": f"id-{name}", "name": name, "status": status})

    def _intercepted(self, hooks, method, path, options):
        for (wanted, ending), hook in list(hooks.items()):
            if method == wanted and path.endswith(ending) and (answer := hook(options)):
                return answer
        return None

    def _image(self, path, method, options):
        if answer := self._intercepted(self.before, method, path, options):
            return answer
        answer = self._carried_out(path, method, options)
        return self._intercepted(self.after, method, path, options) or answer

    def _carried_out(self, path, method, options):
        if path == "/images":
            return (
                self._listed(options["params"]) if method == "GET" else FakeResponse(201, self.add(**options["json"]))
            )
        image = self.images.get(path.split("/")[2])
        if image is None:
            return FakeResponse(404, {"message": "no such image"})
        if path.endswith("/tasks"):
            return FakeResponse(200, {"tasks": [{"message": self.task_message}]})
        if path.endswith("/file"):
            return self._uploaded(image, options["data"])
        if path.endswith("/import"):
            return self._imported(image)
        return self._patched(image, options) if method == "PATCH" else self._deleted(image)

    def _uploaded(self, image, data):
        content = b"".join(data)
        assert len(content) == len(data)
        image.update(status="active", size=len(content), os_hash_algo="sha512", os_hash_value="abc123")
        return FakeResponse(204)

    def _imported(self, image):
        if "os_glance_import_task" in image:
            return FakeResponse(409, {"message": "prior operation is in progress"})
        image.update(os_glance_import_task="task", done_at=self.time.clock() + self.seconds)
        return FakeResponse(202)

    def _deleted(self, image):
        if image.get("protected"):
            return FakeResponse(403, {"message": "is protected"})
        del self.images[image["id"]]
        return FakeResponse(204)

    def _patched(self, image, options):
        assert options["headers"]["Content-Type"] == "application/openstack-images-v2.1-json-patch"
        for change in options["json"]:
            name = change["path"][1:].replace("~1", "/").replace("~0", "~")
            if change["op"] == "remove":
                del image[name]
            else:
                image[name] = change["value"]
        return FakeResponse(200, image)

    def _listed(self, params):
        filters = {key: value for key, value in params.items() if key not in ("limit", "marker")}
        for image in self.images.values():
            self._advance(image)
        found = [one for one in self.images.values() if all(one.get(key) == value for key, value in filters.items())]
        return FakeResponse(200, {"images": found})

    def _advance(self, image):
        if "done_at" not in image:
            return
        if self.time.clock() < image["done_at"]:
            image["status"] = "importing" if "os_glance_import_task" in image else "saving"
            return
        image.pop("done_at")
        image.pop("os_glance_import_task", None)
        if self.import_fails:
            image["status"] = "queued"
            image.update({"os_glance_failed_import": "store"} if self.import_fails == "told" else {})
        else:
            image.update(status="active", size=7, os_hash_algo="sha512", os_hash_value="abc123")

    def _block_storage(self, path, method, options):
        if method == "GET":
            return FakeResponse(200, {"volumes": self.volumes})
        if answer := self._intercepted(self.before, method, path, options):
            return answer
        asked = options["json"]["os-volume_upload_image"]
        image = self.add(name=asked["image_name"], disk_format=asked["disk_format"], **getattr(self, "inherited", {}))
        image["done_at"] = self.time.clock() + self.seconds
        return FakeResponse(202, {"os-volume_upload_image": {"image_id": image["id"], "image_name": image["name"]}})


def lost(_options):
    raise keystoneauth.ConnectFailure("connection reset")


def once(hook):
    """What happens the first time only."""
    left = [hook]
    return lambda options: left.pop()(options) if left else None
