# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bulk playbooks as AWX runs them: by ansible-runner, in an execution environment, as a user without a name."""

from __future__ import annotations

import re
import time
import typing as t

import pytest
import yaml
from ansible_collections.onetoken.openstack.tests.helpers.controller import play_of
from ansible_collections.onetoken.openstack.tests.helpers.waiting import wait_for
from ansible_collections.onetoken.openstack.tests.integration.awx.job import Job, devstack, inventory_of
from ansible_collections.onetoken.openstack.tests.integration.cleanup import left_as_found
from ansible_collections.onetoken.openstack.tests.integration.leaks import Secrets
from ansible_collections.onetoken.openstack.tests.integration.silent_service import silent_service
from ansible_collections.onetoken.openstack.tests.stand_in.running import StandIn
from openstack.connection import Connection

#: Seconds within which a cancelled job leaves nothing behind: ten, on an idle machine.
SOON = 30
#: How many jobs share the work, as in AWX's template.
SLICES = 4


@pytest.fixture(scope="module", autouse=True)
def tidied(sandbox) -> t.Iterator[None]:
    """Other tests count the images of the same servers."""
    with left_as_found(sandbox.administrator()):
        yield


@pytest.fixture
def start(new_job, sandbox):
    """Start a bulk playbook with answers to its survey."""

    def started(name: str, *arguments: str, **answers: t.Any) -> Job:
        job = new_job().prepare(devstack(sandbox.clouds["sandbox"]), {"cloud": "devstack", **answers})
        return job.start(f"playbooks/{name}.yml", *arguments)

    return started


@pytest.fixture
def assert_clean(sandbox, issued):
    """No process of the job is alive, no token either if there was a session, and no file has a secret."""

    def check(job: Job, session: bool = True) -> None:
        job.wait_until_dead(SOON)
        assert issued.all()
        assert not session or issued.living() == []
        evidence = job.kept()
        assert any("job_events" in place for place in evidence)
        assert Secrets(*issued.all(), sandbox.password("demo")).places(evidence) == []

    return check


#: Other tests run these playbooks without AWX; the job around them is the same.
REPEATS = pytest.mark.repeats


@pytest.mark.parametrize(
    ("playbook", "answers", "done"),
    [
        pytest.param(
            "bulk_snapshot",
            {"name_pattern": "web-0[12]", "keep_last": 1, "run_pattern": "awx-*"},
            "2 of 2 servers snapshotted",
            id="snapshot",
        ),
        pytest.param(
            "bulk_volume_snapshot",
            {"volumes": "data-02,data-03"},
            "2 of 2 volumes snapshotted",
            id="volume_snapshot",
            marks=REPEATS,
        ),
        pytest.param(
            "bulk_shelve",
            {"servers": "web-09\n", "status": "", "tags": None},
            "1 of 1 server shelved",
            id="shelve",
            marks=REPEATS,
        ),
        pytest.param("bulk_unshelve", {"servers": "web-09"}, "1 of 1 server unshelved", id="unshelve", marks=REPEATS),
        pytest.param(
            "bulk_image_create",
            {"from_volumes": True, "volumes": "data-02"},
            "1 of 1 volume uploaded",
            id="image_create",
            marks=REPEATS,
        ),
        pytest.param(
            "retention", {"kind": "image", "run_pattern": "awx-*", "keep_last": 1}, "", id="retention", marks=REPEATS
        ),
    ],
)
def test_every_bulk_playbook_runs_as_a_job(start, assert_clean, playbook, answers, done):
    job = start(playbook, run_name="awx-each", **answers) if playbook != "retention" else start(playbook, **answers)
    assert job.wait() == "", job.output
    assert done in job.output
    assert_clean(job)


@REPEATS
def test_a_job_of_the_type_check_is_a_dry_run(start, assert_clean, access_log):
    nova = access_log("nova")
    job = start("bulk_snapshot", "--check", run_name="awx-dry", name_pattern="web-*")
    assert job.wait() == "", job.output
    assert "planned: web-01 as web-01-awx-dry" in job.output
    assert [request for request in nova.requests() if request.method == "POST"] == []
    # Check mode has no session.
    assert_clean(job, session=False)


