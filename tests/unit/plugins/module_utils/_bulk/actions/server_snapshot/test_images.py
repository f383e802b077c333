# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.actions.server_snapshot.setup import (
    marked,
    new_snapshot,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_cloud import (
    FakeConnection,
    FakeResponse,
    FakeService,
)
from keystoneauth1 import exceptions as keystoneauth


def test_each_server_gets_an_image_with_one_request_and_all_are_watched_together(cloud, snapshot):
    for name in ("b", "a", "c"):
        cloud.server(name)
    report = snapshot()
    assert [item.name for item in report.items] == ["a", "b", "c"]
    assert set(report.outcomes.values()) == {"done"}
    assert report.changed
    assert report.counts == {
        "done": 3,
        "already": 0,
        "accepted": 0,
        "incomplete": 0,
        "blocked": 0,
        "skipped": 0,
        "failed": 0,
        "planned": 0,
    }
    first = report.answer()["results"][0]
    assert first["created"] == [{"type": "image", "id": "image-0", "name": "a-r1", "status": "active", "size": 7}]
    assert (first["action"], first["reason"]) == ("snapshot", "")
    assert 5 <= first["seconds"] <= 10
    assert cloud.count("POST", "/action") == 3
    assert cloud.count("GET", "/servers/detail") == 1
    assert cloud.count("GET", "/images") <= 6


def test_the_second_call_of_a_run_makes_nothing(cloud, snapshot):
    cloud.server("a")
    snapshot()
    report = snapshot()
    assert report.outcomes == {"a": "already"}
    assert not report.changed
    assert report.items[0].created[0].status == "active"
    assert cloud.count("POST", "/action") == 1
    # One listing of the servers, one of the images: nothing is looked at again.
    assert cloud.requests[-2:] == [("GET", "/servers/detail"), ("GET", "/images")]


def test_an_image_that_is_being_made_already_is_waited_for(cloud, snapshot):
    cloud.server("a")
    assert snapshot(wait=False).items[0].created[0].id == "image-0"
    report = snapshot()
    assert report.outcomes == {"a": "already"}
    assert report.items[0].created[0].status == "active"


@pytest.mark.parametrize("status", ["killed", "deactivated", "deleted"])
def test_an_image_that_cannot_be_used_is_made_again(cloud, snapshot, status):
    cloud.server("a")
    snapshot()
    cloud.images[0]["status"] = status
    assert snapshot().outcomes == {"a": "done"}


def test_an_image_of_another_run_or_project_does_not_count(cloud, snapshot):
    cloud.server("a")
    snapshot(run="r0")
    cloud.make_image(cloud.servers[0], marked(cloud.servers[0]))
    cloud.images[-1]["owner"] = "another"
    assert snapshot().outcomes == {"a": "done"}


def test_an_image_that_inherited_the_labels_does_not_count(cloud, snapshot):
    """Somebody made it of a server that was booted from an image of the run."""
    cloud.server("a")
    cloud.make_image(cloud.servers[0], {**marked(cloud.servers[0]), "name": "by hand"})
    assert snapshot().outcomes == {"a": "done"}
    cloud.server("b")
    cloud.make_image(cloud.servers[1], marked(cloud.servers[0], "r2"))
    assert snapshot("r2").outcomes == {"a": "done", "b": "done"}


def test_check_mode_makes_nothing(cloud, snapshot):
    cloud.server("a")
    cloud.server("broken", status="ERROR")
    report = snapshot(check_mode=True)
    assert report.outcomes == {"a": "planned", "broken": "planned"}
    assert report.changed
    assert report.items[0].reason_text == ""
    assert "status ERROR" in report.items[1].reason_text
    assert {method for method, _path in cloud.requests} == {"GET"}


def test_a_refusal_is_reported_with_its_reason_and_stops_no_other(cloud, snapshot):
    cloud.server("a")
    cloud.server("broken", status="ERROR")
    report = snapshot(names=["a", "broken", "nobody"])
    assert report.outcomes == {"a": "done", "broken": "failed", "nobody": "failed"}
    assert report.failure() == (
        "The snapshot of run r1 failed for 2 of 3 servers: broken: it is in vm_state error (compute service, HTTP "
        "409); nobody: no server of the project has this name or id."
    )


