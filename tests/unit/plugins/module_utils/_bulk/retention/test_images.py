# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import random

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.errors import CancelledError, CloudError
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.reason import Code, Reason
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.retention.images import ImageRetention
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.retention.rules import Keep, Sources
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_cloud import FakeResponse
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_storage import FakeStorage


@pytest.fixture
def storage(time):
    return FakeStorage(time)


@pytest.fixture
def retain(carry_out, storage):
    def run(last=1, days=None, sources=None, queued_timeout=3600, delete_in_use=False, **options):
        keep = Keep(last, days)
        return carry_out(
            lambda requests: ImageRetention(requests, keep, sources or Sources(), queued_timeout, delete_in_use),
            connection=storage,
            **options,
        )

    return run


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


def of_volume(storage, days, volume="v", **body):
    """An image that a run made of a volume."""
    name = body.pop("name", f"{volume}-{days}")
    marks = {"onetoken_run": "r", "onetoken_volume_id": volume, "onetoken_volume_name": f"data-{volume}"}
    id = storage.add_image(days, name, **{**marks, "onetoken_name": name, **body})
    storage.images[id].setdefault("onetoken_image_id", id)
    return id


def volume_backed(storage, days, server="db", statuses=("available", "available"), **body):
    """An image that a run made of a server that was booted from a volume, and the ids of the snapshots behind it."""
    ids = [storage.add_snapshot(days, f"snapshot for {server}-{days}", status=status) for status in statuses]
    mapping = json.dumps([{"snapshot_id": id} for id in ids])
    body = {"instance_uuid": None, "block_device_mapping": mapping, "size": 0, **body}
    id = image(storage, days, server, **body)
    storage.images[id].setdefault("onetoken_asked_at", storage.images[id]["created_at"])
    return id, ids


def test_old_images_are_deleted_with_one_request_each_after_one_listing(storage, retain):
    kept = [image(storage, 1), image(storage, 1, "db")]
    for days in (2, 3):
        image(storage, days)
    report = retain()
    assert report.outcomes == {"web-2": "done", "web-3": "done"}
    assert report.reasons["web-2"] == "older than the last one of web"
    assert sorted(storage.images) == sorted(kept)
    # One listing of servers, one more look at the image that stays, and one request for each that goes.
    looks = [("GET", "/images"), ("GET", "/servers/detail"), ("GET", f"/images/{kept[0]}")]
    assert storage.requests[:3] == looks and len(storage.requests) == 5
    assert report.changed
    again = retain()
    assert again.items == [] and not again.changed


def test_check_mode_deletes_nothing(storage, retain):
    for days in (1, 2):
        image(storage, days)
    report = retain(check_mode=True)
    assert report.outcomes == {"web-2": "planned"}
    assert report.reasons == {"web-2": "older than the last one of web"}
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


def test_a_glance_that_lists_more_than_it_was_submitted_costs_nobody_an_image(storage, retain):
    for days in (1, 2):
        image(storage, days, owner="another project")
    storage.lose = lambda method, path: FakeResponse(200, {"images": list(storage.images.values())})
    assert retain().items == [] and len(storage.images) == 2


def test_images_of_volumes_are_kept_by_their_volumes(storage, retain):
    for days in (1, 2):
        for id in ("v1", "v2"):
            of_volume(storage, days, id)
    assert set(retain(sources=Sources(["data-v1"])).outcomes) == {"v1-2"}
    assert set(retain(sources=Sources(["v2"])).outcomes) == {"v2-2"}


def test_an_image_of_a_server_that_was_booted_from_an_image_of_a_volume_is_the_servers(storage, retain):
    inherited = {"onetoken_volume_id": "v", "onetoken_volume_name": "golden"}
    storage.add_image(9, "golden", onetoken_run="r", onetoken_name="golden", **inherited)
    image(storage, 1, **inherited)
    image(storage, 2, **inherited)
    volume_backed(storage, 1, **inherited)
    volume_backed(storage, 2, **inherited)
    assert set(retain().outcomes) == {"web-2", "db-2"}


