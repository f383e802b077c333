# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role os_token: one token for all hosts of a play."""

from __future__ import annotations

import pytest

BLOCK_AND_ALWAYS = """
- hosts: all
  gather_facts: false
  vars: {os_token_cloud: sandbox}
  environment: "{{ os_token_environment | default({}) }}"
  tasks:
    - block:
        - include_role: {name: onetoken.openstack.os_token}
        - openstack.cloud.compute_flavor_info:
        - command: openstack flavor list
          when: inventory_hostname == 'host-01'
        - fail: {msg: "in the middle"}
          when: fail_in_the_middle | default(false) | bool
        - include_role: {name: onetoken.openstack.os_token, tasks_from: renew}
      always:
        - include_role: {name: onetoken.openstack.os_token, tasks_from: revoke}
"""


@pytest.mark.versions
def test_the_role_issues_once_for_all_hosts_and_renews_only_if_due(controller, keystone):
    run = controller.play(None, "-i", controller.write_inventory(3), plays=BLOCK_AND_ALWAYS)
    assert run.ok, run.output
    assert (keystone.count("POST"), keystone.count("DELETE")) == (1, 1)


def test_the_role_revokes_when_the_play_fails_on_every_host(controller, keystone):
    run = controller.play(
        None, "-i", controller.write_inventory(3), "-e", "fail_in_the_middle=true", plays=BLOCK_AND_ALWAYS
    )
    assert run.status == 2
    assert (keystone.count("POST"), keystone.count("DELETE")) == (1, 1)


@pytest.mark.repeats
def test_run_issues_a_token_runs_the_tasks_and_revokes(controller, keystone):
    (controller.home / "work.yml").write_text(
        "- openstack.cloud.compute_flavor_info:\n- command: openstack flavor list\n"
    )
    include = "- include_role: {name: onetoken.openstack.os_token, tasks_from: run}\n"
    variables = "  vars: {os_token_cloud: sandbox, os_token_run_tasks: work.yml}\n"
    run = controller.play(include + variables)
    assert run.ok, run.output
    assert (keystone.count("POST"), keystone.count("DELETE")) == (1, 1)


@pytest.mark.repeats
def test_run_runs_a_role_and_revokes_if_it_fails(controller, keystone):
    tasks = controller.home / "roles" / "work" / "tasks"
    tasks.mkdir(parents=True)
    (tasks / "main.yml").write_text("- openstack.cloud.compute_flavor_info:\n- fail: {msg: half-way}\n")
    include = "- include_role: {name: onetoken.openstack.os_token, tasks_from: run}\n"
    variables = "  vars: {os_token_cloud: sandbox, os_token_run_role: work}\n"
    run = controller.play(include + variables)
    assert run.status == 2 and "half-way" in run.output
    assert (keystone.count("POST"), keystone.count("DELETE")) == (1, 1)


BOTH = {"os_token_run_tasks": "a.yml", "os_token_run_role": "b"}


@pytest.mark.parametrize("variables", [{}, pytest.param(BOTH, marks=pytest.mark.repeats)])
def test_run_reports_missing_and_conflicting_variables(controller, keystone, variables):
    play = [
        {
            "include_role": {"name": "onetoken.openstack.os_token", "tasks_from": "run"},
            "vars": {"os_token_cloud": "sandbox", **variables},
        }
    ]
    run = controller.play(play)
    assert run.status == 2
    assert "os_token_run_tasks to a file with tasks or os_token_run_role to a role" in run.output
    assert keystone.requests() == []


@pytest.mark.repeats
def test_renewing_signs_in_as_before(controller):
    run = controller.play(
        """
- include_role: {name: onetoken.openstack.os_token}
  vars:
    os_token_cloud: sandbox-admin
    os_token_project: demo
    os_token_requests_per_second: 15
    os_token_limit_timeout: 9
- assert: {that: "record.limits == {'requests_per_second': '15', 'timeout': 9}"}
  vars: {record: "{{ lookup('file', os_token_issued.session ~ '/session.json') | from_json }}"}
# The token is due when it is a second old; on a fast machine it may be younger.
- wait_for: {timeout: 1}
- include_role: {name: onetoken.openstack.os_token, tasks_from: renew}
  vars: {os_token_renew_after: "1", os_token_requests_per_second: false}
- assert:
    that:
      - os_token_issued.changed and os_token_issued.project.name == 'demo'
      - record.limits.requests_per_second == 'false'
  vars: {record: "{{ lookup('file', os_token_issued.session ~ '/session.json') | from_json }}"}
- include_role: {name: onetoken.openstack.os_token, tasks_from: revoke}
- assert: {that: os_token_revoked.revoked == 2}
"""
    )
    assert run.ok, run.output


def test_without_a_token_renewing_fails_with_a_message_and_revoking_does_nothing(controller):
    run = controller.play(
        """
- block:
    - include_role: {name: onetoken.openstack.os_token, tasks_from: renew}
    - fail: {msg: there was a token}
  rescue:
    - assert: {that: "'There is no token to renew' in ansible_failed_result.msg"}
- include_role: {name: onetoken.openstack.os_token, tasks_from: revoke}
"""
    )
    assert run.ok, run.output


def test_in_os_token_mode_the_role_shows_no_token(controller):
    run = controller.play(
        """
- include_role: {name: onetoken.openstack.os_token}
  vars: {os_token_cloud: sandbox, os_token_mode: token}
- command: openstack token issue -f value -c user_id
  environment: "{{ os_token_environment }}"
  no_log: true
- assert: {that: "'token' not in os_token_issued"}
- copy: {content: "{{ os_token_environment.OS_TOKEN }}", dest: "{{ playbook_dir }}/token"}
  no_log: true
- include_role: {name: onetoken.openstack.os_token, tasks_from: revoke}
""",
        "-vv",
    )
    assert run.ok, run.output
    assert (controller.home / "token").read_text() not in run.output
