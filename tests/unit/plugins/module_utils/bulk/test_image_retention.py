# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import json
import random

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils.bulk import image_retention, retention
from ansible_collections.onetoken.openstack.plugins.module_utils.bulk.cloud_requests import CloudError, GivenUpError
from ansible_collections.onetoken.openstack.plugins.module_utils.bulk.image_retention import ImageRetention
from ansible_collections.onetoken.openstack.plugins.module_utils.bulk.retention_rules import Keep, Sources
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils.bulk.fake_cloud import FakeResponse
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils.bulk.fake_storage import FakeStorage


@pytest.fixture(autouse=True)
def moment(monkeypatch, time):
    """Copies are as old as the time that passes here says."""

    def now():
        return datetime.datetime.fromtimestamp(time.wall_clock(), datetime.timezone.utc)

    monkeypatch.setattr(retention, "now", now)
    monkeypatch.setattr(image_retention, "now", now)


@pytest.fixture
def storage(time):
    return FakeStorage(time)


@pytest.fixture
def retain(carry_out, storage):
    def run(last=1, days=None, sources=None, queued_timeout=3600, **options):
        return carry_out(
            lambda requests: ImageRetention(requests, Keep(last, days), sources or Sources(), queued_timeout),
            connection=storage,
            **options,
        )

    return run


def outcomes(report):
    return {item.name: item.outcome for item in report.items}


def reasons(report):
    return {item.name: item.reason for item in report.items}


def image(storage, days, server="web", **body):
    """An image that a run made of a server."""
    name = body.pop("name", f"{server}-{days}")
    marks = {
        "onetoken_run": "r",
        "onetoken_server_id": f"id-{server}",
        "onetoken_server_name": server,
        "onetoken_name": name,
        "instance_uuid": f"id-{server}",
    }
    return storage.add_image(days, name, **{**marks, **body})


def volume_backed(storage, days, server="db", statuses=("available", "available"), **body):
    """An image that a run made of a server that was booted from a volume, and the ids of the snapshots behind it."""
    ids = [storage.add_snapshot(days, f"snapshot for {server}-{days}", status=status) for status in statuses]
    mapping = json.dumps([{"snapshot_id": id} for id in ids])
    body = {"instance_uuid": None, "block_device_mapping": mapping, "size": 0, **body}
    return image(storage, days, server, **body), ids


def test_old_images_are_deleted_with_one_request_each_after_one_listing(storage, retain):
    kept = [image(storage, 1), image(storage, 1, "db")]
    for days in (2, 3):
        image(storage, days)
    report = retain()
    assert outcomes(report) == {"web-2": "done", "web-3": "done"}
    assert reasons(report)["web-2"] == "older than the last one of web"
    assert sorted(storage.images) == sorted(kept)
    assert storage.requests[0] == ("GET", "/images") and len(storage.requests) == 3
    assert report.changed
    again = retain()
    assert again.items == [] and not again.changed


def test_check_mode_deletes_nothing(storage, retain):
    for days in (1, 2):
        image(storage, days)
    report = retain(check_mode=True)
    assert outcomes(report) == {"web-2": "planned"}
    assert reasons(report) == {"web-2": "older than the last one of web"}
    assert len(storage.images) == 2 and storage.count("DELETE", "/") == 0


def test_only_what_a_run_made_is_touched_and_counts(storage, retain):
    ours = image(storage, 10)
    others = [
        storage.add_image(1, "by hand"),
        image(storage, 2, owner="another project", visibility="public"),
        image(storage, 3, instance_uuid="another server"),
        image(storage, 4, onetoken_name="golden"),
        image(storage, 5, name="kept for good", onetoken_name="web-5"),
        storage.add_image(6, "file", onetoken_run="r", onetoken_name="file"),
        storage.add_image(7, "file", onetoken_run="r", onetoken_name="file"),
    ]
    assert retain().items == []
    assert sorted(storage.images) == sorted([ours, *others])


