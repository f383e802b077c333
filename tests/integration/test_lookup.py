# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup session: what a template gets, and how many token requests it costs."""

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.tests.integration.kept_sessions import end, variables_of

ISSUE = """
- onetoken.openstack.os_token_issue: {cloud: sandbox}
  register: issued
"""
REVOKE = """
- onetoken.openstack.os_token_revoke: {session: "{{ issued.session }}"}
"""


@pytest.mark.versions
def test_a_template_gets_each_cloud_for_one_token_request(controller, keystone):
    run = controller.play(
        ISSUE
        + """
- assert:
    that:
      - found.environment == issued.environment
      - found.expires_at == issued.expires_at
      - found.project.name == 'demo'
      - found.regions == ['RegionOne', 'RegionTwo']
      - "'token' not in found"
  vars:
    found: "{{ lookup('onetoken.openstack.session', session=issued.session) }}"
- assert:
    that: found | map(attribute='user.name') == ['demo', 'admin']
  vars:
    found: "{{ query('onetoken.openstack.session', ['sandbox', 'sandbox-admin'], session=issued.session) }}"
- openstack.cloud.project_info: {name: demo}  # only administrators may
  environment: "{{ lookup('onetoken.openstack.session', 'sandbox-admin', session=issued.session).environment }}"
"""
        + REVOKE
    )
    assert run.ok, run.output
    assert (keystone.count("POST"), keystone.count("DELETE")) == (2, 2)


@pytest.mark.versions
def test_in_the_environment_of_a_session_no_option_is_needed(controller, keystone):
    assert controller.play(ISSUE.replace("cloud: sandbox", "cloud: sandbox, session: kept")).ok
    (session,) = controller.sessions
    found = "lookup('onetoken.openstack.session')"
    tasks = f"- assert: {{that: \"{found}.session == '{session}' and {found}.cloud == 'sandbox'\"}}\n"
    run = controller.play(tasks, **variables_of(session))
    assert run.ok, run.output
    assert keystone.count("POST") == 1
    end(session)


@pytest.mark.versions
@pytest.mark.repeats
def test_errors_are_reported_in_one_sentence(controller, keystone):
    def fails(arguments: str) -> str:
        lookup = f"{{{{ lookup('onetoken.openstack.session', {arguments}) }}}}"
        return f'- debug: {{msg: "{lookup}"}}\n  ignore_errors: true\n'

    wrong = {
        "": "No session is named: set session to what os_token_issue returned.",
        "session='/nowhere'": "There is no session at /nowhere",
        "'nowhere', session=issued.session": "nowhere is not in",
    }
    of_revoked = fails("session=issued.session")
    run = controller.play(ISSUE + "".join(map(fails, wrong)) + REVOKE + of_revoked, "-vvv")
    assert run.ok and f"ignored={len(wrong) + 1} " in run.output, run.output
    for sentence in (*wrong.values(), "was revoked"):
        assert sentence in run.output.replace("\\'", "").replace("'", ""), run.output
    assert "Traceback" not in run.output and "unhandled" not in run.output
    assert keystone.count("POST") == 1


@pytest.mark.versions
def test_the_token_is_returned_on_request_and_shown_nowhere(controller, sandbox):
    run = controller.play(
        ISSUE
        + f"""
- uri:
    url: {sandbox.clouds["sandbox"]["auth"]["auth_url"]}/auth/catalog
    headers:
      X-Auth-Token: "{{{{ lookup('onetoken.openstack.session', session=issued.session, return_token=true).token }}}}"
  no_log: true
- debug: {{msg: "{{{{ lookup('onetoken.openstack.session', session=issued.session) }}}}"}}
""",
        "-vvvv",
    )
    assert run.ok, run.output
    (token,) = controller.tokens()
    assert token not in run.output
    end(controller.sessions[0])
