# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A call ends soon after its time is up, whatever it waits for."""

from __future__ import annotations

import time
import types

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk import module as bulk_module
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.actions.image_create.from_sources import (
    ImageFromSource,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.actions.image_create.sources import image_sources
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.actions.server_snapshot import ServerSnapshot
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.api import services
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.api.request_counts import RequestCounts
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.control.time_budget import TimeBudget
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.engine.run import PlanError
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.errors import (
    DeadlineError,
    OutageError,
    UnconfirmedError,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.labels import Labels
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.selection import Criteria
from ansible_collections.onetoken.openstack.plugins.module_utils._modules import connection as connections
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.limit import RateLimit
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.limiter import RateLimiter
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.project_key import ProjectKey
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.runs import client_of, run_of
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.wire_cloud import (
    DRIPPING,
    DRIPPING_HEADERS,
    SILENT,
    answer,
)

TIMEOUT = 4
#: Seconds within which a call must end after its timeout; without an end, it would take two minutes or for ever.
SOON = 15
KEY = ProjectKey("http://keystone", "p", "RegionOne")
UNHEARD = [SILENT, DRIPPING, DRIPPING_HEADERS]
SERVERS = {"servers": [{"id": "1", "name": "web", "status": "ACTIVE"}], "images": []}


@pytest.fixture
def ended_soon(monkeypatch):
    """The test takes little longer than the timeout, even less than a user's call may."""
    monkeypatch.setattr(services, "LAST_ANSWERS", 0.2)
    began = time.monotonic()
    yield
    assert time.monotonic() - began < TIMEOUT + SOON


@pytest.fixture
def requests(wired_connection, wire, ended_soon):
    """Requests in real time, of a connection that has signed in and found its services."""
    RequestCounts().watch(wired_connection, 32)
    for service in ("compute", "image"):
        getattr(wired_connection, service).get_endpoint_data()
    return client_of(wired_connection, RateLimiter(KEY, RateLimit.parse("1000"), None), TIMEOUT)


def carry_out(requests, action):
    run = run_of(action, requests)
    run.plan()
    run.carry_out()
    return run.items


@pytest.mark.parametrize("reaction", UNHEARD)
def test_a_request_ends_with_the_time_and_is_not_known_to_be_carried_out(requests, wire, reaction):
    wire.react = lambda exchange: reaction
    with pytest.raises(UnconfirmedError, match=f"got no answer before the time of {TIMEOUT} s was up"):
        requests.post("compute", "/servers/1/action", {})


@pytest.mark.parametrize("reaction", UNHEARD)
def test_a_plan_ends_with_the_time(requests, wire, reaction):
    wire.react = lambda exchange: reaction
    marks = Labels("r1", "server", "{server}", "image_name")
    with pytest.raises(PlanError, match=f"no answer before the time of {TIMEOUT} s was up"):
        carry_out(requests, ServerSnapshot(requests, Criteria(), marks, 600, "images"))


@pytest.mark.parametrize("reaction", UNHEARD)
def test_a_run_whose_requests_get_no_answer_ends_with_the_time_and_calls_them_unconfirmed(requests, wire, reaction):
    wire.react = lambda exchange: reaction if exchange.request.method == "POST" else answer(200, SERVERS)
    marks = Labels("r1", "server", "{server}", "image_name")
    (item,) = carry_out(requests, ServerSnapshot(requests, Criteria(), marks, 600, "images"))
    assert (item.outcome, item.reason_code, item.changed) == ("failed", "unconfirmed", True)
    assert f"no answer before the time of {TIMEOUT} s was up" in item.reason_text


@pytest.mark.parametrize("reaction", UNHEARD)
def test_a_poll_ends_with_the_time(requests, wire, reaction):
    posted = []

    def react(exchange):
        if exchange.request.method == "POST":
            posted.append(exchange)
            return answer(202, {"image_id": "i-1"})
        return reaction if posted else answer(200, SERVERS)

    wire.react = react
    marks = Labels("r1", "server", "{server}", "image_name")
    (item,) = carry_out(requests, ServerSnapshot(requests, Criteria(), marks, 600, "images"))
    assert item.outcome == "failed"
    assert item.created[0].id == "i-1" and "it goes on in the cloud" in item.reason_text


def test_the_content_of_an_image_that_nobody_reads_is_sent_no_longer_than_the_time(requests, wire, tmp_path):
    path = tmp_path / "large.qcow2"
    with open(path, "wb") as file:
        file.truncate(100 * 1024**2)
    wire.deaf = True
    wire.react = lambda exchange: answer(201, {"id": "i-1", "images": []})
    sources = image_sources([{"name": "large", "file": str(path)}], {})
    (item,) = carry_out(requests, ImageFromSource(requests, sources, "r1", 600))
    assert (item.outcome, item.reason_code) == ("failed", "unconfirmed")
    assert [created.id for created in item.created] == ["i-1"]


@pytest.mark.parametrize("reaction", UNHEARD)
def test_looking_for_versions_ends_with_the_time(wired_connection, wire, ended_soon, reaction):
    wired_connection.authorize()
    wire.react_to_discovery = lambda request: reaction
    requests = client_of(wired_connection, RateLimiter(KEY, RateLimit.parse("1000"), None), TIMEOUT)
    with pytest.raises(OutageError):
        requests.supports_microversion("compute", "2.45")


def test_signing_in_ends_with_the_time(wire, no_cloud, ended_soon):
    wire.slowness = 600.0
    params = {name: spec.get("default") for name, spec in connections.argument_spec().items()}
    module = types.SimpleNamespace(params={**params, "cloud": wire.entry(), "timeout": TIMEOUT}, warn=print)
    with pytest.raises(DeadlineError, match=f"Keystone gave no token within the timeout of {TIMEOUT} s"):
        bulk_module._sign_in(module, RequestCounts())


def test_the_time_that_signing_in_took_is_part_of_the_call_s():
    moments = iter([0.0, 100.0])
    assert TimeBudget(60, lambda: next(moments)).left == 0
