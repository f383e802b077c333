# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import random

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.engine.run import PlanError
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.errors import CloudError
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.volume_copies import BACKUPS, SNAPSHOTS
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.retention.rules import Keep, Sources
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.retention.volumes import VolumeRetention
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_cloud import FakeResponse
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_storage import FakeStorage


@pytest.fixture
def storage(time):
    return FakeStorage(time)


@pytest.fixture
def retain(carry_out, storage):
    def run(kind=SNAPSHOTS, last=1, days=None, sources=None, connection=storage, **options):
        return carry_out(
            lambda requests: VolumeRetention(requests, Keep(last, days), sources or Sources(), kind),
            connection=connection,
            **options,
        )

    return run


def marks(name, volume="v"):
    return {
        "onetoken_run": "r",
        "onetoken_volume_id": volume,
        "onetoken_volume_name": f"data-{volume}",
        "onetoken_name": name,
    }


def snapshot(storage, days, volume="v", **body):
    """A snapshot that a run made of a volume."""
    name = f"{volume}-{days}"
    return storage.add_snapshot(days, **{"name": name, "volume_id": volume, "metadata": marks(name, volume), **body})


def backup(storage, days, parent=None, volume="v", **body):
    """A backup that a run made of a volume."""
    name = f"{volume}-{days}"
    known = {"name": name, "volume_id": volume, "metadata": marks(name, volume), "parent": parent}
    return storage.add_backup(days, **{**known, **body})


def test_old_snapshots_are_deleted_and_watched_together(storage, retain):
    kept = [snapshot(storage, 1), snapshot(storage, 1, "w")]
    for days in (2, 3, 4):
        snapshot(storage, days)
    report = retain()
    assert report.outcomes == {"v-2": "done", "v-3": "done", "v-4": "done"}
    assert set(report.reasons.values()) == {"older than the last one of data-v"}
    assert sorted(storage.snapshots) == sorted(kept)
    assert storage.count("DELETE", "/snapshots") == 3 and storage.count("GET", "/snapshots/detail") <= 4
    # Whether the newest good one is still there is asked for once for all three.
    assert storage.count("GET", f"/snapshots/{kept[0]}") == 1
    assert report.items[0].seconds >= 2
    assert retain().items == []


@pytest.mark.parametrize("volume_id", [None, ""])
def test_copies_of_volumes_that_are_not_known_are_not_copies_of_one_volume(storage, retain, volume_id):
    of_server = {"onetoken_run": "r", "onetoken_server_id": "s-1", "onetoken_server_name": "web"}
    for days in (1, 2):
        metadata = {**of_server, "onetoken_name": f"v-{days}"}
        snapshot(storage, days, volume_id=volume_id, metadata=metadata)
    with pytest.raises(PlanError, match="volume_id of volume copy"):
        retain()
    assert len(storage.snapshots) == 2


def test_check_mode_deletes_nothing(storage, retain):
    for days in (1, 20):
        snapshot(storage, days)
    report = retain(last=None, days=7, check_mode=True)
    assert report.outcomes == {"v-20": "planned"} and report.reasons == {"v-20": "older than 7 days"}
    assert len(storage.snapshots) == 2


@pytest.mark.parametrize("kind", [SNAPSHOTS, BACKUPS], ids=["snapshots", "backups"])
@pytest.mark.parametrize("keep", [{"last": 1}, {"last": None, "days": 7}], ids=str)
def test_a_list_that_has_a_copy_twice_costs_nobody_the_only_one(storage, retain, kind, keep):
    """As a list whose pages shift while they are read has it."""
    id = (snapshot if kind is SNAPSHOTS else backup)(storage, 30)
    copies = storage.snapshots if kind is SNAPSHOTS else storage.backups

    def twice(method, path):
        if (method, path) == ("GET", f"/{kind.plural}/detail"):
            return FakeResponse(200, {kind.plural: [copies[id], copies[id]]})
        return None

    storage.intercept = twice
    assert retain(kind, **keep).items == [] and list(copies) == [id]


