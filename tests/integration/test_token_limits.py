# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keystone's limit of token requests: a run that exceeds it with the password stays below it on a session."""

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.tests.helpers.controller import play_of
from ansible_collections.onetoken.openstack.tests.integration.kept_sessions import end

TASK = "- openstack.cloud.compute_flavor_info: {cloud: sandbox}\n"
ROLE = "- include_role: {name: onetoken.openstack.os_token}\n"
REVOKE = "- include_role: {name: onetoken.openstack.os_token, tasks_from: revoke}\n"
ON_HOSTS = {
    "hosts": "all",
    "environment": "{{ os_token_environment | default({}) }}",
    "vars": {"os_token_cloud": "sandbox"},
}


def test_a_run_over_the_limit_fails_with_the_password_and_passes_on_a_session(controller, keystone, limits):
    arguments = ("-i", controller.write_inventory(6), "--forks", "5")
    limits(token_requests_per_minute=3)
    throttled = controller.play(None, *arguments, plays=play_of(TASK, **ON_HOSTS))
    assert throttled.status != 0
    assert "Too Many Requests" in throttled.output
    assert keystone.count("POST") > 3

    limits(token_requests_per_minute=3)
    keystone.restart()
    run = controller.play(None, *arguments, plays=play_of(ROLE + TASK + REVOKE, **ON_HOSTS))
    assert run.ok, run.output
    assert (keystone.count("POST"), keystone.count("DELETE")) == (1, 1)


#: Unit tests cover every dialect, too.
@pytest.mark.repeats
@pytest.mark.parametrize("dialect", ["x-ratelimit-reset", "none", "retry-after", "x-retry-after", "413"])
def test_issuing_waits_until_the_limit_allows_it_in_every_dialect(controller, keystone, limits, dialect):
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
        # It waited as long as Retry-After said: throttled once, then issued.
        assert statuses in ([429, 201], [201])
    limits(token_requests_per_minute=0)
    for session in controller.sessions:
        end(session)


def test_if_keystone_answers_503_modules_fail_with_a_message_and_the_token_stays_recorded(controller, limits):
    assert controller.play("- onetoken.openstack.os_token_issue: {cloud: sandbox, session: kept}").ok
    (session,) = controller.sessions
    limits(keystone_status=503)
    run = controller.play("- onetoken.openstack.os_token_issue: {cloud: sandbox, session: other, timeout: 2}")
    assert run.status == 2 and "Keystone is out of service" in run.output
    revoke = f"- onetoken.openstack.os_token_revoke: {{session: {session}, timeout: 2}}"
    run = controller.play(revoke)
    assert run.status == 2
    assert "may still have a valid token" in run.output and "Traceback" not in run.output
    assert len(controller.tokens()) == 1
    limits(keystone_status=None)
    run = controller.play(revoke)
    assert run.ok and "changed=1" in run.output, run.output
    assert controller.tokens() == []


@pytest.mark.repeats
def test_if_keystone_is_unreachable_the_module_says_so_and_the_token_stays_recorded(controller):
    """The session's record leads to a port where nothing listens."""
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
