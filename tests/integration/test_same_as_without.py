# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a playbook does with OpenStack, with the callback it does the same, on one token an identity."""

from __future__ import annotations

import base64
import contextlib
import copy
import json
import os
import pathlib
import shutil
import subprocess
import typing as t
import uuid

import pytest
import yaml
from ansible_collections.onetoken.openstack.tests.integration.as_found import administrator
from ansible_collections.onetoken.openstack.tests.integration.same_as_without import (
    CALLBACK,
    Case,
    Comparison,
    case,
    play,
)

#: A name of 120 bytes.
LONG_NAME = "雲" * 40
#: Prints what a program of its own gets of openstacksdk.
SCRIPTS = {
    "connect_as.py": """
import openstack, sys
cloud = openstack.connect(cloud="sandbox-admin")
other = cloud.connect_as(username="demo", password=sys.argv[1], project_name="demo")
project = cloud.connect_as_project("demo")
for one in (cloud, other, project):
    access = one.session.auth.get_access(one.session)
    print(access.username, access.project_name)
    print(sorted(network.name for network in one.network.networks()))
""",
    "configuration.py": """
import json, openstack
config = openstack.config.OpenStackConfig()
region = config.get_one("sandbox")
print(json.dumps(region.config, sort_keys=True, default=str))
print(region.get_client_config("functional"), region.get_cache_expiration_time(), config.extra_config)
print(config.force_ipv4, region.force_ipv4, openstack.connect(cloud="sandbox").config.config["log_file"])
print(sorted(flavor.name for flavor in openstack.connect(cloud="sandbox").compute.flavors()))
""",
    "config_files.py": """
import openstack, sys
config = openstack.config.OpenStackConfig(config_files=[sys.argv[1]])
print(config.get_cloud_names(), config.config_filename)
cloud = openstack.connection.Connection(config=config.get_one("elsewhere"))
print(sorted(flavor.name for flavor in cloud.compute.flavors()))
""",
}

