# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens are renewed in time, once, and replaced when a service refuses them."""

from __future__ import annotations

import os
import pathlib

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import Session
from ansible_collections.onetoken.openstack.tests.helpers.controller import CALLBACK, play_of
from ansible_collections.onetoken.openstack.tests.helpers.token_age import let_it_age
from ansible_collections.onetoken.openstack.tests.helpers.waiting import TIMEOUT, wait_for
from ansible_collections.onetoken.openstack.tests.integration.kept_sessions import end, variables_of

FLAVORS = "- openstack.cloud.compute_flavor_info: {cloud: sandbox}\n"
#: A session that outlives its play, because it has a name.
ISSUE_NAMED = """
- onetoken.openstack.os_token_issue: {cloud: sandbox, session: kept}
  register: session
"""


def age_program(controller) -> pathlib.Path:
    """A program that makes the token of its session nine hours older."""
    program = controller.home / "age.py"
    program.write_text(
        "import json, glob, os, datetime\n"
        "(path,) = glob.glob(os.environ['ONETOKEN_SESSION_DIRECTORY'] + '/tokens/*.json')\n"
        "content = json.load(open(path))\n"
        "moment = datetime.datetime.fromisoformat(content['current']['obtained_at']) - datetime.timedelta(hours=9)\n"
        "content['current'].update(obtained_at=moment.isoformat(), boot='')\n"
        "json.dump(content, open(path, 'w'))\n"
    )
    return program


@pytest.mark.parametrize("forks", [6, pytest.param(20, marks=pytest.mark.repeats)])
def test_parallel_tasks_renew_an_old_token_once(controller, keystone, forks):
    plays = play_of(f"{FLAVORS}- command: python3 {age_program(controller)}\n") + play_of(FLAVORS, hosts="all")
    inventory = controller.write_inventory(forks)
    run = controller.play(None, "-i", inventory, "--forks", str(forks), plays=plays, **CALLBACK)
    assert run.ok, run.output
    assert [request.status for request in keystone.requests() if request.method == "POST"] == [201, 201]
    assert keystone.count("DELETE") == 2


def test_a_run_continues_on_its_old_token_if_keystone_issues_no_new_one(controller, keystone, issued, limits):
    limits(token_requests_per_minute=1)
    run = controller.play(f"{FLAVORS}- command: python3 {age_program(controller)}\n{FLAVORS}{FLAVORS}", **CALLBACK)
    assert run.ok, run.output
    statuses = [request.status for request in keystone.requests() if request.method == "POST"]
    assert statuses[0] == 201 and set(statuses[1:]) == {429}
    assert (len(issued.all()), issued.living()) == (1, [])


def test_a_waiting_task_survives_the_replacement_of_its_token(controller, keystone, issued, limits):
    """The token is renewed, and then revoked by somebody else, while openstack.cloud.server waits."""
    limits(spawn_seconds=12)
    name = f"swap-{os.getpid()}"
    tasks = f"""
- openstack.cloud.server: {{cloud: sandbox, name: {name}, flavor: small, image: cirros, network: private,
                            auto_ip: false, timeout: 300}}
  register: server
- openstack.cloud.server: {{cloud: sandbox, name: {name}, state: absent}}
- assert: {{that: server.server.status == 'ACTIVE'}}
"""
    playbook = controller.write_playbook(play_of(tasks), "server.yml")
    with controller.started("ansible-playbook", playbook, **CALLBACK) as terminal:
        wait_for(lambda: issued.all() or terminal.ended, TIMEOUT, "the first token is issued")
        (first,) = issued.all()
        (session,) = controller.sessions
        wait_for(lambda: list((session / "tokens").glob("*.json")), TIMEOUT, "the token is in the session")
        (identity,) = Session(str(session)).names()
        let_it_age(Session(str(session)), identity, 9 * 3600)
        run = controller.play(f"- onetoken.openstack.os_token_issue: {{session: {session}, cloud: sandbox}}")
        assert run.ok and len(issued.all()) == 2, run.output
        revoke = f"- onetoken.openstack.os_token_revoke: {{cloud: sandbox, token: '{first}'}}\n  no_log: true"
        assert controller.play(revoke).ok
        wait_for(lambda: terminal.ended, 2 * TIMEOUT, "the play has ended")
        assert terminal.process.returncode == 0, terminal.output
    assert len(issued.all()) == 2
    assert issued.living() == []


@pytest.mark.repeats
def test_a_task_renews_an_expired_token(controller, keystone):
    assert controller.play(ISSUE_NAMED).ok
    (session,) = controller.sessions
    _age(session, hours=25)
    environment = variables_of(session)
    run = controller.play("- openstack.cloud.compute_flavor_info:\n  loop: '{{ range(3) | list }}'", **environment)
    assert run.ok, run.output
    assert keystone.count("POST") == 2
    end(session)


def test_a_token_revoked_elsewhere_is_replaced_once(controller, keystone):
    assert controller.play(ISSUE_NAMED).ok
    (token,) = controller.tokens()
    (session,) = controller.sessions
    revoke = f"- onetoken.openstack.os_token_revoke: {{cloud: sandbox, token: '{token}'}}\n  no_log: true"
    assert controller.play(revoke).ok
    environment = variables_of(session)
    run = controller.play("- openstack.cloud.compute_flavor_info:\n  loop: '{{ range(3) | list }}'", **environment)
    assert run.ok, run.output
    assert keystone.count("POST") == 2


@pytest.mark.repeats
def test_an_expired_token_of_explicit_credentials_is_reported_with_the_remedy(controller, keystone, sandbox):
    auth = {**sandbox.clouds["sandbox"]["auth"]}
    issue = [{"onetoken.openstack.os_token_issue": {"auth": auth, "session": "kept"}}]
    assert controller.play(issue).ok
    (session,) = controller.sessions
    _age(session, hours=25)
    run = controller.play("- openstack.cloud.server_info:", **variables_of(session))
    assert run.status == 2
    assert "expired at" in run.output and "issue it again with os_token_issue" in run.output
    assert controller.play(issue[:1]).ok
    assert keystone.count("POST") == 2


@pytest.mark.repeats
def test_a_second_issue_sends_no_request_until_the_token_is_due(controller, keystone):
    again = "- onetoken.openstack.os_token_issue: {{cloud: sandbox, session: '{{{{ session.session }}}}'{}}}\n"
    run = controller.play(
        ISSUE_NAMED
        + again.format("")
        + "  register: same\n- assert: {that: not same.changed}\n"
        + again.format(", min_remaining: 86000, renew_after: 1%")
        + "  register: young\n- assert: {that: not young.changed}\n"
    )
    assert run.ok, run.output
    assert keystone.count("POST") == 1
    (session,) = controller.sessions
    _age(session, hours=9)
    run = controller.play(again.format("").replace("{{ session.session }}", str(session)))
    assert run.ok and "changed=1" in run.output, run.output
    assert keystone.count("POST") == 2
    # The old token is revoked as well.
    run = controller.play(f"- onetoken.openstack.os_token_revoke: {{session: {session}}}")
    assert run.ok, run.output
    assert [request.status for request in keystone.requests() if request.method == "DELETE"] == [204, 204]


def _age(path, hours: int) -> None:
    """Make the tokens of a session this much older."""
    session = Session(str(path))
    for name in session.names():
        let_it_age(session, name, hours * 3600)