@pytest.mark.parametrize("kind", [SNAPSHOTS, BACKUPS], ids=["snapshots", "backups"])
@pytest.mark.parametrize("gone", ["deleted", "failed", "renamed"])
def test_nothing_is_deleted_once_the_newest_good_copy_is_gone(storage, retain, kind, gone):
    add = snapshot if kind is SNAPSHOTS else backup
    copies = storage.snapshots if kind is SNAPSHOTS else storage.backups
    newest, *_others = [add(storage, days) for days in (1, 2, 3)]

    def change(_run):
        if gone == "deleted":
            del copies[newest]
        else:
            copies[newest].update({"status": "error"} if gone == "failed" else {"name": "mine"})

    report = retain(kind, on_plan=change)
    assert report.outcomes == {"v-2": "skipped", "v-3": "skipped"} and storage.count("DELETE", "/") == 0


@pytest.mark.parametrize("days_behind", [60, -60], ids=["ahead", "behind"])
def test_a_wrong_clock_of_this_machine_makes_no_copy_older(storage, retain, time, days_behind):
    time.set_behind(days_behind * 86400)
    for days in (1, 2, 31):
        snapshot(storage, days)
    assert retain(last=None, days=30).outcomes == {"v-31": "done"}


@pytest.mark.parametrize("kind", [SNAPSHOTS, BACKUPS])
@pytest.mark.parametrize("service", ["image", "block_storage"])
def test_a_service_with_a_wrong_clock_costs_no_copy_that_is_minutes_old(storage, retain, kind, service):
    getattr(storage, service).clock = 30 * 86400
    for minutes in (10, 20, 30):
        (snapshot if kind is SNAPSHOTS else backup)(storage, minutes / 1440)
    if service == "image":
        # Without an older one, nothing would go by Cinder's clock, and Glance would not be asked.
        (snapshot if kind is SNAPSHOTS else backup)(storage, 8)
    with pytest.raises(CloudError, match=r"Nothing was deleted, .*differ by 2592000 s"):
        retain(kind, last=None, days=7)
    assert storage.count("DELETE", "/") == 0


@pytest.mark.parametrize("silent", ["without a Date", "refusing"])
@pytest.mark.parametrize(("seconds", "agrees"), [(0, True), (3600, False), (-3600, False)])
def test_where_cinder_alone_reports_its_time_this_machine_must_agree(storage, retain, time, silent, seconds, agrees):
    time.set_behind(-seconds)
    if silent == "refusing":
        refusal = FakeResponse(403, {"forbidden": {"message": "not you"}})
        storage.intercept = lambda method, path: refusal if path in ("/images", "/servers") else None
    storage.image.clock = storage.compute.clock = None
    for days in (1, 2, 31):
        snapshot(storage, days)
    if agrees:
        assert retain(last=None, days=30).outcomes == {"v-31": "done"}
        return
    with pytest.raises(CloudError, match=r"only the block storage service reports its time, .* this machine differs"):
        retain(last=None, days=30)
    assert len(storage.snapshots) == 3


def test_a_second_service_is_submitted_its_time_once_and_only_where_something_would_go(storage, retain):
    for days in (1, 31, 32):
        snapshot(storage, days)
    assert retain(last=None, days=60).outcomes == {} and storage.count("GET", "/images") == 0
    retain(last=None, days=30)
    assert storage.count("GET", "/images") == 1 and storage.count("GET", "/servers") == 0


@pytest.mark.parametrize("kind", [SNAPSHOTS, BACKUPS])
@pytest.mark.parametrize("clock", [0, None])
def test_a_copy_from_the_future_costs_nobody_what_was_just_made(storage, retain, kind, clock):
    storage.block_storage.clock = clock
    make = snapshot if kind is SNAPSHOTS else backup
    future, new, old = make(storage, -365), make(storage, 0.001), make(storage, 1)
    report = retain(kind)
    assert report.outcomes == {"v-0.001": "skipped", "v-1": "skipped"}
    assert {item.reason_code for item in report.items} == {"age_uncertain"} and report.items[0] in report.failed
    assert {future, new, old} == set(storage.snapshots if kind is SNAPSHOTS else storage.backups)


