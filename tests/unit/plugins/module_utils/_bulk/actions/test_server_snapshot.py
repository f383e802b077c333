# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.actions.server_snapshot import ServerSnapshot
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.labels import Labels
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.selection import Criteria
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.servers import Server
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.schedule import PROBE
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_cloud import (
    FakeConnection,
    FakeResponse,
    FakeService,
)
from keystoneauth1 import exceptions as keystoneauth
from openstack import exceptions as sdk


def new_snapshot(run="r1", volume_backed="image", queued_timeout=3600, **criteria):
    marks = Labels(run, "server", "{server}-{run}", "image_name")
    return lambda requests: ServerSnapshot(requests, Criteria(**criteria), marks, queued_timeout, volume_backed)


@pytest.fixture
def snapshot(carry_out):
    def run(run="r1", volume_backed="image", queued_timeout=3600, names=None, **options):
        return carry_out(new_snapshot(run, volume_backed, queued_timeout, names=names), **options)

    return run


def outcomes(report):
    return {item.name: item.outcome for item in report.items}


def marked(body, run="r1"):
    """The createImage of a run for this server."""
    marks = Labels(run, "server", "{server}-{run}", "image_name")
    server = Server.from_body(body)
    return {"name": marks.name_of(server), "metadata": marks.of(server)}


def test_each_server_gets_an_image_with_one_request_and_all_are_watched_together(cloud, snapshot):
    for name in ("b", "a", "c"):
        cloud.server(name)
    report = snapshot()
    assert [item.name for item in report.items] == ["a", "b", "c"]
    assert set(outcomes(report).values()) == {"done"}
    assert report.changed
    assert report.counts == {
        "done": 3,
        "already": 0,
        "accepted": 0,
        "incomplete": 0,
        "blocked": 0,
        "skipped": 0,
        "failed": 0,
        "planned": 0,
    }
    first = report.answer()["results"][0]
    assert first["created"] == [{"type": "image", "id": "image-0", "name": "a-r1", "status": "active", "size": 7}]
    assert (first["action"], first["reason"]) == ("snapshot", "")
    assert 5 <= first["seconds"] <= 10
    assert cloud.count("POST", "/action") == 3
    assert cloud.count("GET", "/servers/detail") == 1
    assert cloud.count("GET", "/images") <= 6


def test_the_second_call_of_a_run_makes_nothing(cloud, snapshot):
    cloud.server("a")
    snapshot()
    report = snapshot()
    assert outcomes(report) == {"a": "already"}
    assert not report.changed
    assert report.items[0].created[0].status == "active"
    assert cloud.count("POST", "/action") == 1
    # One listing of the servers, one of the images: nothing is looked at again.
    assert cloud.requests[-2:] == [("GET", "/servers/detail"), ("GET", "/images")]


def test_an_image_that_is_being_made_already_is_waited_for(cloud, snapshot):
    cloud.server("a")
    assert snapshot(wait=False).items[0].created[0].id == "image-0"
    report = snapshot()
    assert outcomes(report) == {"a": "already"}
    assert report.items[0].created[0].status == "active"


@pytest.mark.parametrize("status", ["killed", "deactivated", "deleted"])
def test_an_image_that_cannot_be_used_is_made_again(cloud, snapshot, status):
    cloud.server("a")
    snapshot()
    cloud.images[0]["status"] = status
    assert outcomes(snapshot()) == {"a": "done"}


def test_an_image_of_another_run_or_project_does_not_count(cloud, snapshot):
    cloud.server("a")
    snapshot(run="r0")
    cloud.make_image(cloud.servers[0], marked(cloud.servers[0]))
    cloud.images[-1]["owner"] = "another"
    assert outcomes(snapshot()) == {"a": "done"}


def test_an_image_that_inherited_the_marks_does_not_count(cloud, snapshot):
    """Somebody made it of a server that was booted from an image of the run."""
    cloud.server("a")
    cloud.make_image(cloud.servers[0], {**marked(cloud.servers[0]), "name": "by hand"})
    assert outcomes(snapshot()) == {"a": "done"}
    cloud.server("b")
    cloud.make_image(cloud.servers[1], marked(cloud.servers[0], "r2"))
    assert outcomes(snapshot("r2")) == {"a": "done", "b": "done"}


