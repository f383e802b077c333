# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.image_origin import (
    images_of_run,
    inheritors,
    is_ours,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.images import Image
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_cloud import PROJECT
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_storage import FakeStorage

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


MAPPING = json.dumps([{"snapshot_id": "one"}])
WITHOUT_NOVA = {key: value for key, value in BODY.items() if key != "instance_uuid"}
#: An image of a volume, as it is when it is finished.
OF_VOLUME = {
    "id": "i",
    "name": "golden",
    "status": "active",
    "created_at": "2026-01-31T12:00:00Z",
    "onetoken_run": "r1",
    "onetoken_volume_id": "v",
    "onetoken_volume_name": "data",
    "onetoken_name": "golden",
    "onetoken_image_id": "i",
}


@pytest.mark.parametrize(
    "body",
    [
        BODY,
        {**WITHOUT_NOVA, "block_device_mapping": MAPPING},
        {**BODY, "onetoken_asked_at": "2026-01-31T11:59:58Z"},
        {**BODY, "onetoken_asked_at": ""},
        # The server was booted from an image of a volume, and Nova kept the labels of that one.
        {**BODY, "onetoken_volume_id": "v", "onetoken_image_id": "another"},
        OF_VOLUME,
        # The volume was made from an image of a server, and Cinder kept what Nova wrote on that one.
        {**OF_VOLUME, "instance_uuid": "s", "image_type": "snapshot"},
    ],
)
def test_what_a_run_made_is_ours(body):
    assert is_ours(Image.from_body(body))


@pytest.mark.parametrize(
    "body",
    [
        # A server was booted from it, and its owner made an image of that under the same name.
        {**OF_VOLUME, "id": "users"},
        {**OF_VOLUME, "id": "users", "instance_uuid": "users server"},
        {**OF_VOLUME, "id": "users", "block_device_mapping": MAPPING},
        # Without its own id, nothing says that it is not such an image.
        {key: value for key, value in OF_VOLUME.items() if key != "onetoken_image_id"},
        # Neither does Nova of which server it is, nor are there any volume snapshots behind it.
        WITHOUT_NOVA,
        {**WITHOUT_NOVA, "block_device_mapping": "[]"},
        # It was made long after the image that these labels were written on, or before it.
        {**BODY, "onetoken_asked_at": "2026-01-31T10:00:00Z"},
        {**BODY, "onetoken_asked_at": "2026-01-31T12:30:00Z"},
        {**BODY, "onetoken_asked_at": "some day"},
        {**BODY, "onetoken_asked_at": "0001-01-01T00:00:00+01:00"},
    ],
)
def test_an_image_that_may_have_its_labels_from_another_one_is_not_ours(body):
    assert not is_ours(Image.from_body(body))


def copies_of(*bodies):
    return [Image.from_body({**BODY, **body}) for body in bodies]


def test_of_several_images_with_the_same_labels_the_oldest_is_a_runs():
    first = {"id": "z", "created_at": "2026-01-31T11:00:00Z"}
    (origin, _second, _other) = images = copies_of(first, {}, {"id": "o", "onetoken_run": "r2"})
    assert inheritors(images) == {"i": origin}
    assert inheritors(reversed(images)) == {"i": origin}


@pytest.mark.parametrize("status", ["queued", "saving", "killed"])
def test_nothing_is_inherited_from_an_image_without_content(status):
    first = {"id": "z", "created_at": "2026-01-31T11:00:00Z", "status": status}
    assert inheritors(copies_of(first, {})) == {}
    assert inheritors(copies_of({**first, "status": "deactivated"}, {"status": status})).keys() == {"i"}


@pytest.mark.parametrize(
    "change",
    [{"instance_uuid": "another"}, {"name": "web-by-hand"}, {"onetoken_name": "golden"}],
    ids=["made of another server", "made by hand", "labels of the image that the server was booted from"],
)
def test_inherited_labels_and_other_names_are_not_ours(change):
    assert not is_ours(Image.from_body({**BODY, **change}))


@pytest.mark.parametrize("label", ["onetoken_run", "onetoken_name"])
def test_an_image_without_a_label_is_not_ours(label):
    assert not is_ours(Image.from_body({key: value for key, value in BODY.items() if key != label}))


def test_only_the_projects_own_images_of_the_run_are_listed(time, new_client):
    storage = FakeStorage(time)
    storage.page = 2
    ours = [storage.add_image(**{key: BODY[key] for key in BODY if key not in ("id", "status", "created_at")})]
    labelled = {key: BODY[key] for key in BODY if key.startswith("onetoken_")} | {"name": "web-r1"}
    ours.append(storage.add_image(**labelled, block_device_mapping=MAPPING))
    unknown = storage.add_image(**labelled)
    storage.add_image(**{**labelled, "owner": "another project"})
    storage.add_image(**{**labelled, "onetoken_run": "r2", "instance_uuid": "s"})
    storage.add_image(name="by hand")
    requests = new_client(connection=storage)
    assert {copy.id for copy in images_of_run(requests, PROJECT, "r1")} == set(ours)
    assert {copy.id for copy in images_of_run(requests, PROJECT, "r1", {ours[0], unknown})} == {*ours, unknown}
