# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.actions.image_create.glance import (
    lost,
    once,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_cloud import (
    FakeResponse,
)
from keystoneauth1 import exceptions as keystoneauth


class TestVolumes:
    def test_each_is_named_and_labelled_once_it_is_active(self, cloud, create_from_volumes):
        cloud.volume("data/1")
        cloud.inherited = {"onetoken_run": "old", "onetoken_name": "old", "onetoken_server_id": "s", "kept": "1"}
        report = create_from_volumes(properties={"a/b~c": 1})
        assert report.outcomes == {"data/1": "done"}
        assert (cloud.count("POST", "/action"), cloud.count("PATCH")) == (1, 1)
        (image,) = cloud.images.values()
        assert image["name"] == image["onetoken_name"] == "data/1-r1" == report.items[0].created[0].name
        assert (image["onetoken_run"], image["onetoken_volume_id"], image["a/b~c"]) == ("r1", "id-data/1", "1")
        assert image["onetoken_image_id"] == image["id"]
        assert "onetoken_server_id" not in image and image["kept"] == "1"
        again = create_from_volumes()
        assert again.outcomes == {"data/1": "already"} and len(cloud.images) == 1

    def test_one_of_an_older_version_is_there_already_and_is_not_changed(self, cloud, create_from_volumes):
        cloud.volume("data")
        marks = {"onetoken_run": "r1", "onetoken_name": "data-r1", "onetoken_volume_id": "id-data"}
        cloud.add(name="data-r1", status="active", **marks)
        assert create_from_volumes().outcomes == {"data": "already"}
        assert len(cloud.images) == 1 and cloud.count("PATCH") == 0

    def test_one_that_a_stopped_run_did_not_name_is_taken_up(self, cloud, create_from_volumes):
        cloud.volume("data")
        cloud.add(name="onetoken r1 id-data", status="active")
        cloud.add(name="onetoken r1.2 id-data", status="active")
        assert create_from_volumes(check_mode=True).outcomes == {"data": "already"}
        assert cloud.count("PATCH") == 0
        assert create_from_volumes().outcomes == {"data": "already"}
        assert sorted(image["name"] for image in cloud.images.values()) == ["data-r1", "onetoken r1.2 id-data"]

    def test_a_name_that_was_not_written_for_lack_of_an_answer_is_written_again(self, cloud, create_from_volumes):
        cloud.volume("data")
        cloud.before["PATCH", ""] = once(lost)
        assert create_from_volumes().outcomes == {"data": "done"}
        assert [image["name"] for image in cloud.images.values()] == ["data-r1"]

    def test_a_name_that_was_written_without_an_answer_is_seen(self, cloud, create_from_volumes):
        cloud.volume("data")
        cloud.after["PATCH", ""] = once(lost)
        assert create_from_volumes().outcomes == {"data": "done"}
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
        assert planned.outcomes == {"data": "already"} and cloud.count("PATCH") == 0
        assert create_from_volumes(wait=False).outcomes == {"data": "already"}
        assert [image["name"] for image in cloud.images.values()] == ["data-r1"]
        assert create_from_volumes(wait=False).outcomes == {"data": "already"} and cloud.count("PATCH") == 1

    @pytest.mark.parametrize("wait", [True, False])
    def test_a_name_that_got_no_answer_is_looked_for_later(self, cloud, create_from_volumes, time, wait):
        cloud.volume("data")
        create_from_volumes(wait=False)
        time.sleep(600)
        cloud.before["PATCH", ""] = once(lost)
        assert create_from_volumes(wait=wait).outcomes == {"data": "already" if wait else "incomplete"}
        assert create_from_volumes(wait=wait).outcomes == {"data": "already"}
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
        assert report.outcomes == {"data": "failed"}
        assert f"the image was still in status {status}{after}" in report.items[0].reason_text

    def test_a_name_that_is_refused_is_a_failure_that_keeps_the_image(self, cloud, create_from_volumes):
        cloud.volume("data")
        cloud.before["PATCH", ""] = lambda options: FakeResponse(403, {"message": "not allowed"})
        report = create_from_volumes()
        assert report.outcomes == {"data": "failed"} and "could not be named" in report.items[0].reason_text
        assert len(cloud.images) == 1

    def test_a_request_without_an_answer_is_not_repeated_when_it_was_carried_out(self, cloud, create_from_volumes):
        cloud.volume("data")
        make = cloud._block_storage

        def make_and_lose(path, method, options):
            make(path, method, options)
            raise keystoneauth.ConnectFailure("connection reset")

        intercept = once(lambda options: make_and_lose("/volumes/id-data/action", "MAKE", options))
        cloud.before["POST", "/action"] = intercept
        assert create_from_volumes().outcomes == {"data": "done"}
        assert len(cloud.images) == 1

    @pytest.mark.parametrize("text", ["<html>Welcome</html>", "{}", '{"os-volume_upload_image": {}}'])
    def test_an_answer_that_does_not_say_what_was_made_is_none(self, cloud, create_from_volumes, text):
        cloud.volume("data")
        cloud.before["POST", "/action"] = once(lambda options: FakeResponse(200, text=text))
        assert create_from_volumes().outcomes == {"data": "done"}
        assert len(cloud.images) == 1

    def test_one_that_stays_queued_is_deleted(self, cloud, create_from_volumes):
        cloud.volume("data")
        cloud.add(age=7200, name="onetoken r1 id-data")
        report = create_from_volumes()
        assert report.outcomes == {"data": "done"} and len(cloud.images) == 1

    def test_one_that_cinder_deletes_is_a_failure(self, cloud, create_from_volumes, time):
        cloud.volume("data")
        cloud.before["GET", "/images"] = lambda options: cloud.images.clear()
        report = create_from_volumes()
        assert report.outcomes == {"data": "failed"} and "disappeared" in report.items[0].reason_text

    def test_an_attached_volume_may_be_refused_unless_forced(self, cloud, create_from_volumes):
        cloud.volume("data", status="in-use")
        assert "set force" in create_from_volumes(check_mode=True).items[0].reason_text
        assert create_from_volumes(check_mode=True, force=True).items[0].reason_text == ""
