# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong under a bulk run: killed runs, storms of errors, a token revoked under it, Ctrl-C.

Against a stand-in of the APIs, as a real cloud cannot be made to lose every hundredth answer.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import typing as t
from collections import Counter

import pytest
from ansible_collections.onetoken.openstack.tests.helpers.waiting import wait_for
from ansible_collections.onetoken.openstack.tests.stand_in.running import StandIn

CALLBACK = {"ANSIBLE_CALLBACKS_ENABLED": "onetoken.openstack.one_token"}


@pytest.fixture
def start(tmp_path: pathlib.Path) -> t.Iterator[t.Callable[..., StandIn]]:
    started: list[StandIn] = []

    def new(**options: t.Any) -> StandIn:
        cloud = StandIn(tmp_path / "cloud", **options)
        cloud.start()
        started.append(cloud)
        return cloud

    yield new
    for cloud in started:
        cloud.stop()


@pytest.fixture
def play(controller) -> t.Callable[..., str]:
    """The path of a play that snapshots every server as run r1 and writes what the task returned to result.json."""

    def write(**options: t.Any) -> str:
        snapshot = {"cloud": "stand-in", "name_pattern": "**", "run": "r1", "ignore_failures": True, **options}
        result = str(controller.home / "result.json")
        tasks = [
            {"onetoken.openstack.os_server_snapshot": snapshot, "register": "snapshot"},
            {"ansible.builtin.copy": {"content": "{{ snapshot | to_json }}", "dest": result, "mode": "0600"}},
        ]
        path = controller.home / "bulk.yml"
        path.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
        return str(path)

    return write


@pytest.fixture
def result(controller) -> t.Callable[[], dict[str, t.Any]]:
    return lambda: json.loads((controller.home / "result.json").read_text())


def images_of_run(cloud: StandIn) -> list[dict[str, t.Any]]:
    images = cloud.state("images")["images"]
    return [image for image in images if image.get("onetoken_run") == "r1" and not image.get("deleted")]


def counted(answer: dict[str, t.Any]) -> dict[str, int]:
    """The outcomes that there were."""
    return {outcome: count for outcome, count in answer["counts"].items() if count}


def assert_each_server_has_one_good_image(cloud: StandIn, servers: int) -> None:
    images = images_of_run(cloud)
    assert Counter(image["status"] for image in images) == {"active": servers}
    assert len({image["onetoken_server_id"] for image in images}) == servers


def test_a_run_that_is_killed_is_finished_by_the_next_one(controller, start, play, result):
    cloud = start(servers=200, snapshot_seconds=3, requests_per_second=50)
    with controller.started("ansible-playbook", play(requests_per_second="50"), **cloud.environ) as terminal:
        wait_for(lambda: cloud.count("nova", "POST", "/action$", status=202) >= 70, 60, "70 of 200 are asked for")
        kill_all(terminal.process.pid)
        wait_for(lambda: terminal.process.poll() is not None, 30, "the run is dead")
    made = len(images_of_run(cloud))
    assert 70 <= made < 200

    assert controller.run(play(requests_per_second="50"), **cloud.environ).ok
    assert counted(result()) == {"done": 200 - made, "already": made}
    assert cloud.count("nova", "POST", "/action$", status=202) == 200
    assert_each_server_has_one_good_image(cloud, 200)


def test_two_calls_of_one_run_at_the_same_time_make_nothing_twice(controller, start, play):
    """Images that are complete at once are no hindrance to Nova to make another one."""
    cloud = start(servers=40, snapshot_seconds=0, requests_per_second=20)
    playbook = play(requests_per_second="20")
    with (
        controller.started("ansible-playbook", playbook, **cloud.environ) as first,
        controller.started("ansible-playbook", playbook, **cloud.environ) as second,
    ):
        wait_for(lambda: first.ended and second.ended, 120, "both runs end")
        assert (first.process.returncode, second.process.returncode) == (0, 0), first.output + second.output
    assert_each_server_has_one_good_image(cloud, 40)


@pytest.mark.repeats
def test_what_a_killed_run_left_in_the_queue_is_made_anew(controller, start, play, result):
    cloud = start(servers=5, stuck=2, snapshot_seconds=1)
    run = controller.run(play(timeout=5), **cloud.environ)
    assert run.ok and result()["counts"]["failed"] == 2, run.output
    cloud.control(stuck=0)
    run = controller.run(play(queued_timeout=1), **cloud.environ)
    assert run.ok and counted(result()) == {"done": 2, "already": 3}
    assert_each_server_has_one_good_image(cloud, 5)


