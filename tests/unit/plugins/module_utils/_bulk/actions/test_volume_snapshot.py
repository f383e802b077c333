# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.actions.volume_snapshot import VolumeSnapshot
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.labels import Labels
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.selection import Criteria
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_cloud import FakeResponse
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_storage import FakeStorage


@pytest.fixture
def storage(time):
    return FakeStorage(time)


@pytest.fixture
def snapshot(carry_out, storage):
    def run(run="r1", servers=None, force=True, properties=None, criteria=None, **options):
        marks = Labels(run, "volume", "{volume}-{run}", "snapshot_name", properties or {})
        criteria = Criteria(**(criteria or {}))
        return carry_out(
            lambda requests: VolumeSnapshot(requests, criteria, servers, marks, force), connection=storage, **options
        )

    return run


def test_each_volume_gets_a_snapshot_with_one_request_and_all_are_watched_together(storage, snapshot):
    ids = [storage.volume(name) for name in ("b", "a", "c")]
    report = snapshot(properties={"team": "db"})
    assert report.outcomes == {"a": "done", "b": "done", "c": "done"}
    first = report.answer()["results"][0]
    made = next(one for one in storage.snapshots.values() if one["volume_id"] == ids[1])
    assert first["created"] == [
        {"type": "volume_snapshot", "id": made["id"], "name": "a-r1", "status": "available", "size": 10 * 1024**3}
    ]
    assert made["metadata"] == {
        "team": "db",
        "onetoken_run": "r1",
        "onetoken_volume_id": ids[1],
        "onetoken_volume_name": "a",
        "onetoken_name": "a-r1",
    }
    assert (storage.count("POST", "/snapshots"), storage.count("GET", "/volumes")) == (3, 1)
    assert storage.count("GET", "/snapshots") <= 4


def test_a_snapshot_that_no_poll_has_seen_yet_is_being_created(storage, snapshot, time):
    storage.volume("a")
    storage.creating_seconds = 60
    storage.intercept = lambda method, path: time.sleep(2) if method == "POST" else None
    assert snapshot(timeout=1).reasons["a"].startswith("still creating after 1 s; ")


def test_the_second_call_of_a_run_makes_nothing_and_another_run_does(storage, snapshot):
    storage.volume("a")
    snapshot()
    report = snapshot()
    assert report.outcomes == {"a": "already"} and not report.changed
    assert report.items[0].created[0].status == "available"
    assert snapshot(run="r2").outcomes == {"a": "done"}


def test_a_snapshot_that_is_being_made_already_is_waited_for(storage, snapshot):
    storage.volume("a")
    assert snapshot(wait=False).items[0].created[0].status == ""
    report = snapshot()
    assert report.outcomes == {"a": "already"}
    assert report.items[0].created[0].status == "available"


def test_a_complete_snapshot_is_preferred_to_a_newer_one_that_is_being_made(storage, snapshot):
    """Two calls of one run on two machines made one each."""
    volume = storage.volume("a")
    snapshot()
    (complete,) = storage.snapshots.values()
    storage.add_snapshot(-1, "a-r1", volume, "creating", complete["metadata"])
    report = snapshot()
    assert report.outcomes == {"a": "already"}
    assert report.items[0].created[0].id == complete["id"]
    assert storage.count("POST", "/snapshots") == 1


def test_a_failed_snapshot_is_made_again(storage, snapshot):
    storage.volume("a")
    storage.made_as = "error"
    report = snapshot()
    assert report.outcomes == {"a": "failed"} and "is in status error" in report.reasons["a"]
    storage.made_as = "available"
    assert snapshot().outcomes == {"a": "done"}


def test_a_snapshot_of_a_server_of_the_same_run_is_none_of_the_volume(storage, snapshot):
    volume_id = storage.volume("a")
    storage.add_snapshot(volume_id=volume_id, metadata={"onetoken_run": "r1", "onetoken_server_id": "s"})
    assert snapshot().outcomes == {"a": "done"}