@REPEATS
def test_two_asterisks_in_a_survey_select_the_whole_project(start):
    job = start("bulk_snapshot", "--check", run_name="2026-01-31", name_pattern="**")
    assert job.wait() == "", job.output
    planned = re.findall(r"planned: (\S+) as \S+-2026-01-31\b", job.output)
    assert {"broken-01", "db-01", "web-01"} <= set(planned), job.output


@pytest.mark.parametrize(
    ("answers", "arrived"),
    [
        pytest.param({"run_name": "012"}, "run_name is 10", marks=REPEATS),
        pytest.param({"run_name": "1:30"}, "run_name is 90", marks=REPEATS),
        pytest.param({"run_name": "1.10"}, "run_name is 1.1", marks=REPEATS),
        pytest.param({"name_pattern": "yes"}, "name_pattern is true", marks=REPEATS),
        ({"name_pattern": "012", "image_name": "0x10"}, "image_name is 16, name_pattern is 10"),
        pytest.param({"servers": "0123456"}, "servers is 42798", marks=REPEATS),
        ({"status": ["ACTIVE", "off"]}, 'status is ["ACTIVE", false]'),
    ],
    ids=str,
)
def test_an_answer_that_ansible_does_not_read_as_text_is_refused(start, keystone, answers, arrived):
    job = start("bulk_snapshot", **{"name_pattern": "web-01", "run_name": "awx-text", **answers})
    assert job.wait() != ""
    shown = job.output.replace('\\"', '"')
    assert f"Nothing was done: {arrived}, not text: Ansible turns 012, 1:30, 1.10 and yes into" in shown, shown
    assert keystone.requests() == []


def test_the_inventory_source_finds_the_collections_of_the_image(new_job, sandbox):
    job = new_job().prepare(devstack(sandbox.clouds["sandbox"]), {})
    hosts = job.inventory_update("playbooks/awx/inventory/openstack.yml")["_meta"]["hostvars"]
    assert hosts["web-01"]["openstack"]["id"]


def test_a_cancelled_job_leaves_nothing_alive_and_the_next_one_finishes_its_work(
    start, assert_clean, limits, access_log, demo_cloud, issued
):
    limits(snapshot_seconds=15)
    nova = access_log("nova")
    run = {"run_name": f"awx-cancelled-{time.time_ns()}", "name_pattern": "web-0[1-4]"}
    job = start("bulk_snapshot", **run)
    wait_for(lambda: _requested(nova) >= 3, 120, lambda: f"three snapshots are requested: {job.output}")
    assert job.cancel().startswith("canceled")
    assert_clean(job)
    limits(snapshot_seconds=0)
    wait_for(lambda: not _busy(demo_cloud), 120, "no server is busy")
    issued.forget()
    again = start("bulk_snapshot", **run, queued_timeout=1)
    assert again.wait() == "", again.output
    assert_clean(again)
    assert _images(demo_cloud, run["run_name"]) == [f"web-{number:02}" for number in range(1, 5)]


def under_the_callback(*tasks: dict[str, t.Any]) -> dict[str, str]:
    """An unmodified playbook, and one line in the project's ansible.cfg."""
    return {
        "site.yml": play_of(tasks),
        "ansible.cfg": "[defaults]\ncallbacks_enabled = onetoken.openstack.one_token\n",
    }


def test_tasks_of_a_job_under_the_callback_run_in_forks(new_job, sandbox, assert_clean, keystone):
    project = under_the_callback({"openstack.cloud.server_info": {}}, {"openstack.cloud.image_info": {}})
    job = new_job().prepare(devstack(sandbox.clouds["sandbox"]), {}, project=project)
    assert job.run("site.yml") == "", job.output
    assert "programs run by the fork server: 2" in job.output, job.output
    assert keystone.count("POST") == 1
    assert_clean(job)