def test_a_glance_that_lists_more_than_it_was_asked_for_costs_nobody_an_image(storage, retain):
    for days in (1, 2):
        image(storage, days, owner="another project")
    storage.lose = lambda method, path: FakeResponse(200, {"images": list(storage.images.values())})
    assert retain().items == [] and len(storage.images) == 2


def test_images_of_volumes_are_kept_by_their_volumes(storage, retain):
    for days in (1, 2):
        for id in ("v1", "v2"):
            marks = {"onetoken_run": "r", "onetoken_volume_id": id, "onetoken_volume_name": f"data-{id}"}
            storage.add_image(days, f"{id}-{days}", onetoken_name=f"{id}-{days}", **marks)
    assert set(outcomes(retain(sources=Sources(["data-v1"])))) == {"v1-2"}
    assert set(outcomes(retain(sources=Sources(["v2"])))) == {"v2-2"}


def test_an_image_of_a_server_that_was_booted_from_an_image_of_a_volume_is_the_servers(storage, retain):
    inherited = {"onetoken_volume_id": "v", "onetoken_volume_name": "golden"}
    storage.add_image(9, "golden", onetoken_run="r", onetoken_name="golden", **inherited)
    image(storage, 1, **inherited)
    image(storage, 2, **inherited)
    volume_backed(storage, 1, **inherited)
    volume_backed(storage, 2, **inherited)
    assert set(outcomes(retain())) == {"web-2", "db-2"}


def test_a_protected_image_is_left_alone(storage, retain):
    for days in (1, 2, 3):
        image(storage, days, protected=days == 2)
    report = retain()
    assert outcomes(report) == {"web-2": "skipped", "web-3": "done"}
    assert reasons(report)["web-2"] == "it is protected"


def test_an_image_that_was_protected_meanwhile_fails_with_glances_reason(storage, retain):
    image(storage, 1)
    id = image(storage, 2)
    report = retain(on_plan=lambda run: storage.images[id].update(protected=True))
    assert outcomes(report) == {"web-2": "failed"} and "is protected and cannot be deleted" in reasons(report)["web-2"]


def test_nothing_of_a_server_is_deleted_before_its_newest_image_is_good(storage, retain):
    image(storage, 0, status="saving")
    for days in (1, 2):
        image(storage, days)
        image(storage, days, "db")
    report = retain()
    assert outcomes(report) == {"web-2": "skipped", "db-2": "done"}
    assert reasons(report)["web-2"] == "the newest copy of web is not good yet: web-0 is saving"


@pytest.mark.parametrize(("hours", "outcome"), [(0.9, {}), (1.1, {"stuck": "done"})])
def test_an_image_that_never_left_the_queue_has_failed(storage, retain, hours, outcome):
    image(storage, hours / 24, status="queued", name="stuck")
    image(storage, 0)
    assert outcomes(retain()) == outcome


def test_failed_images_are_deleted_and_deactivated_ones_are_not(storage, retain):
    image(storage, 1)
    image(storage, 2, status="killed")
    image(storage, 3, status="deactivated")
    report = retain(last=7)
    assert outcomes(report) == {"web-2": "done"}
    assert reasons(report)["web-2"] == "killed, and older than the good copy web-1"


def test_an_image_that_is_gone_meanwhile_was_deleted_already(storage, retain):
    image(storage, 1)
    id = image(storage, 2)
    report = retain(on_plan=lambda run: storage.images.pop(id))
    assert outcomes(report) == {"web-2": "already"}


def test_a_lost_answer_is_looked_up_and_the_deletion_is_done(storage, retain):
    image(storage, 1)
    image(storage, 2)
    answers = [FakeResponse(502, text="Bad Gateway")]
    storage.lose = lambda method, path: answers.pop() if method == "DELETE" and answers else None
    report = retain()
    assert outcomes(report) == {"web-2": "done"} and storage.count("DELETE", "/images") == 1
    assert reasons(report) == {"web-2": "older than the last one of web"}