def test_check_mode_makes_nothing(cloud, snapshot):
    cloud.server("a")
    cloud.server("broken", status="ERROR")
    report = snapshot(check_mode=True)
    assert outcomes(report) == {"a": "planned", "broken": "planned"}
    assert report.changed
    assert report.items[0].reason_text == ""
    assert "status ERROR" in report.items[1].reason_text
    assert {method for method, _path in cloud.requests} == {"GET"}


def test_a_refusal_is_reported_with_its_reason_and_stops_no_other(cloud, snapshot):
    cloud.server("a")
    cloud.server("broken", status="ERROR")
    report = snapshot(names=["a", "broken", "nobody"])
    assert outcomes(report) == {"a": "done", "broken": "failed", "nobody": "failed"}
    assert report.failure() == (
        "The snapshot of run r1 failed for 2 of 3 servers: broken: it is in vm_state error (compute service, HTTP "
        "409); nobody: no server of the project has this name or id."
    )


def test_pages_are_followed(cloud, snapshot):
    cloud.page = 2
    for number in range(5):
        cloud.server(f"s{number}", volumes=1)
    report = snapshot()
    assert report.counts["done"] == 5
    assert [item.created[1].status for item in report.items] == ["available"] * 5


def test_an_older_cloud_gives_the_image_in_a_header(time, carry_out):
    cloud = FakeConnection(time, microversion=(2, 38))
    cloud.server("a")
    report = carry_out(new_snapshot(), connection=cloud)
    assert report.items[0].created[0].id == "image-0"


def test_volume_snapshots_are_waited_for(cloud, snapshot):
    cloud.snapshot_seconds = 20
    cloud.server("a", volumes=2)
    (item,) = snapshot().items
    assert item.outcome == "done"
    assert item.created[0].size == 0
    assert [created.status for created in item.created[1:]] == ["available", "available"]
    assert {created.size for created in item.created[1:]} == {20 * 1024**3}
    assert item.seconds >= 20


def test_a_volume_snapshot_in_error_or_deleted_fails_the_item(cloud, snapshot):
    cloud.server("a", volumes=1)
    cloud.server("b", volumes=1)
    snapshot()
    cloud.snapshots[0]["status"] = "error"
    del cloud.snapshots[1]
    assert [item.reason_text for item in snapshot().failed] == [
        "the volume snapshot snapshot-0 is in status error",
        "the volume snapshot snapshot-1 does not exist any more",
    ]


def test_without_block_storage_the_snapshots_are_not_checked_and_that_is_said(cloud, snapshot):
    def absent(path, method, options):
        raise keystoneauth.EndpointNotFound()

    cloud.block_storage = FakeService(cloud, absent)
    cloud.server("a", volumes=1)
    cloud.server("b")
    report = snapshot()
    assert outcomes(report) == {"a": "done", "b": "done"}
    assert [item.reason_text for item in report.items] == [
        "the volume snapshots were not checked: The cloud offers this project no block storage service in region "
        "RegionOne with interface public: check region_name and interface.",
        "",
    ]


@pytest.mark.parametrize("status, words", [("killed", "status killed"), ("gone", "disappeared")])
def test_an_image_that_goes_wrong_fails_the_item(cloud, snapshot, status, words):
    cloud.server("a")
    cloud.end_status = status
    report = snapshot()
    assert outcomes(report) == {"a": "failed"}
    assert words in report.items[0].reason_text
    assert report.changed


def test_when_the_time_is_up_what_is_under_way_is_told_with_its_image(cloud, snapshot, time):
    cloud.image_seconds = 10_000
    cloud.server("a")
    (item,) = snapshot(timeout=60).items
    assert item.outcome == "failed"
    assert item.reason_text == "still saving after 60 s; it goes on in the cloud"
    assert item.created[0].id == "image-0"
    assert 59 <= time.clock() <= 61


