# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.schedule import PROBE_INTERVAL
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.actions.server_snapshot.setup import (
    marked,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_cloud import (
    FakeResponse,
)
from keystoneauth1 import exceptions as keystoneauth
from openstack import exceptions as sdk


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
    assert cloud.count("POST", "/action") <= 1800 / PROBE_INTERVAL + 1
    assert not report.changed


def test_a_quota_is_not_waited_for(cloud, snapshot, time):
    cloud.server("a")
    cloud.intercept = lambda server: FakeResponse(413, {"overLimit": {"message": "Quota"}}, {"Retry-After": "0"})
    report = snapshot()
    assert report.outcomes == {"a": "failed"}
    assert report.items[0].reason_text == "Quota (compute service, HTTP 413)"
    assert not report.changed
    assert time.clock() < 1


def test_a_quota_of_images_that_nova_takes_for_an_unexpected_error_is_reported_at_once(cloud, snapshot):
    cloud.server("a")
    message = "Unexpected API Error. Please report this. <class 'glanceclient.exc.HTTPOverLimit'>"
    cloud.intercept = lambda server: FakeResponse(500, {"computeFault": {"message": message}})
    report = snapshot()
    assert report.outcomes == {"a": "failed"}
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
    assert snapshot().outcomes == {"a": "done"}
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
    assert report.outcomes == {"a": "failed", "b": "done"}
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
    assert snapshot().outcomes == {"a": "done"}


def test_a_conflict_with_what_a_killed_run_submitted_is_taken_up(cloud, snapshot):
    cloud.server("a")

    def busy(server):
        cloud.make_image(server, marked(server))
        return FakeResponse(409, {"conflictingRequest": {"message": "task_state image_snapshot"}})

    cloud.intercept = busy
    report = snapshot()
    assert report.outcomes == {"a": "already"}
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
    assert report.outcomes == {"a": "done", "b": "already"}
    assert cloud.count("POST", "/action") == 1 and len(cloud.images) == 2


def test_a_service_that_gives_no_answer_to_the_first_listing_is_asked_again_for_a_minute(cloud, snapshot, time):
    def down(path):
        if time.clock() < 30:
            raise keystoneauth.ConnectFailure("refused")

    cloud.before_listing = down
    cloud.server("a")
    assert snapshot().outcomes == {"a": "done"}


def test_a_refused_list_of_versions_is_submitted_again(cloud, snapshot, time):
    def limited(path):
        if time.clock() < 10:
            raise sdk.NotSupported("The image service exists but does not have any supported versions.")

    cloud.before_listing = limited
    cloud.server("a")
    assert snapshot().outcomes == {"a": "done"}


def test_a_long_outage_while_watching_fails_nothing(cloud, snapshot, time):
    cloud.server("a")

    def down(path):
        if path == "/images" and 3 < time.clock() < 300:
            raise keystoneauth.ConnectFailure("refused")

    cloud.before_listing = down
    assert snapshot().outcomes == {"a": "done"}
    assert time.clock() >= 300


def test_an_outage_until_the_time_is_up_is_reported(cloud, snapshot, time):
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
    assert snapshot().outcomes == {"a": "done"}


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
