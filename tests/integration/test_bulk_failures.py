# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bulk runs survive trouble: killed runs, storms of errors, a revoked token, Ctrl-C.

They run against the stand-in, as a real cloud cannot be made to lose every hundredth answer.
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
from ansible_collections.onetoken.openstack.tests.helpers.controller import CALLBACK, Task, play_of
from ansible_collections.onetoken.openstack.tests.helpers.waiting import wait_for
from ansible_collections.onetoken.openstack.tests.integration.bulk_results import Result
from ansible_collections.onetoken.openstack.tests.stand_in.running import StandIn, stand_ins


@pytest.fixture
def start(tmp_path: pathlib.Path) -> t.Iterator[t.Callable[..., StandIn]]:
    """Start a stand-in with these options."""
    with stand_ins(tmp_path) as start:
        yield start


@pytest.fixture
def play(controller) -> t.Callable[..., str]:
    """Write a playbook that snapshots every server in run r1 and saves the result; its path."""

    def write(**options: t.Any) -> str:
        snapshot = {"cloud": "stand-in", "name_pattern": "**", "run": "r1", "ignore_failures": True, **options}
        result = str(controller.home / "result.json")
        tasks: list[Task] = [
            {"onetoken.openstack.os_server_snapshot": snapshot, "register": "snapshot"},
            {"ansible.builtin.copy": {"content": "{{ snapshot | to_json }}", "dest": result, "mode": "0600"}},
        ]
        return controller.write_playbook(play_of(tasks))

    return write


@pytest.fixture
def result(controller) -> t.Callable[[], Result]:
    """What the module returned."""
    return lambda: json.loads((controller.home / "result.json").read_text())


def images_of_run(cloud: StandIn) -> list[dict[str, t.Any]]:
    images = cloud.state("images")["images"]
    return [image for image in images if image.get("onetoken_run") == "r1" and not image.get("deleted")]


def counts(result: Result) -> dict[str, int]:
    """How many items had each outcome."""
    return {outcome: count for outcome, count in result["counts"].items() if count}


def assert_each_server_has_one_good_image(cloud: StandIn, servers: int) -> None:
    images = images_of_run(cloud)
    assert Counter(image["status"] for image in images) == {"active": servers}
    assert len({image["onetoken_server_id"] for image in images}) == servers


def test_the_next_run_finishes_what_a_killed_run_left(controller, start, play, result):
    cloud = start(servers=200, snapshot_seconds=3, requests_per_second=50)
    with controller.started("ansible-playbook", play(requests_per_second="50"), **cloud.environ) as terminal:
        wait_for(
            lambda: cloud.count("nova", "POST", "/action$", status=202) >= 70, 60, "70 of 200 snapshots are requested"
        )
        kill_all(terminal.process.pid)
        wait_for(lambda: terminal.process.poll() is not None, 30, "the run is dead")
    made = len(images_of_run(cloud))
    assert 70 <= made < 200

    assert controller.run(play(requests_per_second="50"), **cloud.environ).ok
    assert counts(result()) == {"done": 200 - made, "already": made}
    assert cloud.count("nova", "POST", "/action$", status=202) == 200
    assert_each_server_has_one_good_image(cloud, 200)


def test_two_tasks_of_one_run_at_the_same_time_make_nothing_twice(controller, start, play):
    """Nova does not prevent it: it makes another image once the first one is complete."""
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
def test_images_that_a_killed_run_left_queued_are_replaced(controller, start, play, result):
    cloud = start(servers=5, stuck=2, snapshot_seconds=1)
    run = controller.run(play(timeout=5), **cloud.environ)
    assert run.ok and result()["counts"]["failed"] == 2, run.output
    cloud.control(stuck=0)
    run = controller.run(play(queued_timeout=1), **cloud.environ)
    assert run.ok and counts(result()) == {"done": 2, "already": 3}
    assert_each_server_has_one_good_image(cloud, 5)