def test_copies_of_a_server_that_has_none_in_the_run_stay(storage, retain):
    """As bulk_volume_snapshot with keep_last names its volumes, which others snapshotted for their server."""
    for days in (2, 3, 4):
        of_server = {"onetoken_server_id": "s-1", "onetoken_server_name": "db", "onetoken_run": f"srv{days}"}
        snapshot(storage, days, metadata={**marks(f"v-{days}"), **of_server})
    for days, run in ((5, "vol0"), (0, "vol1")):
        snapshot(storage, days, metadata={**marks(f"v-{days}"), "onetoken_run": run})
    assert retain(sources=Sources(["v"], after_run="vol1")).outcomes == {"v-5": "done"}


@pytest.mark.parametrize(("seconds", "asked"), [(0.1, 1), (0.6, 2), (1.1, 3)])
def test_the_newest_good_copy_is_submitted_once_a_second(storage, retain, time, seconds, asked):
    newest = snapshot(storage, 1)
    for days in (2, 3, 4):
        snapshot(storage, days)

    def intercept(method, path):
        if method == "DELETE":
            time.sleep(seconds)

    storage.intercept = intercept
    assert set(retain().outcomes.values()) == {"done"}
    assert storage.count("GET", f"/snapshots/{newest}") == asked


@pytest.mark.parametrize("answer", [None, FakeResponse(400, {"badRequest": {"message": "no"}}), FakeResponse(502)])
def test_what_vanishes_at_a_deletion_that_failed_is_missed_before_the_next_one(storage, retain, answer):
    newest = snapshot(storage, 1)
    for days in (2, 3, 4):
        snapshot(storage, days)

    def intercept(method, path):
        if method == "DELETE" and storage.snapshots.pop(newest, None):
            if answer is None:
                # Somebody else deletes this one, too.
                storage.snapshots.pop(path.split("/")[2])
            return answer
        return None

    storage.intercept = intercept
    report = retain()
    assert list(report.outcomes.values()).count("skipped") >= 2
    assert {item.reason_code for item in report.items if item.outcome == "skipped"} == {"newest_gone"}


@pytest.mark.parametrize("kind", [SNAPSHOTS, BACKUPS])
@pytest.mark.parametrize("status", [400, 409])
def test_what_another_call_deletes_at_the_same_time_was_deleted_already(storage, retain, kind, status):
    make, present = (snapshot, storage.snapshots) if kind is SNAPSHOTS else (backup, storage.backups)
    for days in (1, 2, 3, 4):
        make(storage, days)

    def delete_first(run):
        """What the other call asks for between this one's listing and its deletions."""
        for id in list(present)[1:]:
            storage._delete(present, id)

    def intercept(method, path):
        if method == "DELETE" and status == 409:
            return FakeResponse(409, {"conflictingRequest": {"message": "it is being deleted"}})
        return None

    storage.intercept = intercept
    report = retain(kind, on_plan=delete_first)
    assert report.outcomes == {"v-2": "already", "v-3": "already", "v-4": "already"}
    assert len(present) == 1 and not report.changed


def test_the_last_complete_set_of_a_servers_volumes_stays_together(storage, retain):
    def of_server(run, days, *volumes):
        for place, volume in enumerate(volumes):
            name = f"db-{run}-{place + 1}"
            of_server = {"onetoken_server_id": "s-1", "onetoken_server_name": "db", "onetoken_name": f"db-{run}"}
            snapshot(storage, days, volume, name=name, metadata={"onetoken_run": run, **of_server})

    of_server("a", 3, "v1", "v2")
    of_server("b", 2, "v1")
    assert retain().items == []
    # Also where one of the volumes alone is meant.
    assert retain(sources=Sources(["v1"])).items == []
    of_server("c", 1, "v1", "v2")
    assert retain().outcomes == {"db-a-1": "done", "db-a-2": "done", "db-b-1": "done"}


def test_only_what_a_run_made_is_touched_and_counts(storage, retain):
    snapshot(storage, 10)
    snapshot(storage, 1, name="kept for good")
    snapshot(storage, 2, metadata={})
    snapshot(storage, 3, metadata=marks("v-3", "another volume"))
    assert retain().items == []
    assert len(storage.snapshots) == 4


def test_the_snapshots_of_a_server_count_for_each_of_its_volumes(storage, retain):
    for days in (1, 2):
        for place in (1, 2):
            name = f"db-{days}"
            metadata = {"onetoken_run": "r", "onetoken_server_id": "s", "onetoken_server_name": "db"}
            metadata["onetoken_name"] = name
            storage.add_snapshot(days, f"{name}-{place}", f"v{place}", metadata=metadata)
    assert retain(sources=Sources(["db"])).outcomes == {"db-2-1": "done", "db-2-2": "done"}
    assert {one["name"] for one in storage.snapshots.values()} == {"db-1-1", "db-1-2"}


