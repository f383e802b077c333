# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is counted is compared with what a server on a real socket got."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.api.request_counts import (
    RequestCounts,
    requests_for,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.errors import RefusedError
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.wire_cloud import answer


def came(cloud):
    """The requests that the server got, by what they are for."""
    tokens = len(cloud.asked("POST"))
    keystone = len([one for one in cloud.requests if one.path.startswith("/v3")])
    counts = {"compute": len([one for one in cloud.requests if one.path.startswith("/compute")])}
    counts["image"] = len([one for one in cloud.requests if one.path.startswith("/image")])
    return tokens, {"identity": keystone, **counts}


def test_discovery_the_sign_in_new_tries_and_refusals_are_all_counted(wire, new_wired):
    empty = answer(200, {"servers": [], "images": []})
    reactions = [answer(503), empty, answer(409), answer(429, Retry_After="1"), empty]
    wire.react = lambda exchange: reactions[exchange.number]
    counts = RequestCounts()
    requests = new_wired(counts=counts)
    assert requests.get("compute", "/servers/detail") == {"servers": [], "images": []}
    with pytest.raises(RefusedError):
        requests.post("compute", "/servers/1/action", {})
    list(requests.listing("image", "/images", "images"))
    issued, counted = came(wire)
    # The second one, as the first got no answer, and the one that the rate limit refused are among them.
    assert len(wire.exchanges) == 5
    by_service = counts.by_service()
    assert sum(by_service.values()) == len(wire.requests)
    assert (by_service["compute"], by_service["image"]) == (counted["compute"], counted["image"])
    assert counts.tokens_issued == issued == 1


def test_a_new_sign_in_counts_for_keystone_whatever_it_was_for(wire, new_wired):
    counts = RequestCounts()
    requests = new_wired(counts=counts)
    requests.get("compute", "/servers")
    before = counts.by_service()
    wire.alive.clear()
    requests.get("compute", "/servers")
    after = counts.by_service()
    assert after["identity"] - before["identity"] == 1
    # The one that was refused, and the one that was not.
    assert after["compute"] - before["compute"] == 2
    assert counts.tokens_issued == len(wire.asked("POST")) == 2
    assert sum(after.values()) == len(wire.requests)


def test_threads_lose_no_count(wire, new_wired):
    counts = RequestCounts()
    requests = new_wired(counts=counts)
    for service in ("compute", "image"):
        # As planning does, before there are threads.
        requests.get(service, "/things")
    with ThreadPoolExecutor(16) as executor:
        services = ["compute", "image"] * 60
        list(executor.map(lambda service: requests.get(service, "/things"), services))
    by_service = counts.by_service()
    assert sum(by_service.values()) == len(wire.requests)
    assert len(wire.sent("GET", "/compute/v2.1/things")) == len(wire.sent("GET", "/image/v2/things")) == 61
    # Discovery was asked for once a service.
    discoveries = [one.path.rstrip("/") for one in wire.requests if one.path.rstrip("/") in ("/compute/v2.1", "/image")]
    assert discoveries == ["/image"]
    assert (by_service["compute"], by_service["image"]) == (61, 1 + 61)


def test_connections_are_kept_one_a_thread(wire, wired_connection):
    counts = RequestCounts()
    counts.watch(wired_connection, 32)
    adapter = wired_connection.session.session.get_adapter(wire.url)
    manager = adapter._adapter.poolmanager
    assert manager.connection_pool_kw["maxsize"] == 32
    # What keystoneauth's own adapter sets is still there.
    assert manager.connection_pool_kw["socket_options"]


def test_what_is_sent_for_nobody_in_particular_is_keystones():
    class Request:
        method = "GET"

        def __init__(self, url):
            self.url = url

    counts = RequestCounts()
    counts.count(Request("http://keystone/v3"))
    with requests_for("block_storage"):
        counts.count(Request("http://cinder/v3/volumes?name=/auth/tokens"))
        counts.count(Request("http://keystone/v3/auth/tokens?nocatalog"))
    counts.count(Request(None))
    assert counts.by_service() == {"block_storage": 1, "identity": 3}
    assert counts.tokens_issued == 0
