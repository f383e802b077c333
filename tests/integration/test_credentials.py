# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Any credentials that work with openstacksdk sign a session in; others are refused with a reason."""

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.tests.helpers.waiting import wait_for
from ansible_collections.onetoken.openstack.tests.integration.kept_sessions import end

LIST_SERVERS = """
- openstack.cloud.server_info:
  environment: "{{ session.environment }}"
  register: listed
- assert: {that: "listed.servers | length > 1"}
- command: openstack server list
  environment: "{{ session.environment }}"
"""
REVOKE = "- onetoken.openstack.os_token_revoke: {session: '{{ session.session }}'}\n"


def issue(options: str) -> str:
    return f"- onetoken.openstack.os_token_issue: {{{options}}}\n  register: session\n"


@pytest.mark.versions
def test_a_sourced_openrc_signs_a_session_in_and_may_stay_in_the_environment(controller, keystone, sandbox):
    variables = {**sandbox.sourced_openrc(), "OS_CLIENT_CONFIG_FILE": ""}
    run = controller.play(issue("") + LIST_SERVERS + REVOKE, **variables)
    assert run.ok, run.output
    assert (keystone.count("POST"), keystone.count("DELETE")) == (1, 1)


def test_an_application_credential_signs_a_session_in(controller, keystone):
    run = controller.play(issue("cloud: sandbox-appcred") + LIST_SERVERS + REVOKE)
    assert run.ok, run.output
    assert (keystone.count("POST"), keystone.count("DELETE")) == (1, 1)


@pytest.mark.repeats
def test_an_explicit_auth_signs_a_session_in(controller, keystone, sandbox):
    options = {"auth": sandbox.clouds["sandbox"]["auth"], "region_name": "RegionTwo"}
    tasks = f"""
- onetoken.openstack.os_token_issue: {options}
  register: session
"""
    run = controller.play(tasks + LIST_SERVERS + REVOKE, "-vvv", OS_CLIENT_CONFIG_FILE="")
    assert run.ok, run.output
    assert keystone.count("POST") == 1
    assert sandbox.password("demo") not in run.output


@pytest.mark.repeats
def test_os_cloud_selects_the_cloud(controller):
    run = controller.play(
        issue("") + "- assert: {that: session.cloud == 'sandbox-admin'}\n" + REVOKE, OS_CLOUD="sandbox-admin"
    )
    assert run.ok, run.output


@pytest.mark.repeats
def test_the_token_has_the_requested_scope(controller, issued):
    scopes = {
        "project: demo": "session.scope == 'project' and session.project.name == 'demo'",
        "domain: default": "session.scope == 'domain'",
        "system: true": "session.scope == 'system'",
        "unscoped: true": "session.scope == 'unscoped'",
    }
    run = controller.play(
        "".join(
            f'{issue(f"cloud: sandbox-admin, {options}")}- assert: {{that: "{expected}"}}\n'
            for options, expected in scopes.items()
        )
    )
    assert run.ok, run.output
    # Before the next test, which counts requests.
    wait_for(lambda: not issued.living(), 10, "the tokens are revoked")


def test_tasks_may_use_every_cloud_of_clouds_yaml_on_one_session(controller, keystone):
    run = controller.play(
        issue("cloud: sandbox")
        + """
- openstack.cloud.compute_flavor_info: {cloud: "{{ item }}"}
  environment: "{{ session.environment }}"
  loop: [sandbox, sandbox-admin, sandbox, sandbox-admin]
- onetoken.openstack.os_token_revoke: {session: "{{ session.session }}"}
  register: revoked
- assert: {that: revoked.revoked == 2}
"""
    )
    assert run.ok, run.output
    assert (keystone.count("POST"), keystone.count("DELETE")) == (2, 2)


def test_a_wrong_password_is_sent_once_and_the_message_names_cloud_and_user(controller, keystone, sandbox):
    clouds = sandbox.clouds
    clouds["sandbox"]["auth"]["password"] = "not-the-password"
    controller.write_clouds(clouds)
    run = controller.play(issue("cloud: sandbox"), "-vvv")
    assert run.status == 2
    assert "refused user 'demo' of cloud 'sandbox' (HTTP 401)" in run.output.replace("\\'", "'")
    assert "not-the-password" not in run.output and "Traceback" not in run.output
    assert keystone.count("POST") == 1
    assert controller.sessions == []


