# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The callback: unmodified playbooks run on a session, with the same results as without one."""

from __future__ import annotations

import json
import os
import pathlib

import pytest
from ansible_collections.onetoken.openstack.tests.helpers.controller import CALLBACK, play_of
from ansible_collections.onetoken.openstack.tests.helpers.waiting import wait_for

FLAVORS = "- openstack.cloud.compute_flavor_info: {cloud: sandbox}\n"
#: What real playbooks have: modules, the command, a loop over clouds, a region, and delegation to the controller.
MIXED = """
- hosts: all
  gather_facts: false
  tasks:
    - openstack.cloud.compute_flavor_info: {cloud: sandbox}
      register: flavors
    - openstack.cloud.networks_info: {cloud: "{{ item }}"}
      loop: [sandbox, sandbox-admin]
      register: networks
    - openstack.cloud.volume_info: {cloud: sandbox, region_name: RegionTwo}
      register: volumes
    - command: openstack --os-cloud sandbox image list -f json
      register: images
      changed_when: false
    - openstack.cloud.project_info: {cloud: sandbox-admin, name: demo}
      delegate_to: localhost
      register: project
    - copy:
        dest: "{{ results }}/{{ inventory_hostname }}.json"
        content: >-
          {{ {'flavors': flavors.flavors, 'networks': networks.results | map(attribute='networks'),
          'volumes': volumes.volumes, 'images': images.stdout | from_json, 'project': project.projects} | to_json }}
"""


def make_directory(controller, name: str) -> pathlib.Path:
    path = controller.home / name
    path.mkdir()
    return path


@pytest.mark.versions
@pytest.mark.repeats
@pytest.mark.parametrize("strategy", ["linear", "free"])
def test_an_unmodified_playbook_has_the_same_results_on_one_token_per_cloud(controller, keystone, limits, strategy):
    limits(token_requests_per_minute=0)
    inventory = controller.write_inventory(2)
    found = {}
    for name, variables in (("with", CALLBACK), ("without", {})):
        keystone.restart()
        results = make_directory(controller, name)
        run = controller.play(
            None, "-i", inventory, "-e", f"results={results}", plays=MIXED, ANSIBLE_STRATEGY=strategy, **variables
        )
        assert run.ok, run.output
        found[name] = {path.name: json.loads(path.read_text()) for path in results.iterdir()}
        posts, deletes = keystone.count("POST"), keystone.count("DELETE")
        if variables:
            assert (posts, deletes) == (2, 2)
            assert "one_token: identities: 2, tokens issued: 2, sign-ins served from the session: 10" in run.output, (
                run.output
            )
        else:
            assert (posts, deletes) == (12, 0)
    assert found["with"] == found["without"]
    assert len(found["with"]) == 2


def test_a_playbook_without_openstack_tasks_sends_no_request_and_leaves_nothing(controller, keystone):
    run = controller.play("- command: 'true'\n- debug:\n", **CALLBACK)
    assert run.ok and "one_token:" not in run.output, run.output
    assert keystone.requests() == []
    assert controller.sessions == []


def test_a_machine_without_a_cloud_gets_no_session_and_no_warning(controller):
    run = controller.play("- command: 'true'", OS_CLIENT_CONFIG_FILE="", **CALLBACK)
    assert run.ok and "WARNING" not in run.output, run.output
    assert controller.sessions == []


def test_a_sourced_openrc_is_enough(controller, keystone, sandbox):
    variables = {**sandbox.sourced_openrc(), "OS_CLIENT_CONFIG_FILE": ""}
    run = controller.play(
        "- openstack.cloud.compute_flavor_info:\n- command: openstack flavor list\n", **variables, **CALLBACK
    )
    assert run.ok, run.output
    assert (keystone.count("POST"), keystone.count("DELETE")) == (1, 1)


def test_a_task_signs_in_with_the_credentials_in_its_own_environment(controller, keystone, sandbox):
    """The openrc file of one user was sourced, and tasks set the variables of another one."""
    other = sandbox.clouds["sandbox-admin"]["auth"]
    tasks = [
        {"openstack.cloud.compute_flavor_info": None},
        {
            "command": "openstack token issue -f value -c user_id",
            "environment": "{{ other }}",
            "register": "as_other",
        },
        {"command": "openstack user show admin -f value -c id", "environment": "{{ other }}", "register": "admin"},
        {"assert": {"that": "as_other.stdout == admin.stdout"}},
    ]
    variables = {f"OS_{key.upper()}": value for key, value in other.items()}
    (controller.home / "other.json").write_text(json.dumps({"other": variables}))
    run = controller.play(
        tasks, "-e", "@other.json", **{**sandbox.sourced_openrc(), "OS_CLIENT_CONFIG_FILE": ""}, **CALLBACK
    )
    assert run.ok, run.output


def test_a_task_that_opts_out_signs_in_by_itself(controller, keystone):
    run = controller.play(FLAVORS + FLAVORS + "  vars: {one_token: false}\n", **CALLBACK)
    assert run.ok, run.output
    assert (keystone.count("POST"), keystone.count("DELETE")) == (2, 1)