def test_a_storm_of_errors_fails_no_server_and_duplicates_no_image(controller, start, play, result):
    cloud = start(servers=60, snapshot_seconds=1)
    cloud.control(storm_429="every third", storm_503=0.15, storm_cut=0.01)
    playbook, environment = play(requests_per_second="20"), {**cloud.environ, **CALLBACK}
    with controller.started("ansible-playbook", playbook, **environment) as terminal:
        wait_for(lambda: cloud.count("nova", "POST", "/action$") >= 20, 60, "20 snapshots are requested")
        cloud.revoke_tokens()
        wait_for(lambda: terminal.ended, 300, "the run ends")
        assert terminal.process.returncode == 0, terminal.output
    assert counts(result()) == {"done": 60}, result()["results"]
    assert_each_server_has_one_good_image(cloud, 60)
    storm = cloud.state("storm")["storm"]
    assert storm["503"] and storm["429"], storm
    assert cloud.count("nova", status=401) + cloud.count("glance", status=401) >= 1
    # One at the start, and one for the revoked token, however many requests were refused.
    assert cloud.count("keystone", "POST", "/auth/tokens", status=201) == 2
    sent = {"compute": cloud.count("nova"), "image": cloud.count("glance")}
    assert {service: count for service, count in result()["requests"].items() if service in sent} == sent


def test_after_ctrl_c_nothing_new_is_sent_and_work_in_progress_is_finished(controller, start, play, result):
    cloud = start(servers=400, snapshot_seconds=4, requests_per_second=20)
    report = controller.home / "report"
    arguments = (play(requests_per_second="20", report=str(report)),)
    with controller.started("ansible-playbook", *arguments, **cloud.environ, **CALLBACK) as terminal:
        wait_for(lambda: cloud.count("nova", "POST", "/action$", status=202) >= 30, 60, "30 snapshots are requested")
        terminal.press_control_c()
        wait_for(lambda: terminal.ended, 60, "the run ends")
        assert "interrupted at" in terminal.output and "run it again for the rest" in terminal.output
        # The module keeps running, and its token stays valid until it ends.
        wait_for(lambda: report.with_suffix(".json").exists(), 60, "the module has written its report")
    written = json.loads(report.with_suffix(".json").read_text())
    requested = cloud.count("nova", "POST", "/action$", status=202)
    assert 30 <= requested < 400
    assert written["counts"]["done"] == requested and written["counts"]["skipped"] == 400 - requested
    assert written["stopped"].startswith("the run was interrupted by ")
    assert Counter(image["status"] for image in images_of_run(cloud)) == {"active": requested}
    wait_for(lambda: cloud.count("keystone", "DELETE", "/auth/tokens") >= 1, 30, "the token is revoked")
    assert cloud.count("nova", "POST", "/action$", status=202) == requested


def test_a_cancelled_job_ends_in_time_even_if_every_request_is_throttled(controller, start, play):
    """Cancelled as ansible-runner does it: by killing the process group of ansible-playbook."""
    cloud = start(servers=5, storm_429=1.0)
    job = {"AWX_ISOLATED_DATA_DIR": str(controller.home), **CALLBACK, **cloud.environ}
    with controller.started("ansible-playbook", play(), **job) as terminal:
        wait_for(lambda: cloud.count("nova", status=429) >= 3, 120, "the servers cannot be listed")
        os.killpg(terminal.process.pid, signal.SIGKILL)
        wait_for(lambda: cloud.count("keystone", "DELETE", "/auth/tokens") == 1, 10, "the token is revoked")
    assert not [token for token in cloud.state("tokens")["tokens"] if not token["revoked"]]


def kill_all(run: int) -> None:
    """Kill the run and all of its descendants."""
    for process in (*descendants(run), run):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def descendants(process: int) -> list[int]:
    with contextlib.suppress(FileNotFoundError):
        children = pathlib.Path(f"/proc/{process}/task/{process}/children").read_text().split()
        return [found for child in map(int, children) for found in (*descendants(child), child)]
    return []
