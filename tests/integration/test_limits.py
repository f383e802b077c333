# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cloud's limits: what breaks a run of passwords does not break a run on a session."""

from __future__ import annotations

import textwrap

import pytest
from ansible_collections.onetoken.openstack.tests.integration.on_session import end

#: Some hosts, each with one task, as an inventory of servers has.
INVENTORY = """
[all]
host[01:06]
[all:vars]
ansible_connection=local
ansible_python_interpreter="{{ ansible_playbook_python }}"
"""
TASK = """
    - openstack.cloud.compute_flavor_info: {cloud: sandbox}
"""


def plays(with_session: bool) -> str:
    play = textwrap.dedent(
        """
        - hosts: all
          gather_facts: false
          environment: "{{ os_token_environment | default({}) }}"
          vars: {os_token_cloud: sandbox}
          tasks:
        """
    )
    if not with_session:
        return play + TASK
    role = "    - include_role: {name: onetoken.openstack.os_token%s}\n"
    return play + role % "" + TASK + role % ", tasks_from: revoke"


def test_a_run_over_the_limit_fails_with_the_password_and_passes_with_the_session(controller, keystone, limits):
    (controller.home / "inventory").write_text(INVENTORY)
    arguments = ("-i", "inventory", "--forks", "5")
    limits(token_requests_per_minute=3)
    refused = controller.play(None, *arguments, plays=plays(with_session=False))
    assert refused.status != 0
    assert "Too Many Requests" in refused.output
    assert keystone.count("POST") > 3

    limits(token_requests_per_minute=3)
    keystone.restart()
    run = controller.play(None, *arguments, plays=plays(with_session=True))
    assert run.ok, run.output
    assert (keystone.count("POST"), keystone.count("DELETE")) == (1, 1)


#: The unit tests of waiting know every dialect, too.
@pytest.mark.repeats
@pytest.mark.parametrize("dialect", ["x-ratelimit-reset", "none", "retry-after", "x-retry-after", "413"])
def test_issuing_waits_for_the_limit_in_every_dialect(controller, keystone, limits, dialect):
    limits(token_requests_per_minute=1, dialect=dialect)

    def issue(session: str, timeout: int) -> str:
        return f"- onetoken.openstack.os_token_issue: {{cloud: sandbox, session: {session}, timeout: {timeout}}}"

    assert controller.play(issue("first", 60)).ok
    run = controller.play(issue("second", 2))
    assert run.status == 2
    assert "the account's limit of token requests is used up" in run.output
    if dialect == "retry-after":
        keystone.restart()
        run = controller.play(issue("second", 90))
        assert run.ok, run.output
        statuses = [request.status for request in keystone.requests() if request.method == "POST"]
        # It waited for as long as it was told to: one refusal, then the token.
        assert statuses in ([429, 201], [201])
    limits(token_requests_per_minute=0)
    for session in controller.sessions:
        end(session)


def test_a_storm_of_503_ends_with_a_sentence_and_the_revoke_keeps_the_token_on_its_list(controller, limits):
    assert controller.play("- onetoken.openstack.os_token_issue: {cloud: sandbox, session: kept}").ok
    (session,) = controller.sessions
    limits(keystone_status=503)
    run = controller.play("- onetoken.openstack.os_token_issue: {cloud: sandbox, session: other, timeout: 2}")
    assert run.status == 2 and "Keystone is out of service" in run.output
    revoke = f"- onetoken.openstack.os_token_revoke: {{session: {session}, timeout: 2}}"
    run = controller.play(revoke)
    assert run.status == 2
    assert "may still have a live token" in run.output and "Traceback" not in run.output
    assert len(controller.tokens()) == 1
    limits(keystone_status=None)
    run = controller.play(revoke)
    assert run.ok and "changed=1" in run.output, run.output
    assert controller.tokens() == []


@pytest.mark.repeats
def test_a_keystone_that_is_gone_is_named_and_the_token_stays_on_the_list(controller):
    """The session's record is pointed to a port where nothing listens."""
    assert controller.play("- onetoken.openstack.os_token_issue: {cloud: sandbox, session: kept}").ok
    (session,) = controller.sessions
    (file,) = (session / "tokens").glob("*.json")
    original = file.read_text()
    file.write_text(original.replace("http://127.0.0.1:", "http://127.0.0.1:1/was-"))
    revoke = f"- onetoken.openstack.os_token_revoke: {{session: {session}, timeout: 2}}"
    run = controller.play(revoke)
    assert run.status == 2
    assert "cannot be reached" in run.output and "run os_token_revoke again" in run.output
    assert file.exists()
    file.write_text(original)
    assert controller.play(revoke).ok
    assert not file.exists()
