# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.errors import (
    CloudError,
    OutageError,
    ServiceAbsentError,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import OneTokenError
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.wire_cloud import (
    CUT,
    answer,
)


def test_a_service_that_the_catalog_lacks_is_reported_at_once(wired, wire, time):
    with pytest.raises(ServiceAbsentError, match="no block storage service in region RegionOne with interface public:"):
        wired.get("block_storage", "/snapshots")
    with pytest.raises(ServiceAbsentError):
        wired.supports_microversion("block_storage", "3.43")
    assert time.clock() < 1


@pytest.mark.parametrize("types", [("volumev3",), ("block-storage", "volumev3")], ids=" and ".join)
def test_a_service_that_is_in_another_region_only_is_reported_with_region_and_interface(
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


def test_versions_that_are_refused_at_first_are_submitted_again(new_wired, wire):
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