def test_an_image_that_a_late_listing_lacks_is_not_given_up(cloud, snapshot):
    cloud.server("a")
    listings = []

    def late(path):
        if path != "/images":
            return None
        listings.append(path)
        return FakeResponse(200, {"images": []}) if len(listings) in (2, 3) else None

    cloud.before_listing = late
    assert outcomes(snapshot()) == {"a": "done"}
    assert len(listings) > 3


def test_of_two_images_the_complete_one_counts(cloud, snapshot):
    cloud.server("a")
    for _count in range(2):
        cloud.make_image(cloud.servers[0], marked(cloud.servers[0]))
    cloud.images[0]["made"] = -100
    assert snapshot(check_mode=True).items[0].created[0].id == "image-0"


def test_old_volume_snapshots_are_not_listed(cloud, snapshot):
    cloud.server("a", volumes=1)
    cloud.snapshots = [{"id": f"old-{number}", "size": 1, "made": -100} for number in range(9)]
    cloud.page = 3
    assert outcomes(snapshot()) == {"a": "done"}
    assert 1 <= cloud.count("GET", "/snapshots/detail") <= 3


def test_looks_become_rarer(cloud, snapshot):
    cloud.image_seconds = 600
    cloud.server("a")
    snapshot()
    assert cloud.count("GET", "/images") < 600 / 10 + 10


# Snapshots of the volumes alone


def test_the_volumes_of_a_server_are_snapshotted_alone_where_that_is_asked_for(cloud, snapshot):
    cloud.server("a")
    cloud.server("db", volumes=2)
    report = snapshot(volume_backed="volume_snapshots")
    assert outcomes(report) == {"a": "done", "db": "done"}
    made = [(created.type, created.name, created.status) for created in report.items[1].created]
    assert made == [("volume_snapshot", "db-r1-1", "available"), ("volume_snapshot", "db-r1-2", "available")]
    assert len(cloud.images) == 1 and len(cloud.snapshots) == 2

    assert outcomes(snapshot(volume_backed="volume_snapshots")) == {"a": "already", "db": "already"}
    assert len(cloud.images) == 1 and len(cloud.snapshots) == 2


def test_only_the_volumes_that_have_no_snapshot_yet_get_one(cloud, snapshot):
    cloud.server("db", volumes=2)
    snapshot(volume_backed="volume_snapshots")
    del cloud.snapshots[1]
    report = snapshot(volume_backed="volume_snapshots")
    assert outcomes(report) == {"db": "done"}
    assert {one["volume_id"] for one in cloud.snapshots} == {"volume-0-0", "volume-0-1"} and len(cloud.snapshots) == 2


def refuse_after(cloud, number, answer):
    """Have Cinder refuse snapshots after so many."""
    handle = cloud.block_storage._handle

    def limited(path, method, options):
        return answer if method == "POST" and len(cloud.snapshots) >= number else handle(path, method, options)

    cloud.block_storage._handle = limited


@pytest.mark.parametrize(("status", "code"), [(413, "quota_exceeded"), (400, "refused"), (409, "conflict")])
def test_a_server_of_which_cinder_refuses_the_second_volume_is_incomplete_and_has_changed(
    cloud, snapshot, status, code
):
    cloud.server("db", volumes=2)
    cloud.server("db-2", volumes=2)
    refuse_after(cloud, 1, FakeResponse(status, {"overLimit": {"message": "SnapshotLimitExceeded"}}))
    report = snapshot(volume_backed="volume_snapshots")
    found = [(item.outcome, item.reason_code, item.changed) for item in report.items]
    assert found == [("incomplete", code, True), ("failed", code, False)]
    assert report.changed and report.items[0].lacking and report.items[0].created[0].id == "snapshot-0"


def test_a_part_that_was_refused_counts_for_max_failures(cloud, snapshot):
    for number in range(60):
        cloud.server(f"db-{number:02}", volumes=2)
    refuse_after(cloud, 1, FakeResponse(413, {"overLimit": {"message": "SnapshotLimitExceeded"}}))
    report = snapshot(volume_backed="volume_snapshots", max_failures="0")
    assert list(outcomes(report).values())[0] == "incomplete" and "skipped" in outcomes(report).values()