def test_a_deletion_that_never_arrived_is_asked_for_again(storage, retain):
    image(storage, 1)
    image(storage, 2)
    answers = [FakeResponse(502, text="Bad Gateway")]
    storage.intercept = lambda method, path: answers.pop() if method == "DELETE" and answers else None
    assert outcomes(retain()) == {"web-2": "done"}
    assert len(storage.images) == 1


def test_an_image_that_glance_cannot_delete_does_not_stop_the_others(storage, retain):
    image(storage, 1)
    bad, _good = image(storage, 2), image(storage, 3)
    answer = FakeResponse(500, text="Internal Server Error")
    storage.intercept = lambda method, path: answer if (method, path) == ("DELETE", f"/images/{bad}") else None
    assert outcomes(retain()) == {"web-2": "failed", "web-3": "done"}


def test_an_image_in_use_fails_with_glances_reason(storage, retain):
    image(storage, 1)
    image(storage, 2)
    answer = FakeResponse(409, {"conflict": {"message": "Image is in use"}})
    storage.intercept = lambda method, path: answer if method == "DELETE" else None
    report = retain()
    assert outcomes(report) == {"web-2": "failed"} and "Image is in use" in reasons(report)["web-2"]


def test_without_knowing_the_project_nothing_is_deleted(storage, retain):
    storage.current_project_id = None
    with pytest.raises(CloudError, match="not known which project"):
        retain()
    assert storage.requests == []


def test_of_a_volume_backed_server_the_snapshots_go_before_the_image(storage, retain):
    kept, _ids = volume_backed(storage, 1)
    gone, ids = volume_backed(storage, 2)
    by_hand = storage.add_snapshot(3, "snapshot for db-2")
    report = retain()
    assert outcomes(report) == {"db-2": "done"} and reasons(report) == {"db-2": "older than the last one of db"}
    assert storage.gone == [*ids, gone]
    assert list(storage.images) == [kept] and by_hand in storage.snapshots and len(storage.snapshots) == 3
    assert storage.refused == []


def test_a_volume_backed_image_is_worth_what_its_snapshots_are(storage, retain):
    volume_backed(storage, 1, statuses=("available", "creating"))
    volume_backed(storage, 2)
    volume_backed(storage, 3)
    report = retain()
    assert outcomes(report) == {"db-3": "skipped"}
    assert "db-1 is active, with volume snapshots still being made" in reasons(report)["db-3"]


def test_a_volume_backed_image_with_failed_snapshots_goes_when_there_is_a_better_one(storage, retain):
    volume_backed(storage, 1)
    volume_backed(storage, 2, statuses=("available", "error"))
    report = retain(last=7)
    assert outcomes(report) == {"db-2": "done"}
    assert reasons(report)["db-2"].startswith("active, with volume snapshots that are error, and older than")
    assert len(storage.snapshots) == 2


def test_a_listing_that_lacks_a_snapshot_costs_no_image_that_is_to_be_kept(storage, retain):
    volume_backed(storage, 1)
    _id, ids = volume_backed(storage, 2)
    del storage.snapshots[ids[0]]
    assert retain(last=2).items == []


def test_snapshots_that_another_image_leads_to_stay(storage, retain):
    volume_backed(storage, 1)
    gone, ids = volume_backed(storage, 2)
    storage.add_image(5, "by hand", block_device_mapping=json.dumps([{"snapshot_id": ids[0]}]))
    assert outcomes(retain()) == {"db-2": "done"}
    assert ids[0] in storage.snapshots and ids[1] not in storage.snapshots and gone not in storage.images


def test_an_image_of_a_volume_takes_no_snapshots_along_that_it_inherited(storage, retain):
    snapshot = storage.add_snapshot(3)
    for days in (1, 2):
        marks = {"onetoken_run": "r", "onetoken_volume_id": "v", "onetoken_name": f"data-{days}"}
        mapping = json.dumps([{"snapshot_id": snapshot}] if days == 2 else [])
        storage.add_image(days, f"data-{days}", block_device_mapping=mapping, **marks)
    assert outcomes(retain()) == {"data-2": "done"}
    assert snapshot in storage.snapshots


