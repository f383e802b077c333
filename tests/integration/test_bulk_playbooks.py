# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bulk playbooks on a selection of the project and on hosts of an inventory, for real and in check mode."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.onetoken.openstack.tests.integration.bulk_results import reported
from openstack.connection import Connection

REPEATS = pytest.mark.repeats
PLUGIN = "plugin: openstack.cloud.openstack\nonly_clouds: [sandbox]\nfail_on_errors: true\n"


@pytest.fixture
def from_plugin(controller) -> tuple[str, ...]:
    """The arguments that run a bulk playbook on an inventory of the cloud."""
    path = controller.home / "openstack.yml"
    path.write_text(PLUGIN)
    return "-i", str(path), "-e", "target=all"


def images(cloud: Connection, run_name: str) -> list[str]:
    return sorted(image.name for image in cloud.image.images() if run_name in (image.name or ""))


def set_state(sandbox, server: str, state: str) -> None:
    compute = sandbox.administrator().compute
    compute.reset_server_state(compute.find_server(server, ignore_missing=False), state)


def test_old_images_are_deleted_only_of_servers_with_a_new_good_one(
    demo_cloud, sandbox, keystone, bulk_playbook, static_inventory, run_name
):
    first = bulk_playbook("bulk_snapshot", name_pattern="web-0[67]", run_name=f"{run_name}-1")
    assert first.ok and reported(first, "done") == ["web-06", "web-07"], first.output

    keystone.restart()
    second = bulk_playbook(
        "bulk_snapshot", *static_inventory("web-06", "web-07", "web-08"), "--limit", "!web-08", run_name=f"{run_name}-2"
    )
    assert second.ok and reported(second, "done") == ["web-06", "web-07"], second.output
    assert (keystone.count("POST"), keystone.count("DELETE")) == (1, 1)

    set_state(sandbox, "web-07", "error")
    try:
        keeping = {"keep_last": 1, "run_pattern": f"{run_name}-*"}
        third = bulk_playbook(
            "bulk_snapshot", *static_inventory("web-06", "web-07"), run_name=f"{run_name}-3", **keeping
        )
    finally:
        set_state(sandbox, "web-07", "active")
    assert third.status == 2 and "1 of 2 servers snapshotted, 1 failed" in third.output, third.output
    assert "2 of 2 images deleted" in third.output, third.output
    assert images(demo_cloud, run_name) == [
        f"web-06-{run_name}-3", f"web-07-{run_name}-1", f"web-07-{run_name}-2"
    ]  # fmt: skip

    # retention.yml can delete the rest; at first it only lists it.
    keeping["kind"] = "image"
    dry = bulk_playbook("retention", *static_inventory("web-06", "web-07"), **keeping)
    assert dry.ok and reported(dry, "planned") == [f"web-07-{run_name}-1"], dry.output
    assert "Add -e dry_run=false to delete what is listed above." in dry.output
    assert len(images(demo_cloud, run_name)) == 3
    real = bulk_playbook("retention", sources=["web-06", "web-07"], dry_run="false", **keeping)
    assert real.ok and reported(real, "done") == [f"web-07-{run_name}-1"], real.output
    assert images(demo_cloud, run_name) == [f"web-06-{run_name}-3", f"web-07-{run_name}-2"]


@REPEATS
def test_hosts_select_the_same_volumes_as_server_names(demo_cloud, bulk_playbook, from_plugin, run_name):
    keeping = {"keep_last": 1, "run_pattern": f"{run_name}-*"}
    hosts = (*from_plugin, "--limit", "db-01,web-02")
    named = bulk_playbook("bulk_volume_snapshot", servers=["db-01", "web-02"], run_name=f"{run_name}-1")
    assert named.ok and reported(named, "done") == ["db-01-root"], named.output
    of_hosts = bulk_playbook("bulk_volume_snapshot", *hosts, run_name=f"{run_name}-2", **keeping)
    assert of_hosts.ok and reported(of_hosts, "done") == ["db-01-root", f"db-01-root-{run_name}-1"], of_hosts.output
    left = [one.name for one in demo_cloud.block_storage.snapshots() if run_name in one.name]
    assert left == [f"db-01-root-{run_name}-2"]


