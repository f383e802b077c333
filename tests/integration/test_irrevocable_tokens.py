# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens that Keystone refuses to revoke: the run reports until when they live."""

from __future__ import annotations

import re
import secrets
import typing as t

import pytest
from ansible_collections.onetoken.openstack.tests.helpers.controller import CALLBACK
from ansible_collections.onetoken.openstack.tests.integration.session_processes import assert_no_process_is_left

ISSUE = "- openstack.cloud.compute_flavor_info: {cloud: sandbox}\n"
ALIVE = re.compile(r"revoked: 0, alive until \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ: 1")


@pytest.fixture
def sign_in_with(controller, sandbox) -> t.Callable[..., None]:
    """Change how the user's clouds.yaml describes the cloud sandbox."""

    def change(**entry: t.Any) -> None:
        controller.write_clouds({"sandbox": {**sandbox.clouds["sandbox"], **entry}})

    return change


@pytest.fixture
def trust(demo_cloud, sign_in_with, sandbox) -> t.Iterator[None]:
    """The administrator impersonates the user, by a trust."""
    user, administrator = demo_cloud, sandbox.connect("sandbox-admin")
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
    sign_in_with(auth_type="v3password", auth=auth)
    yield
    user.identity.delete(f"/OS-TRUST/trusts/{made['id']}")


@pytest.fixture
def access_rules(demo_cloud, sign_in_with, sandbox) -> t.Iterator[None]:
    """An application credential that can only list flavors."""
    user = demo_cloud
    path = f"/users/{user.current_user_id}/application_credentials"
    rules = [{"service": "compute", "method": "GET", "path": "/v2.1/flavors/detail"}]
    wanted = {"name": f"flavors-{secrets.token_hex(4)}", "access_rules": rules}
    made = user.identity.post(path, json={"application_credential": wanted}).json()["application_credential"]
    auth = {
        "auth_url": sandbox.clouds["sandbox"]["auth"]["auth_url"],
        "application_credential_id": made["id"],
        "application_credential_secret": made["secret"],
    }
    sign_in_with(auth_type="v3applicationcredential", auth=auth)
    yield
    user.identity.delete(f"{path}/{made['id']}")


@pytest.mark.usefixtures("trust")
def test_a_run_with_a_trust_reports_when_its_token_expires_and_ends_at_once(controller, issued, keystone):
    run = controller.play(ISSUE, ONETOKEN_REVOKE_TIMEOUT="300", **CALLBACK)

    assert run.ok and ALIVE.search(run.output), run.output
    words = " ".join(run.output.split())
    assert "refuses to revoke it (HTTP 403), as it does with tokens of a trust that impersonates: delete the" in words
    assert "keeps asking" not in words
    assert (keystone.count("POST"), keystone.count("DELETE")) == (1, 1)
    assert len(issued.all()) == 1
    # It is alive, but not on the disk.
    assert controller.tokens() == []
    assert_no_process_is_left(controller)


@pytest.mark.usefixtures("trust")
def test_the_module_reports_the_token_each_time_and_asks_keystone_once(controller, keystone):
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
def test_a_run_with_access_rules_reports_when_its_token_expires(controller, issued, keystone):
    """Requests that the rules forbid cost no further tokens."""
    refused = "- openstack.cloud.keypair_info: {cloud: sandbox}\n  ignore_errors: true\n"
    run = controller.play(refused * 3, **CALLBACK)

    assert ALIVE.search(run.output), run.output
    words = " ".join(run.output.split())
    assert "as it does with tokens of an application credential that has access rules: delete the" in words
    assert keystone.count("POST") == 1
    assert len(issued.all()) == 1
    assert controller.tokens() == []
