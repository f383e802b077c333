# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that stop, reboot, shelve and back up servers, several at once."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.onetoken.openstack.tests.helpers.waiting import wait_for
from ansible_collections.onetoken.openstack.tests.integration.bulk_results import Result, outcomes
from openstack.compute.v2.server import Server

#: Other tests use the servers with lower numbers.
SERVERS = ("web-07", "web-08", "web-09", "web-10")
LABELS = ("onetoken_shelved", "onetoken_rebooted")


@pytest.fixture
def statuses(demo_cloud) -> t.Iterator[t.Callable[[], dict[str, str]]]:
    """The statuses of these servers; at the end, all of them run again and have no labels."""

    def current() -> dict[str, str]:
        return {server.name: server.status for server in servers()}

    def servers() -> list[Server]:
        return [server for server in demo_cloud.compute.servers() if server.name in SERVERS]

    yield current
    for server in servers():
        if server.status.startswith("SHELVED"):
            demo_cloud.compute.unshelve_server(server)
        elif server.status == "SHUTOFF":
            demo_cloud.compute.start_server(server)
    wait_for(lambda: set(current().values()) == {"ACTIVE"}, 60, "all servers run again")
    for server in servers():
        demo_cloud.compute.delete_server_metadata(server, [label for label in LABELS if label in server.metadata])


def posts(nova, result: Result, what: str) -> int:
    """How many POST requests Nova got for the servers of a result."""
    paths = {f"/servers/{item['id']}/{what}" for item in result["results"]}
    return sum(
        request.method == "POST" and any(request.path.endswith(path) for path in paths) for request in nova.requests()
    )


@pytest.mark.versions
@pytest.mark.repeats
def test_unshelving_a_run_restores_only_the_servers_that_it_shelved(bulk, statuses, access_log, run_name):
    by_hand = bulk("os_server_shelve", state="shelved", mark=False, servers=["web-09"])
    assert outcomes(by_hand) == {"web-09": "done"} and by_hand["run"] == ""
    nova = access_log("nova")
    night = bulk("os_server_shelve", state="shelved", run=run_name, name_pattern="web-0[789]")
    assert outcomes(night) == {"web-07": "done", "web-08": "done", "web-09": "already"}
    assert (posts(nova, night, "metadata"), posts(nova, night, "action")) == (2, 2)
    shelved = {name for name, status in statuses().items() if status.startswith("SHELVED")}
    assert shelved == {"web-07", "web-08", "web-09"}

    nova.restart()
    morning = bulk("os_server_shelve", state="unshelved", run=run_name)
    assert outcomes(morning) == {"web-07": "done", "web-08": "done"}
    assert posts(nova, morning, "action") == 2
    now = statuses()
    assert now.pop("web-09").startswith("SHELVED")
    assert set(now.values()) == {"ACTIVE"}
    again = bulk("os_server_shelve", state="unshelved", run=run_name)
    assert outcomes(again) == {"web-07": "already", "web-08": "already"} and not again["changed"]


def test_servers_are_stopped_and_started_unless_they_already_are(bulk, statuses, access_log):
    nova = access_log("nova")
    stopped = bulk("os_server_power", state="stopped", servers=["web-07", "web-08"])
    assert outcomes(stopped) == {"web-07": "done", "web-08": "done"}
    assert posts(nova, stopped, "action") == 2
    assert (statuses()["web-07"], statuses()["web-08"]) == ("SHUTOFF", "SHUTOFF")

    started = bulk("os_server_power", state="started", name_pattern="web-0[789]")
    assert outcomes(started) == {"web-07": "done", "web-08": "done", "web-09": "already"}
    assert set(statuses().values()) == {"ACTIVE"}


@pytest.mark.repeats
@pytest.mark.parametrize("reboot_type", ["SOFT", "HARD"])
def test_a_run_reboots_a_server_once(bulk, statuses, access_log, run_name, reboot_type):
    nova = access_log("nova")
    options = {"state": "rebooted", "reboot_type": reboot_type, "run": run_name}
    first = bulk("os_server_power", servers=["web-10"], **options)
    second = bulk("os_server_power", servers=["web-09", "web-10"], **options)
    assert outcomes(first) == {"web-10": "done"}
    assert outcomes(second) == {"web-09": "done", "web-10": "already"}
    assert [result["reason"] for result in second["results"]] == ["", ""]
    assert posts(nova, second, "action") == 2


@pytest.mark.repeats
def test_nova_keeps_as_many_backups_as_the_rotation_says(bulk, demo_cloud, run_name):
    options = {"servers": ["web-10"], "backup_type": run_name, "rotation": 1}
    for number in (1, 2):
        made = bulk("os_server_backup", run=f"{run_name}-{number}", **options)
        assert outcomes(made) == {"web-10": "done"}
        assert made["results"][0]["created"][0]["status"] == "active"
    again = bulk("os_server_backup", run=f"{run_name}-2", **options)
    assert outcomes(again) == {"web-10": "already"} and not again["changed"]
    kept = [image for image in demo_cloud.image.images() if run_name in (image.name or "")]
    assert [image.name for image in kept] == [f"web-10-{run_name}-2"]
    for image in kept:
        demo_cloud.image.delete_image(image)


@pytest.mark.repeats
def test_a_server_booted_from_a_volume_cannot_be_backed_up(bulk, run_name):
    answer = bulk("os_server_backup", servers=["db-01"], run=run_name)
    assert outcomes(answer) == {"db-01": "failed"}
    assert "use os_server_snapshot" in answer["results"][0]["reason"]
