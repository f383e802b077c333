# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fork server: tasks that it runs end as without it, and tasks that it declines run by themselves."""

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.tests.helpers.controller import CALLBACK
from ansible_collections.onetoken.openstack.tests.integration.fake_module import (
    DIRECT,
    OFF,
    SERVED,
    install_collection,
    odd,
    results,
)

ENDS = ("works", "fails", "raises", "leaves", "is killed", "prints", "prints bytes", "is long")


@pytest.mark.versions
def test_a_module_ends_as_without_the_server(controller):
    install_collection(controller)
    tasks = [odd(how) for how in ENDS]
    tasks.append({"openstack.cloud.broken": {}, "ignore_errors": True})
    tasks.append(odd("another locale", environment={"LC_ALL": "C", "GIVEN": "a 'b' $c"}))
    tasks.append(odd("a check", check_mode=True, diff=True))
    pipelining = {"ANSIBLE_PIPELINING": "true"}
    run, served = results(controller, tasks, "-vvv", **pipelining, **CALLBACK)
    assert run.output.count(DIRECT) == len(tasks) - 1, run.output[-5000:]
    run, alone = results(controller, tasks, "-vvv", **pipelining, **OFF)
    assert SERVED not in run.output
    for task, one, other in zip(tasks, served, alone, strict=True):
        if task.get("name") == "is killed":
            # The shell prints this, and the direct door uses no shell.
            assert other.pop("module_stderr").strip() == "Killed" and one.pop("module_stderr") == ""
        assert one == other, task


@pytest.mark.versions
def test_tasks_that_are_declined_run_another_way(controller):
    """Nothing shows the secrets of a task with no_log."""
    install_collection(controller)
    tasks = [
        odd("first"),
        odd("second", no_log=True, **{"openstack.cloud.odd": {"how": "second", "secret": "never-to-be-seen"}}),
        odd("async", **{"async": 60}, poll=1),
        odd("alone", vars={"one_token": False}),
        odd("delegated", delegate_to="localhost"),
        {"command": 'grep -rl never-to-be-see[n] "{{ lookup(\'env\', \'ONETOKEN_SESSION_DIRECTORY\') }}"',
         "failed_when": "result_5.rc != 1"},
    ]  # fmt: skip
    jobs = {"ANSIBLE_ASYNC_DIR": str(controller.home / "jobs")}
    run, found = results(controller, tasks, "-vvv", **jobs, **CALLBACK)
    by_name = {task.get("name"): result for task, result in zip(tasks, found, strict=True)}
    assert by_name["first"]["answer"] == "first", by_name["first"]
    assert by_name["async"]["answer"] == "async", by_name["async"]
    assert by_name["delegated"]["answer"] == "delegated"
    assert by_name["alone"]["answer"] == "alone"
    assert "does not run directly: it is asynchronous" in run.output, run.output[-5000:]
    assert "never-to-be-seen" not in run.output


#: Prints output and exit codes of the command, with various inputs and outputs.
COMMAND = """
openstack --os-cloud sandbox flavor list -f json; echo $?
openstack --os-cloud sandbox flavor show no-such-flavor; echo $?
openstack --os-cloud sandbox no-such-command; echo $?
echo unread | openstack --os-cloud sandbox flavor list -f value > file; echo $?; cat file
openstack --os-cloud sandbox flavor list -f csv | head -1; echo "${PIPESTATUS[@]}"
for name in one two; do openstack --os-cloud sandbox flavor list -f value -c Name; done
"""


def test_the_command_prints_and_returns_the_same_as_without_the_server(controller):
    task = {"shell": COMMAND, "args": {"executable": "/bin/bash", "chdir": str(controller.home)}}
    run_served, (served,) = results(controller, [task], "-vvv", **CALLBACK)
    run, (alone,) = results(controller, [task], **OFF)
    assert (served["rc"], served["stdout"], served["stderr"]) == (alone["rc"], alone["stdout"], alone["stderr"])
    assert f"openstack {SERVED}" in run_served.output and SERVED not in run.output, run_served.output[-5000:]