def test_a_cancelled_job_under_the_callback_leaves_nothing_alive(new_job, sandbox, assert_clean, keystone, issued):
    """Even a module that waits for a service, which Ansible leaves running when it is killed."""
    project = under_the_callback({"openstack.cloud.server_info": {}}, {"openstack.cloud.image_info": {}})
    with silent_service() as silent:
        clouds = devstack(sandbox.clouds["sandbox"])
        clouds["clouds"]["devstack"]["image_endpoint_override"] = silent.url
        job = new_job().prepare(clouds, {}, project=project).start("site.yml")
        wait_for(lambda: silent.is_asked, 120, lambda: f"images are listed: {job.output}")
        # The fork server and its fork.
        assert sum("fork_server" in command for command in job.processes()) == 2
        assert job.cancel().startswith("canceled")
        wait_for(lambda: issued.living() == [], SOON, "its token is refused")
    assert_clean(job)
    assert keystone.count("POST") == 1


def _requested(nova) -> int:
    return sum(request.method == "POST" and request.path.endswith("/action") for request in nova.requests())


def _busy(cloud: Connection) -> list[str]:
    """The servers with a task in progress."""
    return [server.name for server in cloud.compute.servers() if server.task_state]


def _images(cloud: Connection, run: str) -> list[str]:
    """The servers with a good image of the run, once per image."""
    good = [image for image in cloud.image.images(status="active") if image.properties.get("onetoken_run") == run]
    return sorted(image.name.removesuffix(f"-{run}") for image in good)


@pytest.mark.parametrize(("slices", "servers"), [(2, 60), pytest.param(SLICES, 100, marks=REPEATS)])
def test_slices_together_stay_within_the_limit_and_snapshot_each_server_once(new_job, tmp_path, slices, servers):
    with StandIn(tmp_path, servers=servers, requests_per_second=20) as cloud:
        names = sorted(server["name"] for server in cloud.state("servers")["servers"])
        run_sliced(new_job, devstack_of(cloud), names, slices, run_name="sliced")
        assert cloud.count("nova", "POST", "/action$", status=202) == servers
        # The limit applies to all slices together; on a busy machine, a late request may exceed it. Slices that did not
        # share the limit would send a multiple of it.
        assert cloud.count("nova", status=429) + cloud.count("glance", status=429) <= 2
        images = [image for image in cloud.state("images")["images"] if image.get("onetoken_run") == "sliced"]
        assert sorted(image["onetoken_server_name"] for image in images if image["status"] == "active") == names
        assert len(images) == servers
        assert cloud.count("keystone", "POST", "/auth/tokens$") == cloud.count("keystone", "DELETE") == slices


@REPEATS
def test_slices_share_the_project_of_a_real_cloud(new_job, sandbox, issued, demo_cloud, access_log):
    nova, run_name = access_log("nova"), f"awx-sliced-{time.time_ns()}"
    names = [f"web-{number:02}" for number in range(1, 11)]
    jobs = run_sliced(new_job, devstack(sandbox.clouds["sandbox"]), names, SLICES, run_name=run_name)
    assert _requested(nova) == 10
    assert len(issued.all()) == SLICES
    assert issued.living() == []
    assert _images(demo_cloud, run_name) == names
    for job in jobs:
        assert Secrets(*issued.all(), sandbox.password("demo")).places(job.kept()) == []


def run_sliced(
    new_job, clouds: t.Mapping[str, t.Any], names: t.Sequence[str], slices: int, **answers: t.Any
) -> list[Job]:
    """As AWX slices an inventory: each of n jobs has every n-th host, and all run at the same time."""
    variables = {"cloud": "devstack", "slices": slices, "target": "servers", "requests_per_second": "20", **answers}
    jobs = [new_job().prepare(clouds, variables, inventory_of(*names[number::slices])) for number in range(slices)]
    for job in jobs:
        job.start("playbooks/bulk_snapshot.yml")
    for job in jobs:
        assert job.wait() == "", job.output
    return jobs


def devstack_of(cloud: StandIn) -> dict[str, t.Any]:
    with open(cloud.clouds_file, encoding="utf-8") as file:
        (entry,) = yaml.safe_load(file)["clouds"].values()
    return devstack(entry)


@REPEATS
def test_a_sliced_job_without_a_target_is_refused_before_anything_is_done(new_job, sandbox, keystone):
    variables = {"cloud": "devstack", "slices": SLICES}
    job = new_job().prepare(devstack(sandbox.clouds["sandbox"]), variables)
    assert job.run("playbooks/bulk_snapshot.yml") != ""
    assert "each of 4 slices would do all of it: set target to hosts of the inventory" in job.output
    assert keystone.requests() == []