def test_what_died_between_the_snapshots_and_the_image_is_finished_by_the_next_call(storage, retain):
    volume_backed(storage, 1)
    gone, ids = volume_backed(storage, 2)
    storage.deleting_seconds = 100.0
    first = retain(timeout=30)
    assert outcomes(first) == {"db-2": "incomplete"} and gone in storage.images
    assert reasons(first)["db-2"] == (
        "still waiting for its volume snapshots to be deleted after 30 s; another call does the rest"
    )
    second = retain()
    assert outcomes(second) == {"db-2": "done"}
    assert gone not in storage.images and len(storage.snapshots) == 2
    # Deletions that were under way already were not asked for again: Cinder would have refused them.
    assert storage.refused == []


def test_an_image_is_not_done_when_only_its_snapshots_are_deleted(storage, retain, time):
    volume_backed(storage, 1)
    gone, _ids = volume_backed(storage, 2)
    first = retain(wait=False)
    assert [(item.outcome, item.reason_code, item.changed) for item in first.items] == [
        ("incomplete", "not_awaited", True)
    ]
    assert reasons(first)["db-2"] == (
        "still waiting for its volume snapshots to be deleted, which was not waited for; another call does the rest"
    )
    assert first.failed == [] and gone in storage.images
    # This call asks for nothing: the snapshots are still being deleted.
    second = retain(wait=False)
    assert [(item.outcome, item.changed) for item in second.items] == [("incomplete", False)]
    time.sleep(10)
    assert outcomes(retain(wait=False)) == {"db-2": "done"}
    assert gone not in storage.images


def test_an_image_whose_snapshots_are_gone_already_is_deleted(storage, retain):
    volume_backed(storage, 1)
    gone, ids = volume_backed(storage, 2)
    for id in ids:
        del storage.snapshots[id]
    assert outcomes(retain()) == {"db-2": "done"} and gone not in storage.images


def test_snapshots_that_go_meanwhile_are_no_hindrance(storage, retain):
    volume_backed(storage, 1)
    gone, ids = volume_backed(storage, 2)

    def vanish(method, path):
        if method == "DELETE":
            for id in ids:
                storage.snapshots.pop(id, None)

    storage.intercept = vanish
    assert outcomes(retain()) == {"db-2": "done"} and gone not in storage.images


def test_snapshots_that_cinder_does_not_delete_leave_the_image_as_their_record(storage, retain):
    volume_backed(storage, 1)
    gone, _ids = volume_backed(storage, 2)
    storage.deleted_as = "error_deleting"
    report = retain()
    assert outcomes(report) == {"db-2": "failed"} and "error_deleting" in reasons(report)["db-2"]
    assert gone in storage.images


def test_a_lost_answer_between_two_snapshots_is_made_up_for(storage, retain):
    volume_backed(storage, 1)
    gone, ids = volume_backed(storage, 2)
    answers = [FakeResponse(502, text="Bad Gateway")]
    storage.lose = lambda method, path: answers.pop() if method == "DELETE" and answers else None
    assert outcomes(retain()) == {"db-2": "done"}
    assert storage.gone[-1] == gone and set(ids).isdisjoint(storage.snapshots)
    assert storage.refused == []


def test_a_stop_between_the_snapshots_and_the_image_is_finished_by_the_next_call(storage, retain, interruption):
    volume_backed(storage, 1)
    gone, _ids = volume_backed(storage, 2)

    def interrupt(method, path):
        if method == "DELETE":
            interruption.reason = "interrupted by SIGINT"

    storage.lose = interrupt
    report = retain()
    assert outcomes(report) == {"db-2": "incomplete"} and "only a part of it was asked for" in reasons(report)["db-2"]
    assert gone in storage.images and len(storage.snapshots) == 2
    interruption.reason = ""
    storage.lose = lambda method, path: None
    assert outcomes(retain()) == {"db-2": "done"}
    assert gone not in storage.images and len(storage.snapshots) == 2