def test_an_unknown_cloud_is_reported_with_the_known_ones(controller, keystone):
    run = controller.play(issue("cloud: nowhere"))
    assert run.status == 2
    assert "'nowhere' is not in" in run.output.replace("\\'", "'") and "sandbox-appcred" in run.output
    assert "Traceback" not in run.output
    assert keystone.requests() == []
    assert controller.sessions == []


def test_a_missing_cloud_is_reported(controller):
    run = controller.play(issue(""))
    assert run.status == 2
    assert "No cloud is named" in run.output and "Traceback" not in run.output


def test_a_short_password_does_not_corrupt_a_returned_token(controller, sandbox):
    """Ansible masks a secret wherever it occurs, and the two letters of this password occur in every token."""
    auth = {**sandbox.clouds["sandbox-short"]["auth"]}
    assert auth["password"] == "gA"
    run = controller.play(
        [
            {
                "onetoken.openstack.os_token_issue": {"auth": auth, "return_token": True, "session": "kept"},
                "register": "session",
            },
            {"copy": {"content": "{{ session.token }}", "dest": str(controller.home / "token")}},
        ],
        "-vvv",
    )
    assert run.ok, run.output
    assert [(controller.home / "token").read_text()] == controller.tokens()
    assert "'gA'" not in run.output and '"gA"' not in run.output
    end(controller.sessions[0])


@pytest.mark.repeats
def test_os_token_mode_works_with_a_sourced_openrc(controller, keystone, sandbox):
    run = controller.play(
        issue("return_token: true")
        + """
- command: openstack server list
  environment: "{{ session.token_environment }}"
- openstack.cloud.server_info:
  environment: "{{ session.token_environment }}"
"""
        + REVOKE,
        **{**sandbox.sourced_openrc(), "OS_CLIENT_CONFIG_FILE": ""},
    )
    assert run.ok, run.output
    # This mode costs one more request, whose token serves both processes.
    assert (keystone.count("POST"), keystone.count("DELETE")) == (2, 2)


def test_the_token_is_returned_only_on_request(controller):
    run = controller.play(issue("cloud: sandbox, session: kept") + "- debug: {var: session}\n", "-vvv")
    assert run.ok, run.output
    (token,) = controller.tokens()
    assert token not in run.output and "token_environment" not in run.output
    end(controller.sessions[0])


def test_a_task_on_a_session_uses_its_own_credentials_if_it_has_any(controller, keystone, sandbox):
    clouds = {name: cloud["auth"] for name, cloud in sandbox.clouds.items()}
    tasks = [
        {"onetoken.openstack.os_token_issue": {"cloud": "sandbox"}, "register": "session"},
        {
            "environment": "{{ session.environment }}",
            "block": [
                {"openstack.cloud.auth": {}, "register": "session_token"},
                {"openstack.cloud.auth": {"auth": clouds["sandbox"]}, "register": "same"},
                {"openstack.cloud.auth": {"auth": clouds["sandbox-admin"]}, "register": "admin"},
                {"openstack.cloud.auth": {"cloud": "sandbox-appcred"}, "register": "application"},
                {
                    "openstack.cloud.auth": {"auth": {"project_name": "elsewhere"}},
                    "register": "elsewhere",
                    "ignore_errors": True,
                },
                {"openstack.cloud.config": {}, "no_log": True},
            ],
        },
        {
            "assert": {
                "that": [
                    "same.auth_token == session_token.auth_token",
                    "admin.auth_token != session_token.auth_token",
                    "application.auth_token != session_token.auth_token",
                    "'requires authentication' in elsewhere.msg",
                ]
            }
        },
        {"onetoken.openstack.os_token_revoke": {"session": "{{ session.session }}"}},
    ]
    run = controller.play(tasks)
    assert run.ok, run.output
    statuses = [request.status for request in keystone.requests() if request.method == "POST"]
    assert sorted(statuses) == [201, 201, 201, 401]