# Images that never leave the queue


def test_an_image_stuck_in_the_queue_is_deleted_and_made_anew(cloud, snapshot, time):
    cloud.server("a")
    cloud.make_image(cloud.servers[0], marked(cloud.servers[0]))
    cloud.images[0]["status"] = "queued"
    time.sleep(700)
    assert snapshot(queued_timeout=600, check_mode=True).items[0].outcome == "planned"
    assert cloud.count("DELETE", "image-0") == 0
    report = snapshot(queued_timeout=600)
    assert outcomes(report) == {"a": "done"}
    assert [image.get("status") for image in cloud.images] == ["gone", None]


@pytest.mark.parametrize("task", [None, "image_uploading"])
def test_nothing_comes_of_an_image_in_the_queue_when_nova_does_nothing_with_its_server(cloud, snapshot, time, task):
    """As when the token was revoked under the upload."""
    cloud.server("a")
    cloud.make_image(cloud.servers[0], marked(cloud.servers[0]))
    cloud.images[0]["status"] = "queued"
    cloud.servers[0]["OS-EXT-STS:task_state"] = task
    time.sleep(60)
    report = snapshot(timeout=60)
    assert outcomes(report) == {"a": "failed" if task else "done"}
    assert len(cloud.images) == (1 if task else 2)


def test_an_image_that_gets_stuck_is_deleted_and_its_server_fails(cloud, snapshot):
    cloud.server("a")
    cloud.end_status = "queued"
    cloud.image_seconds = 0
    (item,) = snapshot(queued_timeout=600).items
    assert (item.outcome, cloud.images[0]["status"]) == ("failed", "gone")
    assert item.reason_text == "the image was still queued after 600 s, so it was deleted: run it again"


@pytest.mark.parametrize("behind", [7200, -7200], ids=["ahead", "behind"])
def test_a_wrong_clock_of_this_machine_makes_no_image_look_stuck(cloud, snapshot, time, behind):
    time.set_behind(behind)
    cloud.server("a")
    cloud.end_status = "queued"
    cloud.image_seconds = 0
    report = snapshot(timeout=60)
    assert "still queued after 60 s; it goes on in the cloud" in report.items[0].reason_text
    # Neither does another call take it for stuck, which has not asked for it.
    cloud.servers[0]["OS-EXT-STS:task_state"] = "image_uploading"
    assert "still queued after 60 s; it goes on in the cloud" in snapshot(timeout=60).items[0].reason_text
    assert [image.get("status") for image in cloud.images] == [None]
    time.sleep(3600)
    cloud.end_status = "active"
    assert outcomes(snapshot(timeout=60)) == {"a": "already"}


def test_without_a_clock_of_the_cloud_an_image_of_this_call_is_stuck_after_its_time(cloud, snapshot):
    cloud.server("a")
    cloud.end_status, cloud.image_seconds = "queued", 0
    cloud.compute.clock = cloud.image.clock = None
    assert "still queued after 600 s, so it was deleted" in snapshot(queued_timeout=600).items[0].reason_text
    assert cloud.images[0]["onetoken_asked_at"] == ""


def test_an_image_that_may_have_its_marks_from_another_one_is_not_deleted_as_stuck(cloud, snapshot, time):
    cloud.server("a")
    snapshot()
    (copy,) = cloud.images
    # It cannot be used any more, so that the server needs another one.
    copy["status"] = "deactivated"
    # Its owner has made a volume from it, and an image of that under its name, which Cinder has not filled yet.
    users = {**copy, "id": "users", "created_at": copy["created_at"].replace("T08", "T09"), "status": "queued"}
    cloud.images.append(users)
    time.sleep(3 * 3600)
    assert outcomes(snapshot()) == {"a": "done"}
    assert users["status"] == "queued"