def test_images_of_ours_whose_source_is_not_known_are_not_copies_of_one_source(storage, retain):
    """Their own ids say that a run made them, the ids of servers say nothing then, and there are none of volumes."""
    for days in (1, 2):
        id = image(storage, days, f"server-{days}", name="golden")
        storage.images[id]["onetoken_image_id"] = id
    assert retain().items == [] and len(storage.images) == 2


@pytest.mark.parametrize("keep", [{"last": 1}, {"last": None, "days": 7}], ids=str)
def test_a_list_that_has_an_image_twice_costs_nobody_the_only_copy(storage, retain, keep):
    """As a list whose pages shift while they are read has it."""
    id = image(storage, 30)

    def twice(method, path):
        if (method, path) == ("GET", "/images"):
            body = storage.images[id]
            return FakeResponse(200, {"images": [body, body]})
        return None

    storage.intercept = twice
    report = retain(**keep)
    assert report.items == [] and list(storage.images) == [id]


def test_an_image_that_a_list_has_twice_takes_its_volume_snapshots_along(storage, retain):
    volume_backed(storage, 1)
    gone, ids = volume_backed(storage, 2)

    def twice(method, path):
        if (method, path) == ("GET", "/images"):
            return FakeResponse(200, {"images": [*storage.images.values(), *storage.images.values()]})
        return None

    storage.intercept = twice
    assert retain().outcomes == {"db-2": "done"}
    assert {gone, *ids} == set(storage.gone) and len(storage.snapshots) == 2


def test_an_image_that_its_owner_made_of_a_server_of_ours_is_neither_a_copy_nor_deleted(storage, retain):
    golden = of_volume(storage, 2, name="golden-data", onetoken_name="golden-data")
    # The server was booted from it, and the image of the server was given the same name.
    inherited = {key: value for key, value in storage.images[golden].items() if key.startswith("onetoken_")}
    users = storage.add_image(1, "golden-data", instance_uuid="users server", **inherited)
    report = retain()
    assert report.items == [] and list(storage.images) == [golden, users]
    # Nor is it when it is the older one of the two that are there.
    newer = of_volume(storage, 0)
    assert retain().outcomes == {"golden-data": "done"}
    assert list(storage.images) == [users, newer]


@pytest.mark.parametrize(
    "body",
    [
        # It was made of a server with a volume that was made from our image: Nova says of no such image whose it is.
        {"instance_uuid": None, "block_device_mapping": json.dumps([{"snapshot_id": "another"}])},
        # It was made of a volume that was made from our image: Cinder copies what Nova said.
        {"instance_uuid": "id-web"},
    ],
    ids=["of a server", "of a volume"],
)
def test_the_older_one_of_two_images_with_the_same_labels_is_the_copy_and_stays_as_the_proof(storage, retain, body):
    copy = image(storage, 3, name="web-r1")
    storage.add_snapshot(2)
    users = image(storage, 2, **{"name": "web-r1", **body})
    image(storage, 1)
    for _turn in range(2):
        report = retain()
        assert report.outcomes == {"web-r1": "skipped"} and users in report.reasons["web-r1"]
    del storage.images[users]
    assert retain().outcomes == {"web-r1": "done"} and copy not in storage.images


def test_an_image_of_a_server_that_was_booted_from_a_renamed_copy_is_no_copy(storage, retain):
    """Its server was rebuilt from the copy, and it inherited the copy's labels, the time of the request among them."""
    asked_at = {"onetoken_asked_at": "2027-01-14T08:00:00Z", "created_at": "2027-01-14T08:00:10Z"}
    copy = image(storage, 1, name="golden", onetoken_name="web-1", **asked_at)
    later = {**asked_at, "created_at": "2027-01-14T08:40:00Z"}
    inheritor = image(storage, 1, base_image_ref=copy, **later)
    true = image(storage, 1.5, base_image_ref=copy, onetoken_asked_at="")
    assert retain().items == [] and set(storage.images) == {copy, inheritor, true}


