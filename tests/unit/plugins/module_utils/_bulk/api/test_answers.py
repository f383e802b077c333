# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.api.answers import content
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.errors import (
    CancelledError,
    CloudError,
    DeadlineError,
    OutageError,
    RefusedError,
    ServiceAbsentError,
    UnconfirmedError,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import OneTokenError
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_cloud import FakeResponse
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.wire_cloud import (
    answer,
)


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
def test_what_a_service_says_is_reported_on_one_line(wired, wire, body, message):
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


def test_every_error_is_one_that_the_user_is_reported():
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
