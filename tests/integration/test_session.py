# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays on a session: how many requests Keystone gets, and when the session ends."""

from __future__ import annotations

import json

import pytest
from ansible_collections.onetoken.openstack.tests.helpers.controller import play_of
from ansible_collections.onetoken.openstack.tests.helpers.waiting import wait_for
from ansible_collections.onetoken.openstack.tests.integration.kept_sessions import end

ISSUE = """
- onetoken.openstack.os_token_issue: {cloud: sandbox}
  register: session
"""
#: It outlives its play, because it has a name.
ISSUE_NAMED = ISSUE.replace("cloud: sandbox", "cloud: sandbox, session: kept")
REVOKE = """
- onetoken.openstack.os_token_revoke: {session: "{{ session.session }}"}
  register: revoked
"""


@pytest.mark.versions
@pytest.mark.repeats
def test_twenty_tasks_cost_one_token_request_and_one_delete(controller, keystone):
    run = controller.play(
        ISSUE
        + """
- openstack.cloud.compute_flavor_info:
  environment: "{{ session.environment }}"
  loop: "{{ range(13) | list }}"
- openstack.cloud.server_info:
  environment: "{{ session.environment }}"
- openstack.cloud.image_info:
  environment: "{{ session.environment }}"
- openstack.cloud.networks_info:
  environment: "{{ session.environment }}"
- openstack.cloud.volume_info:
  environment: "{{ session.environment }}"
- openstack.cloud.project_info: {name: demo}
  environment: "{{ session.environment }}"
  ignore_errors: true  # only administrators may list projects
- openstack.cloud.server_info: {cloud: sandbox}
  environment: "{{ session.environment }}"
- openstack.cloud.server_info: {region_name: RegionTwo}
  environment: "{{ session.environment }}"
- command: openstack server list
  environment: "{{ session.environment }}"
- command: openstack --os-region-name RegionTwo image list
  environment: "{{ session.environment }}"
- command:
    argv: ["{{ ansible_playbook_python }}", -c, "import openstack; print(list(openstack.connect().compute.servers()))"]
  environment: "{{ session.environment }}"
"""
        + REVOKE
    )
    assert run.ok, run.output
    assert keystone.count("POST") == 1
    assert keystone.count("DELETE") == 1


def test_the_password_costs_a_token_request_per_task(controller, keystone):
    """So the count works: it sees the same tasks without a session."""
    run = controller.play("- openstack.cloud.compute_flavor_info: {cloud: sandbox}\n  loop: '{{ range(3) | list }}'")
    assert run.ok, run.output
    assert keystone.count("POST") == 3


@pytest.mark.repeats
def test_two_plays_in_a_row_use_a_token_each(controller, keystone):
    run = controller.play(plays=play_of(ISSUE + REVOKE) * 2)
    assert run.ok, run.output
    assert keystone.count("POST") == keystone.count("DELETE") == 2


@pytest.mark.repeats
def test_the_next_play_uses_the_same_named_session(controller, keystone):
    issue = ISSUE.replace("cloud: sandbox", "cloud: sandbox, session: nightly")
    for expected in ("changed=1", "changed=0"):
        run = controller.play(issue)
        assert run.ok and expected in run.output, run.output
    assert keystone.count("POST") == 1
    assert controller.play("- onetoken.openstack.os_token_revoke: {session: nightly}").ok
    # The next issue opens a closed session again.
    assert controller.play(issue).ok
    assert keystone.count("POST") == 2
    end(controller.sessions[0])


@pytest.mark.repeats
@pytest.mark.versions
def test_the_token_is_revoked_when_a_task_fails(controller, keystone):
    run = controller.play(
        """
- block:
    - onetoken.openstack.os_token_issue: {cloud: sandbox}
      register: session
    - command: "false"
  always:
    - onetoken.openstack.os_token_revoke: {session: "{{ session.session }}"}
"""
    )
    assert run.status == 2, run.output
    assert [request.status for request in keystone.requests() if request.method == "DELETE"] == [204]


def test_after_the_revoke_keystone_refuses_the_token(controller, issued):
    assert controller.play(ISSUE_NAMED).ok
    assert controller.tokens() == issued.living() != []
    session = str(controller.sessions[0])
    assert controller.play(f"- onetoken.openstack.os_token_revoke: {{session: {session}}}").ok
    assert (len(issued.all()), issued.living()) == (1, [])
    assert controller.tokens() == []


def test_a_session_without_a_name_ends_with_its_run(controller, issued):
    run = controller.play(ISSUE + "- command: cp -r {{ session.session }}/tokens {{ playbook_dir }}/kept\n")
    assert run.ok, run.output
    (file,) = (controller.home / "kept").glob("*.json")
    token = json.loads(file.read_text())["current"]["token"]
    wait_for(lambda: not issued.lives(token), 10, "the token is refused")


def test_a_late_task_fails_and_does_not_fall_back_to_the_password(controller, keystone):
    late = "- openstack.cloud.server_info: {cloud: sandbox}\n  environment: '{{ session.environment }}'\n"
    run = controller.play(ISSUE + REVOKE + late)
    assert run.status == 2
    assert "was revoked" in run.output
    assert "Traceback" not in run.output
    assert keystone.count("POST") == 1


def test_check_mode_sends_no_request_and_changes_nothing(controller, keystone):
    run = controller.play(ISSUE + "- assert: {that: session.changed}\n", "--check")
    assert run.ok, run.output
    assert keystone.requests() == []
    assert controller.sessions == []
    assert controller.play(ISSUE_NAMED).ok
    (session,) = controller.sessions
    keystone.restart()
    run = controller.play(
        f"""
- onetoken.openstack.os_token_issue: {{cloud: sandbox, session: {session}}}
  register: issued
- onetoken.openstack.os_token_info: {{session: {session}}}
  register: info
- onetoken.openstack.os_token_revoke: {{session: {session}}}
  register: revoked
- assert: {{that: [not issued.changed, info.state == 'valid', revoked.changed]}}
""",
        "--check",
    )
    assert run.ok, run.output
    assert keystone.requests() == []
    end(session)
