# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.quota import Quota
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.quotas import (
    image_quotas,
    volume_quotas,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_cloud import (
    FakeResponse,
    FakeService,
)
from keystoneauth1 import exceptions as keystoneauth

ABSOLUTE = {
    "maxTotalSnapshots": 10, "totalSnapshotsUsed": 8,
    "maxTotalVolumeGigabytes": 1000, "totalGigabytesUsed": 990,
    "maxTotalBackups": -1, "totalBackupsUsed": 7,
    "maxTotalBackupGigabytes": 500, "totalBackupGigabytesUsed": 0,
}  # fmt: skip


@pytest.fixture
def answers(cloud, new_client):
    """Requests to a cloud of which both services give this answer."""

    def make(body=None, **response):
        def give(path, method, options):
            return FakeResponse(response.get("status", 200), body, text=response.get("text", ""))

        cloud.image = cloud.block_storage = FakeService(cloud, give)
        return new_client()

    return make


@pytest.mark.parametrize(
    ("limit", "used", "needed", "suffices"), [(10, 8, 2, True), (10, 8, 3, False), (-1, 8, 999, True), (0, 0, 1, False)]
)
def test_what_suffices(limit, used, needed, suffices):
    quota = Quota("snapshots", limit, used, needed)
    assert quota.result() == {
        "name": "snapshots", "limit": limit, "used": used, "needed": needed, "suffices": suffices,
    }  # fmt: skip


def test_a_shortage_is_reported():
    assert Quota("images", 10, 8, 3).shortage() == "images allows 10, 8 are used and 3 more are needed"


def test_images(answers):
    requests = answers({"usage": {"image_count_total": {"usage": 3, "limit": 10}, "image_size_total": {}}})
    assert image_quotas(requests, 7) == [Quota("image_count_total", 10, 3, 7)]
    assert image_quotas(requests, 0) == []


def test_of_volumes_only_what_is_needed(answers):
    requests = answers({"limits": {"rate": [], "absolute": ABSOLUTE}})
    assert volume_quotas(requests, snapshots=3, snapshot_gib=20) == [
        Quota("snapshots", 10, 8, 3),
        Quota("gigabytes", 1000, 990, 20),
    ]
    assert volume_quotas(requests, backups=1, backup_gib=5) == [
        Quota("backups", -1, 7, 1),
        Quota("backup_gigabytes", 500, 0, 5),
    ]
    assert volume_quotas(requests) == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"usage": None, "limits": None},
        {"usage": {}, "limits": {}},
        {"usage": [], "limits": {"absolute": None}},
        {"usage": {"image_count_total": {}}, "limits": {"absolute": {}}},
        {"usage": {"image_count_total": {"limit": "many"}}, "limits": {"absolute": {"maxTotalSnapshots": 5}}},
        {"usage": {"image_count_total": 5}, "limits": {"absolute": [1]}},
    ],
    ids=str,
)
def test_where_the_cloud_does_not_tell_nothing_is_reported(answers, body):
    requests = answers(body)
    assert (image_quotas(requests, 5), volume_quotas(requests, snapshots=5)) == ([], [])


@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_refusal_is_no_failure(answers, status):
    requests = answers(text="<html>No.</html>", status=status)
    assert (image_quotas(requests, 5), volume_quotas(requests, snapshots=5)) == ([], [])


def test_neither_is_a_service_that_is_not_there(cloud, new_client):
    def absent(path, method, options):
        raise keystoneauth.EndpointNotFound()

    cloud.image = cloud.block_storage = FakeService(cloud, absent)
    requests = new_client()
    assert (image_quotas(requests, 5), volume_quotas(requests, snapshots=5)) == ([], [])
