# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that are stopped, rebooted, shelved and backed up for real, several in one call."""

from __future__ import annotations

import json
import secrets
import typing as t

import pytest
from ansible_collections.onetoken.openstack.tests.helpers.waiting import wait_for
from openstack.compute.v2.server import Server

#: Other tests work with the servers before these.
SERVERS = ("web-07", "web-08", "web-09", "web-10")
MARKS = ("onetoken_shelved", "onetoken_rebooted")


@pytest.fixture
def run_name() -> str:
    """A run of this test alone: the sandbox keeps what earlier ones made."""
    return f"test-{secrets.token_hex(4)}"


@pytest.fixture
def statuses(demo_cloud) -> t.Iterator[t.Callable[[], dict[str, str]]]:
    """The statuses of the servers that these tests work with, which run again and are not marked in the end."""

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
        demo_cloud.compute.delete_server_metadata(server, [mark for mark in MARKS if mark in server.metadata])


@pytest.fixture
def call(controller, statuses) -> t.Callable[..., dict[str, t.Any]]:
    """What a module of the collection answers."""

    def play(module: str, **options: t.Any) -> dict[str, t.Any]:
        answer = controller.home / "answer.json"
        run = controller.play(
            [
                {
                    f"onetoken.openstack.{module}": {"cloud": "sandbox", "timeout": 120, **options},
                    "register": "answer",
                },
                {"ansible.builtin.copy": {"content": "{{ answer | to_json }}", "dest": str(answer), "mode": "0600"}},
            ]
        )
        assert run.ok, run.output
        return json.loads(answer.read_text())

    return play


def outcomes(answer: dict[str, t.Any]) -> dict[str, str]:
    return {result["name"]: result["outcome"] for result in answer["results"]}


def posts(nova, answer: dict[str, t.Any], what: str) -> int:
    """How often Nova was asked for something of the servers of an answer."""
    paths = {f"/servers/{result['id']}/{what}" for result in answer["results"]}
    return sum(
        request.method == "POST" and any(request.path.endswith(path) for path in paths) for request in nova.requests()
    )


@pytest.mark.versions
@pytest.mark.repeats
def test_the_morning_brings_back_what_the_night_has_shelved_and_nothing_else(call, statuses, access_log, run_name):
    by_hand = call("os_server_shelve", state="shelved", mark=False, servers=["web-09"])
    assert outcomes(by_hand) == {"web-09": "done"} and by_hand["run"] == ""
    nova = access_log("nova")
    night = call("os_server_shelve", state="shelved", run=run_name, name_pattern="web-0[789]")
    assert outcomes(night) == {"web-07": "done", "web-08": "done", "web-09": "already"}
    assert (posts(nova, night, "metadata"), posts(nova, night, "action")) == (2, 2)
    shelved = {name for name, status in statuses().items() if status.startswith("SHELVED")}
    assert shelved == {"web-07", "web-08", "web-09"}

    nova.restart()
    morning = call("os_server_shelve", state="unshelved", run=run_name)
    assert outcomes(morning) == {"web-07": "done", "web-08": "done"}
    assert posts(nova, morning, "action") == 2
    now = statuses()
    assert now.pop("web-09").startswith("SHELVED")
    assert set(now.values()) == {"ACTIVE"}
    again = call("os_server_shelve", state="unshelved", run=run_name)
    assert outcomes(again) == {"web-07": "already", "web-08": "already"} and not again["changed"]


def test_servers_are_stopped_and_started_and_what_is_there_is_left_alone(call, statuses, access_log):
    nova = access_log("nova")
    stopped = call("os_server_power", state="stopped", servers=["web-07", "web-08"])
    assert outcomes(stopped) == {"web-07": "done", "web-08": "done"}
    assert posts(nova, stopped, "action") == 2
    assert (statuses()["web-07"], statuses()["web-08"]) == ("SHUTOFF", "SHUTOFF")

    started = call("os_server_power", state="started", name_pattern="web-0[789]")
    assert outcomes(started) == {"web-07": "done", "web-08": "done", "web-09": "already"}
    assert set(statuses().values()) == {"ACTIVE"}


@pytest.mark.repeats
@pytest.mark.parametrize("reboot_type", ["SOFT", "HARD"])
def test_a_run_reboots_a_server_once(call, access_log, run_name, reboot_type):
    nova = access_log("nova")
    options = {"state": "rebooted", "reboot_type": reboot_type, "run": run_name}
    first = call("os_server_power", servers=["web-10"], **options)
    second = call("os_server_power", servers=["web-09", "web-10"], **options)
    assert outcomes(first) == {"web-10": "done"}
    assert outcomes(second) == {"web-09": "done", "web-10": "already"}
    assert [result["reason"] for result in second["results"]] == ["", ""]
    assert posts(nova, second, "action") == 2


@pytest.mark.repeats
def test_nova_keeps_as_many_backups_as_it_is_told(call, demo_cloud, run_name):
    options = {"servers": ["web-10"], "backup_type": run_name, "rotation": 1}
    for number in (1, 2):
        made = call("os_server_backup", run=f"{run_name}-{number}", **options)
        assert outcomes(made) == {"web-10": "done"}
        assert made["results"][0]["created"][0]["status"] == "active"
    again = call("os_server_backup", run=f"{run_name}-2", **options)
    assert outcomes(again) == {"web-10": "already"} and not again["changed"]
    kept = [image for image in demo_cloud.image.images() if run_name in (image.name or "")]
    assert [image.name for image in kept] == [f"web-10-{run_name}-2"]
    for image in kept:
        demo_cloud.image.delete_image(image)


@pytest.mark.repeats
def test_a_server_of_a_volume_is_backed_up_by_other_means(call, run_name):
    answer = call("os_server_backup", servers=["db-01"], run=run_name, ignore_failures=True)
    assert outcomes(answer) == {"db-01": "failed"}
    assert "use os_server_snapshot" in answer["results"][0]["reason"]
