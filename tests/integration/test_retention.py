# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Old copies are deleted from a real Glance and Cinder, and nothing else."""

from __future__ import annotations

import functools
import json
import secrets
import typing as t

import pytest
from ansible_collections.onetoken.openstack.tests.helpers.waiting import wait_for
from openstack.config import OpenStackConfig
from openstack.connection import Connection


def _is_gone(resource: t.Any, list_all: t.Callable[[], t.Iterable[t.Any]]) -> bool:
    return resource.id not in {other.id for other in list_all()}


@pytest.fixture
def run_name() -> str:
    """The runs of this test alone begin with this."""
    return f"test-{secrets.token_hex(4)}"


@pytest.fixture
def cloud(sandbox, run_name) -> t.Iterator[Connection]:
    """The cloud; what the test made is deleted in the end."""
    config = OpenStackConfig(config_files=[str(sandbox.clouds_file)], load_envvars=False)
    cloud = Connection(config=config.get_one("sandbox"))
    yield cloud
    for server in cloud.compute.servers():
        if run_name in server.name:
            cloud.compute.delete_server(server)
            cloud.compute.wait_for_delete(server, interval=1, wait=60)
    for image in cloud.image.images():
        if run_name in image.name:
            cloud.image.update_image(image, is_protected=False)
            cloud.image.delete_image(image)
    cinder = cloud.block_storage
    for list_all, delete in (
        (cinder.snapshots, cinder.delete_snapshot),
        (cinder.backups, cinder.delete_backup),
        (cinder.volumes, cinder.delete_volume),
    ):
        mine = sorted((one for one in list_all() if run_name in one.name), key=lambda one: one.created_at, reverse=True)
        for one in mine:
            delete(one)
            wait_for(functools.partial(_is_gone, one, list_all), 60, "it is gone")


@pytest.fixture
def volume(cloud, run_name) -> t.Any:
    """A volume of this test."""
    volume = cloud.block_storage.create_volume(name=f"vol-test-{run_name}", size=1)
    return cloud.block_storage.wait_for_status(volume, "available", interval=1, wait=60)


@pytest.fixture
def copies(controller, cloud, run_name) -> t.Callable[..., None]:
    """Have a module make copies, one after the other, each in a run of its own."""

    def make(module: str, runs: int, **options: t.Any) -> None:
        call = {"cloud": "sandbox", "run": f"{run_name}-{{{{ item }}}}", **options}
        done = controller.play([{f"onetoken.openstack.{module}": call, "loop": list(range(1, runs + 1))}])
        assert done.ok, done.output

    return make


@pytest.fixture
def retain(controller, run_name) -> t.Callable[..., dict[str, t.Any]]:
    def run(kind: str, *arguments: str, **options: t.Any) -> dict[str, t.Any]:
        answer = controller.home / "answer.json"
        call = {"cloud": "sandbox", "kind": kind, "run_pattern": f"{run_name}-*", "ignore_failures": True, **options}
        tasks = [
            {"onetoken.openstack.os_retention": call, "register": "r"},
            {
                "ansible.builtin.copy": {"content": "{{ r | to_json }}", "dest": str(answer), "mode": "0600"},
                "check_mode": False,
            },
        ]
        done = controller.play(tasks, *arguments)
        assert done.ok, done.output
        return json.loads(answer.read_text())

    return run


def outcomes(answer: dict[str, t.Any]) -> dict[str, str]:
    return {item["name"]: item["outcome"] for item in answer["results"]}


