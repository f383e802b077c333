# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in's work in progress, by a clock that the tests set."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.onetoken.openstack.tests.stand_in.inside.cinder import Cinder
from ansible_collections.onetoken.openstack.tests.stand_in.inside.cloud import Cloud
from ansible_collections.onetoken.openstack.tests.stand_in.inside.limits import Windows
from ansible_collections.onetoken.openstack.tests.stand_in.inside.messages import RefusalError, Request
from ansible_collections.onetoken.openstack.tests.stand_in.inside.nova import Nova
from ansible_collections.onetoken.openstack.tests.stand_in.inside.settings import Settings


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Timed:
    """A cloud with a clock that the test sets."""

    def __init__(self, **settings: t.Any) -> None:
        self.clock = Clock()
        self.cloud = Cloud(Settings(**settings), self.clock)
        self.cloud.urls = {name: f"http://{name}" for name in ("keystone", "nova", "glance", "cinder")}
        self.nova = Nova(self.cloud)

    def at(self, seconds: float) -> Timed:
        self.clock.now = 100.0 + seconds
        self.cloud.catch_up()
        return self

    def act(self, action: dict[str, t.Any], number: int = -1) -> t.Any:
        server = self.cloud.servers.live[number]
        request = Request("POST", f"/v2.1/servers/{server.id}/action", {}, json.dumps(action).encode())
        return json.loads(self.nova.answer(request, 45).body or b"null")


def test_an_image_is_queued_then_saved_then_active() -> None:
    timed = Timed(servers=1, snapshot_seconds=10)
    image = timed.cloud.images.by_id[timed.act({"createImage": {"name": "x"}})["image_id"]]
    server = timed.cloud.servers.live[0]

    seen = []
    for seconds in (0, 1, 2, 9, 10):
        timed.at(seconds)
        seen.append((image.status, server.task_state))

    assert seen == [
        ("queued", "image_snapshot"),
        ("queued", "image_snapshot"),
        ("saving", "image_uploading"),
        ("saving", "image_uploading"),
        ("active", None),
    ]


def test_a_server_whose_image_is_being_saved_refuses_another_one() -> None:
    timed = Timed(servers=1, snapshot_seconds=10)
    timed.act({"createImage": {"name": "x"}})

    with pytest.raises(RefusalError) as caught:
        timed.act({"createImage": {"name": "y"}})

    assert caught.value.answer.status == 409
    assert b"while it is in task_state image_snapshot" in caught.value.answer.body
    assert timed.at(10).act({"createImage": {"name": "y"}})


def test_the_number_of_stuck_images_stay_queued() -> None:
    timed = Timed(servers=3, snapshot_seconds=10, stuck=1)
    for number in range(3):
        timed.act({"createImage": {"name": str(number)}}, number)
    timed.at(1000)

    assert [image.status for image in timed.cloud.images.live[1:]] == ["queued", "active", "active"]
    assert [server.task_state for server in timed.cloud.servers.live] == [None, None, None]


def test_an_image_deleted_during_its_upload_stays_deleted() -> None:
    timed = Timed(servers=1, snapshot_seconds=10)
    image = timed.cloud.images.by_id[timed.act({"createImage": {"name": "x"}})["image_id"]]
    timed.cloud.images.remove(image)

    timed.at(10)

    assert image.status == "queued"
    assert timed.cloud.servers.live[0].task_state is None


def test_a_server_is_shelved_and_later_offloaded() -> None:
    timed = Timed(servers=1, action_seconds=10, shelved_offload_seconds=60)
    timed.act({"shelve": None})
    server = timed.cloud.servers.live[0]

    seen = []
    for seconds in (9, 10, 69, 70):
        timed.at(seconds)
        seen.append((server.vm_state, server.task_state))

    assert seen == [("active", "shelving"), ("shelved", None), ("shelved", None), ("shelved_offloaded", None)]


def test_a_volume_is_busy_during_its_backup() -> None:
    timed = Timed(volumes=1, action_seconds=10)
    cinder = Cinder(timed.cloud)
    (volume,) = timed.cloud.volumes.live
    body = json.dumps({"backup": {"volume_id": volume.id}}).encode()
    request = Request("POST", f"/v3/{timed.cloud.project_id}/backups", {}, body)

    cinder.answer(request, 0)
    (backup,) = timed.cloud.backups.live
    with pytest.raises(RefusalError) as caught:
        cinder.answer(request, 0)
    before = (volume.status, backup.status)
    timed.at(10)

    assert b'the current status is \\"backing-up\\"' in caught.value.answer.body
    assert before == ("backing-up", "creating")
    assert (volume.status, backup.status) == ("available", "available")


def test_a_window_slides() -> None:
    clock = Clock()
    windows = Windows(clock)
    waits = []
    for moment in (0.0, 0.5, 0.9, 1.0, 1.4, 1.5):
        clock.now = moment
        waits.append(windows.wait_for("nova", 2, 1.0))

    assert waits == pytest.approx([0.0, 0.0, 0.1, 0.0, 0.1, 0.0])


def test_a_changed_server_is_encoded_again() -> None:
    timed = Timed(servers=2, action_seconds=10)
    listing = Request("GET", "/v2.1/servers/detail", {}, b"")

    before = json.loads(timed.nova.answer(listing, 96).body)["servers"]
    timed.act({"os-stop": None})
    between = json.loads(timed.nova.answer(listing, 96).body)["servers"]
    timed.at(10)
    after = json.loads(timed.nova.answer(listing, 96).body)["servers"]

    task_states = [servers[0]["OS-EXT-STS:task_state"] for servers in (before, between, after)]
    assert task_states == [None, "powering-off", None]
    assert [servers[0]["status"] for servers in (before, between, after)] == ["ACTIVE", "ACTIVE", "SHUTOFF"]
    assert before[1] == after[1]
