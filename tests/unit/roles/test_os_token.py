# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role os_token signs in with the same scopes as os_token_issue."""

from __future__ import annotations

import json

import pytest
import yaml
from ansible_collections.onetoken.openstack.tests.unit.conftest import REPOSITORY

SCOPES = ("project", "project_domain", "domain", "system", "unscoped")
ROLE = REPOSITORY / "roles" / "os_token"


def test_every_scope_of_the_module_is_a_variable_of_the_role():
    module = (REPOSITORY / "plugins" / "modules" / "os_token_issue.py").read_text(encoding="utf-8")
    options = yaml.safe_load(module.split('"""')[1])["options"]
    specs = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text(encoding="utf-8"))
    for entry in ("main", "renew", "run"):
        for name in SCOPES:
            variable = specs[entry]["options"][f"os_token_{name}"]
            assert variable["type"] == options[name]["type"], name
            assert variable.get("default") == options[name].get("default") == defaults.get(f"os_token_{name}"), name


@pytest.mark.processes
def test_the_role_signs_in_for_each_scope_and_in_the_domains_of_explicit_credentials(
    keystone, clouds_yaml, run_playbook
):
    auth = {**keystone.entry()["auth"], "user_domain_name": "Operators"}
    del auth["project_name"], auth["project_domain_name"]
    scopes = [
        {"os_token_cloud": "sandbox", "os_token_project": "other", "os_token_project_domain": "Customers"},
        {"os_token_cloud": "sandbox", "os_token_domain": "Customers"},
        {"os_token_cloud": "sandbox", "os_token_system": True},
        {"os_token_cloud": "sandbox", "os_token_unscoped": "yes"},
        {"os_token_auth": auth, "os_token_domain": "Customers"},
    ]
    role = "onetoken.openstack.os_token"
    tasks = [{"include_role": {"name": role}, "vars": variables} for variables in scopes]
    tasks.append({"include_role": {"name": role, "tasks_from": "revoke"}})
    run = run_playbook(tasks)
    assert run.returncode == 0, run.stdout + run.stderr
    asked = [json.loads(request.body)["auth"] for request in keystone.asked("POST")]
    customers = {"name": "Customers"}
    assert [one.get("scope") for one in asked] == [
        {"project": {"name": "other", "domain": customers}},
        {"domain": customers},
        {"system": {"all": True}},
        None,
        {"domain": customers},
    ]
    assert asked[-1]["identity"]["password"]["user"]["domain"] == {"name": "Operators"}
    assert len(keystone.revoked) == len(scopes) and not keystone.alive