def test_an_image_of_another_server_with_inherited_labels_costs_nobody_the_newest_copy(storage, retain):
    """The copy from which it has its labels is gone, and it was made soon enough after that."""
    _newest, ids = volume_backed(storage, 1)
    volume_backed(storage, 2)
    _stranger, strange_ids = volume_backed(storage, 0.5)
    for id in strange_ids:
        storage.snapshots[id]["volume_id"] = "of another server"
    report = retain()
    assert report.outcomes == {"db-1": "skipped", "db-2": "skipped"} and len(storage.images) == 3
    assert {item.reason_code for item in report.items} == {"labels_shared"} and report.items[0] not in report.failed
    # A volume more or less makes no other server of it.
    storage.snapshots[strange_ids[0]]["volume_id"] = storage.snapshots[ids[0]]["volume_id"]
    assert retain().outcomes == {"db-1": "done", "db-2": "done"}


@pytest.mark.parametrize("asked_at", [{}, {"onetoken_asked_at": ""}], ids=["older version", "no time"])
def test_what_may_have_its_labels_from_a_copy_that_is_gone_is_no_copy(storage, retain, asked_at):
    """A server with a volume from a copy was made an image of under the copy's name, and the copy was deleted."""
    for days in (1, 2, 3):
        id, _ids = volume_backed(storage, days)
        del storage.images[id]["onetoken_asked_at"]
        storage.images[id].update(asked_at)
    assert retain().items == [] and storage.gone == []
    # Nor does it pass for the newest good one of others that certainly are copies.
    volume_backed(storage, 4)
    volume_backed(storage, 5)
    assert retain().outcomes == {"db-5": "done"} and len(storage.images) == 4


def test_nothing_is_deleted_once_the_newest_good_copy_may_be_none(storage, retain):
    newest, _ids = volume_backed(storage, 1)
    volume_backed(storage, 2)
    report = retain(on_plan=lambda run: storage.images[newest].update(onetoken_asked_at=""))
    assert [item.reason_code for item in report.items] == ["newest_gone"] and storage.gone == []


def test_an_image_that_a_server_was_booted_from_is_kept(storage, retain):
    kept = image(storage, 1)
    used, gone = image(storage, 2), image(storage, 3)
    storage.server("web-02", used)
    storage.server("db-01")
    assert retain(check_mode=True).outcomes == {"web-2": "skipped", "web-3": "planned"}
    report = retain()
    assert report.outcomes == {"web-2": "skipped", "web-3": "done"}
    assert report.reasons["web-2"] == "server web-02 was booted from it"
    assert storage.count("GET", "/servers/detail") == 2
    assert list(storage.images) == [kept, used] and gone not in storage.images


def test_an_image_in_use_is_deleted_where_that_is_submitted(storage, retain):
    image(storage, 1)
    storage.server("web-02", image(storage, 2))
    assert retain(delete_in_use=True).outcomes == {"web-2": "done"}
    assert storage.count("GET", "/servers/detail") == 0


def test_servers_are_not_listed_where_nothing_would_go(storage, retain):
    image(storage, 1)
    assert retain().items == [] and storage.count("GET", "/servers/detail") == 0


@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        (FakeResponse(403, {"forbidden": {"message": "not you"}}), "set delete_in_use if no server matters"),
        (FakeResponse(200, {}), "try again"),
        (FakeResponse(502, text="Bad Gateway"), "try again"),
    ],
)
def test_where_the_servers_cannot_be_listed_every_image_stays(storage, retain, answer, advice):
    for days in (1, 2):
        image(storage, days)
    storage.intercept = lambda method, path: answer if path == "/servers/detail" else None
    report = retain()
    assert report.outcomes == {"web-2": "skipped"} and len(storage.images) == 2
    assert report.reasons["web-2"].startswith("the servers could not be listed (")
    assert report.reasons["web-2"].endswith(f"), so one may have been booted from it: {advice}")
    assert report.items[0] in report.failed


@pytest.mark.parametrize("odd", ["an id", ["an id"], {"id": 7}, {"id": ""}], ids=str)
def test_where_it_cannot_be_read_what_a_server_was_booted_from_every_image_stays(storage, retain, odd):
    for days in (1, 2):
        image(storage, days)
    storage.server("web-02")
    storage.servers[0]["image"] = odd
    report = retain()
    assert report.outcomes == {"web-2": "skipped"} and len(storage.images) == 2