def test_the_labels_of_a_volume_that_another_one_carries_do_not_count(storage, snapshot):
    volume_id = storage.volume("a")
    marks = {"onetoken_run": "r1", "onetoken_volume_id": volume_id}
    storage.add_snapshot(volume_id="another", metadata=marks)
    assert snapshot().outcomes == {"a": "done"}


def test_the_id_stands_for_the_name_of_a_volume_without_one(storage, snapshot):
    volume_id = storage.volume(name=None)
    report = snapshot()
    assert report.outcomes == {volume_id: "done"}
    assert report.items[0].created[0].name == f"{volume_id}-r1"


def test_the_volumes_of_servers_are_selected_by_their_names_and_ids(storage, snapshot):
    web, db = storage.server("web"), storage.server("db")
    storage.volume("web-data", "in-use", web)
    storage.volume("db-data", "in-use", db)
    storage.volume("db-logs", "in-use", db)
    storage.volume("loose")
    report = snapshot(servers=["web", db], criteria={"name_pattern": "*-data"})
    assert report.outcomes == {"web-data": "done", "db-data": "done"}
    assert storage.count("GET", "/servers") == 1


def test_a_server_that_is_not_there_selects_nothing_and_is_reported(storage, snapshot):
    storage.volume("loose")
    report = snapshot(servers=["nobody"])
    assert report.outcomes == {"nobody": "failed"}
    assert report.reasons["nobody"] == "no server of the project has this name or id"
    assert storage.count("POST", "/") == 0


def test_without_servers_none_are_listed(storage, snapshot):
    storage.volume("a")
    snapshot()
    assert storage.count("GET", "/servers") == 0


def test_an_attached_volume_is_refused_without_force_and_the_others_go_on(storage, snapshot):
    storage.volume("attached", "in-use", "s")
    storage.volume("loose")
    plan = snapshot(force=False, check_mode=True)
    assert plan.outcomes == {"attached": "planned", "loose": "planned"}
    assert "in status in-use and force is off" in plan.reasons["attached"]
    report = snapshot(force=False)
    assert report.outcomes == {"attached": "failed", "loose": "done"}
    assert "Invalid volume: its status is in-use (block storage service, HTTP 400)" in report.reasons["attached"]


def test_check_mode_makes_nothing_and_reads_the_quotas(storage, snapshot, new_client):
    storage.volume("a")
    storage.volume("b")
    assert snapshot(check_mode=True).outcomes == {"a": "planned", "b": "planned"}
    assert storage.snapshots == {}
    action = VolumeSnapshot(
        new_client(connection=storage), Criteria(), None, Labels("r1", "volume", "{volume}", "snapshot_name"), True
    )
    (quota,) = action.quotas(action.plan())
    assert (quota.name, quota.needed, quota.suffices) == ("snapshots", 2, False)


def test_a_lost_answer_makes_no_second_snapshot(storage, snapshot):
    storage.volume("a")
    answers = [FakeResponse(502, text="Bad Gateway")]
    storage.lose = lambda method, path: answers.pop() if method == "POST" and answers else None
    assert snapshot().outcomes == {"a": "done"}
    assert len(storage.snapshots) == 1 and storage.count("POST", "/snapshots") == 1


def test_a_request_that_never_arrived_is_sent_again(storage, snapshot):
    storage.volume("a")
    answers = [FakeResponse(502, text="Bad Gateway")]
    storage.intercept = lambda method, path: answers.pop() if method == "POST" and answers else None
    report = snapshot()
    assert report.outcomes == {"a": "done"} and report.reasons == {}
    assert len(storage.snapshots) == 1 and storage.count("POST", "/snapshots") == 2


def test_a_snapshot_that_disappears_is_a_failure(storage, snapshot):
    storage.volume("a")
    snapshot(wait=False)
    storage.creating_seconds = 1000.0
    (id,) = storage.snapshots
    storage.snapshots[id]["until"] = 1000.0

    def vanish(method, path):
        if storage.count("GET", "/snapshots") > 3:
            storage.snapshots.clear()

    storage.intercept = vanish
    report = snapshot()
    assert report.outcomes == {"a": "failed"} and "does not exist any more" in report.reasons["a"]
