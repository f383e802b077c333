# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unmodified tasks at the rate limit of every service: none fails, and none lacks data."""

from __future__ import annotations

import json

import pytest
from ansible_collections.onetoken.openstack.tests.helpers.controller import CALLBACK, play_of

REPEATS = pytest.mark.repeats
MIXED = play_of(
    """
- openstack.cloud.compute_flavor_info: {cloud: sandbox}
  register: flavors
- openstack.cloud.networks_info: {cloud: sandbox}
  register: networks
- openstack.cloud.volume_info: {cloud: sandbox}
  register: volumes
- copy:
    dest: "{{ lookup('env', 'HOME') }}/{{ inventory_hostname }}.json"
    content: "{{ [flavors.flavors, networks.networks, volumes.volumes] | to_json }}"
""",
    hosts="all",
)
SERVERS = """
- openstack.cloud.server_info: {cloud: sandbox}
  register: found
- copy: {dest: "{{ lookup('env', 'HOME') }}/servers.json", content: "{{ found.servers | to_json }}"}
"""
TEN_REQUESTS = (
    "import openstack; ask = openstack.connect(cloud='sandbox').compute.get; "
    "print(sorted(ask('/flavors').status_code for _ in range(10)))"
)


def unlimited(limits):
    limits(requests_per_second=0, token_requests_per_minute=0)


def saved(controller, pattern):
    """The contents of the files that a play wrote."""
    return [json.loads(file.read_text()) for file in sorted(controller.home.glob(pattern))]


@pytest.mark.parametrize(
    ("dialect", "hosts", "limit"),
    [
        ("none", 6, 2),
        *(
            pytest.param(name, 20, 3, marks=REPEATS)
            for name in ("none", "retry-after", "x-ratelimit-reset", "x-retry-after", "413")
        ),
    ],
)
def test_parallel_tasks_over_the_limit_fail_only_without_a_session(controller, limits, dialect, hosts, limit):
    arguments = ("-i", controller.write_inventory(hosts), "--forks", str(hosts))
    unlimited(limits)
    assert controller.play(None, *arguments, plays=MIXED, **CALLBACK).ok
    expected = saved(controller, "host*.json")

    limits(requests_per_second=limit, dialect=dialect)
    run = controller.play(None, *arguments, plays=MIXED, **CALLBACK)
    assert run.ok, run.output
    assert saved(controller, "host*.json") == expected
    assert "throttled: " in run.output and "held back by rate limits: " in run.output

    limits(requests_per_second=limit, dialect=dialect)
    assert controller.play(None, *arguments, plays=MIXED).status != 0


def test_no_server_lacks_its_addresses_under_a_limit(controller, limits):
    unlimited(limits)
    assert controller.play(SERVERS, **CALLBACK).ok
    (expected,) = saved(controller, "servers.json")

    limits(requests_per_second=2)
    run = controller.play(SERVERS, **CALLBACK)
    assert run.ok, run.output
    assert saved(controller, "servers.json") == [expected]


def test_a_task_fails_with_a_message_if_the_limit_lasts_too_long(controller, limits):
    limits(requests_per_second=1, token_requests_per_minute=0, dialect="retry-after")
    run = controller.play(
        "- openstack.cloud.server_info: {cloud: sandbox}",
        ONETOKEN_LIMIT_TIMEOUT="0",
        **CALLBACK,
    )
    assert run.status != 0
    assert "limits the rate of requests" in run.output and "Traceback" not in run.output


def test_programs_see_the_limit_if_the_rate_limiter_is_switched_off(controller, limits):
    limits(requests_per_second=1, token_requests_per_minute=0)
    run = controller.play(
        f"- command: {{argv: ['{{{{ ansible_playbook_python }}}}', -c, \"{TEN_REQUESTS}\"]}}",
        "-v",
        ONETOKEN_REQUESTS_PER_SECOND="false",
        **CALLBACK,
    )
    assert run.ok and "429]" in run.output, run.output
