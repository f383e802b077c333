# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keywords that say how a task runs have the same effect in forks of the fork server as without it."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import sysconfig
import typing as t
import venv

import pytest
from ansible_collections.onetoken.openstack.tests.helpers.controller import ANSIBLE_BIN, CALLBACK, Run, play_of
from ansible_collections.onetoken.openstack.tests.integration.fake_module import (
    DIRECT,
    GENERAL,
    OFF,
    SERVED,
    install_collection,
    odd,
    results,
    ways,
)
from ansible_collections.onetoken.openstack.tests.integration.session_processes import assert_no_process_is_left
from ansible_collections.onetoken.openstack.tests.integration.silent_service import silent_service

INTERPRETER = "ansible_python_interpreter"
NOT_ON_THE_SESSION = "openstack.cloud.odd runs without the fork server: it is not on the session"
#: Fields of a result that differ from run to run.
DIFFERENT = ("ansible_job_id", "results_file")
#: The connection plugin local under another name.
OTHER_CONNECTION = """
DOCUMENTATION = '''
name: other
short_description: Other
author: Somebody
extends_documentation_fragment: [connection_pipelining]
'''
from ansible.plugins.connection import local

class Connection(local.Connection):
    transport = "other"
"""
#: Variables that tasks may set; the session's own variables are kept.
ENVIRONMENT = {"GIVEN": "{{ 1 + 1 }}", "PYTHONPATH": "/nowhere", "LC_ALL": "C"}


def not_directly(reason: str) -> str:
    return f"openstack.cloud.odd does not run directly: {reason}"


def write_other_connection(controller) -> None:
    plugins = controller.home / "connection_plugins"
    plugins.mkdir()
    (plugins / "other.py").write_text(OTHER_CONNECTION)


@contextlib.contextmanager
def umask(mask: int) -> t.Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def compare(controller, tasks: list[dict[str, t.Any]], **variables: str) -> tuple[t.Any, list[t.Any]]:
    """Run tasks with and without the server, which must return the same; the run with it, and the results."""
    run, served = results(controller, tasks, "-vvv", **variables, **CALLBACK)
    run_alone, alone = results(controller, tasks, "-vvv", **variables, **OFF)
    assert SERVED not in run_alone.output
    for task, one, other in zip(tasks, served, alone, strict=True):
        if "become_user" in task:
            # A user who may not enter the directory works in a temporary one.
            assert one.pop("directory") != other.pop("directory")
        for name in DIFFERENT:
            assert (one.pop(name, None) is None) == (other.pop(name, None) is None)
        assert one == other, task
    return run, served


@pytest.mark.versions
def test_each_task_runs_the_fastest_possible_way_and_returns_the_same(controller):
    install_collection(controller)
    write_other_connection(controller)
    script = controller.home / "script"
    script.write_text("#!/bin/sh\numask\nopenstack --os-cloud sandbox flavor list -f value\n")
    expected: list[tuple[dict[str, t.Any], list[str]]] = [
        (odd("plain"), [DIRECT]),
        (odd("environment", environment=ENVIRONMENT), [DIRECT]),
        (odd("connection", vars={"ansible_connection": "ansible.builtin.local"}), [DIRECT]),
        (
            odd("other connection", vars={"ansible_connection": "other"}),
            [not_directly("it runs over another connection than local"), GENERAL],
        ),
        (odd("async", **{"async": 60}, poll=1), [not_directly("it is asynchronous"), GENERAL]),
        (odd("off the session", vars={"one_token": False}), [NOT_ON_THE_SESSION]),
        (odd("off by its environment", environment={"ONETOKEN_SESSION_DIRECTORY": ""}), [NOT_ON_THE_SESSION]),
        (odd("off by a template", environment="{{ {'PYTHONPATH': '/nowhere'} }}"), [NOT_ON_THE_SESSION]),
        ({"name": "script", "script": str(script)}, [f"openstack {SERVED}"]),
    ]
    with umask(0o027):
        run, _found = compare(controller, [task for task, _ways in expected], ANSIBLE_ASYNC_DIR=str(controller.home))
    assert ways(run) == {task["name"]: way for task, way in expected}, run.output[-5000:]


@pytest.mark.versions
@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("su"), reason="only root becomes another user without a password"
)
def test_after_become_only_root_is_served(controller):
    install_collection(controller)
    # So that other users can read the module.
    controller.home.chmod(0o755)
    become = {"ansible_become_method": "su", "ansible_become_flags": "-s /bin/sh"}
    tasks = [
        odd("root", become=True, vars=become),
        odd("nobody", become=True, become_user="nobody", vars={**become, INTERPRETER: "/usr/bin/python3"}),
    ]
    run, (root, nobody) = compare(controller, tasks)
    assert (root["user"], nobody["user"]) == (0, pwd.getpwnam("nobody").pw_uid)
    becomes = not_directly("it uses become")
    assert ways(run) == {"root": [becomes, GENERAL], "nobody": [becomes]}, run.output[-5000:]
    assert "must not read the session" in run.output