def test_an_image_that_is_not_in_the_queue_for_long_is_left_there(cloud, snapshot, time):
    cloud.server("a")
    cloud.make_image(cloud.servers[0], marked(cloud.servers[0]))
    cloud.images[0]["status"] = "queued"
    assert outcomes(snapshot(queued_timeout=600, timeout=60)) == {"a": "failed"}
    assert cloud.count("DELETE", "image-0") == 0


# Trouble on the way


@pytest.mark.parametrize(
    "refusal",
    [
        FakeResponse(429, {"error": {"message": "Too Many Requests"}}),
        FakeResponse(429, headers={"Retry-After": "7"}),
        FakeResponse(413, headers={"Retry-After": "7"}),
    ],
)
def test_a_rate_limit_is_waited_out(cloud, snapshot, time, refusal):
    for number in range(4):
        cloud.server(f"s{number}")
    until = [20.0]

    def limited(*_anything):
        return refusal if time.clock() < until[0] else None

    cloud.intercept = limited
    assert snapshot().counts["done"] == 4
    until[0] = time.clock() + 20
    cloud.before_listing = limited
    assert snapshot(run="r2").counts["done"] == 4


def test_a_rate_limit_that_outlasts_the_time_fails_no_item(cloud, snapshot):
    for number in range(4):
        cloud.server(f"s{number}")
    cloud.intercept = lambda server: FakeResponse(429, headers={"Retry-After": "3600"})
    report = snapshot()
    assert report.counts["skipped"] == 4
    assert "limits the rate" in report.items[0].reason_text
    assert report.items[3].reason_text.startswith("not submitted: ")
    assert cloud.count("POST", "/action") <= 1800 / PROBE + 1
    assert not report.changed


def test_a_quota_is_not_waited_for(cloud, snapshot, time):
    cloud.server("a")
    cloud.intercept = lambda server: FakeResponse(413, {"overLimit": {"message": "Quota"}}, {"Retry-After": "0"})
    report = snapshot()
    assert outcomes(report) == {"a": "failed"}
    assert report.items[0].reason_text == "Quota (compute service, HTTP 413)"
    assert not report.changed
    assert time.clock() < 1


def test_a_quota_of_images_that_nova_takes_for_an_unexpected_error_is_told_at_once(cloud, snapshot):
    cloud.server("a")
    message = "Unexpected API Error. Please report this. <class 'glanceclient.exc.HTTPOverLimit'>"
    cloud.intercept = lambda server: FakeResponse(500, {"computeFault": {"message": message}})
    report = snapshot()
    assert outcomes(report) == {"a": "failed"}
    assert report.items[0].reason_text.startswith("the project's quota of images is used up: ")
    assert cloud.count("POST", "/action") == 1


@pytest.mark.parametrize("failure", ["connection", "gateway", "server error"])
@pytest.mark.parametrize("made", [False, True])
def test_a_lost_answer_makes_no_second_image(cloud, snapshot, made, failure):
    cloud.server("a")
    losses = [1]

    def lose(server):
        if not losses:
            return None
        losses.pop()
        if made:
            cloud.make_image(server, marked(server))
        if failure == "connection":
            raise keystoneauth.ConnectFailure("reset by peer")
        if failure == "gateway":
            return FakeResponse(504, text="<html><title>504</title><h1>Gateway Time-out</h1></html>")
        return FakeResponse(500, {"computeFault": {"message": "Unexpected API Error."}})

    cloud.intercept = lose
    assert outcomes(snapshot()) == {"a": "done"}
    assert len(cloud.images) == 1
    assert cloud.count("POST", "/action") == (1 if made else 2)


def test_a_server_that_never_answers_is_given_up_and_no_other(cloud, snapshot):
    cloud.server("a")
    cloud.server("b")

    def lose(server):
        if server["name"] == "a":
            raise keystoneauth.ConnectFailure("reset by peer")

    cloud.intercept = lose
    report = snapshot()
    assert outcomes(report) == {"a": "failed", "b": "done"}
    assert report.items[0].reason_text == (
        "a request to the compute service got no answer: reset by peer; nothing of the run appeared"
    )
    assert cloud.count("POST", "id-0/action") == 5