def test_pages_are_followed(cloud, snapshot):
    cloud.page = 2
    for number in range(5):
        cloud.server(f"s{number}", volumes=1)
    report = snapshot()
    assert report.counts["done"] == 5
    assert [item.created[1].status for item in report.items] == ["available"] * 5


def test_an_older_cloud_gives_the_image_in_a_header(time, carry_out):
    cloud = FakeConnection(time, microversion=(2, 38))
    cloud.server("a")
    report = carry_out(new_snapshot(), connection=cloud)
    assert report.items[0].created[0].id == "image-0"


def test_volume_snapshots_are_waited_for(cloud, snapshot):
    cloud.snapshot_seconds = 20
    cloud.server("a", volumes=2)
    (item,) = snapshot().items
    assert item.outcome == "done"
    assert item.created[0].size == 0
    assert [created.status for created in item.created[1:]] == ["available", "available"]
    assert {created.size for created in item.created[1:]} == {20 * 1024**3}
    assert item.seconds >= 20


def test_a_volume_snapshot_in_error_or_deleted_fails_the_item(cloud, snapshot):
    cloud.server("a", volumes=1)
    cloud.server("b", volumes=1)
    snapshot()
    cloud.snapshots[0]["status"] = "error"
    del cloud.snapshots[1]
    assert [item.reason_text for item in snapshot().failed] == [
        "the volume snapshot snapshot-0 is in status error",
        "the volume snapshot snapshot-1 does not exist any more",
    ]


def test_without_block_storage_the_snapshots_are_not_checked_and_that_is_said(cloud, snapshot):
    def absent(path, method, options):
        raise keystoneauth.EndpointNotFound()

    cloud.block_storage = FakeService(cloud, absent)
    cloud.server("a", volumes=1)
    cloud.server("b")
    report = snapshot()
    assert report.outcomes == {"a": "done", "b": "done"}
    assert [item.reason_text for item in report.items] == [
        "the volume snapshots were not checked: The cloud offers this project no block storage service in region "
        "RegionOne with interface public: check region_name and interface.",
        "",
    ]


@pytest.mark.parametrize("status, words", [("killed", "status killed"), ("gone", "disappeared")])
def test_an_image_that_goes_wrong_fails_the_item(cloud, snapshot, status, words):
    cloud.server("a")
    cloud.end_status = status
    report = snapshot()
    assert report.outcomes == {"a": "failed"}
    assert words in report.items[0].reason_text
    assert report.changed


def test_when_the_time_is_up_what_is_in_progress_is_reported_with_its_image(cloud, snapshot, time):
    cloud.image_seconds = 10_000
    cloud.server("a")
    (item,) = snapshot(timeout=60).items
    assert item.outcome == "failed"
    assert item.reason_text == "still saving after 60 s; it goes on in the cloud"
    assert item.created[0].id == "image-0"
    assert 59 <= time.clock() <= 61


def test_an_image_that_a_late_listing_lacks_is_not_given_up(cloud, snapshot):
    cloud.server("a")
    listings = []

    def late(path):
        if path != "/images":
            return None
        listings.append(path)
        return FakeResponse(200, {"images": []}) if len(listings) in (2, 3) else None

    cloud.before_listing = late
    assert snapshot().outcomes == {"a": "done"}
    assert len(listings) > 3


def test_of_two_images_the_complete_one_counts(cloud, snapshot):
    cloud.server("a")
    for _count in range(2):
        cloud.make_image(cloud.servers[0], marked(cloud.servers[0]))
    cloud.images[0]["made"] = -100
    assert snapshot(check_mode=True).items[0].created[0].id == "image-0"


def test_old_volume_snapshots_are_not_listed(cloud, snapshot):
    cloud.server("a", volumes=1)
    cloud.snapshots = [{"id": f"old-{number}", "size": 1, "made": -100} for number in range(9)]
    cloud.page = 3
    assert snapshot().outcomes == {"a": "done"}
    assert 1 <= cloud.count("GET", "/snapshots/detail") <= 3


def test_polls_become_rarer(cloud, snapshot):
    cloud.image_seconds = 600
    cloud.server("a")
    snapshot()
    assert cloud.count("GET", "/images") < 600 / 10 + 10
