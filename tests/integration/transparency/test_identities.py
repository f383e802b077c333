# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every task signs in with the same credentials as without a session, at one token per identity."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import typing as t

import pytest
import yaml
from ansible_collections.onetoken.openstack.tests.helpers.controller import CALLBACK, clouds_yaml
from ansible_collections.onetoken.openstack.tests.integration.transparency.comparison import case, play_of_cases

FLAVORS = "openstack.cloud.compute_flavor_info"
REPEATS = pytest.mark.repeats
#: 120 bytes.
LONG_NAME = "雲" * 40
#: Prints the users and projects of three connections that a program makes.
CONNECT_AS = """
import openstack, sys
cloud = openstack.connect(cloud="sandbox-admin")
other = cloud.connect_as(username="demo", password=sys.argv[1], project_name="demo")
project = cloud.connect_as_project("demo")
for one in (cloud, other, project):
    access = one.session.auth.get_access(one.session)
    print(access.username, access.project_name)
    print(sorted(network.name for network in one.network.networks()))
"""
CASES = [
    case(
        "auth_type together with a cloud's name",
        "demo",
        f"""
- {FLAVORS}: {{cloud: sandbox, auth_type: "{{{{ item }}}}"}}
  loop: [password, v3password]
  register: auth_types
- command: openstack --os-cloud sandbox --os-auth-type password flavor list -f json
  register: auth_type_of_command
""",
        "auth_types.results | map(attribute='flavors')",
        "auth_type_of_command.stdout | from_json",
    ),
    case(
        "auth that overrides a cloud's",
        "demo, admin",
        """
- openstack.cloud.identity_user_info: {cloud: sandbox, auth: "{{ credentials }}", name: demo}
  register: as_admin
- openstack.cloud.identity_user_info: {cloud: sandbox, name: demo}
  register: as_demo
  ignore_errors: true
""",
        "as_admin.users",
        "as_demo.msg",
    ),
    case(
        "another project of the same user",
        "admin in demo",
        """
- openstack.cloud.networks_info: {cloud: sandbox-admin, auth: {project_name: demo}}
  register: of_project
- command: openstack --os-cloud sandbox-admin --os-project-name demo server list -f json
  register: of_project_by_command
""",
        "of_project.networks",
        "of_project_by_command.stdout | from_json",
    ),
    case(
        "connect_as and connect_as_project",
        "admin, demo, admin in demo",
        """
- command: "{{ ansible_playbook_python }} connect_as.py {{ password }}"
  register: connect_as
  no_log: true
""",
        "connect_as.stdout_lines",
    ),
    case(
        "a cloud added and one changed during the run",
        "demo, admin",
        """
- openstack.cloud.project_info: {cloud: changing}
  register: before
  ignore_errors: true
- copy: {src: later.yaml, dest: clouds.yaml}
- openstack.cloud.project_info: {cloud: changing, name: demo}
  register: after
- openstack.cloud.project_info: {cloud: added, name: demo}
  register: added
""",
        "before.msg",
        "after.projects",
        "added.projects",
    ),
    case(
        "a number or a long text as a cloud's name",
        "demo",
        f"""
- {FLAVORS}: {{cloud: "{{{{ item }}}}"}}
  loop: [2026, {LONG_NAME}]
  register: odd_names
""",
        "odd_names.results | map(attribute='flavors')",
    ),
    case(
        "an application credential without auth_type",
        "",
        f"""
- {FLAVORS}: {{cloud: untyped}}
  register: untyped
  ignore_errors: true
""",
        "untyped.msg",
    ),
    case(
        "an empty auth",
        "demo",
        f"""
- {FLAVORS}: {{cloud: sandbox, auth: "{{{{ empty }}}}"}}
  vars: {{empty: {{}}}}
  register: empty_auth
""",
        "empty_auth.flavors",
    ),
]


def test_tasks_sign_in_with_the_credentials_that_they_have(comparison, sandbox):
    clouds: dict[t.Any, t.Any] = sandbox.clouds
    clouds["changing"] = clouds[2026] = clouds[LONG_NAME] = clouds["sandbox"]
    clouds["untyped"] = {**clouds["sandbox-appcred"], "auth_type": "password"}
    del clouds["untyped"]["auth_type"]
    comparison.files["clouds.yaml"] = clouds_yaml(clouds)
    comparison.files["later.yaml"] = clouds_yaml(
        {**clouds, "changing": clouds["sandbox-admin"], "added": clouds["sandbox-admin"]}
    )
    comparison.files["connect_as.py"] = CONNECT_AS
    comparison.check(CASES, "-e", "@credentials.json")


SYSTEM_PYTHON = "/usr/bin/python3"
SITE_PACKAGES = sysconfig.get_path("purelib")


def nobody_can_sign_in() -> bool:
    """Whether the user nobody can run a Python with openstacksdk."""
    if os.geteuid() != 0 or not shutil.which("su"):
        return False
    command = f"PYTHONPATH={SITE_PACKAGES} {SYSTEM_PYTHON} -c 'import openstack'"
    done = subprocess.run(["su", "nobody", "-s", "/bin/sh", "-c", command], check=False, capture_output=True)
    return done.returncode == 0


@REPEATS
@pytest.mark.parametrize("way", ["a template", "variables"])
def test_a_task_that_becomes_another_user_signs_in_by_itself(comparison, sandbox, way):
    if not nobody_can_sign_in():
        pytest.skip("the user nobody cannot run a Python with openstacksdk here")
    become = {
        "a template": {"become": True, "become_user": "{{ other }}"},
        "variables": {"vars": {"ansible_become": True, "ansible_become_user": "nobody"}},
    }[way]
    task = {FLAVORS: None, "environment": {"PYTHONPATH": SITE_PACKAGES}, "register": "found", **become}
    one = case("nobody", "", yaml.safe_dump([{FLAVORS: None, "register": "own"}, task]), "own.flavors", "found.flavors")
    variables = {
        **sandbox.sourced_openrc(),
        "OS_CLIENT_CONFIG_FILE": "",
        "ANSIBLE_BECOME_METHOD": "su",
        "ANSIBLE_BECOME_FLAGS": "-s /bin/sh",
        "ANSIBLE_PIPELINING": "1",
    }
    arguments = ("-e", "other=nobody", "-e", f"ansible_python_interpreter={SYSTEM_PYTHON}")
    plays = play_of_cases([one], environment={"PYTHONPATH": SITE_PACKAGES})
    without, found = comparison.run(plays, *arguments, **variables)
    assert found.answers == without.answers
    # The other user's token is not in the session.
    assert (found.posts, found.deletes) == (2, 1), found.output
    assert "one_token: identities: 1, tokens issued: 1" in found.output, found.output


@REPEATS
def test_tasks_of_many_hosts_cost_one_token_per_identity(comparison, controller):
    tasks = """
- openstack.cloud.compute_flavor_info: {cloud: sandbox}
- openstack.cloud.networks_info: {cloud: sandbox-admin}
- command: openstack --os-cloud sandbox image list -f json
"""
    plays = play_of_cases([case("hosts", "", tasks)], hosts="all")
    found = comparison.once(plays, "-i", controller.write_inventory(20), "--forks", "10", **CALLBACK)
    assert (found.posts, found.deletes) == (2, 2), found.output
    served = "identities: 2, tokens issued: 2, sign-ins served from the session: 58, revoked: 2"
    assert served in found.output, found.output
