# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests over a real socket, by openstacksdk and keystoneauth as they are."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.api.answers import content
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.control.interruption import Interruption
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.errors import (
    CancelledError,
    CloudError,
    DeadlineError,
    OutageError,
    RefusedError,
    ServiceAbsentError,
    UnconfirmedError,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.reason import Code, Reason
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util import deadline
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import OneTokenError
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_cloud import FakeResponse
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.wire_cloud import (
    CUT,
    CUT_IN_THE_MIDDLE,
    answer,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import PASSWORD

MOMENT = 1_800_000_000


@pytest.fixture
def wired(new_wired, wire):
    """Requests of somebody who has signed in and found the services."""
    requests = new_wired()
    requests.get("compute", "/before")
    wire.exchanges.clear()
    return requests


def in_turn(*reactions):
    """These one after the other, then the usual."""
    return lambda exchange: reactions[exchange.number] if exchange.number < len(reactions) else None


# Rate limits


@pytest.mark.parametrize(
    ("refusal", "least"),
    [
        (answer(429, {"error": {"status": "429 Too Many Requests", "message": "Too Many Requests"}}), 0.1),
        (answer(429, Retry_After="7"), 7),
        (answer(413, {"overLimit": {"message": "This request was rate-limited."}}, Retry_After="7"), 7),
        (answer(429, X_Retry_After="7", X_RateLimit_Limit="60r/m", X_RateLimit_Remaining="0"), 7),
        (answer(429, x_ratelimit_reset=str(MOMENT + 9)), 9),
        (answer(429, Retry_After="Fri, 15 Jan 2027 08:00:09 GMT"), 9),
        (answer(429, RateLimit_Remaining="0", RateLimit_Reset="7"), 7),
        (answer(429, "<html><h1>Too Many Requests</h1></html>", Retry_After="soon"), 0.1),
    ],
    ids=lambda value: "".join(value.headers) or "silent" if hasattr(value, "headers") else None,
)
def test_each_dialect_of_a_rate_limit_is_waited_out(wired, wire, time, refusal, least):
    wire.react = in_turn(refusal)
    assert time.clock() < 0.01
    assert wired.post("compute", "/servers/1/action", {"createImage": {}}).status_code == 200
    assert len(wire.sent("POST", "/action")) == 2
    assert least <= time.clock() <= least + 3
    assert [service for service, _moment in wired.limiter.refusals] == ["compute"]


@pytest.mark.parametrize("headers", [{}, {"Retry_After": "0"}])
def test_a_quota_that_is_used_up_is_no_rate_limit(wired, wire, headers):
    wire.react = in_turn(answer(413, {"overLimit": {"code": 413, "message": "Quota exceeded"}}, **headers))
    with pytest.raises(RefusedError, match=r"^Quota exceeded \(compute service, HTTP 413\)$") as raised:
        wired.post("compute", "/servers/1/action", {})
    assert raised.value.status_code == 413
    assert wired.limiter.refusals == []


def test_a_rate_limit_for_longer_than_there_is_time_is_probed_and_told(new_wired, wire, time):
    requests = new_wired(timeout=60)
    wire.react = lambda exchange: answer(429, {"e": {"message": "Slow\ndown"}}, Retry_After="600")
    with pytest.raises(
        DeadlineError, match=r"the time of 60 s was up .* limits the rate of requests: Slow down \(compute"
    ):
        requests.get("compute", "/servers")
    assert time.clock() <= 61
    assert 1 < len(wire.exchanges) <= 3


def test_what_starts_an_item_is_not_sent_once_the_run_is_cancelled(wired, wire):
    def throttle(exchange):
        wired.cancellation.cancel(Reason(Code.MAX_FAILURES, "too many failures"))
        return answer(429, Retry_After="600")

    wire.react = throttle
    with pytest.raises(CancelledError):
        wired.post("compute", "/servers/1/action", {}, starts_item=True)
    assert len(wire.sent("POST", "/action")) == 1


def test_nothing_at_all_is_sent_once_the_run_is_to_end_at_once(new_wired, wire):
    interruption = Interruption(lambda: True, patience=0)
    wired = new_wired(interruption=interruption)
    assert interruption.requested
    with pytest.raises(CancelledError):
        wired.get("compute", "/servers")
    assert wire.exchanges == []


# Tokens


def test_when_sixteen_threads_find_the_token_refused_there_is_one_new_one(wired, wire):
    together = threading.Barrier(16, timeout=30)

    def meet(exchange):
        if exchange.token == old:
            # All of them hold the old token before the first of them is refused.
            together.wait()
            wire.alive.pop(old, None)
            return answer(401, {"error": {"message": "The request you have made requires authentication."}})
        return None

    (old,) = wire.alive
    wire.react = meet
    with ThreadPoolExecutor(16) as executor:
        responses = list(executor.map(lambda number: wired.post("compute", f"/{number}/action", {}), range(16)))
    assert [response.status_code for response in responses] == [200] * 16
    assert len(wire.asked("POST")) == 2
    assert len(wire.exchanges) == 32
    assert {one.token for one in wire.exchanges[16:]} == set(wire.alive)


def test_a_late_refusal_of_the_old_token_does_not_cost_the_new_one(wired, wire):
    together, renewed = threading.Barrier(2, timeout=30), threading.Event()

    def refuse(exchange):
        if exchange.token != old:
            renewed.set()
            return None
        if together.wait():
            # Another thread has signed in anew and used its token by the time that this one is refused.
            renewed.wait(30)
        return answer(401)

    (old,) = wire.alive
    wire.react = refuse
    with ThreadPoolExecutor(2) as executor:
        list(executor.map(lambda number: wired.post("compute", f"/{number}/action", {}), range(2)))
    assert len(wire.asked("POST")) == 2


def test_a_service_that_refuses_every_token_ends_it_after_two_more(wired, wire):
    wire.react = lambda exchange: answer(401, {"error": {"message": "No."}})
    with pytest.raises(CloudError, match=r"^No\. \(compute service, HTTP 401\)$"):
        wired.post("compute", "/servers/1/action", {})
    assert len(wire.exchanges) == 3
    assert len(wire.asked("POST")) == 3


def test_keystones_rate_limit_is_waited_out_before_the_request_is_sent(wired, wire, time):
    wire.alive.clear()
    wire.answers["POST"] = [answer(429, Retry_After="30")]
    assert wired.post("compute", "/servers/1/action", {}).status_code == 200
    assert time.clock() >= 30
    # The one that was refused for its token, and the one with the new token.
    assert len(wire.exchanges) == 2


def test_a_password_that_is_refused_is_sent_once_and_shown_nowhere(wired, wire):
    wire.alive.clear()
    wire.stuck["POST"] = answer(401, {"error": {"message": "The request you have made requires authentication."}})
    with pytest.raises(CloudError, match="requires authentication") as raised:
        wired.post("compute", "/servers/1/action", {})
    assert raised.type is CloudError
    assert len(wire.asked("POST")) == 2
    assert PASSWORD not in str(raised.value)


def test_a_keystone_that_is_broken_for_a_moment_fails_nothing_that_can_be_asked_again(wired, wire):
    wire.alive.clear()
    wire.answers["POST"] = [answer(503), answer(500)]
    assert wired.get("compute", "/servers") == {}
    wire.alive.clear()
    wire.answers["POST"] = [answer(503)]
    with pytest.raises(UnconfirmedError):
        wired.post("compute", "/servers/1/action", {})


# Answers that are lost


@pytest.mark.parametrize("reaction", [CUT, CUT_IN_THE_MIDDLE, answer(500), answer(502, "<html>"), answer(504, "")])
def test_a_request_whose_answer_is_lost_is_sent_once(wired, wire, reaction):
    wire.react = in_turn(reaction)
    with pytest.raises(UnconfirmedError) as raised:
        wired.post("compute", "/servers/1/action", {"createImage": {}})
    assert len(wire.sent("POST", "/action")) == 1
    assert "\n" not in str(raised.value) and "compute service" in str(raised.value)


@pytest.mark.parametrize("reaction", [CUT, CUT_IN_THE_MIDDLE, answer(503)])
def test_what_only_reads_is_asked_again_for_a_minute(wired, wire, time, reaction):
    wire.react = in_turn(reaction, reaction)
    assert wired.get("compute", "/servers") == {}
    assert len(wire.exchanges) == 3
    wire.react = lambda exchange: reaction
    began = time.clock()
    with pytest.raises(OutageError):
        wired.get("compute", "/servers")
    assert 20 < time.clock() - began <= 61


def test_a_cloud_that_is_gone_is_an_outage(new_wired, wire):
    requests = new_wired(signed_in=False)
    wire.stop()
    with pytest.raises(OutageError, match="a request to the compute service got no answer: "):
        requests.get("compute", "/servers")
    with pytest.raises(UnconfirmedError):
        requests.post("compute", "/servers/1/action", {})


def test_an_answer_that_takes_too_long_is_lost(wired, wire, wired_connection):
    over = threading.Event()
    wired_connection.session.timeout = 0.05
    wire.react = lambda exchange: over.wait(30) and None
    try:
        with pytest.raises(UnconfirmedError, match="timed out"):
            wired.post("compute", "/servers/1/action", {})
    finally:
        over.set()
    assert len(wire.sent("POST", "/action")) == 1


@pytest.fixture
def first_is_late(monkeypatch, time):
    """The first answer takes longer than it may."""
    left = [True]

    within = deadline.within

    def late_once(seconds, work):
        if not left:
            return within(seconds, work)
        left.pop()
        time.sleep(seconds)
        raise deadline.LateError

    monkeypatch.setattr(deadline, "within", late_once)


@pytest.mark.parametrize(
    ("timeout", "told"),
    [
        (130, r"within 120 s \(set api_timeout higher if the cloud is that slow\)"),
        (121, "within 120 s"),
        (60, "before the time of 60 s was up"),
    ],
)
def test_an_answer_that_does_not_come_names_the_limit_that_ended_it(new_wired, first_is_late, timeout, told):
    with pytest.raises(UnconfirmedError, match=f"got no answer {told}"):
        new_wired(timeout=timeout, signed_in=False).post("compute", "/servers/1/action", {})


@pytest.mark.parametrize(
    "ask",
    [
        lambda requests: requests.get("compute", "/servers") == {},
        lambda requests: requests.delete("compute", "/servers/1"),
        lambda requests: requests.supports_microversion("compute", "2.1"),
    ],
    ids=["reading", "deleting", "versions"],
)
def test_what_is_safe_to_repeat_is_repeated_after_an_answer_that_took_longer_than_an_outage(
    new_wired, time, first_is_late, ask
):
    assert ask(new_wired(signed_in=False))
    assert time.clock() > 120


def test_a_deletion_is_repeated_and_what_the_first_one_deleted_counts(wired, wire):
    wire.react = in_turn(CUT, answer(404))
    assert wired.delete("image", "/images/1") is True
    wire.exchanges.clear()
    wire.react = in_turn(answer(404))
    assert wired.delete("image", "/images/1") is False
    wire.exchanges.clear()
    wire.react = in_turn(answer(204))
    assert wired.delete("image", "/images/1") is True
    wire.exchanges.clear()
    wire.react = in_turn(answer(409, {"message": "in use"}))
    with pytest.raises(RefusedError, match="in use"):
        wired.delete("image", "/images/1")
    assert len(wire.exchanges) == 1


# Services


def test_a_service_that_the_catalog_lacks_is_told_at_once(wired, wire, time):
    with pytest.raises(ServiceAbsentError, match="no block storage service in region RegionOne with interface public:"):
        wired.get("block_storage", "/snapshots")
    with pytest.raises(ServiceAbsentError):
        wired.supports_microversion("block_storage", "3.43")
    assert time.clock() < 1


@pytest.mark.parametrize("types", [("volumev3",), ("block-storage", "volumev3")], ids=" and ".join)
def test_a_service_that_is_in_another_region_only_is_told_with_region_and_interface(
    new_wired, wire, time, monkeypatch, types
):
    """Of a service under two types, keystoneauth says that there is an error in the program."""
    whole = wire._token_body

    def elsewhere():
        body = whole()
        endpoint = {**body["catalog"][0]["endpoints"][0], "region": "Elsewhere", "region_id": "Elsewhere"}
        body["catalog"] += [{"id": kind, "type": kind, "name": kind, "endpoints": [endpoint]} for kind in types]
        return body

    monkeypatch.setattr(wire, "_token_body", elsewhere)
    requests = new_wired()
    told = "no block storage service in region RegionOne with interface public: check region_name and interface"
    for ask in (requests.get, requests.supports_microversion):
        with pytest.raises(ServiceAbsentError, match=told):
            ask("block_storage", "3.43")
    assert time.clock() < 1


@pytest.mark.parametrize(
    "odd",
    [[], "x", 5, None, {}, {"version": 5}, {"version": []}, {"version": {"id": 5}}, {"versions": 5}, {"versions": [5]},
     {"versions": [{"id": {}, "links": 5}]}, {"versions": {"values": [{}]}}, {"version": {"id": "v2", "links": [{}]}}],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("service", ["compute", "image"])
def test_odd_versions_are_a_sentence_or_as_good_as_none(new_wired, wire, service, odd):
    requests = new_wired(timeout=60)
    wire.react_to_discovery = lambda request: answer(200, json.dumps(odd))
    for ask in (requests.supports_microversion, lambda *_: list(requests.listing(service, "/x", "x"))):
        try:
            ask(service, "2.45")
        except OneTokenError as exc:
            assert "unexpected" not in str(exc)


def test_versions_that_are_refused_at_first_are_asked_for_again(new_wired, wire):
    requests = new_wired()
    refusals = [answer(429), answer(503)]
    wire.react_to_discovery = lambda request: refusals.pop() if refusals else None
    assert requests.get("image", "/images") == {}

    refusals += [answer(429), answer(503)]
    assert requests.supports_microversion("compute", "2.45") is True
    assert requests.supports_microversion("compute", "2.97") is False
    assert refusals == []


def test_a_service_that_tells_no_versions_is_not_waited_for_long(new_wired, wire, time):
    wire.react_to_discovery = lambda request: answer(404)
    assert new_wired().supports_microversion("compute", "2.45") is False
    assert time.clock() <= 15


def test_a_keystone_that_is_gone_is_an_outage_before_any_versions_are_known(new_wired, wire, time):
    requests = new_wired(signed_in=False)
    wire.stop()
    with pytest.raises(OutageError):
        requests.supports_microversion("compute", "2.45")
    assert 30 <= time.clock() <= 120


@pytest.mark.parametrize(
    "ask",
    [lambda requests: requests.project_id(), lambda requests: requests.supports_microversion("compute", "2.45")],
    ids=["project", "versions"],
)
def test_a_password_that_is_refused_before_anything_is_asked_is_a_sentence(new_wired, wire, ask):
    wire.stuck["POST"] = answer(401, {"error": {"message": "The request you have made requires authentication."}})
    with pytest.raises(CloudError, match="requires authentication"):
        ask(new_wired(signed_in=False))
    assert len(wire.asked("POST")) == 1


def test_a_deletion_that_gets_no_answer_at_all_is_an_outage(wired, wire, time):
    wire.react = lambda exchange: CUT
    with pytest.raises(OutageError):
        wired.delete("image", "/images/1")
    assert 30 <= time.clock() <= 120


def test_the_project_is_the_tokens(wired):
    assert wired.project_id() == "0c5a1b2d3e4f5a6b7c8d9e0f1a2b3c4d"


def test_a_microversion_reaches_the_service(wired, wire):
    wired.post("compute", "/servers/1/action", {}, microversion="2.45")
    assert wire.exchanges[0].request.headers["OpenStack-API-Version"] == "compute 2.45"


# Lists


def numbers(*ids):
    return [{"id": str(number)} for number in ids]


@pytest.mark.parametrize("style", ["servers_links", "next"])
def test_pages_are_followed_by_their_query_alone(wired, wire, style):
    def page(exchange):
        path = exchange.request.path
        if "marker=3" in path:
            return answer(200, {"servers": numbers(4), "servers_links": [{"rel": "self", "href": "http://x?marker=0"}]})
        link = "http://a.name.that.leads.nowhere/v2.1/servers?limit=3&marker=3&status=ACTIVE%20or%20so"
        following = {"next": link} if style == "next" else {"servers_links": [{"rel": "next", "href": link}]}
        return answer(200, {"servers": numbers(1, 2, 3), **following})

    wire.react = page
    found = list(wired.listing("compute", "/servers", "servers", {"status": "ACTIVE or so"}))
    assert found == numbers(1, 2, 3, 4)
    assert [one.request.path.partition("?")[2] for one in wire.exchanges] == [
        "limit=1000&status=ACTIVE+or+so",
        "limit=3&marker=3&status=ACTIVE+or+so",
    ]


def test_a_page_is_asked_for_when_it_is_needed(wired, wire):
    wire.react = lambda exchange: answer(200, {"images": numbers(1, 2), "next": "/v2/images?marker=2"})
    listing = wired.listing("image", "/images", "images")
    assert next(listing) == {"id": "1"} and next(listing) == {"id": "2"}
    assert len(wire.exchanges) == 1


@pytest.mark.parametrize("link", ["/v2/images?marker=2", "/v2/images", "?", "http://glance?limit=1000"])
def test_links_that_lead_in_a_circle_are_noticed(wired, wire, link):
    wire.react = lambda exchange: answer(200, {"images": numbers(1, 2), "next": link})
    with pytest.raises(CloudError, match=r"^The image service's list of images leads back to a page before\.$"):
        list(wired.listing("image", "/images", "images"))
    assert len(wire.exchanges) <= 3


@pytest.mark.parametrize(
    "body",
    [
        {"images": [], "next": 5},
        {"images": [], "next": "http://[broken?marker=1"},
        {"images": [], "images_links": [{"rel": "next"}]},
        {"images": [], "images_links": [None]},
        {"images": [], "images_links": 7},
    ],
    ids=str,
)
def test_links_that_cannot_be_read_are_told(wired, wire, body):
    wire.react = lambda exchange: answer(200, body)
    with pytest.raises(CloudError, match=r"^The link to the next page of a list of images cannot be read\.$"):
        list(wired.listing("image", "/images", "images"))


def test_links_that_are_null_are_the_last_page(wired, wire):
    wire.react = lambda exchange: answer(200, {"images": numbers(1), "images_links": None, "next": None})
    assert list(wired.listing("image", "/images", "images")) == numbers(1)


@pytest.mark.parametrize("status", [400, 404])
def test_a_list_whose_marker_was_deleted_is_read_again_later(wired, wire, status):
    pages = [answer(200, {"images": numbers(1), "next": "?marker=1"}), answer(status, {"message": "no marker"})]
    wire.react = in_turn(*pages)
    with pytest.raises(OutageError, match="a list was changed while it was read: no marker"):
        list(wired.listing("image", "/images", "images"))
    wire.exchanges.clear()
    wire.react = in_turn(pages[1])
    with pytest.raises(RefusedError):
        list(wired.listing("image", "/images", "images"))


# Answers that say something else


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (answer(200, "<html>Welcome</html>"), "not JSON"),
        (answer(200, ""), "not JSON"),
        (answer(204, ""), "not JSON"),
        (answer(200, "[1, 2]"), "no JSON object"),
        (answer(200, "null"), "no JSON object"),
        (answer(200, "{}"), "without a list of images"),
        (answer(200, {"images": None}), "without a list of images"),
        (answer(200, {"images": {"a": 1}}), "without a list of images"),
    ],
    ids=lambda value: getattr(value, "body", None),
)
def test_a_list_that_is_none_is_a_sentence(wired, wire, told, words):
    wire.react = lambda exchange: told
    with pytest.raises(CloudError, match=rf"^The image service gave an answer .*{words}.*\.$"):
        list(wired.listing("image", "/images", "images"))


@pytest.mark.parametrize("status", [300, 304])
def test_an_answer_that_points_elsewhere_is_no_success(wired, wire, status):
    wire.react = lambda exchange: answer(status)
    with pytest.raises(RefusedError, match=f"HTTP {status}"):
        wired.post("compute", "/servers/1/action", {})
    with pytest.raises(RefusedError, match=f"HTTP {status}"):
        wired.delete("image", "/images/1")


def test_redirections_without_end_are_refused(wired, wire):
    wire.react = lambda exchange: answer(302, Location=wire.url + exchange.request.path)
    with pytest.raises(RefusedError, match="HTTP 302"):
        wired.get("compute", "/servers")
    assert len(wire.exchanges) < 50


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"conflictingRequest": {"code": 409, "message": "it is\\n busy"}}', "it is busy"),
        ('{"code": 1, "message": "plain"}', "plain"),
        ('{"error": {"message": ["odd", 1]}}', "['odd', 1]"),
        ('{"message": ""}', "Forbidden"),
        ("[]", "Forbidden"),
        ("null", "Forbidden"),
        ("", "Forbidden"),
        ("<html><head><title>403</title><STYLE>p {}</STYLE></head><body>You don&#x27;t <b>may</b></body></html>",
         "You don't may"),
        ('{"message": "' + "x" * 9999 + '"}', "x" * 500),
        ("y" * 9999, "y" * 500),
    ],
    ids=lambda value: value[:30],
)  # fmt: skip
def test_what_a_service_says_is_told_on_one_line(wired, wire, body, message):
    wire.react = lambda exchange: answer(403, body)
    with pytest.raises(RefusedError) as raised:
        wired.post("compute", "/servers/1/action", {})
    assert str(raised.value) == f"{message} (compute service, HTTP 403)"


@pytest.mark.parametrize("text", ["", "<html>", "[]", "null", '{"snapshot": null}', '{"snapshot": {"name": "x"}}'])
def test_an_answer_without_what_was_made_is_as_good_as_none(text):
    with pytest.raises(UnconfirmedError, match=r"^an answer \(HTTP 202\) came without snapshot id$"):
        content(FakeResponse(202, text=text), "snapshot", "id")


def test_the_content_of_an_answer():
    assert content(FakeResponse(202, {"snapshot": {"id": "7"}}), "snapshot", "id") == "7"


def test_every_error_is_one_that_the_user_is_told():
    for kind in (
        CloudError,
        CancelledError,
        UnconfirmedError,
        OutageError,
        RefusedError,
        ServiceAbsentError,
        DeadlineError,
    ):
        assert issubclass(kind, OneTokenError)