@pytest.mark.repeats
def test_images_and_the_volume_snapshots_behind_them_are_deleted(copies, retain, cloud, run_name):
    copies("os_server_snapshot", 3, servers=["db-01", "web-01"])
    images = {image.name: image for image in cloud.image.images() if run_name in image.name}
    old = [f"{server}-{run_name}-{number}" for server in ("db-01", "web-01") for number in (1, 2)]
    protected = old[2]
    cloud.image.update_image(images[protected], is_protected=True)

    def left(listing: t.Iterable[t.Any]) -> set[str]:
        return {one.name for one in listing if run_name in one.name}

    planned = retain("image", "--check", keep_last=1)
    assert outcomes(planned) == {**dict.fromkeys(old, "planned"), protected: "skipped"}
    assert planned["results"][0]["reason"] == "older than the last one of db-01"
    assert left(cloud.image.images()) == set(images) and len(images) == 6

    assert outcomes(retain("image", keep_last=1)) == {**dict.fromkeys(old, "done"), protected: "skipped"}
    assert left(cloud.image.images()) == {f"db-01-{run_name}-3", f"web-01-{run_name}-3", protected}
    assert left(cloud.block_storage.snapshots()) == {f"snapshot for db-01-{run_name}-3"}

    cloud.image.update_image(images[protected], is_protected=False)
    assert outcomes(retain("image", keep_last=1)) == {protected: "done"}
    assert retain("image", keep_last=1)["results"] == []


def test_what_a_user_made_from_a_copy_is_no_copy_and_what_a_server_was_booted_from_stays(
    copies, retain, cloud, volume, run_name
):
    golden = f"golden-{run_name}"
    copies("os_image_create", 1, from_volumes=True, volumes=[volume.id], image_name=golden)
    (copy,) = cloud.image.images(name=golden)
    flavor = next(iter(cloud.compute.flavors()))
    server = cloud.compute.create_server(
        name=f"user-{run_name}", image_id=copy.id, flavor_id=flavor.id, networks="none"
    )
    cloud.compute.wait_for_server(server, interval=1, wait=60)
    users = cloud.compute.create_server_image(server, golden, wait=True, timeout=60)
    inherited = cloud.image.get(f"/images/{users.id}").json()
    assert inherited["onetoken_run"] == f"{run_name}-1" and inherited["instance_uuid"] == server.id

    assert retain("image", keep_last=1)["results"] == []
    copies("os_image_create", 2, from_volumes=True, volumes=[volume.id], image_name="{volume}-{run}")
    # Two calls of which the first finds that its run has an image already.
    answer = retain("image", keep_last=1)
    assert outcomes(answer) == {golden: "skipped"}
    assert answer["results"][0]["reason_code"] == "in_use" and server.name in answer["results"][0]["reason"]

    assert outcomes(retain("image", keep_last=1, delete_in_use=True)) == {golden: "done"}
    assert [image.id for image in cloud.image.images(name=golden)] == [users.id]


@pytest.mark.repeats
def test_volume_snapshots_are_deleted_and_those_by_hand_are_not(copies, retain, cloud, volume, run_name):
    by_hand = cloud.block_storage.create_snapshot(volume_id=volume.id, name=f"by-hand-{run_name}")
    copies("os_volume_snapshot", 3, volumes=[volume.id])
    answer = retain("volume_snapshot", keep_last=2, sources=[volume.name, "nobody"])
    assert outcomes(answer) == {f"{volume.name}-{run_name}-1": "done", "nobody": "skipped"}
    assert retain("volume_snapshot", keep_days=1)["results"] == []
    left = {one.name for one in cloud.block_storage.snapshots() if run_name in one.name}
    assert left == {by_hand.name, f"{volume.name}-{run_name}-2", f"{volume.name}-{run_name}-3"}


@pytest.mark.repeats
def test_backups_are_deleted_the_newest_first_and_none_that_another_builds_on(copies, retain, cloud, volume, run_name):
    copies("os_volume_backup", 4, volumes=[volume.id], incremental="{{ item in [2, 3] }}")
    first, second, third, fourth = (f"{volume.name}-{run_name}-{number}" for number in (1, 2, 3, 4))
    # The third one stays, so those that it builds on do.
    assert retain("volume_backup", keep_last=2)["results"] == []
    assert outcomes(retain("volume_backup", keep_last=1)) == dict.fromkeys((first, second, third), "done")
    assert [one.name for one in cloud.block_storage.backups() if run_name in one.name] == [fourth]
