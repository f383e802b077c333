# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots and backups of volumes, as Cinder makes them."""

from __future__ import annotations

import functools
import json
import secrets
import typing as t

import pytest
from ansible_collections.onetoken.openstack.tests.helpers.waiting import wait_for
from openstack.config import OpenStackConfig
from openstack.connection import Connection


@pytest.fixture
def run_name() -> str:
    """A run of this test alone."""
    return f"test-{secrets.token_hex(4)}"


def _is_gone(resource: t.Any, list_all: t.Callable[[], t.Iterable[t.Any]]) -> bool:
    return resource.id not in {other.id for other in list_all()}


@pytest.fixture
def cinder(sandbox, run_name) -> t.Iterator[t.Any]:
    """Cinder's API; what the test made is deleted in the end."""
    config = OpenStackConfig(config_files=[str(sandbox.clouds_file)], load_envvars=False)
    cinder = Connection(config=config.get_one("sandbox")).block_storage
    yield cinder
    for list_all, delete in ((cinder.snapshots, cinder.delete_snapshot), (cinder.backups, cinder.delete_backup)):
        mine = sorted((one for one in list_all() if run_name in one.name), key=lambda one: one.created_at, reverse=True)
        for one in mine:
            delete(one)
            wait_for(functools.partial(_is_gone, one, list_all), 60, "it is gone")


@pytest.fixture
def bulk(controller) -> t.Callable[..., dict[str, t.Any]]:
    """What a bulk module of volumes answers."""

    def call(module: str, *arguments: str, **options: t.Any) -> dict[str, t.Any]:
        answer = controller.home / "answer.json"
        tasks = [
            {f"onetoken.openstack.{module}": {"cloud": "sandbox", "ignore_failures": True, **options}, "register": "r"},
            {
                "ansible.builtin.copy": {"content": "{{ r | to_json }}", "dest": str(answer), "mode": "0600"},
                "check_mode": False,
            },
        ]
        done = controller.play(tasks, *arguments)
        assert done.ok, done.output
        return json.loads(answer.read_text())

    return call


def outcomes(answer: dict[str, t.Any]) -> dict[str, str]:
    return {item["name"]: item["outcome"] for item in answer["results"]}


def created(answer: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    return [one for item in answer["results"] for one in item["created"]]


def test_volumes_are_snapshotted_once_a_run(bulk, run_name, cinder):
    volumes = ["data-02", "data-03", "nobody"]
    answer = bulk("os_volume_snapshot", volumes=volumes, run=run_name, properties={"team": "db"})
    assert outcomes(answer) == {"data-02": "done", "data-03": "done", "nobody": "failed"}
    assert {(one["type"], one["status"], one["size"]) for one in created(answer)} == {
        ("volume_snapshot", "available", 1024**3)
    }
    made = {one.name: one for one in cinder.snapshots() if run_name in one.name}
    assert set(made) == {f"data-02-{run_name}", f"data-03-{run_name}"}
    one = made[f"data-02-{run_name}"]
    marks = {"onetoken_run": run_name, "onetoken_volume_name": "data-02", "onetoken_name": one.name}
    assert one.metadata == {"team": "db", "onetoken_volume_id": one.volume_id, **marks}

    again = bulk("os_volume_snapshot", volumes=volumes[:2], run=run_name)
    assert outcomes(again) == {"data-02": "already", "data-03": "already"} and not again["changed"]
    # The versions, the volumes, the snapshots.
    assert again["requests"]["block_storage"] <= 3


@pytest.mark.repeats
def test_the_volumes_of_a_server_are_snapshotted_while_they_are_attached(bulk, run_name, cinder):
    answer = bulk("os_volume_snapshot", servers=["web-01"], run=run_name)
    assert outcomes(answer) == {"data-01": "done"}

    refused = bulk("os_volume_snapshot", servers=["web-01"], run=f"{run_name}-2", force=False)
    assert outcomes(refused) == {"data-01": "failed"}
    assert "HTTP 400" in refused["results"][0]["reason"]


@pytest.mark.repeats
def test_check_mode_reads_the_quotas_and_makes_nothing(bulk, run_name, cinder):
    answer = bulk("os_volume_snapshot", "--check", volumes=["data-02"], run=run_name)
    assert outcomes(answer) == {"data-02": "planned"}
    assert {quota["name"] for quota in answer["plan"]["quotas"]} == {"snapshots", "gigabytes"}
    assert not [one for one in cinder.snapshots() if run_name in one.name]


def test_volumes_are_backed_up_and_then_only_what_has_changed(bulk, run_name, cinder):
    answer = bulk("os_volume_backup", volumes=["data-03"], run=run_name)
    assert outcomes(answer) == {"data-03": "done"}, answer
    again = bulk("os_volume_backup", volumes=["data-03"], run=run_name)
    assert outcomes(again) == {"data-03": "already"}
    more = bulk("os_volume_backup", volumes=["data-03"], run=f"{run_name}-2", incremental=True)
    assert outcomes(more) == {"data-03": "done"}, more
    (made,) = created(more)
    assert cinder.get_backup(made["id"]).is_incremental


@pytest.mark.repeats
def test_an_incremental_backup_of_a_volume_without_a_full_one_fails_with_cinders_reason(bulk, run_name, cinder):
    volume = cinder.create_volume(name=f"vol-test-{run_name}", size=1)
    cinder.wait_for_status(volume, "available", interval=1, wait=60)
    try:
        answer = bulk("os_volume_backup", volumes=[volume.name], run=run_name, incremental=True)
        assert outcomes(answer) == {volume.name: "failed"}
        assert "No backups available" in answer["results"][0]["reason"]
    finally:
        cinder.delete_volume(volume)