def test_a_storm_fails_no_server_and_doubles_no_image(controller, start, play, result):
    cloud = start(servers=60, snapshot_seconds=1)
    cloud.control(storm_429="every third", storm_503=0.15, storm_cut=0.01)
    playbook, environment = play(requests_per_second="20"), {**cloud.environ, **CALLBACK}
    with controller.started("ansible-playbook", playbook, **environment) as terminal:
        wait_for(lambda: cloud.count("nova", "POST", "/action$") >= 20, 60, "20 servers were asked for")
        cloud.revoke_tokens()
        wait_for(lambda: terminal.ended, 300, "the run ends")
        assert terminal.process.returncode == 0, terminal.output
    assert counted(result()) == {"done": 60}, result()["results"]
    assert_each_server_has_one_good_image(cloud, 60)
    storm = cloud.state("storm")["storm"]
    assert storm["503"] and storm["429"], storm
    refused = cloud.count("nova", status=401) + cloud.count("glance", status=401)
    assert refused >= 1
    # One at the start, one for the token that was revoked, however many requests found that out.
    assert cloud.count("keystone", "POST", "/auth/tokens", status=201) == 2
    sent = {"compute": cloud.count("nova"), "image": cloud.count("glance")}
    assert {service: count for service, count in result()["requests"].items() if service in sent} == sent


def test_ctrl_c_sends_nothing_new_and_what_is_under_way_is_seen_through(controller, start, play, result):
    cloud = start(servers=400, snapshot_seconds=4, requests_per_second=20)
    report = controller.home / "report"
    arguments = (play(requests_per_second="20", report=str(report)),)
    with controller.started("ansible-playbook", *arguments, **cloud.environ, **CALLBACK) as terminal:
        wait_for(lambda: cloud.count("nova", "POST", "/action$", status=202) >= 30, 60, "30 servers were asked for")
        terminal.press_control_c()
        wait_for(lambda: terminal.ended, 60, "the run ends")
        assert "interrupted at" in terminal.output and "run it again for the rest" in terminal.output
        # The module goes on by itself, and its token lives for as long.
        wait_for(lambda: report.with_suffix(".json").exists(), 60, "the module has written its report")
    written = json.loads(report.with_suffix(".json").read_text())
    asked = cloud.count("nova", "POST", "/action$", status=202)
    assert 30 <= asked < 400
    assert written["counts"]["done"] == asked and written["counts"]["skipped"] == 400 - asked
    assert written["stopped"].startswith("the run was interrupted by ")
    assert Counter(image["status"] for image in images_of_run(cloud)) == {"active": asked}
    wait_for(lambda: cloud.count("keystone", "DELETE", "/auth/tokens") >= 1, 30, "the token is revoked")
    assert cloud.count("nova", "POST", "/action$", status=202) == asked


def test_a_cancelled_job_is_over_in_time_though_the_cloud_lets_nothing_through(controller, start, play):
    """As ansible-runner ends one: by killing the process group of ansible-playbook."""
    cloud = start(servers=5, storm_429=1.0)
    job = {"AWX_ISOLATED_DATA_DIR": str(controller.home), **CALLBACK, **cloud.environ}
    with controller.started("ansible-playbook", play(), **job) as terminal:
        wait_for(lambda: cloud.count("nova", status=429) >= 3, 120, "the servers cannot be listed")
        os.killpg(terminal.process.pid, signal.SIGKILL)
        wait_for(lambda: cloud.count("keystone", "DELETE", "/auth/tokens") == 1, 10, "the token is revoked")
    assert not [token for token in cloud.state("tokens")["tokens"] if not token["revoked"]]


def kill_all(run: int) -> None:
    """Kill the run and all that it started, wherever it went."""
    for process in (*descendants(run), run):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def descendants(process: int) -> list[int]:
    with contextlib.suppress(FileNotFoundError):
        children = pathlib.Path(f"/proc/{process}/task/{process}/children").read_text().split()
        return [found for child in map(int, children) for found in (*descendants(child), child)]
    return []
