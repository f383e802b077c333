# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cost of the transport for a request before any limit was met: calls are counted, as times vary."""

from __future__ import annotations

import collections
import sys
import types

import pytest
import requests
from ansible_collections.onetoken.openstack.plugins.module_utils._session.transport import sending
from keystoneauth1 import access
from keystoneauth1 import session as keystone_session

REQUESTS = 10
#: Modules of Python's whose functions call the system.
OF_THE_SYSTEM = ("posix", "fcntl", "_io", "io", "select", "_socket")
#: Functions of Python and of C that a request may call, twice as many as it does.
MOST_CALLS = 300
SERVICES = ("compute", "image", "identity", "network", "volumev3", "placement")
INTERFACES = ("public", "internal", "admin")


class Answering(requests.adapters.BaseAdapter):
    """Sends nothing."""

    def send(self, request, *_arguments, **_options):
        response = requests.Response()
        response.status_code = 200
        return response

    def close(self):
        pass


@pytest.fixture
def client():
    """On a token whose catalog has ten regions."""
    endpoints = [{"interface": one, "region_id": f"R{region}"} for one in INTERFACES for region in range(10)]
    catalog = [
        {"type": name, "endpoints": [{"url": f"http://cloud/{name}", **endpoint} for endpoint in endpoints]}
        for name in SERVICES
    ]
    token = access.create(body={"token": {"methods": ["password"], "project": {"id": "p1"}, "catalog": catalog}})
    own = requests.Session()
    own.mount("http://", Answering())
    yield keystone_session.Session(types.SimpleNamespace(auth_ref=token, auth_url="http://cloud/identity"), own)
    own.close()


def calls_of_a_request(client) -> dict[str, float]:
    """The functions that each of some requests calls once another has gone before, by their modules and names."""
    options = {"endpoint_filter": {"service_type": "compute", "region_name": "R3", "interface": "public"}}
    request = requests.Request("GET", "http://cloud/compute/servers").prepare()

    def call():
        return client.session.get_adapter(request.url).send(request)

    sending.through(call, client, options, True)
    found = collections.Counter()

    def count(frame, event, function):
        if event == "c_call":
            found[f"{function.__module__}.{function.__qualname__}"] += 1
        elif event == "call":
            found[frame.f_code.co_name] += 1

    sys.setprofile(count)
    try:
        for _turn in range(REQUESTS):
            sending.through(call, client, options, True)
    finally:
        sys.setprofile(None)
    return {name: count / REQUESTS for name, count in found.items()}


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        # Whether a limit was met is in a file that stays open; so does that of the counts. At each use, it is looked
        # whether it is still that file.
        ("auto", {"posix.pread": 2, "posix.write": 1, "posix.fstat": 3}),
        ("false", {"posix.write": 1, "posix.fstat": 1}),
    ],
)
def test_a_request_costs_a_few_calls_of_the_system_and_none_that_waits(on_session, client, rate, expected):
    on_session(requests_per_second=rate)
    calls = calls_of_a_request(client)
    assert {name: count for name, count in calls.items() if name.partition(".")[0] in OF_THE_SYSTEM} == expected
    assert sum(calls.values()) < MOST_CALLS, calls
