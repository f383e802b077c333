# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import http.server
import json
import os
from types import SimpleNamespace

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.actions.image_create.from_sources import (
    ImageFromSource,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.actions.image_create.from_volumes import (
    ImageFromVolume,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.actions.image_create.sources import image_sources
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.actions.image_create.upload import (
    PIECE,
    FileBody,
    FileUnusableError,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.control.cancellation import Cancellation
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.control.interruption import Interruption
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.labels import Labels
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.selection import Criteria
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import ConfigurationError
from ansible_collections.onetoken.openstack.tests.helpers.http_server import serving
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_cloud import (
    PROJECT,
    FakeResponse,
    FakeService,
)
from keystoneauth1 import adapter, noauth, session
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


@pytest.fixture
def cloud(time):
    return FakeGlance(time)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "disk.qcow2"
    path.write_bytes(CONTENT)
    return str(path)


@pytest.fixture
def create(carry_out):
    def run(*images, run="r1", queued_timeout=3600, properties=None, **options):
        sources = image_sources(images, properties or {})
        return carry_out(lambda requests: ImageFromSource(requests, sources, run, queued_timeout), **options)

    return run


@pytest.fixture
def create_from_volumes(carry_out):
    def run(queued_timeout=3600, force=False, properties=None, **options):
        marks = Labels("r1", "volume", "{volume}-{run}", "image_name", properties or {})
        criteria = Criteria()
        return carry_out(
            lambda requests: ImageFromVolume(requests, criteria, marks, queued_timeout, "raw", force), **options
        )

    return run


def outcomes(report):
    return {item.name: item.outcome for item in report.items}


def lost(_options):
    raise keystoneauth.ConnectFailure("connection reset")


def once(hook):
    """What happens the first time only."""
    left = [hook]
    return lambda options: left.pop()(options) if left else None


class TestFiles:
    def test_each_costs_two_requests_and_carries_the_marks_of_its_run(self, cloud, create, file):
        report = create(
            {"name": "b", "file": file, "min_disk": 2, "tags": ["x"]},
            {"name": "a", "file": file, "properties": {"secure": True}},
            properties={"team": "platform", "secure": False},
        )
        assert [(item.name, item.outcome) for item in report.items] == [("a", "done"), ("b", "done")]
        assert (cloud.count("POST"), cloud.count("PUT")) == (2, 2)
        assert cloud.count("GET") == 2
        a, b = sorted(cloud.images.values(), key=lambda image: image["name"])
        assert (a["onetoken_run"], a["onetoken_name"], a["onetoken_source"]) == ("r1", "a", file)
        assert a["onetoken_image_id"] == a["id"]
        assert (a["secure"], a["team"], a["visibility"]) == ("true", "platform", "private")
        assert (b["min_disk"], b["tags"], b["disk_format"], b["size"]) == (2, ["x"], "qcow2", len(CONTENT))

    def test_a_second_call_of_the_run_makes_none_and_another_source_or_run_makes_its_own(
        self, cloud, create, file, tmp_path
    ):
        create({"name": "a", "file": file})
        again = create({"name": "a", "file": file})
        assert outcomes(again) == {"a": "already"} and not again.changed
        assert len(cloud.images) == 1
        other = tmp_path / "other.raw"
        other.write_bytes(b"other")
        create({"name": "a", "file": str(other)})
        create({"name": "a", "file": file}, run="r2")
        assert len(cloud.images) == 3

    @pytest.mark.parametrize("status", ["queued", "saving"])
    def test_what_a_killed_upload_left_is_deleted_and_made_anew(self, cloud, create, file, status):
        marks = {"onetoken_run": "r1", "onetoken_name": "a", "onetoken_source": file}
        left = cloud.add(id="left", name="a", status=status, protected=True, onetoken_image_id="left", **marks)
        assert outcomes(create({"name": "a", "file": file}, check_mode=True)) == {"a": "planned"}
        assert left["id"] in cloud.images
        assert outcomes(create({"name": "a", "file": file})) == {"a": "done"}
        (image,) = cloud.images.values()
        assert image["id"] != left["id"] and image["status"] == "active"

    def test_what_a_user_made_of_a_server_of_the_image_is_neither_taken_for_it_nor_deleted(self, cloud, create, file):
        marks = {"onetoken_run": "r1", "onetoken_name": "a", "onetoken_source": file, "onetoken_image_id": "i"}
        users = [
            cloud.add(id=status, name="a", status=status, protected=True, **marks) for status in ("active", "saving")
        ]
        assert outcomes(create({"name": "a", "file": file, "checksum": "sha512:abc123"})) == {"a": "done"}
        assert len(cloud.images) == 3 and all(image["id"] in cloud.images for image in users)

    def test_an_image_of_an_older_version_is_there_already_and_is_never_deleted(self, cloud, create, file):
        marks = {"onetoken_run": "r1", "onetoken_name": "a", "onetoken_source": file}
        older = cloud.add(name="a", status="active", os_hash_algo="sha512", os_hash_value="abc123", **marks)
        report = create({"name": "a", "file": file})
        assert outcomes(report) == {"a": "already"} and not report.changed
        assert [created.id for created in report.items[0].created] == list(cloud.images) == [older["id"]]
        # Where it is not as it should be, another one is made beside it.
        assert outcomes(create({"name": "a", "file": file, "checksum": "sha512:abc"})) == {"a": "failed"}
        older["status"] = "queued"
        assert outcomes(create({"name": "a", "file": file})) == {"a": "done"}
        assert older["id"] in cloud.images and len(cloud.images) == 2

    def test_an_image_that_nova_made_is_not_one_of_an_older_version(self, cloud, create, file):
        marks = {"onetoken_run": "r1", "onetoken_name": "a", "onetoken_source": file}
        cloud.add(id="users", name="a", status="active", instance_uuid="s", **marks)
        cloud.add(id="too", name="a", status="active", block_device_mapping='[{"snapshot_id": "one"}]', **marks)
        assert outcomes(create({"name": "a", "file": file})) == {"a": "done"}

    def test_content_that_arrived_without_an_answer_is_not_sent_again(self, cloud, create, file):
        cloud.after["PUT", "/file"] = lost
        assert outcomes(create({"name": "a", "file": file})) == {"a": "done"}
        assert cloud.count("PUT") == 1

    def test_content_that_still_arrives_is_waited_for(self, cloud, create, file):
        def saving(_options):
            (image,) = cloud.images.values()
            image.update(status="saving", done_at=cloud.time.clock() + 30)
            raise keystoneauth.ConnectFailure("read timed out")

        cloud.after["PUT", "/file"] = saving
        assert outcomes(create({"name": "a", "file": file})) == {"a": "done"}
        assert cloud.count("PUT") == 1

    @pytest.mark.parametrize("request_", [("PUT", "/file"), ("POST", "/images")], ids="-".join)
    def test_content_that_did_not_arrive_is_sent_again_and_leaves_one_image(self, cloud, create, file, request_):
        hooks = cloud.before if request_[0] == "PUT" else cloud.after
        hooks[request_] = once(lost)
        assert outcomes(create({"name": "a", "file": file})) == {"a": "done"}
        assert [image["status"] for image in cloud.images.values()] == ["active"]

    def test_content_that_glance_took_and_does_not_have_is_sent_again(self, cloud, create, file):
        def forget(_options):
            (image,) = cloud.images.values()
            image.update(status="queued", size=None)

        cloud.after["PUT", "/file"] = once(forget)
        assert outcomes(create({"name": "a", "file": file})) == {"a": "done"}
        assert [image["status"] for image in cloud.images.values()] == ["active"]
        assert cloud.count("PUT") == 2

    def test_an_image_that_cannot_be_deleted_is_named_with_what_went_wrong(self, cloud, create, file):
        cloud.before["PUT", "/file"] = lambda options: FakeResponse(413, {"message": "over the limit"})
        cloud.before["DELETE", ""] = lambda options: FakeResponse(403, {"message": "it is in use"})
        report = create({"name": "a", "file": file})
        (image,) = cloud.images
        reason = report.items[0].reason_text
        assert "over the limit" in reason and f"image {image} could not be deleted: it is in use" in reason
        assert [created.id for created in report.items[0].created] == [image]

    @pytest.mark.parametrize("text", ["<html>Welcome</html>", "{}", "[]"])
    def test_an_answer_that_does_not_say_what_was_made_is_none(self, cloud, create, file, text):
        cloud.after["POST", "/images"] = once(lambda options: FakeResponse(201, text=text))
        assert outcomes(create({"name": "a", "file": file})) == {"a": "done"}
        assert [image["status"] for image in cloud.images.values()] == ["active"]

    def test_content_that_never_arrives_fails_and_leaves_nothing_behind(self, cloud, create, file):
        cloud.before["PUT", "/file"] = lost
        report = create({"name": "a", "file": file})
        assert outcomes(report) == {"a": "failed"} and "connection reset" in report.items[0].reason_text
        assert cloud.images == {}

    def test_a_refused_upload_is_told_and_leaves_nothing_behind(self, cloud, create, file):
        cloud.before["PUT", "/file"] = lambda options: FakeResponse(413, {"message": "over the limit"})
        report = create({"name": "a", "file": file, "protected": True})
        assert outcomes(report) == {"a": "failed"} and "over the limit" in report.items[0].reason_text
        assert cloud.images == {} and report.items[0].created == []

    def test_what_cannot_be_read_fails_before_anything_is_sent(self, cloud, create, file, tmp_path):
        empty = tmp_path / "empty.raw"
        empty.touch()
        report = create(
            {"name": "absent", "file": str(tmp_path / "absent.raw")},
            {"name": "directory", "file": str(tmp_path), "disk_format": "raw"},
            {"name": "empty", "file": str(empty)},
            {"name": "good", "file": file},
            check_mode=True,
        )
        assert outcomes(report) == {"absent": "failed", "directory": "failed", "empty": "failed", "good": "planned"}
        assert {method for method, _path in cloud.requests} == {"GET"}

    def test_a_wrong_checksum_deletes_the_image(self, cloud, create, file):
        right, wrong, foreign = "sha512:ABC123", "sha512:abc124", "sha256:abc123"
        names = {"right": right, "wrong": wrong, "foreign": foreign}
        report = create(*({"name": name, "file": file, "checksum": sum_} for name, sum_ in names.items()))
        assert outcomes(report) == {"right": "done", "wrong": "failed", "foreign": "failed"}
        reasons = {item.name: item.reason_text for item in report.items}
        assert "abc123, not the one" in reasons["wrong"] and "give that one, not sha256" in reasons["foreign"]
        assert [image["name"] for image in cloud.images.values()] == ["right"]

    def test_in_check_mode_an_image_with_a_wrong_checksum_stays_and_is_to_be_made_anew(self, cloud, create, file):
        create({"name": "a", "file": file})
        report = create({"name": "a", "file": file, "checksum": "sha512:1"}, check_mode=True)
        assert outcomes(report) == {"a": "planned"} and len(cloud.images) == 1


class TestUrls:
    def test_each_costs_two_requests_and_is_waited_for(self, cloud, create):
        report = create({"name": "a", "url": URL}, {"name": "b", "url": URL})
        assert set(outcomes(report).values()) == {"done"}
        assert (cloud.count("POST", "/images"), cloud.count("POST", "/import")) == (2, 2)

    def test_an_import_that_goes_on_is_watched_and_one_that_never_began_is_made_anew(self, cloud, create):
        marks = {"onetoken_run": "r1", "onetoken_source": URL}

        def add(name, **body):
            return cloud.add(id=name, name=name, onetoken_name=name, onetoken_image_id=name, **marks, **body)

        at_work = add("a", os_glance_import_task="t", done_at=3.0)
        stuck = add("b", age=7200, os_glance_import_task="t")
        never = add("c")
        report = create(*({"name": name, "url": URL} for name in "abc"))
        assert outcomes(report) == {"a": "already", "b": "done", "c": "done"}
        assert at_work["id"] in cloud.images
        assert stuck["id"] not in cloud.images and never["id"] not in cloud.images
        assert len(cloud.images) == 3

    def test_an_import_that_was_accepted_without_an_answer_is_watched(self, cloud, create):
        cloud.after["POST", "/import"] = lost
        assert outcomes(create({"name": "a", "url": URL})) == {"a": "done"}
        assert cloud.count("POST", "/import") == 1

    def test_a_refused_import_is_told_with_advice_and_leaves_nothing_behind(self, cloud, create):
        cloud.before["POST", "/import"] = lambda options: FakeResponse(400, {"message": "Unknown import method"})
        report = create({"name": "a", "url": URL})
        reason = report.items[0].reason_text
        assert "Unknown import method" in reason and "give file instead of url" in reason
        assert cloud.images == {}

    @pytest.mark.parametrize("told", ["told", "untold"])
    def test_an_import_that_failed_is_told_soon_and_leaves_nothing_behind(self, cloud, create, time, told):
        cloud.import_fails, cloud.task_message = told, "the staging area is full"
        report = create({"name": "a", "url": URL})
        assert outcomes(report) == {"a": "failed"} and "the staging area is full" in report.items[0].reason_text
        assert cloud.images == {} and time.clock() < 60

    def test_an_import_that_never_begins_is_told(self, cloud, create):
        def accept(_options):
            (image,) = cloud.images.values()
            image["os_glance_import_task"] = "task"
            return FakeResponse(202)

        cloud.before["POST", "/import"] = accept
        report = create({"name": "a", "url": URL}, queued_timeout=10)
        assert outcomes(report) == {"a": "failed"}
        assert report.items[0].reason_text.startswith(f"Glance did not begin to import {URL}")
        assert cloud.images == {}

    @pytest.mark.parametrize("status", ["killed", "deactivated"])
    def test_an_import_that_ends_otherwise_is_told(self, cloud, create, status):
        def spoil(_options):
            for image in cloud.images.values():
                image["status"] = status
                image.pop("done_at", None)

        cloud.before["GET", "/images"] = spoil
        report = create({"name": "a", "url": URL})
        assert outcomes(report) == {"a": "failed"}
        assert report.items[0].reason_text.startswith(f"the image is in status {status}")

    def test_a_failed_import_whose_tasks_cannot_be_read_is_told_without_them(self, cloud, create):
        cloud.import_fails = "told"
        cloud.before["GET", "/tasks"] = lambda options: FakeResponse(403, {"message": "policy"})
        report = create({"name": "a", "url": URL})
        assert outcomes(report) == {"a": "failed"}
        assert f"Glance could not import {URL}, is it there and can the cloud reach it;" in report.items[0].reason_text

    def test_the_secrets_of_a_url_are_told_to_glance_alone(self, cloud, create):
        sent = []
        cloud.before["POST", "/import"] = sent.append
        create({"name": "a", "url": SECRET_URL})
        assert sent[0]["json"]["method"]["uri"] == SECRET_URL and sent[0]["log"] is False
        shown = json.dumps(list(cloud.images.values()))
        assert "s3cretword" not in shown and "s1gnature" not in shown
        assert '"onetoken_source": "https://images.example/debian.qcow2"' in shown

    @pytest.mark.parametrize(
        "text", [f"URI does not pass: {SECRET_URL}", "no such user: reader:s3cretword", "s1gnature"]
    )
    def test_what_glance_says_is_told_without_them(self, cloud, create, text):
        cloud.before["POST", "/import"] = once(lambda options: FakeResponse(400, {"message": text}))
        refused = create({"name": "a", "url": SECRET_URL})
        cloud.import_fails, cloud.task_message = "told", text
        failed = create({"name": "a", "url": SECRET_URL})
        for report in (refused, failed):
            assert outcomes(report) == {"a": "failed"}
            told = report.items[0].reason_text + report.failure()
            assert "s3cretword" not in told and "s1gnature" not in told

    def test_a_refusal_as_busy_is_no_failure_while_the_import_is_at_work(self, cloud, create):
        def busy(options):
            (image,) = cloud.images.values()
            image.update(os_glance_import_task="task", done_at=cloud.time.clock() + 5)

        cloud.before["POST", "/import"] = once(busy)
        assert outcomes(create({"name": "a", "url": URL})) == {"a": "done"}
        assert cloud.count("POST", "/images") == 1

    def test_a_refusal_as_busy_with_nothing_at_work_is_a_failure(self, cloud, create):
        cloud.before["POST", "/import"] = lambda options: FakeResponse(409, {"message": "disk_format needs to be set"})
        report = create({"name": "a", "url": URL})
        assert outcomes(report) == {"a": "failed"} and "disk_format needs to be set" in report.items[0].reason_text
        assert cloud.images == {}


class TestVolumes:
    def test_each_is_named_and_marked_once_it_is_active(self, cloud, create_from_volumes):
        cloud.volume("data/1")
        cloud.inherited = {"onetoken_run": "old", "onetoken_name": "old", "onetoken_server_id": "s", "kept": "1"}
        report = create_from_volumes(properties={"a/b~c": 1})
        assert outcomes(report) == {"data/1": "done"}
        assert (cloud.count("POST", "/action"), cloud.count("PATCH")) == (1, 1)
        (image,) = cloud.images.values()
        assert image["name"] == image["onetoken_name"] == "data/1-r1" == report.items[0].created[0].name
        assert (image["onetoken_run"], image["onetoken_volume_id"], image["a/b~c"]) == ("r1", "id-data/1", "1")
        assert image["onetoken_image_id"] == image["id"]
        assert "onetoken_server_id" not in image and image["kept"] == "1"
        again = create_from_volumes()
        assert outcomes(again) == {"data/1": "already"} and len(cloud.images) == 1

    def test_one_of_an_older_version_is_there_already_and_is_not_changed(self, cloud, create_from_volumes):
        cloud.volume("data")
        marks = {"onetoken_run": "r1", "onetoken_name": "data-r1", "onetoken_volume_id": "id-data"}
        cloud.add(name="data-r1", status="active", **marks)
        assert outcomes(create_from_volumes()) == {"data": "already"}
        assert len(cloud.images) == 1 and cloud.count("PATCH") == 0

    def test_one_that_a_stopped_run_did_not_name_is_taken_up(self, cloud, create_from_volumes):
        cloud.volume("data")
        cloud.add(name="onetoken r1 id-data", status="active")
        cloud.add(name="onetoken r1.2 id-data", status="active")
        assert outcomes(create_from_volumes(check_mode=True)) == {"data": "already"}
        assert cloud.count("PATCH") == 0
        assert outcomes(create_from_volumes()) == {"data": "already"}
        assert sorted(image["name"] for image in cloud.images.values()) == ["data-r1", "onetoken r1.2 id-data"]

    def test_a_name_that_was_not_written_for_lack_of_an_answer_is_written_again(self, cloud, create_from_volumes):
        cloud.volume("data")
        cloud.before["PATCH", ""] = once(lost)
        assert outcomes(create_from_volumes()) == {"data": "done"}
        assert [image["name"] for image in cloud.images.values()] == ["data-r1"]

    def test_a_name_that_was_written_without_an_answer_is_seen(self, cloud, create_from_volumes):
        cloud.volume("data")
        cloud.after["PATCH", ""] = once(lost)
        assert outcomes(create_from_volumes()) == {"data": "done"}
        assert cloud.count("PATCH") == 1

    def test_one_that_still_has_to_be_named_is_not_done(self, cloud, create_from_volumes):
        cloud.volume("data")
        report = create_from_volumes(wait=False)
        assert [(item.outcome, item.reason_code, item.changed) for item in report.items] == [
            ("incomplete", "not_awaited", True)
        ]
        assert report.failed == []
        assert create_from_volumes().failed == []
        assert [image["name"] for image in cloud.images.values()] == ["data-r1"]

    def test_a_call_that_waits_for_nothing_names_what_an_earlier_one_had_made(self, cloud, create_from_volumes, time):
        cloud.volume("data")
        create_from_volumes(wait=False)
        time.sleep(600)
        planned = create_from_volumes(wait=False, check_mode=True)
        assert outcomes(planned) == {"data": "already"} and cloud.count("PATCH") == 0
        assert outcomes(create_from_volumes(wait=False)) == {"data": "already"}
        assert [image["name"] for image in cloud.images.values()] == ["data-r1"]
        assert outcomes(create_from_volumes(wait=False)) == {"data": "already"} and cloud.count("PATCH") == 1

    @pytest.mark.parametrize("wait", [True, False])
    def test_a_name_that_got_no_answer_is_looked_for_later(self, cloud, create_from_volumes, time, wait):
        cloud.volume("data")
        create_from_volumes(wait=False)
        time.sleep(600)
        cloud.before["PATCH", ""] = once(lost)
        assert outcomes(create_from_volumes(wait=wait)) == {"data": "already" if wait else "incomplete"}
        assert outcomes(create_from_volumes(wait=wait)) == {"data": "already"}
        assert [image["name"] for image in cloud.images.values()] == ["data-r1"]

    @pytest.mark.parametrize(("status", "after"), [("killed", ""), ("queued", " after 60 s")])
    def test_one_that_is_not_filled_is_a_failure(self, cloud, create_from_volumes, status, after):
        def spoil(_options):
            for image in cloud.images.values():
                image["status"] = status
                image.pop("done_at", None)

        cloud.volume("data")
        cloud.before["GET", "/images"] = spoil
        report = create_from_volumes(queued_timeout=60)
        assert outcomes(report) == {"data": "failed"}
        assert f"the image was still in status {status}{after}" in report.items[0].reason_text

    def test_a_name_that_is_refused_is_a_failure_that_keeps_the_image(self, cloud, create_from_volumes):
        cloud.volume("data")
        cloud.before["PATCH", ""] = lambda options: FakeResponse(403, {"message": "not allowed"})
        report = create_from_volumes()
        assert outcomes(report) == {"data": "failed"} and "could not be named" in report.items[0].reason_text
        assert len(cloud.images) == 1

    def test_a_request_without_an_answer_is_not_repeated_when_it_was_carried_out(self, cloud, create_from_volumes):
        cloud.volume("data")
        make = cloud._block_storage

        def make_and_lose(path, method, options):
            make(path, method, options)
            raise keystoneauth.ConnectFailure("connection reset")

        intercept = once(lambda options: make_and_lose("/volumes/id-data/action", "MAKE", options))
        cloud.before["POST", "/action"] = intercept
        assert outcomes(create_from_volumes()) == {"data": "done"}
        assert len(cloud.images) == 1

    @pytest.mark.parametrize("text", ["<html>Welcome</html>", "{}", '{"os-volume_upload_image": {}}'])
    def test_an_answer_that_does_not_say_what_was_made_is_none(self, cloud, create_from_volumes, text):
        cloud.volume("data")
        cloud.before["POST", "/action"] = once(lambda options: FakeResponse(200, text=text))
        assert outcomes(create_from_volumes()) == {"data": "done"}
        assert len(cloud.images) == 1

    def test_one_that_stays_queued_is_deleted(self, cloud, create_from_volumes):
        cloud.volume("data")
        cloud.add(age=7200, name="onetoken r1 id-data")
        report = create_from_volumes()
        assert outcomes(report) == {"data": "done"} and len(cloud.images) == 1

    def test_one_that_cinder_deletes_is_a_failure(self, cloud, create_from_volumes, time):
        cloud.volume("data")
        cloud.before["GET", "/images"] = lambda options: cloud.images.clear()
        report = create_from_volumes()
        assert outcomes(report) == {"data": "failed"} and "disappeared" in report.items[0].reason_text

    def test_an_attached_volume_may_be_refused_unless_forced(self, cloud, create_from_volumes):
        cloud.volume("data", status="in-use")
        assert "set force" in create_from_volumes(check_mode=True).items[0].reason_text
        assert create_from_volumes(check_mode=True, force=True).items[0].reason_text == ""


class TestOptions:
    def test_an_image_needs_a_name(self):
        with pytest.raises(ConfigurationError, match="empty name"):
            image_sources([{"name": "", "url": URL}], {})

    def test_two_images_of_one_name_are_refused(self):
        with pytest.raises(ConfigurationError, match="called a"):
            image_sources([{"name": "a", "url": URL}, {"name": "a", "file": "a.raw"}], {})

    @pytest.mark.parametrize(
        "option, message",
        [
            ({"file": "a.img"}, "disk_format"),
            ({"url": "https://a/b?c=d.qcow2"}, "disk_format"),
            ({"url": "ftp://a/b.raw"}, "http"),
            ({"url": "https:///b.raw"}, "host"),
            ({"file": "a.raw", "checksum": "abc"}, "checksum"),
            ({"file": "a.raw", "properties": {"onetoken_run": "r"}}, "onetoken_"),
            ({"file": "a.raw", "properties": {"a": ["b"]}}, "properties of image a"),
        ],
        ids=str,
    )
    def test_what_cannot_be_used_is_refused(self, option, message):
        with pytest.raises(ConfigurationError, match=message):
            image_sources([{"name": "a", **option}], {})

    def test_the_disk_format_is_told_by_the_ending(self):
        options = [{"name": "a", "file": "A.QCOW2"}, {"name": "b", "url": "http://c/d.iso?e"}]
        assert [source.disk_format for source in image_sources(options, {})] == ["qcow2", "iso"]


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes an image's content; answers the first request with 401 once it has read it."""

    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        received = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append(received)
        self.send_response(401 if len(self.server.received) == 1 else 204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def receiver():
    with serving(Receiver) as server:
        server.received = []
        yield server


class TestContent:
    def test_it_is_sent_from_the_beginning_when_a_request_is_repeated(self, receiver, new_client, file):
        connected = session.Session(auth=noauth.NoAuth())
        glance = adapter.Adapter(connected, endpoint_override=f"http://127.0.0.1:{receiver.server_port}")
        connection = SimpleNamespace(image=glance, session=connected)
        (source,) = image_sources([{"name": "a", "file": file}], {})
        source.fill(new_client(connection=connection), "1")
        assert receiver.received == [CONTENT, CONTENT]

    def test_it_is_read_in_pieces(self, file):
        body = FileBody(file)
        pieces = list(body)
        assert max(map(len, pieces)) < len(CONTENT) == len(body)
        assert b"".join(pieces) == CONTENT

    def test_a_file_that_changes_while_it_is_sent_is_no_whole(self, file):
        pieces = iter(FileBody(file))
        next(pieces)
        with open(file, "ab") as writer:
            writer.write(b"more")
        with pytest.raises(FileUnusableError, match="changed while"):
            list(pieces)

    def test_a_file_that_vanishes_before_it_is_sent_is_told(self, file):
        body = FileBody(file)
        os.unlink(file)
        with pytest.raises(FileUnusableError, match=f"{file} cannot be read: No such file"):
            list(body)

    def test_a_file_of_somebody_else_is_told(self, file, monkeypatch):
        # The superuser may read any.
        monkeypatch.setattr(os, "access", lambda path, mode: False)
        with pytest.raises(FileUnusableError, match=f"{file} cannot be read: no permission"):
            FileBody(file)

    def test_a_file_that_vanishes_fails_and_leaves_nothing_behind(self, cloud, create, file):
        cloud.after["POST", "/images"] = lambda options: os.unlink(file)
        report = create({"name": "a", "file": file})
        assert outcomes(report) == {"a": "failed"} and "No such file" in report.items[0].reason_text
        assert cloud.images == {}


def test_a_file_is_not_sent_to_its_end_when_somebody_insists(tmp_path):
    path = tmp_path / "large.raw"
    path.write_bytes(bytes(3 * PIECE))
    sent = []
    interruption = Interruption(lambda: len(sent) == 2, patience=0)
    with pytest.raises(FileUnusableError, match="not sent to its end, as the run was interrupted"):
        for piece in FileBody(str(path), Cancellation(interruption)):
            sent.append(piece)
            assert interruption.requested == (len(sent) == 2)
    assert len(sent) == 2