@pytest.mark.parametrize("gone", ["deleted", "deactivated", "renamed", "handed over", "unreadable"])
def test_nothing_is_deleted_once_the_newest_good_copy_is_gone(storage, retain, gone):
    """Another run, or a user, may have been quicker."""
    newest = image(storage, 1)
    image(storage, 2)
    image(storage, 3)
    changes = {"deactivated": {"status": "deactivated"}, "renamed": {"name": "mine"}, "handed over": {"owner": "them"}}
    changes["unreadable"] = {"created_at": "yesterday"}

    def change(_run):
        if gone == "deleted":
            del storage.images[newest]
        else:
            storage.images[newest].update(changes[gone])

    report = retain(on_plan=change)
    assert report.outcomes == {"web-2": "skipped", "web-3": "skipped"}
    assert storage.count("DELETE", "/images") == 0
    assert report.reasons["web-2"].endswith("is gone, not good any more or cannot be read")


def test_nothing_is_deleted_once_a_volume_snapshot_behind_the_newest_good_copy_is_gone(storage, retain):
    _newest, ids = volume_backed(storage, 1)
    volume_backed(storage, 2)
    assert retain(on_plan=lambda run: storage.snapshots.pop(ids[0])).outcomes == {"db-2": "skipped"}
    assert storage.gone == []


@pytest.mark.parametrize("days_behind", [60, -60], ids=["ahead", "behind"])
def test_a_wrong_clock_of_this_machine_makes_no_copy_older(storage, retain, time, days_behind):
    time.set_behind(days_behind * 86400)
    for minutes in range(1, 7):
        image(storage, minutes / 1440)
    image(storage, 31, name="expired")
    image(storage, 0, status="queued", server="app")
    image(storage, 0.001, server="app")
    assert retain(last=None, days=30).outcomes == {"expired": "done"}


@pytest.mark.parametrize(
    ("clocks", "why"),
    [((None, None), "no service of the cloud says what time it is"), ((0, 86400), "differ by 86400 s")],
)
def test_days_mean_nothing_where_the_clouds_time_is_not_known(storage, retain, clocks, why):
    storage.image.clock, storage.block_storage.clock = clocks
    volume_backed(storage, 40)
    image(storage, 1)
    image(storage, 40)
    with pytest.raises(CloudError, match=f"Nothing was deleted, as keep_days cannot be used here: .*{why}"):
        retain(last=None, days=30)
    assert len(storage.images) == 3
    assert retain(last=1).outcomes == {"web-40": "done"}


@pytest.mark.parametrize("delete_in_use", [False, True])
@pytest.mark.parametrize(
    ("service", "seconds"),
    [("image", 30 * 86400), ("image", 301), ("compute", 30 * 86400), ("compute", -30 * 86400), ("compute", 301)],
)
def test_a_service_with_a_wrong_clock_costs_no_image_that_is_minutes_old(
    storage, retain, delete_in_use, service, seconds
):
    getattr(storage, service).clock = seconds
    for minutes in (10, 20, 30, 40, 50 * 1440):
        image(storage, minutes / 1440)
    with pytest.raises(CloudError, match=rf"Nothing was deleted, .*clocks .* differ by {abs(seconds)} s"):
        retain(last=None, days=7, delete_in_use=delete_in_use)
    assert len(storage.images) == 5


def test_an_image_from_the_future_costs_nobody_what_was_just_made(storage, retain):
    images = {image(storage, days) for days in (-365, 0.001, 1)}
    report = retain()
    assert {item.outcome for item in report.items} == {"skipped"} and set(storage.images) == images
    assert report.items[0].reason_text.startswith("web--365 is dated 20")


def test_a_clock_that_jumps_while_images_are_deleted_stops_the_deleting(storage, retain):
    for days in (1, 40, 41):
        image(storage, days)

    def jump(run):
        storage.image.clock = 86400

    report = retain(last=None, days=30, on_plan=jump)
    # The first question, for the newest good copy, is answered with another time.
    assert list(report.outcomes.values()).count("skipped") >= 1
    assert {item.reason_code for item in report.items if item.outcome == "skipped"} == {"age_uncertain"}
    assert report.items[-1] in report.failed