def test_nothing_of_a_volume_is_deleted_before_its_newest_snapshot_is_good(storage, retain):
    snapshot(storage, 0, status="creating")
    for days in (1, 2):
        snapshot(storage, days)
        snapshot(storage, days, "w")
    report = retain()
    assert report.outcomes == {"v-2": "skipped", "w-2": "done"}
    assert report.reasons["v-2"] == "the newest copy of data-v is not good yet: v-0 is creating"


def test_failed_snapshots_are_deleted(storage, retain):
    snapshot(storage, 1)
    snapshot(storage, 2, status="error")
    assert retain(last=7).outcomes == {"v-2": "done"}


def test_a_snapshot_in_use_is_left_alone(storage, retain):
    snapshot(storage, 1)
    snapshot(storage, 2, status="restoring")
    report = retain()
    assert report.outcomes == {"v-2": "skipped"} and report.reasons["v-2"] == "it is in use, in status restoring"
    assert storage.refused == []


def test_what_is_being_deleted_already_is_waited_for_and_not_submitted(storage, retain):
    snapshot(storage, 1)
    id = snapshot(storage, 2, status="deleting")
    storage.snapshots[id]["until"] = 5.0
    report = retain()
    assert report.outcomes == {"v-2": "already"} and id not in storage.snapshots
    assert storage.count("DELETE", "/") == 0 and not report.changed


def test_a_snapshot_that_is_gone_meanwhile_was_deleted_already(storage, retain):
    snapshot(storage, 1)
    id = snapshot(storage, 2)
    assert retain(on_plan=lambda run: storage.snapshots.pop(id)).outcomes == {"v-2": "already"}


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("error_deleting", "Cinder could not delete it, it is in status error_deleting"),
        ("available", "Cinder did not delete it, it is in status available again"),
    ],
)
def test_a_snapshot_that_cinder_does_not_delete_fails(storage, retain, status, reason):
    snapshot(storage, 1)
    snapshot(storage, 2)
    storage.deleted_as = status
    report = retain()
    assert report.outcomes == {"v-2": "failed"} and report.reasons["v-2"] == reason


def test_a_refused_deletion_fails_with_cinders_reason_and_the_others_go_on(storage, retain):
    snapshot(storage, 1)
    grouped, _other = snapshot(storage, 2), snapshot(storage, 3)
    answer = FakeResponse(400, {"badRequest": {"message": "Snapshot must not be part of a group."}})
    storage.intercept = lambda method, path: answer if (method, path) == ("DELETE", f"/snapshots/{grouped}") else None
    report = retain()
    assert report.outcomes == {"v-2": "failed", "v-3": "done"} and "part of a group" in report.reasons["v-2"]


def test_a_lost_answer_is_looked_up(storage, retain):
    snapshot(storage, 1)
    snapshot(storage, 2)
    answers = [FakeResponse(502, text="Bad Gateway")]
    storage.lose = lambda method, path: answers.pop() if method == "DELETE" and answers else None
    assert retain().outcomes == {"v-2": "done"}
    assert storage.count("DELETE", "/") == 1


def test_a_list_that_changes_while_it_is_read_does_no_harm(storage, retain):
    storage.page = 1
    storage.deleting_seconds = 0.5
    for days in (1, 2, 3, 4, 5):
        snapshot(storage, days)
    vanished = []

    def vanish(method, path):
        # The snapshot that a page ended with goes before the next page is asked for.
        last = storage.snapshots.get(storage.page_end)
        if method == "GET" and last and last["status"] == "deleting" and not vanished:
            vanished.append(storage.snapshots.pop(storage.page_end))

    storage.lose = vanish
    assert set(retain().outcomes.values()) == {"done"}
    assert vanished and len(storage.snapshots) == 1
    assert [path for _method, path, _text in storage.refused] == ["/snapshots/detail"]


