# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs read the same configuration as without a session."""

from __future__ import annotations

import shutil

import pytest
import yaml
from ansible_collections.onetoken.openstack.tests.helpers.controller import clouds_yaml
from ansible_collections.onetoken.openstack.tests.integration.transparency.comparison import case

FLAVORS = "openstack.cloud.compute_flavor_info"
REPEATS = pytest.mark.repeats
#: Print what openstacksdk reads.
SCRIPTS = {
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
CASES = [
    case(
        "the sections of clouds.yaml",
        "demo",
        """
- command: "{{ ansible_playbook_python }} configuration.py"
  register: sections
""",
        "sections.stdout_lines",
    ),
    case(
        "files that a program names",
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
        "the environment that templates see",
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
        "installed packages",
        "",
        """
- command: "{{ ansible_playbook_python }} -m pip --disable-pip-version-check freeze --all"
  register: packages
""",
        "packages.stdout_lines",
    ),
    case(
        "the configuration that programs show",
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
        "a new application credential",
        "demo",
        """
- openstack.cloud.application_credential: {cloud: sandbox, name: transparency}
  register: made
- openstack.cloud.application_credential: {cloud: sandbox, name: transparency, state: absent}
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


@REPEATS
def test_programs_read_the_same_configuration_as_without_a_session(comparison, sandbox, controller):
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
    admin = {**clouds["sandbox-admin"], "regions": ["RegionOne"]}
    comparison.files.update(
        {
            "clouds.yaml": clouds_yaml(clouds, **sections),
            ".config/openstack/clouds-public.yaml": yaml.safe_dump(
                {"public-clouds": {"ours": {"auth": {"auth_url": auth_url, **profile}}}}
            ),
            "elsewhere.yaml": clouds_yaml({"elsewhere": {**admin, "auth": {**admin["auth"], "project_name": "demo"}}}),
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
    comparison.check(CASES, OS_CLOUD="sandbox")


@REPEATS
@pytest.mark.parametrize(
    "command", ["cinder list", "glance image-list", "nova list", "heat stack-list", "openstack image list"]
)
def test_a_client_with_a_sourced_openrc_works_as_without_a_session(comparison, sandbox, controller, command):
    if not shutil.which(command.split()[0], path=controller.environment["PATH"]):
        pytest.skip(f"{command.split()[0]} is not installed")
    # The sandbox has no Heat: both ways must fail alike.
    one_try = f"- command: {command}\n  failed_when: false\n"
    tasks = f"{one_try}  register: found\n{one_try}"
    one = case("client", "demo", tasks, "found.rc", "found.stdout_lines", "found.stderr_lines")
    variables = {**sandbox.sourced_openrc(), "OS_PROJECT_NAME": "demo", "OS_CLIENT_CONFIG_FILE": ""}
    comparison.check([one], **variables)
