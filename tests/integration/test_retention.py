# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""os_retention deletes expired copies from Glance and Cinder, and nothing else."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.onetoken.openstack.tests.integration.bulk_results import outcomes
from ansible_collections.onetoken.openstack.tests.integration.cleanup import delete_named
from openstack.connection import Connection


@pytest.fixture
def cloud(demo_cloud, run_name) -> t.Iterator[Connection]:
    """The cloud; what the test makes is deleted at the end."""
    yield demo_cloud
    delete_named(demo_cloud, run_name)


@pytest.fixture
def volume(cloud, run_name) -> t.Any:
    """A volume of this test."""
    volume = cloud.block_storage.create_volume(name=f"vol-test-{run_name}", size=1)
    return cloud.block_storage.wait_for_status(volume, "available", interval=1, wait=60)


@pytest.fixture
def copies(controller, cloud, run_name) -> t.Callable[..., None]:
    """Make copies with a module, one after the other, each in a run of its own."""

    def make(module: str, runs: int, **options: t.Any) -> None:
        call = {"cloud": "sandbox", "run": f"{run_name}-{{{{ item }}}}", **options}
        done = controller.play([{f"onetoken.openstack.{module}": call, "loop": list(range(1, runs + 1))}])
        assert done.ok, done.output

    return make


@pytest.fixture
def retain(bulk, run_name) -> t.Callable[..., dict[str, t.Any]]:
    """Run os_retention on the copies of this test."""

    def run(kind: str, *arguments: str, **options: t.Any) -> dict[str, t.Any]:
        return bulk("os_retention", *arguments, kind=kind, run_pattern=f"{run_name}-*", **options)

    return run


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


def test_images_made_from_a_copy_and_images_that_servers_booted_from_are_kept(copies, retain, cloud, volume, run_name):
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
    # The first of the two finds that its run has an image already.
    answer = retain("image", keep_last=1)
    assert outcomes(answer) == {golden: "skipped"}
    assert answer["results"][0]["reason_code"] == "in_use" and server.name in answer["results"][0]["reason"]

    assert outcomes(retain("image", keep_last=1, delete_in_use=True)) == {golden: "done"}
    assert [image.id for image in cloud.image.images(name=golden)] == [users.id]


@pytest.mark.repeats
def test_volume_snapshots_are_deleted_unless_made_by_hand(copies, retain, cloud, volume, run_name):
    by_hand = cloud.block_storage.create_snapshot(volume_id=volume.id, name=f"by-hand-{run_name}")
    copies("os_volume_snapshot", 3, volumes=[volume.id])
    answer = retain("volume_snapshot", keep_last=2, sources=[volume.name, "nobody"])
    assert outcomes(answer) == {f"{volume.name}-{run_name}-1": "done", "nobody": "skipped"}
    assert retain("volume_snapshot", keep_days=1)["results"] == []
    left = {one.name for one in cloud.block_storage.snapshots() if run_name in one.name}
    assert left == {by_hand.name, f"{volume.name}-{run_name}-2", f"{volume.name}-{run_name}-3"}


@pytest.mark.repeats
def test_backups_are_deleted_newest_first_unless_others_depend_on_them(copies, retain, cloud, volume, run_name):
    copies("os_volume_backup", 4, volumes=[volume.id], incremental="{{ item in [2, 3] }}")
    first, second, third, fourth = (f"{volume.name}-{run_name}-{number}" for number in (1, 2, 3, 4))
    # The third one stays, and so do those that it depends on.
    assert retain("volume_backup", keep_last=2)["results"] == []
    assert outcomes(retain("volume_backup", keep_last=1)) == dict.fromkeys((first, second, third), "done")
    assert [one.name for one in cloud.block_storage.backups() if run_name in one.name] == [fourth]