@REPEATS
def test_images_of_volumes_are_planned_without_a_session(controller, bulk_playbook, from_plugin, run_name):
    hosts = (*from_plugin, "--limit", "db-01,web-02")
    named = bulk_playbook("bulk_image_create", "--check", from_volumes=True, volumes=["db-01-root"], run_name=run_name)
    of_hosts = bulk_playbook("bulk_image_create", *hosts, "--check", from_volumes=True, run_name=run_name)
    assert named.ok and of_hosts.ok, named.output + of_hosts.output
    assert reported(named, "planned") == reported(of_hosts, "planned") == ["db-01-root"]
    assert f"as db-01-root-{run_name}" in of_hosts.output and "1 of 1 volume would be uploaded" in of_hosts.output
    assert controller.sessions == []


@REPEATS
def test_files_become_images(controller, demo_cloud, bulk_playbook, run_name):
    (controller.home / "disk.raw").write_bytes(b"disk")
    image = {"name": f"disk-{run_name}", "file": str(controller.home / "disk.raw")}
    run = bulk_playbook("bulk_image_create", images=[image], run_name=run_name, report="reports/images")
    assert run.ok and reported(run, "done") == [image["name"]], run.output
    assert images(demo_cloud, run_name) == [image["name"]]
    (report,) = (controller.home / "reports").glob("*.html")
    assert f"Report: {report}" in run.output
    demo_cloud.image.delete_image(demo_cloud.image.find_image(image["name"], ignore_missing=False))


def test_the_morning_unshelves_only_what_the_evening_shelved(controller, bulk_playbook, static_inventory, run_name):
    servers = ["web-09", "web-10"]
    try:
        evening = bulk_playbook("bulk_shelve", servers=servers, run_name=run_name)
        assert evening.ok and reported(evening, "done") == servers, evening.output
    finally:
        morning = bulk_playbook("bulk_unshelve", *static_inventory("web-08", *servers), run_name=run_name)
    assert morning.ok and reported(morning, "done") == servers, morning.output


@REPEATS
def test_shelving_and_unshelving_are_planned_in_check_mode(bulk_playbook, static_inventory, run_name):
    servers = ["web-09", "web-10"]
    planned = bulk_playbook("bulk_shelve", *static_inventory(*servers), "--check", run_name=run_name)
    assert planned.ok and reported(planned, "planned") == servers, planned.output
    try:
        assert bulk_playbook("bulk_shelve", servers=servers, run_name=run_name).ok
        planned = bulk_playbook("bulk_unshelve", "--check", run_name=run_name)
        assert planned.ok and reported(planned, "planned") == servers, planned.output
    finally:
        assert bulk_playbook("bulk_unshelve", run_name=run_name).ok


@REPEATS
def test_two_asterisks_select_the_whole_project(bulk_playbook, run_name):
    run = bulk_playbook("bulk_snapshot", "--check", name_pattern="**", run_name=run_name)
    assert run.ok and {"broken-01", "db-01", "web-10"} < set(reported(run, "planned")), run.output


def test_an_empty_list_of_servers_selects_none(bulk_playbook):
    run = bulk_playbook("bulk_snapshot", "--check", servers=[])
    assert run.status == 2 and reported(run, "planned") == [], run.output
    assert "No server matches the selection" in run.output


@REPEATS
def test_a_second_import_makes_only_its_own_images(controller, repository):
    path = repository / "playbooks" / "bulk_image_create.yml"
    (controller.home / "disk.raw").write_bytes(b"disk")
    runs = [{"cloud": "sandbox", "images": [{"name": name, "file": "disk.raw"}]} for name in ("first", "second")]
    imports = yaml.safe_dump([{"import_playbook": str(path), "vars": variables} for variables in runs])
    run = controller.play(None, "--check", plays=imports)
    assert run.ok and reported(run, "planned") == ["first", "second"], run.output


@REPEATS
def test_an_empty_dry_run_deletes_nothing(bulk_playbook):
    run = bulk_playbook("retention", kind="image", keep_last=1, name_pattern="web-01", dry_run="")
    assert run.ok and reported(run, "done") == [], run.output
