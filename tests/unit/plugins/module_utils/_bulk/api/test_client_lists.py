# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.errors import (
    CloudError,
    OutageError,
    RefusedError,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.api.reactions import (
    in_turn,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.wire_cloud import (
    answer,
)


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


def test_a_page_is_submitted_when_it_is_needed(wired, wire):
    wire.react = lambda exchange: answer(200, {"images": numbers(1, 2), "next": "/v2/images?marker=2"})
    listing = wired.listing("image", "/images", "images")
    assert next(listing) == {"id": "1"} and next(listing) == {"id": "2"}
    assert len(wire.exchanges) == 1


@pytest.mark.parametrize("link", ["/v2/images?marker=2", "/v2/images", "?", "http://glance?limit=1000"])
def test_links_that_lead_in_a_circle_are_noticed(wired, wire, link):
    wire.react = lambda exchange: answer(200, {"images": numbers(1, 2), "next": link})
    with pytest.raises(CloudError, match=r"^The image service's list of images repeats an earlier page\.$"):
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
def test_links_that_cannot_be_read_are_reported(wired, wire, body):
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
