# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens that Keystone refuses to revoke, and Keystones behind something else: what is said of a token is true."""

from __future__ import annotations

import http
import json
import os
import re
import secrets
import signal
import typing as t
import urllib.request

import openstack
import pytest
import yaml
from ansible_collections.onetoken.openstack.tests.helpers.http_server import QuietHandler, serving
from ansible_collections.onetoken.openstack.tests.helpers.waiting import wait_for
from ansible_collections.onetoken.openstack.tests.integration.test_endings import (
    CALLBACK,
    ISSUE,
    PATIENCE,
    WORK,
    no_process_is_left,
    play,
    watchers_of,
)

ALIVE = re.compile(r"revoked: 0, alive until \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ: 1")


@pytest.fixture
def connect(sandbox) -> t.Iterator[t.Callable[[str], openstack.connection.Connection]]:
    config = openstack.config.OpenStackConfig(config_files=[str(sandbox.clouds_file)], secure_files=[])
    connections = []

    def connect(cloud: str) -> openstack.connection.Connection:
        connections.append(openstack.connection.Connection(config=config.get_one(cloud)))
        return connections[-1]

    yield connect
    for connection in connections:
        connection.close()


@pytest.fixture
def clouds(controller, sandbox) -> t.Callable[..., None]:
    """Change how the user's clouds.yaml describes the cloud sandbox."""

    def change(**entry: t.Any) -> None:
        own = controller.home / "clouds.yaml"
        own.write_text(yaml.safe_dump({"clouds": {"sandbox": {**sandbox.clouds["sandbox"], **entry}}}))
        controller.environment["OS_CLIENT_CONFIG_FILE"] = str(own)

    return change


@pytest.fixture
def trust(connect, clouds, sandbox) -> t.Iterator[None]:
    """The administrator impersonates the user, by a trust."""
    user, administrator = connect("sandbox"), connect("sandbox-admin")
    wanted = {
        "trustor_user_id": user.current_user_id,
        "trustee_user_id": administrator.current_user_id,
        "project_id": user.current_project_id,
        "impersonation": True,
        "roles": [{"name": "member"}],
    }
    made = user.identity.post("/OS-TRUST/trusts", json={"trust": wanted}).json()["trust"]
    auth = {**sandbox.clouds["sandbox-admin"]["auth"], "trust_id": made["id"]}
    for key in list(auth):
        if key.startswith("project"):
            del auth[key]
    clouds(auth_type="v3password", auth=auth)
    yield
    user.identity.delete(f"/OS-TRUST/trusts/{made['id']}")


@pytest.fixture
def access_rules(connect, clouds, sandbox) -> t.Iterator[None]:
    """An application credential with which flavors can be listed, and nothing else."""
    user = connect("sandbox")
    place = f"/users/{user.current_user_id}/application_credentials"
    rules = [{"service": "compute", "method": "GET", "path": "/v2.1/flavors/detail"}]
    wanted = {"name": f"flavors-{secrets.token_hex(4)}", "access_rules": rules}
    made = user.identity.post(place, json={"application_credential": wanted}).json()["application_credential"]
    auth = {
        "auth_url": sandbox.clouds["sandbox"]["auth"]["auth_url"],
        "application_credential_id": made["id"],
        "application_credential_secret": made["secret"],
    }
    clouds(auth_type="v3applicationcredential", auth=auth)
    yield
    user.identity.delete(f"{place}/{made['id']}")


@pytest.mark.usefixtures("trust")
def test_a_run_of_a_trust_says_until_when_its_token_lives_and_ends_at_once(controller, issued, keystone):
    run = controller.play(plays=play(ISSUE), ONETOKEN_REVOKE_TIMEOUT="300", **CALLBACK)

    assert run.ok and ALIVE.search(run.output), run.output
    words = " ".join(run.output.split())
    assert "refuses to revoke it (HTTP 403), as it does with tokens of a trust that impersonates: delete the" in words
    assert "goes on asking" not in words
    assert (keystone.count("POST"), keystone.count("DELETE")) == (1, 1)
    assert len(issued.all()) == 1
    # It lives, but not on this disk.
    assert controller.tokens() == []
    no_process_is_left(controller)


@pytest.mark.usefixtures("trust")
def test_the_module_counts_it_each_time_and_asks_once(controller, keystone):
    run = controller.play(
        """
- onetoken.openstack.os_token_issue: {cloud: sandbox}
  register: session
- onetoken.openstack.os_token_revoke: {session: "{{ session.session }}"}
  register: ended
  loop: [once, twice]
- assert:
    that:
      - ended.results | map(attribute='revoked') | list == [0, 0]
      - ended.results | map(attribute='alive') | list == [1, 1]
      - ended.results | map(attribute='alive_until') | unique | list == [session.expires_at]
"""
    )

    assert run.ok, run.output
    assert keystone.count("DELETE") == 1