FLAVORS = "openstack.cloud.compute_flavor_info"
AS_WHOEVER_IT_IS = [
    case(
        "an auth type beside a cloud's name",
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
        "credentials laid over a cloud",
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
        "a cloud that is added, and one that is changed",
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
        "a number and a long name for a cloud",
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
CONFIGURATION = [
    case(
        "sections of clouds.yaml that programs read",
        "demo",
        """
- command: "{{ ansible_playbook_python }} configuration.py"
  register: sections
""",
        "sections.stdout_lines",
    ),
    case(
        "a configuration that a program names",
        "admin in demo",
        """
- command: "{{ ansible_playbook_python }} config_files.py {{ playbook_dir }}/elsewhere.yaml"
  environment: {OS_CLIENT_CONFIG_FILE: ""}
  register: config_files
- command: ansible-inventory -i elsewhere.openstack.yml --list
  environment: {OS_CLIENT_CONFIG_FILE: ""}
  register: inventory
""",
        "config_files.stdout_lines",
        "inventory.stdout_lines",
    ),
    case(
        "what templates see of the environment",
        "",
        """
- copy:
    dest: "{{ playbook_dir }}/cloud.conf"
    content: |
      {% set auth = (lookup('file', lookup('env', 'OS_CLIENT_CONFIG_FILE')) | from_yaml).clouds.sandbox.auth %}
      [Global]
      auth-url={{ auth.auth_url }}
      password={{ auth.password | hash('sha256') }}
- command: printenv OS_CLOUD OS_CLIENT_CONFIG_FILE
  register: environment_of_tasks
  vars: {one_token: "{{ item }}"}
  loop: [true, false]
""",
        "lookup('file', playbook_dir ~ '/cloud.conf')",
        "lookup('env', 'OS_CLOUD')",
        "lookup('env', 'OS_CLIENT_CONFIG_FILE')",
        "environment_of_tasks.results | map(attribute='stdout_lines')",
    ),
    case(
        "the packages of a Python",
        "",
        """
- command: "{{ ansible_playbook_python }} -m pip --disable-pip-version-check freeze --all"
  register: packages
""",
        "packages.stdout_lines",
    ),
    case(
        "the configuration as programs show it",
        "",
        """
- command: openstack --os-cloud sandbox configuration show -f json
  register: shown
- openstack.cloud.config: {clouds: [sandbox, sandbox-appcred]}
  register: config
""",
        "shown.stdout | from_json",
        "config.clouds",
    ),
    case(
        "an application credential that is made",
        "demo",
        """
- openstack.cloud.application_credential: {cloud: sandbox, name: same-as-without}
  register: made
- openstack.cloud.application_credential: {cloud: sandbox, name: same-as-without, state: absent}
  register: unmade
""",
        "made.cloud.auth_type, made.cloud.auth.auth_url, made.cloud.auth.keys() | sort",
        "unmade.changed",
    ),
    case(
        "profiles",
        "demo",
        f"""
- {FLAVORS}: {{cloud: "{{{{ item }}}}"}}
  loop: [of-vendor, of-public]
  register: profiles
""",
        "profiles.results | map(attribute='flavors')",
    ),
]


@pytest.fixture(autouse=True)
def no_limits(limits):
    limits(token_requests_per_minute=0, requests_per_second=0)


@pytest.fixture
def comparison(controller, sandbox, keystone, issued) -> Comparison:
    """Both ways of running a play, with a clouds.yaml that plays may change."""
    found = Comparison(controller, keystone, issued)
    clouds = sandbox.clouds
    found.files["clouds.yaml"] = clouds_yaml(clouds)
    found.files["credentials.json"] = json.dumps(
        {"credentials": clouds["sandbox-admin"]["auth"], "password": clouds["sandbox"]["auth"]["password"]}
    )
    controller.environment["OS_CLIENT_CONFIG_FILE"] = str(controller.home / "clouds.yaml")
    return found


def clouds_yaml(clouds: dict[t.Any, t.Any], **sections: t.Any) -> str:
    return yaml.safe_dump({"clouds": clouds, **sections}, allow_unicode=True, sort_keys=False)


def test_tasks_sign_in_as_whoever_they_are(comparison, sandbox):
    clouds: dict[t.Any, t.Any] = sandbox.clouds
    clouds["changing"] = clouds[2026] = clouds[LONG_NAME] = clouds["sandbox"]
    clouds["untyped"] = {**clouds["sandbox-appcred"], "auth_type": "password"}
    del clouds["untyped"]["auth_type"]
    comparison.files["clouds.yaml"] = clouds_yaml(clouds)
    comparison.files["later.yaml"] = clouds_yaml(
        {**clouds, "changing": clouds["sandbox-admin"], "added": clouds["sandbox-admin"]}
    )
    comparison.files["connect_as.py"] = SCRIPTS["connect_as.py"]
    comparison.check(AS_WHOEVER_IT_IS, "-e", "@credentials.json")


def test_programs_read_the_configuration_that_they_would_read(comparison, sandbox, controller):
    clouds = sandbox.clouds
    auth_url = clouds["sandbox"]["auth"]["auth_url"]
    clouds["sandbox"].update(log_file=str(controller.home / "sdk.log"), timing=True, default_domain="default")
    own = {key: value for key, value in clouds["sandbox"].items() if key not in ("auth", "log_file")}
    credentials = {key: clouds["sandbox"]["auth"][key] for key in ("username", "password", "project_name")}
    profile = {"user_domain_name": "Default", "project_domain_name": "Default"}
    clouds["of-vendor"] = {**own, "profile": "auro", "auth": {**credentials, "auth_url": auth_url}}
    clouds["of-public"] = {**own, "profile": "ours", "auth": credentials}
    sections = {
        "client": {"force_ipv4": True},
        "functional": {"image_name": "cirros"},
        "cache": {"expiration_time": 60},
        "metrics": {"statsd": {"host": "127.0.0.1"}},
    }
    comparison.files.update(
        {
            "clouds.yaml": clouds_yaml(clouds, **sections),
            ".config/openstack/clouds-public.yaml": yaml.safe_dump(
                {"public-clouds": {"ours": {"auth": {"auth_url": auth_url, **profile}}}}
            ),
            "elsewhere.yaml": clouds_yaml({"elsewhere": {**sandbox.clouds["sandbox-admin"], "regions": ["RegionOne"]}}),
            "elsewhere.openstack.yml": yaml.safe_dump(
                {
                    "plugin": "openstack.cloud.openstack",
                    "clouds_yaml_path": [str(controller.home / "elsewhere.yaml")],
                    "only_clouds": ["elsewhere"],
                }
            ),
            **SCRIPTS,
        }
    )
    elsewhere = yaml.safe_load(comparison.files["elsewhere.yaml"])
    elsewhere["clouds"]["elsewhere"]["auth"]["project_name"] = "demo"
    comparison.files["elsewhere.yaml"] = yaml.safe_dump(elsewhere)
    comparison.check(CONFIGURATION, OS_CLOUD="sandbox")