def test_backups_go_after_those_that_build_on_them(storage, retain):
    backup(storage, 1)
    full = backup(storage, 5)
    first = backup(storage, 4, full)
    second = backup(storage, 3, first)
    third = backup(storage, 2, second)
    report = retain(BACKUPS)
    assert set(report.outcomes.values()) == {"done"} and len(report.items) == 4
    assert storage.gone == [third, second, first, full]
    assert storage.refused == []


def test_check_mode_plans_those_as_well_that_wait_for_others(storage, retain):
    backup(storage, 1)
    backup(storage, 2, backup(storage, 3))
    assert retain(BACKUPS, check_mode=True).outcomes == {"v-2": "planned", "v-3": "planned"}


def test_backups_go_even_where_only_one_action_may_be_in_progress(storage, retain):
    backup(storage, 1)
    backup(storage, 2, backup(storage, 3, backup(storage, 4)))
    assert set(retain(BACKUPS, concurrency=1).outcomes.values()) == {"done"}
    assert len(storage.backups) == 1 and storage.refused == []


def test_what_a_kept_backup_builds_on_is_kept(storage, retain):
    base = backup(storage, 5)
    full = backup(storage, 4)
    second = backup(storage, 2, backup(storage, 3, full))
    newest = backup(storage, 1, second)
    assert retain(BACKUPS).outcomes == {"v-5": "done"}
    assert base not in storage.backups and newest in storage.backups and len(storage.backups) == 4


def test_a_backup_that_nothing_builds_on_goes_also_in_the_middle_of_a_chain(storage, retain):
    full = backup(storage, 4)
    backup(storage, 3, full)
    backup(storage, 1, full)
    assert retain(BACKUPS).outcomes == {"v-3": "done"}
    assert len(storage.backups) == 2


def test_what_somebody_elses_backup_builds_on_is_kept(storage, retain):
    backup(storage, 1)
    full = backup(storage, 4)
    backup(storage, 3, full, name="by hand", metadata={})
    assert retain(BACKUPS).items == []
    assert full in storage.backups


def test_what_an_unknown_backup_builds_on_is_kept(storage, retain):
    """An incremental one may build on the last but one, when the last one was not complete yet."""
    base = backup(storage, 5)
    backup(storage, 4)
    backup(storage, 1, base)
    report = retain(BACKUPS)
    assert base in storage.backups and "v-5" not in report.outcomes and storage.refused == []


def test_a_backup_stays_when_one_that_builds_on_it_cannot_be_deleted(storage, retain):
    backup(storage, 1)
    full = backup(storage, 3)
    child = backup(storage, 2, full)
    answer = FakeResponse(403, {"forbidden": {"message": "Policy doesn't allow it."}})
    storage.intercept = lambda method, path: answer if path == f"/backups/{child}" else None
    report = retain(BACKUPS)
    assert report.outcomes == {"v-2": "failed", "v-3": "blocked"}
    assert report.reasons["v-3"] == "a backup that builds on it is still there"
    assert full in storage.backups and storage.count("DELETE", f"/backups/{full}") == 0


def test_what_waits_for_another_deletion_is_blocked_where_nothing_is_waited_for(storage, retain, time):
    backup(storage, 1)
    full = backup(storage, 9)
    backup(storage, 8, full)
    report = retain(BACKUPS, wait=False)
    assert {item.name: (item.outcome, item.reason_code, item.changed) for item in report.items} == {
        "v-8": ("accepted", "expired", True),
        "v-9": ("blocked", "not_awaited", False),
    }
    assert storage.count("DELETE", f"/backups/{full}") == 0
    # The caller does not want to wait, so this is no failure.
    assert report.failed == []
    time.sleep(10)
    assert retain(BACKUPS, wait=False).outcomes == {"v-9": "accepted"}


def test_what_was_never_submitted_does_not_go_on_in_the_cloud_when_the_time_is_up(storage, retain):
    storage.deleting_seconds = 100.0
    backup(storage, 1)
    backup(storage, 2, backup(storage, 3))
    report = retain(BACKUPS, timeout=30)
    assert {item.name: (item.outcome, item.reason_code) for item in report.failed} == {
        "v-2": ("failed", "timeout"),
        "v-3": ("blocked", "timeout"),
    }
    assert report.reasons["v-3"] == (
        "still waiting for the backups that build on it to be deleted after 30 s; another call submits it"
    )


