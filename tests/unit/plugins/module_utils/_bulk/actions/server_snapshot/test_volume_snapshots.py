# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_cloud import (
    FakeResponse,
)


def test_the_volumes_of_a_server_are_snapshotted_alone_where_that_is_submitted(cloud, snapshot):
    cloud.server("a")
    cloud.server("db", volumes=2)
    report = snapshot(volume_backed="volume_snapshots")
    assert report.outcomes == {"a": "done", "db": "done"}
    made = [(created.type, created.name, created.status) for created in report.items[1].created]
    assert made == [("volume_snapshot", "db-r1-1", "available"), ("volume_snapshot", "db-r1-2", "available")]
    assert len(cloud.images) == 1 and len(cloud.snapshots) == 2

    assert snapshot(volume_backed="volume_snapshots").outcomes == {"a": "already", "db": "already"}
    assert len(cloud.images) == 1 and len(cloud.snapshots) == 2


def test_only_the_volumes_that_have_no_snapshot_yet_get_one(cloud, snapshot):
    cloud.server("db", volumes=2)
    snapshot(volume_backed="volume_snapshots")
    del cloud.snapshots[1]
    report = snapshot(volume_backed="volume_snapshots")
    assert report.outcomes == {"db": "done"}
    assert {one["volume_id"] for one in cloud.snapshots} == {"volume-0-0", "volume-0-1"} and len(cloud.snapshots) == 2


def refuse_after(cloud, number, answer):
    """Have Cinder refuse snapshots after so many."""
    handle = cloud.block_storage._handle

    def limited(path, method, options):
        return answer if method == "POST" and len(cloud.snapshots) >= number else handle(path, method, options)

    cloud.block_storage._handle = limited


@pytest.mark.parametrize(("status", "code"), [(413, "quota_exceeded"), (400, "refused"), (409, "conflict")])
def test_a_server_of_which_cinder_refuses_the_second_volume_is_incomplete_and_has_changed(
    cloud, snapshot, status, code
):
    cloud.server("db", volumes=2)
    cloud.server("db-2", volumes=2)
    refuse_after(cloud, 1, FakeResponse(status, {"overLimit": {"message": "SnapshotLimitExceeded"}}))
    report = snapshot(volume_backed="volume_snapshots")
    found = [(item.outcome, item.reason_code, item.changed) for item in report.items]
    assert found == [("incomplete", code, True), ("failed", code, False)]
    assert report.changed and report.items[0] in report.failed and report.items[0].created[0].id == "snapshot-0"


def test_a_part_that_was_refused_counts_for_max_failures(cloud, snapshot):
    for number in range(60):
        cloud.server(f"db-{number:02}", volumes=2)
    refuse_after(cloud, 1, FakeResponse(413, {"overLimit": {"message": "SnapshotLimitExceeded"}}))
    report = snapshot(volume_backed="volume_snapshots", max_failures="0")
    assert list(report.outcomes.values())[0] == "incomplete" and "skipped" in report.outcomes.values()
