# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Nova, Glance and Cinder may say to a run of images that is not what one expects."""

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.actions.server_snapshot import ServerSnapshot
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.labels import Labels
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.selection import Criteria
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.servers import Server
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_cloud import (
    FakeConnection,
    FakeResponse,
)
from keystoneauth1 import exceptions as keystoneauth

MARKS = Labels("r1", "server", "{server}-{run}", "image_name")


@pytest.fixture
def snapshot(carry_out):
    def run(volume_backed="image", queued_timeout=3600, **options):
        return carry_out(lambda r: ServerSnapshot(r, Criteria(), MARKS, queued_timeout, volume_backed), **options)

    return run


@pytest.mark.parametrize("text", ["", "<html>", "[]", "{}"])
def test_an_answer_without_the_image_is_looked_up_and_makes_no_second_one(cloud, snapshot, text):
    server_id = cloud.server("a")

    def odd(server):
        cloud.make_image(server, {"name": "a-r1", "metadata": MARKS.for_resource(Server(server_id, "a", "ACTIVE"))})
        return FakeResponse(202, text=text)

    cloud.intercept = odd
    assert snapshot().outcomes == {"a": "done"}
    assert len(cloud.images) == 1 and cloud.count("POST", "/action") == 1


@pytest.mark.parametrize("headers", [{}, {"Location": ""}, {"Location": "image-0"}], ids=str)
def test_neither_does_one_of_an_older_cloud_without_the_images_location(time, carry_out, headers):
    cloud = FakeConnection(time, microversion=(2, 38))
    server_id = cloud.server("a")

    def odd(server):
        cloud.make_image(server, {"name": "a-r1", "metadata": MARKS.for_resource(Server(server_id, "a", "ACTIVE"))})
        return FakeResponse(202, headers=headers)

    cloud.intercept = odd
    report = carry_out(lambda r: ServerSnapshot(r, Criteria(), MARKS, 3600, "image"), connection=cloud)
    assert report.outcomes == {"a": "done"} and len(cloud.images) == 1


def test_a_stuck_image_that_cannot_be_deleted_fails_its_server_and_no_other(cloud, snapshot, monkeypatch):
    cloud.server("a")
    cloud.server("b")
    cloud.intercept = lambda server: None
    usual = cloud.image.request

    def protected(path, method, **options):
        if method == "DELETE":
            return FakeResponse(403, {"message": "it is protected"})
        if len(cloud.images) == 2:
            cloud.images[0]["status"] = "queued"
        return usual(path, method, **options)

    monkeypatch.setattr(cloud.image, "request", protected)
    report = snapshot(queued_timeout=600)
    assert report.outcomes == {"a": "failed", "b": "done"}
    assert report.items[0].reason_text == (
        "the image was still queued after 600 s, and could not be deleted: it is protected (image service, HTTP 403)"
    )


def test_late_listings_now_and_then_lose_no_volume_snapshot(cloud, snapshot):
    cloud.server("a", volumes=2)
    cloud.snapshot_seconds = 200
    listings = []

    def late(path):
        if path != "/snapshots/detail":
            return None
        listings.append(path)
        return FakeResponse(200, {"snapshots": []}) if len(listings) % 3 else None

    cloud.before_listing = late
    assert snapshot().outcomes == {"a": "done"}
    assert len(listings) > 9


def test_a_listing_that_lacks_both_snapshots_of_a_server_is_one_listing(cloud, snapshot):
    cloud.server("a", volumes=2)
    listings = []

    def late(path):
        if path != "/snapshots/detail":
            return None
        listings.append(path)
        return FakeResponse(200, {"snapshots": []}) if len(listings) <= 2 else None

    cloud.before_listing = late
    assert snapshot().outcomes == {"a": "done"}


def test_what_is_begun_with_a_servers_volumes_is_submitted_to_its_end(cloud, snapshot, interruption):
    for name in ("a", "b"):
        cloud.server(name, volumes=3)
    usual = cloud.block_storage.request

    def interrupt(path, method, **options):
        if method == "POST":
            interruption.reason = "interrupted by SIGINT"
        return usual(path, method, **options)

    cloud.block_storage.request = interrupt
    report = snapshot(volume_backed="volume_snapshots")
    assert report.outcomes == {"a": "done", "b": "skipped"}
    assert len(cloud.snapshots) == 3


def test_a_lost_answer_makes_no_second_snapshot_of_a_servers_volumes(cloud, snapshot):
    cloud.server("a", volumes=2)
    usual, made = cloud.block_storage.request, []

    def lose(path, method, **options):
        answer = usual(path, method, **options)
        if method == "POST":
            made.append(path)
            if len(made) == 2:
                raise keystoneauth.ConnectFailure("connection reset")
        return answer

    cloud.block_storage.request = lose
    report = snapshot(volume_backed="volume_snapshots")
    assert report.outcomes == {"a": "done"}
    assert len(made) == 2
    assert [created.id for created in report.items[0].created] == [found["id"] for found in cloud.snapshots]


def test_that_nova_may_refuse_a_busy_server_is_reported_beforehand(cloud, snapshot):
    cloud.server("a")
    cloud.servers[0]["OS-EXT-STS:task_state"] = "powering-off"
    report = snapshot(check_mode=True)
    assert report.items[0].reason_text == "Nova may refuse it while the server is busy with powering-off"


def test_of_many_servers_the_quotas_are_reckoned_without_comparing_them_all(cloud, snapshot, new_client, monkeypatch):
    for number in range(50):
        cloud.server(f"s{number}", volumes=number % 2)
    action = ServerSnapshot(new_client(), Criteria(), MARKS, 3600, "volume_snapshots")
    items = action.plan()
    monkeypatch.setattr(type(items[0]), "__eq__", lambda *_items: pytest.fail("items are compared"))
    action.quotas(items)