@pytest.mark.versions
def test_a_task_that_times_out_fails_and_the_next_one_is_served(controller, sandbox):
    """Ansible leaves a module's process running; only a fork of the direct door ends with its task."""
    write_other_connection(controller)
    with silent_service() as silent:
        controller.write_clouds({"sandbox": {**sandbox.clouds["sandbox"], "image_endpoint_override": silent.url}})
        flavors = {"openstack.cloud.compute_flavor_info": {"cloud": "sandbox"}}
        images = {"openstack.cloud.image_info": {"cloud": "sandbox"}, "ignore_errors": True, "timeout": 3}
        tasks = [
            {"name": "before", **flavors},
            {"name": "directly", **images},
            {"name": "its fork is gone", "wait_for": {"port": silent.port, "state": "drained", "timeout": 20}},
            {"name": "other connection", **images, "vars": {"ansible_connection": "other"}},
            {"name": "after", **flavors},
        ]
        run, (_before, directly, _gone, by_other, after) = results(
            controller, tasks, "-vvv", ONETOKEN_DRAIN="false", **CALLBACK
        )
    for failed in (directly, by_other):
        # The message depends on the release of ansible-core.
        assert re.search(r"Timed out after 3 second|in the expected time frame \(3\)", str(failed["msg"])), failed
    assert after["flavors"]
    assert ways(run)["after"] == [f"openstack.cloud.compute_flavor_info {SERVED}"], run.output[-5000:]
    assert "programs run by the fork server: 4" in run.output, run.output[-5000:]
    assert_no_process_is_left(controller)


@pytest.mark.versions
def test_each_task_runs_on_its_own_interpreter(controller):
    """One in another virtual environment, one in the same with another name, one behind a link."""
    install_collection(controller)
    other, link = controller.home / "other", controller.home / "link"
    venv.create(other)
    (packages,) = other.glob("lib/python*/site-packages")
    (packages / "all.pth").write_text(sysconfig.get_path("purelib"))
    link.symlink_to(ANSIBLE_BIN.parent)
    interpreters = [
        *(ANSIBLE_BIN / name for name in ("python", "python3")),
        other / "bin" / "python",
        link / "bin/python",
    ]
    tasks = [odd(str(path), vars={INTERPRETER: str(path)}) for path in interpreters]
    run, found = compare(controller, tasks)
    assert [result["executable"] for result in found] == [str(path) for path in interpreters]
    assert ways(run) == {str(path): [DIRECT] for path in interpreters}, run.output[-5000:]


@pytest.mark.versions
def test_a_changed_module_is_used_by_the_next_run_on_the_session(controller):
    """Within a run, Ansible itself reads a module only once."""
    module = install_collection(controller) / "odd.py"
    content = module.read_text()
    inner = controller.write_playbook(play_of([odd("inner")]), "inner.yml")
    tasks = [
        odd("first"),
        {"copy": {"dest": str(module), "content": content.replace("answer=", "new=True, answer=")}},
        odd("second"),
        {
            "name": "inner",
            "command": f"ansible-playbook -vvv {inner}",
            # A separate run, which joins the session by its name.
            "environment": {"ONETOKEN_SESSION": "shared"},
            "vars": {"one_token": False},
        },
    ]
    found = {}
    for name, variables in (("served", CALLBACK), ("alone", OFF)):
        module.write_text(content)
        run, (first, _copied, second, inner_run) = results(
            controller, tasks, "-vvv", ONETOKEN_SESSION="shared", **variables
        )
        found[name] = "new" in first, "new" in second, '"new": true' in inner_run["stdout"]
        went = [ways(run).get("first"), ways(run).get("second"), ways(Run(0, inner_run["stdout"])).get("inner")]
        assert went == ([[DIRECT]] * 3 if name == "served" else [None] * 3), run.output[-5000:]
    assert found["served"] == found["alone"] == (False, False, True)


@pytest.mark.parametrize(
    "items", [pytest.param(2, marks=pytest.mark.versions), pytest.param(50, marks=pytest.mark.repeats)]
)
def test_twenty_parallel_hosts_get_their_own_results(controller, items):
    install_collection(controller)
    numbers = list(range(items))
    tasks = [
        {"openstack.cloud.odd": {"how": "{{ inventory_hostname }}-{{ item }}"}, "loop": numbers, "register": "looped"},
        {"openstack.cloud.odd": {"how": "{{ inventory_hostname }}"}, "delegate_to": "host-00", "register": "delegated"},
        {"openstack.cloud.odd": {"how": "for all"}, "run_once": True, "register": "once"},
        {
            "assert": {
                "that": [
                    "looped.results | map(attribute='answer') | list == "
                    f"{numbers} | map('string') | map('regex_replace', '^', inventory_hostname ~ '-') | list",
                    "delegated.answer == inventory_hostname",
                    "once.answer == 'for all'",
                ]
            }
        },
    ]
    inventory = controller.write_inventory(20)
    run = controller.play(None, "-i", inventory, "--forks", "20", "-vvv", plays=play_of(tasks, hosts="all"), **CALLBACK)
    assert run.ok, run.output[-5000:]
    assert run.output.count(DIRECT) == 20 * items + 20 + 1
