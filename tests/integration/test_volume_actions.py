# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that make snapshots and backups of volumes."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.onetoken.openstack.tests.integration.bulk_results import created, outcomes
from ansible_collections.onetoken.openstack.tests.integration.cleanup import delete_named


@pytest.fixture
def cinder(demo_cloud, run_name) -> t.Iterator[t.Any]:
    """Cinder's API; what the test makes is deleted at the end."""
    yield demo_cloud.block_storage
    delete_named(demo_cloud, run_name)


def test_a_run_snapshots_a_volume_once(bulk, run_name, cinder):
    volumes = ["data-02", "data-03", "nobody"]
    answer = bulk("os_volume_snapshot", volumes=volumes, run=run_name, properties={"team": "db"})
    assert outcomes(answer) == {"data-02": "done", "data-03": "done", "nobody": "failed"}
    assert {(one["type"], one["status"], one["size"]) for one in created(answer)} == {
        ("volume_snapshot", "available", 1024**3)
    }
    made = {one.name: one for one in cinder.snapshots() if run_name in one.name}
    assert set(made) == {f"data-02-{run_name}", f"data-03-{run_name}"}
    one = made[f"data-02-{run_name}"]
    labels = {"onetoken_run": run_name, "onetoken_volume_name": "data-02", "onetoken_name": one.name}
    assert one.metadata == {"team": "db", "onetoken_volume_id": one.volume_id, **labels}

    again = bulk("os_volume_snapshot", volumes=volumes[:2], run=run_name)
    assert outcomes(again) == {"data-02": "already", "data-03": "already"} and not again["changed"]
    # Versions, volumes, snapshots.
    assert again["requests"]["block_storage"] <= 3


@pytest.mark.repeats
def test_volumes_attached_to_a_server_are_snapshotted(bulk, run_name, cinder):
    answer = bulk("os_volume_snapshot", servers=["web-01"], run=run_name)
    assert outcomes(answer) == {"data-01": "done"}

    refused = bulk("os_volume_snapshot", servers=["web-01"], run=f"{run_name}-2", force=False)
    assert outcomes(refused) == {"data-01": "failed"}
    assert "HTTP 400" in refused["results"][0]["reason"]


@pytest.mark.repeats
def test_check_mode_reads_quotas_and_makes_nothing(bulk, run_name, cinder):
    answer = bulk("os_volume_snapshot", "--check", volumes=["data-02"], run=run_name)
    assert outcomes(answer) == {"data-02": "planned"}
    assert {quota["name"] for quota in answer["plan"]["quotas"]} == {"snapshots", "gigabytes"}
    assert not [one for one in cinder.snapshots() if run_name in one.name]


def test_volumes_are_backed_up_first_in_full_and_then_incrementally(bulk, run_name, cinder):
    answer = bulk("os_volume_backup", volumes=["data-03"], run=run_name)
    assert outcomes(answer) == {"data-03": "done"}, answer
    again = bulk("os_volume_backup", volumes=["data-03"], run=run_name)
    assert outcomes(again) == {"data-03": "already"}
    more = bulk("os_volume_backup", volumes=["data-03"], run=f"{run_name}-2", incremental=True)
    assert outcomes(more) == {"data-03": "done"}, more
    (made,) = created(more)
    assert cinder.get_backup(made["id"]).is_incremental


@pytest.mark.repeats
def test_an_incremental_backup_without_a_full_one_fails_with_cinders_reason(bulk, run_name, cinder):
    volume = cinder.create_volume(name=f"vol-test-{run_name}", size=1)
    cinder.wait_for_status(volume, "available", interval=1, wait=60)
    answer = bulk("os_volume_backup", volumes=[volume.name], run=run_name, incremental=True)
    assert outcomes(answer) == {volume.name: "failed"}
    assert "No backups available" in answer["results"][0]["reason"]
