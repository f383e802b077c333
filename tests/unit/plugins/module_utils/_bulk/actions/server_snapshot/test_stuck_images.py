# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.actions.server_snapshot.setup import (
    marked,
)


def test_an_image_stuck_in_the_queue_is_deleted_and_made_again(cloud, snapshot, time):
    cloud.server("a")
    cloud.make_image(cloud.servers[0], marked(cloud.servers[0]))
    cloud.images[0]["status"] = "queued"
    time.sleep(700)
    assert snapshot(queued_timeout=600, check_mode=True).items[0].outcome == "planned"
    assert cloud.count("DELETE", "image-0") == 0
    report = snapshot(queued_timeout=600)
    assert report.outcomes == {"a": "done"}
    assert [image.get("status") for image in cloud.images] == ["gone", None]


@pytest.mark.parametrize("task", [None, "image_uploading"])
def test_nothing_comes_of_an_image_in_the_queue_when_nova_does_nothing_with_its_server(cloud, snapshot, time, task):
    """As when the token was revoked under the upload."""
    cloud.server("a")
    cloud.make_image(cloud.servers[0], marked(cloud.servers[0]))
    cloud.images[0]["status"] = "queued"
    cloud.servers[0]["OS-EXT-STS:task_state"] = task
    time.sleep(60)
    report = snapshot(timeout=60)
    assert report.outcomes == {"a": "failed" if task else "done"}
    assert len(cloud.images) == (1 if task else 2)


def test_an_image_that_gets_stuck_is_deleted_and_its_server_fails(cloud, snapshot):
    cloud.server("a")
    cloud.end_status = "queued"
    cloud.image_seconds = 0
    (item,) = snapshot(queued_timeout=600).items
    assert (item.outcome, cloud.images[0]["status"]) == ("failed", "gone")
    assert item.reason_text == "the image was still queued after 600 s, so it was deleted: run it again"


@pytest.mark.parametrize("behind", [7200, -7200], ids=["ahead", "behind"])
def test_a_wrong_clock_of_this_machine_makes_no_image_poll_stuck(cloud, snapshot, time, behind):
    time.set_behind(behind)
    cloud.server("a")
    cloud.end_status = "queued"
    cloud.image_seconds = 0
    report = snapshot(timeout=60)
    assert "still queued after 60 s; it goes on in the cloud" in report.items[0].reason_text
    # Neither does another call take it for stuck, which has not asked for it.
    cloud.servers[0]["OS-EXT-STS:task_state"] = "image_uploading"
    assert "still queued after 60 s; it goes on in the cloud" in snapshot(timeout=60).items[0].reason_text
    assert [image.get("status") for image in cloud.images] == [None]
    time.sleep(3600)
    cloud.end_status = "active"
    assert snapshot(timeout=60).outcomes == {"a": "already"}


def test_without_a_clock_of_the_cloud_an_image_of_this_call_is_stuck_after_its_time(cloud, snapshot):
    cloud.server("a")
    cloud.end_status, cloud.image_seconds = "queued", 0
    cloud.compute.clock = cloud.image.clock = None
    assert "still queued after 600 s, so it was deleted" in snapshot(queued_timeout=600).items[0].reason_text
    assert cloud.images[0]["onetoken_asked_at"] == ""


def test_an_image_that_may_have_its_labels_from_another_one_is_not_deleted_as_stuck(cloud, snapshot, time):
    cloud.server("a")
    snapshot()
    (copy,) = cloud.images
    # It cannot be used any more, so that the server needs another one.
    copy["status"] = "deactivated"
    # Its owner has made a volume from it, and an image of that under its name, which Cinder has not filled yet.
    users = {**copy, "id": "users", "created_at": copy["created_at"].replace("T08", "T09"), "status": "queued"}
    cloud.images.append(users)
    time.sleep(3 * 3600)
    assert snapshot().outcomes == {"a": "done"}
    assert users["status"] == "queued"


def test_an_image_that_is_not_in_the_queue_for_long_is_left_there(cloud, snapshot, time):
    cloud.server("a")
    cloud.make_image(cloud.servers[0], marked(cloud.servers[0]))
    cloud.images[0]["status"] = "queued"
    assert snapshot(queued_timeout=600, timeout=60).outcomes == {"a": "failed"}
    assert cloud.count("DELETE", "image-0") == 0