@pytest.mark.parametrize(("seconds", "outcome"), [(0, "done"), (7200, "no item")])
def test_an_image_in_the_queue_has_not_failed_where_glance_alone_says_so(storage, retain, seconds, outcome):
    storage.image.clock = seconds
    queued = image(storage, 3700 / 86400 if not seconds else 600 / 86400, status="queued", name="queued")
    image(storage, 0.001)
    assert retain().outcomes.get("queued", "no item") == outcome
    assert (queued in storage.images) == bool(seconds)


def test_an_image_in_the_queue_has_not_failed_where_the_clouds_time_is_not_known(storage, retain):
    storage.image.clock = None
    image(storage, 0, status="queued")
    for days in (1, 2):
        image(storage, days)
    assert retain().outcomes == {"web-2": "skipped"}


def test_a_protected_image_is_left_alone(storage, retain):
    for days in (1, 2, 3):
        image(storage, days, protected=days == 2)
    report = retain()
    assert report.outcomes == {"web-2": "skipped", "web-3": "done"}
    assert report.reasons["web-2"] == "it is protected"


def test_an_image_that_was_protected_meanwhile_fails_with_glances_reason(storage, retain):
    image(storage, 1)
    id = image(storage, 2)
    report = retain(on_plan=lambda run: storage.images[id].update(protected=True))
    assert report.outcomes == {"web-2": "failed"} and "is protected and cannot be deleted" in report.reasons["web-2"]


def test_nothing_of_a_server_is_deleted_before_its_newest_image_is_good(storage, retain):
    image(storage, 0, status="saving")
    for days in (1, 2):
        image(storage, days)
        image(storage, days, "db")
    report = retain()
    assert report.outcomes == {"web-2": "skipped", "db-2": "done"}
    assert report.reasons["web-2"] == "the newest copy of web is not good yet: web-0 is saving"


@pytest.mark.parametrize(("hours", "outcome"), [(0.9, {}), (1.1, {"stuck": "done"})])
def test_an_image_that_never_left_the_queue_has_failed(storage, retain, hours, outcome):
    image(storage, hours / 24, status="queued", name="stuck")
    image(storage, 0)
    assert retain().outcomes == outcome


def test_failed_images_are_deleted_and_deactivated_ones_are_not(storage, retain):
    image(storage, 1)
    image(storage, 2, status="killed")
    image(storage, 3, status="deactivated")
    report = retain(last=7)
    assert report.outcomes == {"web-2": "done"}
    assert report.reasons["web-2"] == "killed, and older than the good copy web-1"


def test_an_image_that_is_gone_meanwhile_was_deleted_already(storage, retain):
    image(storage, 1)
    id = image(storage, 2)
    report = retain(on_plan=lambda run: storage.images.pop(id))
    assert report.outcomes == {"web-2": "already"}


def test_a_lost_answer_is_looked_up_and_the_deletion_is_done(storage, retain):
    image(storage, 1)
    image(storage, 2)
    answers = [FakeResponse(502, text="Bad Gateway")]
    storage.lose = lambda method, path: answers.pop() if method == "DELETE" and answers else None
    report = retain()
    assert report.outcomes == {"web-2": "done"} and storage.count("DELETE", "/images") == 1
    assert report.reasons == {"web-2": "older than the last one of web"}


def test_a_deletion_that_never_arrived_is_submitted_again(storage, retain):
    image(storage, 1)
    image(storage, 2)
    answers = [FakeResponse(502, text="Bad Gateway")]
    storage.intercept = lambda method, path: answers.pop() if method == "DELETE" and answers else None
    assert retain().outcomes == {"web-2": "done"}
    assert len(storage.images) == 1


def test_an_image_that_glance_cannot_delete_does_not_stop_the_others(storage, retain):
    image(storage, 1)
    bad, _good = image(storage, 2), image(storage, 3)
    answer = FakeResponse(500, text="Internal Server Error")
    storage.intercept = lambda method, path: answer if (method, path) == ("DELETE", f"/images/{bad}") else None
    assert retain().outcomes == {"web-2": "failed", "web-3": "done"}


