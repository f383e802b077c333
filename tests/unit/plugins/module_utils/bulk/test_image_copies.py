# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import json

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils.bulk.image_copies import (
    ImageCopy,
    image_copies,
    is_ours,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils.bulk.fake_cloud import PROJECT
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils.bulk.fake_storage import FakeStorage

BODY = {
    "id": "i",
    "name": "web-r1",
    "status": "active",
    "created_at": "2026-01-31T12:00:00Z",
    "onetoken_run": "r1",
    "onetoken_server_id": "s",
    "onetoken_server_name": "web",
    "onetoken_name": "web-r1",
    "instance_uuid": "s",
}


def test_what_a_run_made_is_ours():
    assert is_ours(BODY)
    assert is_ours({key: value for key, value in BODY.items() if key != "instance_uuid"})


@pytest.mark.parametrize(
    "change",
    [{"instance_uuid": "another"}, {"name": "web-by-hand"}, {"onetoken_name": "golden"}],
    ids=["made of another server", "made by hand", "marks of the image that the server was booted from"],
)
def test_inherited_marks_and_other_names_are_not_ours(change):
    assert not is_ours({**BODY, **change})


@pytest.mark.parametrize("mark", ["onetoken_run", "onetoken_name"])
def test_an_image_without_a_mark_is_not_ours(mark):
    assert not is_ours({key: value for key, value in BODY.items() if key != mark})


def test_the_volume_snapshots_behind_an_image_are_known():
    mapping = [{"snapshot_id": "one"}, {"snapshot_id": None}, {"source_type": "blank"}, {"snapshot_id": "two"}]
    image = ImageCopy.from_body({**BODY, "block_device_mapping": json.dumps(mapping)})
    assert image.volume_snapshot_ids == ("one", "two")


@pytest.mark.parametrize("mapping", ["", "no JSON", "7", "null", "[7]", '["x"]', '{"snapshot_id": "x"}'])
def test_a_mapping_that_cannot_be_read_names_no_snapshots(mapping):
    assert ImageCopy.from_body({**BODY, "block_device_mapping": mapping}).volume_snapshot_ids == ()


def test_an_image_is_as_old_as_glance_says():
    moment = datetime.datetime(2026, 1, 31, 13, 0, 0, tzinfo=datetime.timezone.utc)
    assert ImageCopy.from_body(BODY).age(moment) == 3600


def test_only_the_projects_own_images_of_the_run_are_listed(time, new_requests):
    storage = FakeStorage(time)
    storage.page = 2
    ours = [storage.add_image(**{key: BODY[key] for key in BODY if key not in ("id", "status", "created_at")})]
    marked = {key: BODY[key] for key in BODY if key.startswith("onetoken_")} | {"name": "web-r1"}
    ours.append(storage.add_image(**marked))
    storage.add_image(**{**marked, "owner": "another project"})
    storage.add_image(**{**marked, "onetoken_run": "r2"})
    storage.add_image(name="by hand")
    requests = new_requests(connection=storage)
    assert {copy.id for copy in image_copies(requests, PROJECT, "r1")} == set(ours)
    assert len(list(image_copies(requests, PROJECT))) == 3
