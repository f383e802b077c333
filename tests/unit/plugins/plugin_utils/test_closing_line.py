# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The line of a run's requests says what there is to say, and nothing else."""

from __future__ import annotations

from ansible_collections.onetoken.openstack.plugins.plugin_utils.closing_line import traffic_lines


def service(requests: int, throttled: int = 0, seconds: float = 0.0) -> dict[str, float]:
    return {"requests": requests, "throttled": throttled, "seconds": seconds}


def report(traffic: dict[str, dict[str, float]], documents_served: int = 0, served: int = 0) -> dict[str, object]:
    return {"traffic": traffic, "documents_served": documents_served, "served": served}


def test_a_run_that_sent_nothing_says_nothing():
    assert traffic_lines(report({}, documents_served=1, served=1), verbose=True) == []


def test_services_are_sorted_by_name_with_their_requests():
    traffic = {"identity": service(2), "block_storage": service(3)}
    assert traffic_lines(report(traffic), verbose=True) == ["one_token: requests: block storage 3, identity 2"]


def test_savings_and_waits_are_added():
    traffic = {"compute": service(9, throttled=1, seconds=2.25), "network": service(4, throttled=2, seconds=0.5)}
    assert traffic_lines(report(traffic, documents_served=5, served=7), verbose=False) == [
        "one_token: requests: compute 9, network 4; throttled: 3, held back by rate limits: 3 s; version documents "
        "served from the session: 5; programs run by the fork server: 7"
    ]


def test_a_short_wait_is_not_reported_but_each_throttled_answer_is():
    assert "waited" not in traffic_lines(report({"compute": service(1, seconds=0.9)}), verbose=False)[0]
    assert "throttled: 1" in traffic_lines(report({"compute": service(1, throttled=1)}), verbose=False)[0]


def test_a_verbose_run_lists_each_service_with_a_limit():
    traffic = {
        "compute": service(9, throttled=1, seconds=2.25),
        "network": service(4),
        "image": service(1, seconds=0.2),
    }
    assert traffic_lines(report(traffic), verbose=True)[1:] == [
        "one_token: compute: requests: 9, throttled: 1, held back by rate limits: 2.2 s",
        "one_token: image: requests: 1, throttled: 0, held back by rate limits: 0.2 s",
    ]