def test_an_image_in_use_fails_with_glances_reason(storage, retain):
    image(storage, 1)
    image(storage, 2)
    answer = FakeResponse(409, {"conflict": {"message": "Image is in use"}})
    storage.intercept = lambda method, path: answer if method == "DELETE" else None
    report = retain()
    assert report.outcomes == {"web-2": "failed"} and "Image is in use" in report.reasons["web-2"]


def test_without_knowing_the_project_nothing_is_deleted(storage, retain):
    storage.current_project_id = None
    with pytest.raises(CloudError, match="unknown which project"):
        retain()
    assert storage.requests == []


def test_of_a_volume_backed_server_the_snapshots_go_before_the_image(storage, retain):
    kept, _ids = volume_backed(storage, 1)
    gone, ids = volume_backed(storage, 2)
    by_hand = storage.add_snapshot(3, "snapshot for db-2")
    report = retain()
    assert report.outcomes == {"db-2": "done"} and report.reasons == {"db-2": "older than the last one of db"}
    assert storage.gone == [*ids, gone]
    assert list(storage.images) == [kept] and by_hand in storage.snapshots and len(storage.snapshots) == 3
    assert storage.refused == []


def test_a_volume_backed_image_is_worth_what_its_snapshots_are(storage, retain):
    volume_backed(storage, 1, statuses=("available", "creating"))
    volume_backed(storage, 2)
    volume_backed(storage, 3)
    report = retain()
    assert report.outcomes == {"db-3": "skipped"}
    assert "db-1 is active, with volume snapshots still being made" in report.reasons["db-3"]


def test_a_volume_backed_image_with_failed_snapshots_goes_when_there_is_a_better_one(storage, retain):
    volume_backed(storage, 1)
    volume_backed(storage, 2, statuses=("available", "error"))
    report = retain(last=7)
    assert report.outcomes == {"db-2": "done"}
    assert report.reasons["db-2"].startswith("active, with volume snapshots that are error, and older than")
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
    assert retain().outcomes == {"db-2": "done"}
    assert ids[0] in storage.snapshots and ids[1] not in storage.snapshots and gone not in storage.images


def test_an_image_of_a_volume_takes_no_snapshots_along_that_it_inherited(storage, retain):
    snapshot = storage.add_snapshot(3)
    for days in (1, 2):
        mapping = json.dumps([{"snapshot_id": snapshot}] if days == 2 else [])
        of_volume(storage, days, block_device_mapping=mapping)
    assert retain().outcomes == {"v-2": "done"}
    assert snapshot in storage.snapshots


def test_what_died_between_the_snapshots_and_the_image_is_finished_by_the_next_call(storage, retain):
    volume_backed(storage, 1)
    gone, ids = volume_backed(storage, 2)
    storage.deleting_seconds = 100.0
    first = retain(timeout=30)
    assert first.outcomes == {"db-2": "incomplete"} and gone in storage.images
    assert first.reasons["db-2"] == (
        "still waiting for its volume snapshots to be deleted after 30 s; another call does the rest"
    )
    second = retain()
    assert second.outcomes == {"db-2": "done"}
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
    assert first.reasons["db-2"] == (
        "still waiting for its volume snapshots to be deleted, which was not waited for; another call does the rest"
    )
    assert first.failed == [] and gone in storage.images
    # This call asks for nothing: the snapshots are still being deleted.
    second = retain(wait=False)
    assert [(item.outcome, item.changed) for item in second.items] == [("incomplete", False)]
    time.sleep(10)
    assert retain(wait=False).outcomes == {"db-2": "done"}
    assert gone not in storage.images


def test_an_image_whose_snapshots_are_gone_already_is_deleted(storage, retain):
    volume_backed(storage, 1)
    gone, ids = volume_backed(storage, 2)
    for id in ids:
        del storage.snapshots[id]
    assert retain().outcomes == {"db-2": "done"} and gone not in storage.images


def test_snapshots_that_go_meanwhile_are_no_hindrance(storage, retain):
    volume_backed(storage, 1)
    gone, ids = volume_backed(storage, 2)

    def vanish(method, path):
        if method == "DELETE":
            for id in ids:
                storage.snapshots.pop(id, None)

    storage.intercept = vanish
    assert retain().outcomes == {"db-2": "done"} and gone not in storage.images