def test_a_task_may_set_pythonpath_itself(controller, keystone):
    tasks = FLAVORS + "  environment: {PYTHONPATH: /nowhere}\n"
    tasks += FLAVORS + "  environment: {PYTHONPATH: '{{ path }}'}\n  vars: {path: /nowhere}\n"
    run = controller.play(tasks, **CALLBACK)
    assert run.ok, run.output
    assert keystone.count("POST") == 1


@pytest.mark.versions
def test_variables_that_tasks_set_win(controller):
    own = "{FOO: bar, OS_CLOUD: sandbox-admin}"
    tasks = f"""
- command: sh -c 'echo $FOO $OS_CLOUD'
  environment: {own}
  vars: {{one_token: false}}
- command: sh -c 'echo $FOO $OS_CLOUD'
  environment: "{{{{ own }}}}"
  vars: {{one_token: false, own: {own}}}
- command: sh -c 'echo $FOO $OS_CLOUD'
  environment: [{own}, {{PYTHONPATH: /nowhere}}]
"""
    run = controller.play(tasks, "-v", OS_CLOUD="sandbox", **CALLBACK)
    assert run.ok and run.output.count('"stdout": "bar sandbox-admin"') == 3, run.output


def test_a_session_open_to_other_users_is_revoked_once_it_is_closed_to_them(controller, issued):
    tasks = FLAVORS + "- file: {path: \"{{ lookup('env', 'PYTHONPATH') | dirname }}\", mode: '0755'}\n"
    run = controller.play(tasks, ONETOKEN_REVOKE_TIMEOUT="1", **CALLBACK)
    output = " ".join(run.output.split())
    assert run.ok and "is open to other users (mode 0755)" in output and "keeps trying" in output, run.output
    assert len(issued.living()) == 1
    (session,) = controller.sessions
    session.chmod(0o700)
    wait_for(lambda: not issued.living(), 15, "the token is refused")


#: Becomes another user with a cleared environment, as sudo does.
CLEARED = {
    "ANSIBLE_BECOME_METHOD": "su",
    "ANSIBLE_BECOME_EXE": "env -i PATH=/usr/bin:/bin:/usr/sbin su",
    "ANSIBLE_BECOME_ALLOW_SAME_USER": "true",
}
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user without a password")


@needs_root
@pytest.mark.versions
def test_a_task_that_becomes_root_uses_the_session_even_with_a_cleared_environment(controller, keystone, sandbox):
    becomes = f"  become: true\n  environment: {{OS_CLIENT_CONFIG_FILE: '{sandbox.clouds_file}'}}\n"
    run = controller.play(FLAVORS + becomes + FLAVORS, **CLEARED, **CALLBACK)
    assert run.ok, run.output
    assert (keystone.count("POST"), keystone.count("DELETE")) == (1, 1)


@needs_root
def test_the_run_warns_why_a_task_that_becomes_another_user_has_no_session(controller):
    task = "- openstack.cloud.compute_flavor_info: {cloud: sandbox}\n  become: true\n  become_user: nobody\n"
    run = controller.play(task + "  ignore_errors: true\n", **CLEARED, **CALLBACK)
    assert "becomes nobody, who must not read the session of" in " ".join(run.output.split()), run.output


def test_each_task_with_refused_credentials_asks_keystone_and_reports_its_reason(controller, keystone, sandbox):
    """As without a session: a task may be retried until its user exists."""
    clouds = sandbox.clouds
    clouds["sandbox"]["auth"]["password"] = "wrong"
    controller.write_clouds(clouds)
    tasks = "- openstack.cloud.compute_flavor_info: {cloud: sandbox}\n  ignore_errors: true\n  loop: [1, 2, 3]\n"
    run = controller.play(tasks, **CALLBACK)
    assert run.output.count("The request you have made requires authentication") >= 3, run.output
    assert [request.status for request in keystone.requests() if request.method == "POST"] == [401] * 3


@pytest.mark.parametrize(
    "callback", ["ansible.posix.json", pytest.param("ansible.posix.jsonl", marks=pytest.mark.repeats)]
)
def test_json_output_stays_valid(controller, callback):
    controller.write_playbook(play_of(FLAVORS))
    run = controller.command(
        "sh", "-c", "ansible-playbook play.yml 2> errors", ANSIBLE_STDOUT_CALLBACK=callback, **CALLBACK
    )
    assert run.ok, run.output
    for text in run.output.splitlines() if callback.endswith("jsonl") else [run.output]:
        json.loads(text)
    assert "one_token: identities: 1, tokens issued: 1" in (controller.home / "errors").read_text()


def test_a_run_inside_another_one_does_not_revoke_its_session(controller, keystone):
    inner = controller.write_playbook(play_of(FLAVORS), "inner.yml")
    run = controller.play(f"- command: ansible-playbook {inner}\n{FLAVORS}", **CALLBACK)
    assert run.ok, run.output
    assert (keystone.count("POST"), keystone.count("DELETE")) == (1, 1)