def test_a_call_that_was_stopped_before_deletes_nothing(storage, retain, interruption):
    image(storage, 1)
    image(storage, 2)

    def interrupt(_run):
        interruption.reason = "interrupted by SIGINT"

    assert outcomes(retain(on_plan=interrupt)) == {"web-2": "skipped"} and len(storage.images) == 2


def test_what_waits_for_its_turn_is_not_deleted_when_the_call_is_stopped(storage, new_requests):
    image(storage, 1)
    image(storage, 2)
    action = ImageRetention(new_requests(connection=storage), Keep(1), Sources(), 3600)
    (item,) = action.plan()
    action.given_up = lambda: True
    with pytest.raises(GivenUpError):
        action.ask(item)
    assert len(storage.images) == 2


def test_what_is_kept_is_counted(storage, new_requests):
    for days in range(5):
        image(storage, days, protected=days == 4)
    action = ImageRetention(new_requests(connection=storage), Keep(2), Sources(), 3600)
    assert (len(action.plan()), action.kept) == (3, 3)


@pytest.mark.parametrize("seed", range(60))
def test_over_any_history(seed, storage, retain):
    chance = random.Random(seed)
    storage.page = chance.choice((3, 1000))
    fillers = [lambda days: storage.add_image(days, "by hand"), lambda days: storage.add_snapshot(days, "by hand")]
    untouchable = [chance.choice(fillers)(chance.uniform(0, 50)) for _turn in range(5)]
    for days in sorted(chance.uniform(0, 50) for _turn in range(chance.randint(1, 25))):
        status = chance.choice(["active"] * 6 + ["saving", "killed", "deactivated", "queued"])
        body = {"status": status, "protected": chance.random() < 0.1, "name": f"copy-{days}"}
        if chance.random() < 0.2:
            body |= chance.choice([{"owner": "another"}, {"instance_uuid": "another"}, {"name": "renamed"}])
            if body["name"] == "renamed":
                body["onetoken_name"] = "copy"
            body.pop("protected")
            untouchable.append(image(storage, days, "web", **body))
        elif chance.random() < 0.5:
            statuses = [chance.choice(["available"] * 8 + ["creating", "error", "deleting"]) for _turn in range(2)]
            volume_backed(storage, days, chance.choice(("db-1", "db-2")), statuses, **body)
        else:
            image(storage, days, chance.choice(("web", "app")), **body)

    def of(server):
        return [
            body
            for id, body in storage.images.items()
            if id not in untouchable and body.get("onetoken_server_name") == server
        ]

    def good(server):
        found = [body for body in of(server) if body["status"] == "active" and _complete(body)]
        return [body["id"] for body in sorted(found, key=lambda body: body["created_at"], reverse=True)]

    def _complete(body):
        mapping = json.loads(body.get("block_device_mapping") or "[]")
        statuses = [storage.snapshots.get(one["snapshot_id"], {}).get("status") for one in mapping]
        return all(status == "available" for status in statuses)

    servers = ("web", "app", "db-1", "db-2")
    before = {server: good(server) for server in servers}
    everything = dict(storage.images)
    failures = iter([FakeResponse(502, text="Bad Gateway")] * chance.randint(0, 3))
    storage.lose = lambda method, path: next(failures, None) if method == "DELETE" and chance.random() < 0.3 else None
    last = chance.choice((1, 2, 3))
    retain(last=last, timeout=chance.choice((3, 1800)))
    retain(last=last)

    for server in servers:
        assert good(server)[:last] == before[server][:last]
    for id in untouchable:
        assert id in storage.images or id in storage.snapshots
    assert all(id in storage.images for id, body in everything.items() if body["protected"])
    # No snapshot is left without the image that leads to it.
    for id, body in everything.items():
        if id not in storage.images:
            assert not {one["snapshot_id"] for one in json.loads(body.get("block_device_mapping") or "[]")} & set(
                storage.snapshots
            )