def test_snapshots_that_cinder_does_not_delete_leave_the_image_as_their_record(storage, retain):
    volume_backed(storage, 1)
    gone, _ids = volume_backed(storage, 2)
    storage.deleted_as = "error_deleting"
    report = retain()
    assert report.outcomes == {"db-2": "failed"} and "error_deleting" in report.reasons["db-2"]
    assert gone in storage.images


def test_a_lost_answer_between_two_snapshots_is_made_up_for(storage, retain):
    volume_backed(storage, 1)
    gone, ids = volume_backed(storage, 2)
    answers = [FakeResponse(502, text="Bad Gateway")]
    storage.lose = lambda method, path: answers.pop() if method == "DELETE" and answers else None
    assert retain().outcomes == {"db-2": "done"}
    assert storage.gone[-1] == gone and set(ids).isdisjoint(storage.snapshots)
    assert storage.refused == []


@pytest.mark.parametrize("missing", [False, True], ids=["", "and a listing lacks the snapshots"])
def test_a_deletion_that_never_arrived_does_not_cost_the_last_good_copy(storage, retain, missing):
    newest, newest_ids = volume_backed(storage, 1)
    last, ids = volume_backed(storage, 2)
    answers = [FakeResponse(502, text="Bad Gateway")]

    def lose(method, path):
        if method == "DELETE" and answers:
            # Somebody deletes the newest good copy in the meantime.
            for collection, id in ((storage.images, newest), *((storage.snapshots, id) for id in newest_ids)):
                collection.pop(id, None)
            return answers.pop()
        if missing and path == "/snapshots/detail" and not answers:
            return FakeResponse(200, {"snapshots": []})
        return None

    storage.intercept = lose
    report = retain()
    assert [(item.outcome, item.reason_code) for item in report.items] == [("skipped", "newest_gone")]
    assert last in storage.images and set(ids) == set(storage.snapshots)


def test_a_deletion_that_arrived_without_an_answer_is_finished_though_the_newest_good_copy_is_gone(storage, retain):
    newest, newest_ids = volume_backed(storage, 1)
    gone, _ids = volume_backed(storage, 2)
    answers = [FakeResponse(502, text="Bad Gateway")]

    def lose(method, path):
        if method != "DELETE" or not answers:
            return None
        for collection, id in ((storage.images, newest), *((storage.snapshots, id) for id in newest_ids)):
            collection.pop(id, None)
        return answers.pop()

    storage.lose = lose
    assert retain().outcomes == {"db-2": "done"}
    assert gone not in storage.images and storage.snapshots == {}


def test_a_stop_between_the_snapshots_and_the_image_is_finished_by_the_next_call(storage, retain, interruption):
    volume_backed(storage, 1)
    gone, _ids = volume_backed(storage, 2)

    def interrupt(method, path):
        if method == "DELETE":
            interruption.reason = "interrupted by SIGINT"

    storage.lose = interrupt
    report = retain()
    assert report.outcomes == {"db-2": "incomplete"} and "only a part of it was submitted" in report.reasons["db-2"]
    assert gone in storage.images and len(storage.snapshots) == 2
    interruption.reason = ""
    storage.lose = lambda method, path: None
    assert retain().outcomes == {"db-2": "done"}
    assert gone not in storage.images and len(storage.snapshots) == 2


def test_an_image_of_which_one_snapshot_is_deleted_when_the_time_is_up_is_incomplete(storage, retain, time):
    volume_backed(storage, 1)
    gone, ids = volume_backed(storage, 2)

    def linger(method, path):
        if (method, path) == ("DELETE", f"/snapshots/{ids[0]}"):
            time.sleep(60)

    storage.lose = linger
    report = retain(timeout=30)
    assert [(item.outcome, item.reason_code, item.changed) for item in report.items] == [
        ("incomplete", "timeout", True)
    ]
    assert [storage.snapshots[id]["status"] for id in ids] == ["deleting", "available"]
    storage.lose = lambda method, path: None
    assert retain().outcomes == {"db-2": "done"} and gone not in storage.images and len(storage.snapshots) == 2