@pytest.mark.usefixtures("access_rules")
def test_a_run_with_access_rules_says_until_when_its_token_lives(controller, issued, keystone):
    """And a service that refuses what the rules do not allow costs no other token."""
    refused = "openstack.cloud.keypair_info: {cloud: sandbox}\n      ignore_errors: true"
    run = controller.play(plays=play(refused, refused, refused), **CALLBACK)

    assert ALIVE.search(run.output), run.output
    words = " ".join(run.output.split())
    assert "as it does with tokens of an application credential that has access rules: delete the" in words
    assert keystone.count("POST") == 1
    assert len(issued.all()) == 1
    assert controller.tokens() == []


class Gateway(QuietHandler):
    """In front of Keystone: it redirects to it, or has it at a path that its list of versions names."""

    keystone = ""
    redirects = False

    def handle_request(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if self.redirects:
            self._answer(307, b"", Location=self.keystone + self.path.removeprefix("/v3"))
        elif self.path == "/":
            link = f"http://{self.headers['Host']}/identity/v3/"
            version = {"id": "v3.14", "status": "stable", "links": [{"rel": "self", "href": link}]}
            self._answer(300, json.dumps({"versions": {"values": [version]}}).encode())
        elif self.path.startswith("/identity/v3/"):
            self._forward(body)
        else:
            self._answer(404, b"<html><h1>Not Found</h1></html>")

    do_GET = do_POST = do_DELETE = handle_request

    def _forward(self, body: bytes) -> None:
        request = urllib.request.Request(
            self.keystone + self.path.removeprefix("/identity/v3"),
            data=body or None,
            headers={name: value for name, value in self.headers.items() if name.startswith(("X-", "Content-Type"))},
            method=self.command,
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            token = answer.headers.get("X-Subject-Token")
            self._answer(answer.status, answer.read(), **({"X-Subject-Token": token} if token else {}))

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        if status != http.HTTPStatus.NO_CONTENT:
            headers["Content-Length"] = str(len(body))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@pytest.mark.parametrize("redirects", [True, False], ids=["redirect", "list of versions"])
def test_a_token_is_revoked_where_it_was_issued(controller, issued, clouds, sandbox, redirects):
    auth = sandbox.clouds["sandbox"]["auth"]
    handler = type("Handler", (Gateway,), {"keystone": auth["auth_url"], "redirects": redirects})
    with serving(handler) as gateway:
        address = f"http://127.0.0.1:{gateway.server_port}" + ("/v3" if redirects else "")
        clouds(auth={**auth, "auth_url": address})
        run = controller.play(plays=play(ISSUE), **CALLBACK)

    assert run.ok and "revoked: 1" in run.output, run.output
    assert (len(issued.all()), issued.living()) == (1, [])


def test_a_watcher_that_was_stopped_is_noticed_and_replaced(controller, issued):
    (controller.home / "play.yml").write_text(play(ISSUE, WORK.replace("sleep 300", "sleep 5")))
    with controller.started("ansible-playbook", "play.yml", ONETOKEN_REVOKE_TIMEOUT="300", **CALLBACK) as terminal:
        at_work = controller.home / "working"
        wait_for(lambda: at_work.exists() or terminal.ended, PATIENCE, "the play is at work")
        (watcher,) = watchers_of(controller)
        os.kill(watcher, signal.SIGSTOP)
        wait_for(lambda: terminal.ended, PATIENCE, "the play has ended")

    words = " ".join(terminal.output.split())
    assert "The watcher of this run was stopped by a signal, so another one took its place." in words, words
    assert "revoked: 1" in words
    assert (len(issued.all()), issued.living()) == (1, [])
    no_process_is_left(controller)


@pytest.mark.parametrize(
    ("revoked", "counts", "token_is_revoked"),
    [
        ({"revoked": 1, "alive": 0, "alive_until": None}, "revoked: 1.", True),
        (
            {"revoked": 0, "alive": 1, "alive_until": "2026-01-31T14:05:00Z"},
            "revoked: 0, alive until 2026-01-31T14:05:00Z: 1.",
            False,
        ),
        ({"revoked": 1, "alive": 2, "alive_until": None}, "revoked: 1, alive: 2.", False),
    ],
    ids=["revoked", "alive", "alive for as long as nobody knows"],
)
def test_the_end_of_a_bulk_playbook_counts_the_tokens_that_live(
    controller, repository, revoked, counts, token_is_revoked
):
    run = controller.play(
        [
            {
                "ansible.builtin.include_tasks": str(repository / "playbooks" / "tasks" / "end.yml"),
                "vars": {
                    "os_token_revoked": {"keystone_requests": 3, "tokens_issued": 1, **revoked},
                    "bulk_on_session": False,
                    "bulk_given": {},
                    "bulk_results": [{"name": "web-1", "outcome": "failed", "reason": "broken"}],
                },
            }
        ]
    )

    words = " ".join(run.output.split())
    assert f"tokens issued: 1, {counts}" in words, run.output
    assert ("and the token is revoked" in words) is token_is_revoked
