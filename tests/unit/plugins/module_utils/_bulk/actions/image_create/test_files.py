# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.actions.image_create.glance import (
    CONTENT,
    lost,
    once,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_cloud import (
    FakeResponse,
)
from keystoneauth1 import exceptions as keystoneauth


class TestFiles:
    def test_each_costs_two_requests_and_carries_the_labels_of_its_run(self, cloud, create, file):
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
        assert again.outcomes == {"a": "already"} and not again.changed
        assert len(cloud.images) == 1
        other = tmp_path / "other.raw"
        other.write_bytes(b"other")
        create({"name": "a", "file": str(other)})
        create({"name": "a", "file": file}, run="r2")
        assert len(cloud.images) == 3

    @pytest.mark.parametrize("status", ["queued", "saving"])
    def test_what_a_killed_upload_left_is_deleted_and_made_again(self, cloud, create, file, status):
        marks = {"onetoken_run": "r1", "onetoken_name": "a", "onetoken_source": file}
        left = cloud.add(id="left", name="a", status=status, protected=True, onetoken_image_id="left", **marks)
        assert create({"name": "a", "file": file}, check_mode=True).outcomes == {"a": "planned"}
        assert left["id"] in cloud.images
        assert create({"name": "a", "file": file}).outcomes == {"a": "done"}
        (image,) = cloud.images.values()
        assert image["id"] != left["id"] and image["status"] == "active"

    def test_what_a_user_made_of_a_server_of_the_image_is_neither_taken_for_it_nor_deleted(self, cloud, create, file):
        marks = {"onetoken_run": "r1", "onetoken_name": "a", "onetoken_source": file, "onetoken_image_id": "i"}
        users = [
            cloud.add(id=status, name="a", status=status, protected=True, **marks) for status in ("active", "saving")
        ]
        assert create({"name": "a", "file": file, "checksum": "sha512:abc123"}).outcomes == {"a": "done"}
        assert len(cloud.images) == 3 and all(image["id"] in cloud.images for image in users)

    def test_an_image_of_an_older_version_is_there_already_and_is_never_deleted(self, cloud, create, file):
        marks = {"onetoken_run": "r1", "onetoken_name": "a", "onetoken_source": file}
        older = cloud.add(name="a", status="active", os_hash_algo="sha512", os_hash_value="abc123", **marks)
        report = create({"name": "a", "file": file})
        assert report.outcomes == {"a": "already"} and not report.changed
        assert [created.id for created in report.items[0].created] == list(cloud.images) == [older["id"]]
        # Where it is not as it should be, another one is made beside it.
        assert create({"name": "a", "file": file, "checksum": "sha512:abc"}).outcomes == {"a": "failed"}
        older["status"] = "queued"
        assert create({"name": "a", "file": file}).outcomes == {"a": "done"}
        assert older["id"] in cloud.images and len(cloud.images) == 2

    def test_an_image_that_nova_made_is_not_one_of_an_older_version(self, cloud, create, file):
        marks = {"onetoken_run": "r1", "onetoken_name": "a", "onetoken_source": file}
        cloud.add(id="users", name="a", status="active", instance_uuid="s", **marks)
        cloud.add(id="too", name="a", status="active", block_device_mapping='[{"snapshot_id": "one"}]', **marks)
        assert create({"name": "a", "file": file}).outcomes == {"a": "done"}

    def test_content_that_arrived_without_an_answer_is_not_sent_again(self, cloud, create, file):
        cloud.after["PUT", "/file"] = lost
        assert create({"name": "a", "file": file}).outcomes == {"a": "done"}
        assert cloud.count("PUT") == 1

    def test_content_that_still_arrives_is_waited_for(self, cloud, create, file):
        def saving(_options):
            (image,) = cloud.images.values()
            image.update(status="saving", done_at=cloud.time.clock() + 30)
            raise keystoneauth.ConnectFailure("read timed out")

        cloud.after["PUT", "/file"] = saving
        assert create({"name": "a", "file": file}).outcomes == {"a": "done"}
        assert cloud.count("PUT") == 1

    @pytest.mark.parametrize("request_", [("PUT", "/file"), ("POST", "/images")], ids="-".join)
    def test_content_that_did_not_arrive_is_sent_again_and_leaves_one_image(self, cloud, create, file, request_):
        hooks = cloud.before if request_[0] == "PUT" else cloud.after
        hooks[request_] = once(lost)
        assert create({"name": "a", "file": file}).outcomes == {"a": "done"}
        assert [image["status"] for image in cloud.images.values()] == ["active"]

    def test_content_that_glance_took_and_does_not_have_is_sent_again(self, cloud, create, file):
        def forget(_options):
            (image,) = cloud.images.values()
            image.update(status="queued", size=None)

        cloud.after["PUT", "/file"] = once(forget)
        assert create({"name": "a", "file": file}).outcomes == {"a": "done"}
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
        assert create({"name": "a", "file": file}).outcomes == {"a": "done"}
        assert [image["status"] for image in cloud.images.values()] == ["active"]

    def test_content_that_never_arrives_fails_and_leaves_nothing_behind(self, cloud, create, file):
        cloud.before["PUT", "/file"] = lost
        report = create({"name": "a", "file": file})
        assert report.outcomes == {"a": "failed"} and "connection reset" in report.items[0].reason_text
        assert cloud.images == {}

    def test_a_refused_upload_is_reported_and_leaves_nothing_behind(self, cloud, create, file):
        cloud.before["PUT", "/file"] = lambda options: FakeResponse(413, {"message": "over the limit"})
        report = create({"name": "a", "file": file, "protected": True})
        assert report.outcomes == {"a": "failed"} and "over the limit" in report.items[0].reason_text
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
        assert report.outcomes == {"absent": "failed", "directory": "failed", "empty": "failed", "good": "planned"}
        assert {method for method, _path in cloud.requests} == {"GET"}

    def test_a_wrong_checksum_deletes_the_image(self, cloud, create, file):
        right, wrong, foreign = "sha512:ABC123", "sha512:abc124", "sha256:abc123"
        names = {"right": right, "wrong": wrong, "foreign": foreign}
        report = create(*({"name": name, "file": file, "checksum": sum_} for name, sum_ in names.items()))
        assert report.outcomes == {"right": "done", "wrong": "failed", "foreign": "failed"}
        reasons = {item.name: item.reason_text for item in report.items}
        assert "abc123, not the one" in reasons["wrong"] and "give that one, not sha256" in reasons["foreign"]
        assert [image["name"] for image in cloud.images.values()] == ["right"]

    def test_in_check_mode_an_image_with_a_wrong_checksum_stays_and_is_to_be_made_again(self, cloud, create, file):
        create({"name": "a", "file": file})
        report = create({"name": "a", "file": file, "checksum": "sha512:1"}, check_mode=True)
        assert report.outcomes == {"a": "planned"} and len(cloud.images) == 1
