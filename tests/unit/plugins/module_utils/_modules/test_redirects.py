# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No redirect leads a token or a password to another host."""

from __future__ import annotations

import types

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.api.project import Project
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.api.services import sentence
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.errors import CloudError
from ansible_collections.onetoken.openstack.plugins.module_utils._modules import connection as connections
from ansible_collections.onetoken.openstack.plugins.module_utils._modules import redirects
from ansible_collections.onetoken.openstack.plugins.module_utils._modules.redirects import RedirectedError
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.limit import RateLimit
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.limiter import RateLimiter
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.project_key import ProjectKey
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.runs import client_of
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.wire_cloud import WireCloud, answer
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    Answer,
    StandInKeystone,
)

STATUSES = [301, 302, 303, 305, 307, 308]


@pytest.fixture
def wire():
    with WireCloud() as running:
        yield running


@pytest.fixture
def thief():
    """Another host, which is another port here."""
    with StandInKeystone() as running:
        yield running


@pytest.fixture(params=["cloud", "auth", "variables"])
def params(request, wire, no_cloud, monkeypatch):
    """However the credentials are given."""
    defaults = {name: spec.get("default") for name, spec in connections.argument_spec().items()}
    entry = wire.entry()
    if request.param == "variables":
        for name, value in entry["auth"].items():
            monkeypatch.setenv(f"OS_{name.upper()}", value)
        return {**defaults, "region_name": entry["region_name"]}
    return {**defaults, "cloud": entry} if request.param == "cloud" else {**defaults, **entry}


@pytest.fixture
def connection(params):
    connection = connections.connect(types.SimpleNamespace(params=params, warn=print))
    yield connection
    connection.close()


@pytest.fixture
def requests(connection):
    limiter = RateLimiter(ProjectKey("http://keystone", "p", "RegionOne"), RateLimit.parse("1000"), None)
    return client_of(connection, limiter, 60)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_service_that_redirects_to_another_host_is_reported_and_gets_no_further_request(
    requests, wire, thief, status, method
):
    wire.react = lambda exchange: answer(status, Location=f"{thief.url}/steal?token=1")
    with pytest.raises(CloudError) as caught:
        requests.send("compute", method, "/servers/1")
    assert str(caught.value).startswith("The compute service cannot be used: ")
    assert f"{wire.url}/compute/v2.1/servers/1 redirects to {thief.url}, " in str(caught.value)
    assert thief.requests == []


@pytest.mark.parametrize(
    "location", ["//elsewhere.example/x", "https://127.0.0.1/x", "ftp://127.0.0.1/x", "http://[", "http://a:b/"]
)
def test_a_redirect_to_another_scheme_or_an_invalid_address_is_reported(requests, wire, location):
    wire.react = lambda exchange: answer(302, Location=location)
    with pytest.raises(CloudError, match="redirects to"):
        requests.send("compute", "GET", "/servers")


@pytest.mark.parametrize("location", ["{url}/compute/v2.1/there", "/compute/v2.1/there", "there"])
def test_a_redirect_to_the_same_host_is_followed(requests, wire, location):
    wire.react = lambda exchange: (
        answer(200, {"found": "it"})
        if exchange.request.path.endswith("there")
        else answer(307, Location=location.format(url=wire.url))
    )
    assert requests.get("compute", "/servers") == {"found": "it"}


def test_the_token_does_not_follow_a_redirect_of_discovery(requests, wire, thief):
    wire.react_to_discovery = lambda request: answer(302, Location=thief.url)
    with pytest.raises(CloudError, match=f"redirects to {thief.url}"):
        requests.supports_microversion("compute", "2.45")
    assert thief.requests == []


def test_the_password_does_not_follow_a_redirect_of_keystone(connection, params, wire, thief):
    wire.stuck["POST"] = Answer(307, {"Location": f"{thief.url}/v3/auth/tokens"})
    with pytest.raises(RedirectedError, match=f"{wire.url}/v3/auth/tokens redirects to {thief.url}, "):
        Project.of(connection, params)
    assert thief.requests == []


def test_no_message_shows_a_user_and_a_password_of_an_address():
    url = "http://someone:secret@nova/v2.1"

    assert redirects.without_secrets(f"{url}?marker=1") == "http://nova/v2.1"
    assert sentence(OSError(f"no answer of {url}")) == "no answer of http://nova/v2.1"
