# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_cloud import (
    FakeResponse,
)


def test_max_failures_stops_the_asking_and_sees_the_rest_through(cloud, snapshot):
    for number in range(100):
        cloud.server(f"s{number:02}")
    cloud.intercept = lambda server: None if server["name"] == "s00" else FakeResponse(403, {"message": "no"})
    report = snapshot(max_failures="2%")
    counts = report.counts
    assert counts["done"] == 1 and counts["failed"] >= 3 and counts["skipped"] > 50
    assert report.items[0].created[0].status == "active"
    assert "max_failures" in report.items[-1].reason_text
    assert "were not submitted, as the run was stopped by max_failures" in report.failure()


def test_an_interrupted_run_sends_nothing_new_and_sees_what_is_in_progress_through(cloud, snapshot, interruption):
    for number in range(100):
        cloud.server(f"s{number:02}")

    def interrupt(server):
        if server["name"] == "s04":
            interruption.reason = "interrupted by SIGINT"

    cloud.intercept = interrupt
    report = snapshot()
    assert report.counts["done"] >= 5
    assert report.counts["failed"] == 0
    assert report.items[-1].reason_text == "not submitted: the run was interrupted by SIGINT"
    cloud.intercept = lambda server: None
    interruption.reason = ""
    again = snapshot()
    assert again.counts["already"] == report.counts["done"] and not again.failed
    assert len(cloud.images) == 100


def test_one_who_insists_is_not_kept_waiting(cloud, snapshot, interruption, time, monkeypatch):
    cloud.server("a")
    cloud.image_seconds = 1000

    def interrupt(path):
        if path == "/images" and time.clock() > 5:
            interruption.reason = "interrupted by SIGINT"
            monkeypatch.setattr(type(interruption), "forced", True)

    cloud.before_listing = interrupt
    (item,) = snapshot().items
    assert item.reason_text == "still saving when the run was stopped; it goes on in the cloud"
    assert time.clock() < 20


def test_places_that_become_free_are_soon_used(cloud, snapshot, time):
    cloud.image_seconds = 1
    for number in range(30):
        cloud.server(f"s{number:02}")
    assert snapshot(concurrency=2).counts["done"] == 30
    # Fifteen times two; a look every ten seconds would take 150.
    assert time.clock() < 60


def test_no_more_actions_are_in_progress_than_there_may_be(cloud, snapshot):
    for number in range(10):
        cloud.server(f"s{number}")
    under_way = []

    def count(server):
        under_way.append(sum(cloud.now < image["made"] + cloud.image_seconds for image in cloud.images))

    cloud.intercept = count
    assert snapshot(concurrency=3).counts["done"] == 10
    assert max(under_way) == 2