def test_a_conflict_with_the_request_that_got_no_answer_is_not_final(cloud, snapshot):
    cloud.server("a")
    answers = []

    def slow(server):
        answers.append(1)
        if len(answers) == 1:
            raise keystoneauth.ConnectTimeout()
        cloud.make_image(server, marked(server))
        return FakeResponse(409, {"conflictingRequest": {"message": "task_state image_snapshot"}})

    cloud.intercept = slow
    assert outcomes(snapshot()) == {"a": "done"}


def test_a_conflict_with_what_a_killed_run_asked_for_is_taken_up(cloud, snapshot):
    cloud.server("a")

    def busy(server):
        cloud.make_image(server, marked(server))
        return FakeResponse(409, {"conflictingRequest": {"message": "task_state image_snapshot"}})

    cloud.intercept = busy
    report = snapshot()
    assert outcomes(report) == {"a": "already"}
    assert len(cloud.images) == 1


def test_what_another_call_of_the_run_makes_meanwhile_is_not_made_twice(cloud, snapshot):
    for name in ("a", "b"):
        cloud.server(name)

    def make_the_other_one(server):
        if len(cloud.images) < 1:
            cloud.make_image(cloud.servers[1], marked(cloud.servers[1]))

    cloud.intercept = make_the_other_one
    # The second one waits for a place, and a look comes first.
    report = snapshot(concurrency=1)
    assert outcomes(report) == {"a": "done", "b": "already"}
    assert cloud.count("POST", "/action") == 1 and len(cloud.images) == 2


def test_a_service_that_gives_no_answer_to_the_first_listing_is_asked_again_for_a_minute(cloud, snapshot, time):
    def down(path):
        if time.clock() < 30:
            raise keystoneauth.ConnectFailure("refused")

    cloud.before_listing = down
    cloud.server("a")
    assert outcomes(snapshot()) == {"a": "done"}


def test_a_refused_list_of_versions_is_asked_for_again(cloud, snapshot, time):
    def limited(path):
        if time.clock() < 10:
            raise sdk.NotSupported("The image service exists but does not have any supported versions.")

    cloud.before_listing = limited
    cloud.server("a")
    assert outcomes(snapshot()) == {"a": "done"}


def test_a_long_outage_while_watching_fails_nothing(cloud, snapshot, time):
    cloud.server("a")

    def down(path):
        if path == "/images" and 3 < time.clock() < 300:
            raise keystoneauth.ConnectFailure("refused")

    cloud.before_listing = down
    assert outcomes(snapshot()) == {"a": "done"}
    assert time.clock() >= 300


def test_an_outage_until_the_time_is_up_is_told(cloud, snapshot, time):
    cloud.server("a")

    def down(path):
        if path == "/images" and time.clock() > 3:
            raise keystoneauth.ConnectFailure("refused")

    cloud.before_listing = down
    (item,) = snapshot(timeout=200).items
    assert item.outcome == "failed"
    assert item.reason_text.endswith("as far as is known: a request to the image service got no answer: refused")


def test_refused_credentials_are_not_sent_once_a_server_and_what_was_made_is_still_reported(cloud, snapshot):
    for number in range(100):
        cloud.server(f"s{number:02}")

    def refuse(server):
        if server["name"] != "s00":
            raise keystoneauth.Unauthorized("The request you have made\nrequires authentication.")

    cloud.intercept = refuse
    report = snapshot()
    assert report.counts == {
        "done": 1,
        "already": 0,
        "accepted": 0,
        "incomplete": 0,
        "blocked": 0,
        "skipped": 98,
        "failed": 1,
        "planned": 0,
    }
    assert "\n" not in report.failure()
    assert cloud.count("POST", "/action") == 2


def test_a_token_that_is_refused_is_given_up_and_the_request_sent_with_another_one(cloud, snapshot):
    for name in "abc":
        cloud.server(name)
    refusals = [FakeResponse(401, {"error": {"message": "The request you have made requires authentication."}})]
    cloud.intercept = lambda server: refusals.pop() if refusals else None
    assert snapshot().counts["done"] == 3
    assert cloud.sign_ins == 1