def test_what_was_never_submitted_is_blocked_when_the_backups_cannot_be_listed_any_more(storage, retain):
    backup(storage, 1)
    backup(storage, 2, backup(storage, 3))
    refused = FakeResponse(403, {"forbidden": {"message": "policy"}})
    storage.intercept = lambda method, path: refused if method == "GET" and storage.count("DELETE", "") else None
    report = retain(BACKUPS)
    assert {item.name: (item.outcome, item.reason_code, item.changed) for item in report.failed} == {
        "v-2": ("failed", "refused", True),
        "v-3": ("blocked", "refused", False),
    }


def test_a_stopped_call_does_not_wait_for_what_it_does_not_request_deletion(storage, retain, interruption, time):
    backup(storage, 1)
    backup(storage, 2, backup(storage, 3))

    def interrupt(_run):
        interruption.reason = "interrupted by SIGINT"

    report = retain(BACKUPS, on_plan=interrupt)
    assert report.outcomes == {"v-2": "skipped", "v-3": "blocked"}
    assert {item.reason_code for item in report.items} == {"interrupted"}
    assert len(storage.backups) == 3 and time.clock() < 60


def test_labels_in_descriptions_are_as_good(time, retain):
    storage = FakeStorage(time, microversion=(3, 42))
    for days in (1, 2):
        description = "onetoken_run=r onetoken_volume_id=v onetoken_volume_name=data"
        backup(storage, days, description=description)
    storage.add_backup(3, volume_id="v", description="by hand")
    assert retain(BACKUPS, connection=storage, sources=Sources(["data"])).outcomes == {"v-2": "done"}


def test_a_source_without_copies_is_reported(storage, retain):
    snapshot(storage, 1)
    report = retain(sources=Sources(["nobody"]))
    assert report.outcomes == {"nobody": "skipped"} and report.reasons == {"nobody": "no copy of it is selected"}


@pytest.mark.parametrize("kind", [SNAPSHOTS, BACKUPS], ids=["snapshots", "backups"])
@pytest.mark.parametrize("seed", range(60))
def test_over_any_history(seed, kind, storage, retain):
    chance = random.Random(seed)
    storage.page = chance.choice((4, 1000))
    volumes = ("v", "w")
    untouchable = set()
    latest = {}
    for days in sorted((chance.uniform(0, 50) for _turn in range(chance.randint(1, 25))), reverse=True):
        volume = chance.choice(volumes)
        body = {"status": chance.choice(["available"] * 8 + ["creating", "error", "restoring", "unheard-of"])}
        by_hand = chance.random() < 0.2
        if by_hand:
            body |= chance.choice([{"metadata": {}}, {"name": "renamed"}])
        if kind is SNAPSHOTS:
            id = snapshot(storage, days, volume, **body)
        else:
            parent = latest.get(volume) if chance.random() < 0.7 else None
            id = backup(storage, days, parent, volume, **body)
            if body["status"] == "available":
                latest[volume] = id
        if by_hand:
            untouchable.add(id)
    copies = storage.snapshots if kind is SNAPSHOTS else storage.backups

    def good(volume):
        found = [
            body
            for id, body in copies.items()
            if id not in untouchable and body["volume_id"] == volume and body["status"] in ("available", "restoring")
        ]
        return [body["id"] for body in sorted(found, key=lambda body: body["created_at"], reverse=True)]

    before = {volume: good(volume) for volume in volumes}
    failures = iter([FakeResponse(502, text="Bad Gateway")] * chance.randint(0, 3))
    storage.lose = lambda method, path: next(failures, None) if method == "DELETE" and chance.random() < 0.3 else None
    last = chance.choice((1, 2, 3))
    retain(kind, last=last, timeout=chance.choice((4, 1800)))
    report = retain(kind, last=last)

    assert untouchable <= set(copies)
    for volume in volumes:
        assert good(volume)[:last] == before[volume][:last]
    # Cinder had nothing to refuse, and no backup lost what it builds on.
    assert storage.refused == []
    if kind is BACKUPS:
        assert all(body["parent"] is None or body["parent"] in copies for body in copies.values())
    assert {item.outcome for item in report.items} <= {"done", "already", "skipped"}
    assert all(item.outcome == "skipped" for item in retain(kind, last=last).items)