def test_an_image_of_which_cinder_deletes_one_snapshot_and_refuses_another_has_changed(storage, retain):
    volume_backed(storage, 1)
    gone, ids = volume_backed(storage, 2)
    busy = FakeResponse(409, {"conflictingRequest": {"message": "the snapshot is busy"}})
    storage.intercept = lambda method, path: busy if (method, path) == ("DELETE", f"/snapshots/{ids[1]}") else None
    report = retain()
    assert [(item.outcome, item.reason_code, item.changed) for item in report.items] == [
        ("incomplete", "conflict", True)
    ]
    assert report.changed and gone in storage.images and storage.snapshots[ids[0]]["status"] == "deleting"


def test_an_image_whose_snapshots_another_call_deletes_at_the_same_time_has_not_failed(storage, retain):
    kept, _ids = volume_backed(storage, 1)
    _gone, ids = volume_backed(storage, 2)

    def delete_first(run):
        for id in ids:
            storage._delete(storage.snapshots, id)

    assert retain(on_plan=delete_first).outcomes == {"db-2": "done"}
    assert list(storage.images) == [kept] and not set(ids) & set(storage.snapshots)


def test_a_call_that_was_stopped_before_deletes_nothing(storage, retain, interruption):
    image(storage, 1)
    image(storage, 2)

    def interrupt(_run):
        interruption.reason = "interrupted by SIGINT"

    assert retain(on_plan=interrupt).outcomes == {"web-2": "skipped"} and len(storage.images) == 2


def test_what_waits_for_the_rate_limit_is_not_deleted_when_the_call_is_stopped(storage, new_client):
    image(storage, 1)
    image(storage, 2)
    action = ImageRetention(new_client(connection=storage), Keep(1), Sources(), 3600)
    (item,) = action.plan()
    action.client.cancellation.cancel(Reason(Code.MAX_FAILURES, "too many failures"))
    with pytest.raises(CancelledError):
        action.submit(item)
    assert len(storage.images) == 2


def test_what_is_kept_is_counted(storage, new_client):
    for days in range(5):
        image(storage, days, protected=days == 4)
    action = ImageRetention(new_client(connection=storage), Keep(2), Sources(), 3600)
    assert (len(action.plan()), action.kept) == (3, 3)


def add_history(chance, storage):
    """Add random images of servers; return the ids of those that no run may delete."""
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
    return untouchable


def snapshots_behind(body):
    return [mapped["snapshot_id"] for mapped in json.loads(body.get("block_device_mapping") or "[]")]


def good_images(storage, server, untouchable):
    """The ids of the good images that runs made of a server, newest first."""

    def is_good(id, body):
        statuses = [storage.snapshots.get(snapshot, {}).get("status") for snapshot in snapshots_behind(body)]
        by_a_run = id not in untouchable and body.get("onetoken_server_name") == server
        return by_a_run and body["status"] == "active" and all(status == "available" for status in statuses)

    good = [body for id, body in storage.images.items() if is_good(id, body)]
    return [body["id"] for body in sorted(good, key=lambda body: body["created_at"], reverse=True)]


@pytest.mark.parametrize("seed", range(60))
def test_over_any_history(seed, storage, retain):
    chance = random.Random(seed)
    storage.page = chance.choice((3, 1000))
    untouchable = add_history(chance, storage)
    servers = ("web", "app", "db-1", "db-2")
    before = {server: good_images(storage, server, untouchable) for server in servers}
    everything = dict(storage.images)
    failures = iter([FakeResponse(502, text="Bad Gateway")] * chance.randint(0, 3))
    storage.lose = lambda method, path: next(failures, None) if method == "DELETE" and chance.random() < 0.3 else None
    last = chance.choice((1, 2, 3))
    retain(last=last, timeout=chance.choice((3, 1800)))
    retain(last=last)

    for server in servers:
        assert good_images(storage, server, untouchable)[:last] == before[server][:last]
    for id in untouchable:
        assert id in storage.images or id in storage.snapshots
    assert all(id in storage.images for id, body in everything.items() if body["protected"])
    # No snapshot is left without the image that leads to it.
    for id, body in everything.items():
        if id not in storage.images:
            assert not set(snapshots_behind(body)) & set(storage.snapshots)