def test_tokens_that_are_all_refused_end_the_run(cloud, snapshot):
    for name in "abc":
        cloud.server(name)
    cloud.intercept = lambda server: FakeResponse(401, {"error": {"message": "No."}})
    report = snapshot()
    assert report.counts["failed"] == 1 and report.counts["skipped"] == 2
    assert cloud.sign_ins == 2


def test_keystones_own_rate_limit_is_waited_out(cloud, snapshot, time):
    cloud.server("a")

    def limited(server):
        if time.clock() < 30:
            raise keystoneauth.HttpError("limited", http_status=429)

    cloud.intercept = limited
    assert outcomes(snapshot()) == {"a": "done"}


def test_when_watching_fails_the_images_are_reported(cloud, snapshot):
    cloud.server("a")
    listings = []

    def broken(path):
        if path != "/images":
            return None
        listings.append(path)
        return FakeResponse(403, {"message": "policy"}) if len(listings) > 2 else None

    cloud.before_listing = broken
    (item,) = snapshot().items
    assert item.outcome == "failed"
    assert item.created[0].id == "image-0"
    assert item.reason_text == "not watched to its end: policy (image service, HTTP 403)"


# Stopping


def test_max_failures_stops_the_asking_and_sees_the_rest_through(cloud, snapshot):
    for number in range(100):
        cloud.server(f"s{number:02}")
    cloud.intercept = lambda server: None if server["name"] == "s00" else FakeResponse(403, {"message": "no"})
    report = snapshot(max_failures="2%")
    counts = report.counts
    assert counts["done"] == 1 and counts["failed"] >= 3 and counts["skipped"] > 50
    assert report.items[0].created[0].status == "active"
    assert "max_failures" in report.items[-1].reason_text
    assert "were not submitted, as the run was stopped by max_failures" in report.failure()


def test_an_interrupted_run_sends_nothing_new_and_sees_what_is_under_way_through(cloud, snapshot, interruption):
    for number in range(100):
        cloud.server(f"s{number:02}")

    def interrupt(server):
        if server["name"] == "s04":
            interruption.reason = "interrupted by SIGINT"

    cloud.intercept = interrupt
    report = snapshot()
    assert report.counts["done"] >= 5
    assert report.counts["failed"] == 0
    assert report.items[-1].reason_text == "not submitted: the run was interrupted by SIGINT"
    cloud.intercept = lambda server: None
    interruption.reason = ""
    again = snapshot()
    assert again.counts["already"] == report.counts["done"] and not again.failed
    assert len(cloud.images) == 100


def test_one_who_insists_is_not_kept_waiting(cloud, snapshot, interruption, time, monkeypatch):
    cloud.server("a")
    cloud.image_seconds = 1000

    def interrupt(path):
        if path == "/images" and time.clock() > 5:
            interruption.reason = "interrupted by SIGINT"
            monkeypatch.setattr(type(interruption), "insistent", True)

    cloud.before_listing = interrupt
    (item,) = snapshot().items
    assert item.reason_text == "still saving when the run was stopped; it goes on in the cloud"
    assert time.clock() < 20


def test_places_that_become_free_are_soon_used(cloud, snapshot, time):
    cloud.image_seconds = 1
    for number in range(30):
        cloud.server(f"s{number:02}")
    assert snapshot(concurrency=2).counts["done"] == 30
    # Fifteen times two; a look every ten seconds would take 150.
    assert time.clock() < 60


def test_no_more_actions_are_under_way_than_there_may_be(cloud, snapshot):
    for number in range(10):
        cloud.server(f"s{number}")
    under_way = []

    def count(server):
        under_way.append(sum(cloud.now < image["made"] + cloud.image_seconds for image in cloud.images))

    cloud.intercept = count
    assert snapshot(concurrency=3).counts["done"] == 10
    assert max(under_way) == 2
