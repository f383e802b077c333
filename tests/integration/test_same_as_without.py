# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a playbook does with OpenStack, with the callback it does the same, on one token an identity."""

from __future__ import annotations

import base64
import copy
import dataclasses
import hashlib
import hmac
import json
import os
import shutil
import struct
import subprocess
import sys
import sysconfig
import time
import typing as t

import pytest
import yaml
from ansible_collections.onetoken.openstack.tests.helpers.sandbox import FIRST_SANDBOX, SANDBOX
from ansible_collections.onetoken.openstack.tests.integration.as_found import administrator
from ansible_collections.onetoken.openstack.tests.integration.same_as_without import (
    CALLBACK,
    Case,
    Comparison,
    case,
    play,
)
from openstack.connection import Connection
from openstack.identity.v3.user import User

REPEATS = pytest.mark.repeats
#: How the names of all begin that is made here.
OURS = "same-"
PASSWORD = "a-good-one"

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


@REPEATS
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


@pytest.fixture
def admin(sandbox) -> t.Iterator[Connection]:
    """Makes users and projects, and deletes what is left of them."""
    cloud = administrator(sandbox.clouds_file)
    yield cloud
    for user in cloud.identity.users():
        if user.name.startswith(OURS):
            cloud.identity.delete_user(user)
    for project in cloud.identity.projects():
        if project.name.startswith(OURS):
            cloud.identity.delete_project(project)


def make_user(admin: Connection, name: str, project: str = "demo", options: t.Any = None) -> User:
    """A user who is a member of a project; one that is there is replaced."""
    found = admin.identity.find_user(name)
    if found:
        admin.identity.delete_user(found)
    user = admin.identity.create_user(name=name, password=PASSWORD, domain_id="default")
    role = admin.identity.find_role("member", ignore_missing=False)
    admin.identity.assign_project_role_to_user(admin.identity.find_project(project, ignore_missing=False), user, role)
    if options:
        done = admin.identity.patch(f"/users/{user.id}", json={"user": {"options": options}})
        assert done.ok, done.text
    return user


def cloud_of(sandbox: t.Any, user: str, **auth: str) -> dict[str, t.Any]:
    cloud = sandbox.clouds["sandbox"]
    return {**cloud, "auth": {**cloud["auth"], "username": user, "password": PASSWORD, **auth}}


def let_password_expire(user: User) -> None:
    """No API does it."""
    script = (
        "import configparser, sys, pymysql, urllib.parse\n"
        "config = configparser.RawConfigParser(); config.read(sys.argv[1])\n"
        "url = urllib.parse.urlsplit(config['database']['connection'])\n"
        "database = pymysql.connect(host=url.hostname, port=url.port, user=url.username, password=url.password,\n"
        "                           database='keystone', autocommit=True)\n"
        "database.cursor().execute('UPDATE password JOIN local_user ON local_user_id = local_user.id'\n"
        "    ' SET expires_at_int = 1, expires_at = %s WHERE user_id = %s', ('2001-01-01', sys.argv[2]))\n"
    )
    command = [
        FIRST_SANDBOX / "venv" / "bin" / "python",
        "-c",
        script,
        SANDBOX / "etc" / "keystone" / "keystone.conf",
        user.id,
    ]
    subprocess.run(command, check=True)


REFUSED = ("expired", "factors", "nobody", "no-domain", "scoped-appcred", "unreachable")


#: The command says it as modules do, but where it has no domain, or where nobody answers.
@REPEATS
def test_keystone_s_own_words_reach_the_user(comparison, sandbox, admin):
    let_password_expire(make_user(admin, f"{OURS}expired"))
    make_user(
        admin,
        f"{OURS}factors",
        options={"multi_factor_auth_enabled": True, "multi_factor_auth_rules": [["password", "totp"]]},
    )
    clouds = sandbox.clouds
    for name in ("expired", "factors", "nobody"):
        clouds[name] = cloud_of(sandbox, f"{OURS}{name}")
    clouds["no-domain"] = {**cloud_of(sandbox, "demo"), "auth_type": "v3password"}
    del clouds["no-domain"]["auth"]["user_domain_name"], clouds["no-domain"]["auth"]["project_domain_name"]
    clouds["scoped-appcred"] = copy.deepcopy(clouds["sandbox-appcred"])
    clouds["scoped-appcred"]["auth"].update(project_name="demo", project_domain_name="Default")
    clouds["unreachable"] = cloud_of(sandbox, "demo", auth_url="http://127.0.0.1:9/v3")
    comparison.files["clouds.yaml"] = clouds_yaml(clouds)

    def refused(name: str) -> Case:
        one = name.replace("-", "_")
        tasks = f"- {FLAVORS}: {{cloud: {name}}}\n  register: {one}_by_module\n  ignore_errors: true\n"
        tasks += f"- command: openstack --os-cloud {name} token issue\n  register: {one}_by_command\n"
        tasks += "  ignore_errors: true\n"
        answers = (f"{one}_by_module.msg", f"{one}_by_command.stderr_lines")
        # Each process asks for itself, as credentials may be good a moment later. Without a domain, modules do not.
        more = 0 if name in ("unreachable", "no-domain") else 1
        return case(name, "" if name == "unreachable" else name, tasks, *answers, more_requests=more)

    found = comparison.check([refused(name) for name in REFUSED])
    texts = {name: " ".join(str(answer).split()) for name, answer in found.answers.items()}
    assert "The password is expired and needs to be changed" in texts["expired"]
    assert "Application credentials cannot request a scope" in texts["scoped-appcred"]


@pytest.mark.parametrize(
    "chosen",
    [("promoted", "disabled"), pytest.param(("promoted", "renewed", "disabled", "homeless"), marks=REPEATS)],
    ids=["some", "all"],
)
def test_what_a_task_changes_in_keystone_the_next_task_sees(comparison, sandbox, admin, chosen):
    names = {name: f"{OURS}{name}" for name in ("promoted", "renewed", "disabled", "homeless") if name in chosen}
    clouds = sandbox.clouds
    clouds.update({name: cloud_of(sandbox, user) for name, user in names.items()})
    of_homeless = f"{OURS}homeless"
    if "homeless" in chosen:
        clouds["homeless"]["auth"]["project_name"] = of_homeless
    comparison.files["clouds.yaml"] = clouds_yaml(clouds)

    def prepare() -> None:
        found = admin.identity.find_project(of_homeless)
        if found:
            admin.identity.delete_project(found)
        admin.identity.create_project(name=of_homeless, domain_id="default")
        for user in names.values():
            make_user(admin, user, of_homeless if user == of_homeless else "demo")

    comparison.prepare = prepare

    def change(cloud: str, module: str, question: str = FLAVORS, **arguments: t.Any) -> Case:
        tasks = [
            {question: {"cloud": cloud}, "register": f"{cloud}_before", "ignore_errors": True},
            {f"openstack.cloud.{module}": {"cloud": "sandbox-admin", **arguments}},
            {question: {"cloud": cloud}, "register": f"{cloud}_after", "ignore_errors": True},
        ]
        keys = ("failed", "msg", "flavors", "projects")
        answers = (f"{cloud}_{when}.{key} | default('')" for when in ("before", "after") for key in keys)
        return case(cloud, f"admin, {cloud}", yaml.safe_dump(tasks), *answers)

    changes = [
        change(
            "promoted", "role_assignment", "openstack.cloud.project_info",
            user=f"{OURS}promoted", role="admin", project="demo",
        ),
        change(
            "renewed", "identity_user", name=f"{OURS}renewed", domain="default", password="another one",
            update_password="always",
        ),
        change("disabled", "identity_user", name=f"{OURS}disabled", domain="default", enabled=False),
        change("homeless", "project", name=of_homeless, state="absent"),
    ]  # fmt: skip
    changes = [one for one in changes if one.name in chosen]
    without, found = comparison.run(play(changes))
    for one in changes:
        assert found.answers[one.name][4] is not without.answers[one.name][0], one.name
    for one in changes:
        # A list of projects has the ids of what was made for this run alone.
        kept = slice(0, 7 if one.name == "promoted" else 8)
        assert found.answers[one.name][kept] == without.answers[one.name][kept], one.name
    assert [found.answers[one.name][4] for one in changes] == [one.name != "promoted" for one in changes], found.answers
    assert found.posts <= without.posts
    assert comparison.left() == []


def test_who_makes_users_and_projects_signs_in_once(comparison, admin):
    tasks = f"""
- openstack.cloud.identity_user: {{cloud: sandbox-admin, name: "{OURS}{{{{ item }}}}", domain: default}}
  loop: [one, two]
- openstack.cloud.project: {{cloud: sandbox-admin, name: {OURS}made, domain: default}}
- {FLAVORS}: {{cloud: sandbox-admin}}
"""
    found = comparison.once(play([case("made", "admin", tasks)]), **CALLBACK)
    assert (found.posts, found.deletes) == (1, 1), found.output


@REPEATS
def test_a_task_that_is_tried_until_its_user_exists_succeeds(comparison, sandbox, admin):
    user = f"{OURS}later"
    comparison.files["clouds.yaml"] = clouds_yaml({**sandbox.clouds, "later": cloud_of(sandbox, user)})

    def prepare() -> None:
        found = admin.identity.find_user(user)
        if found:
            admin.identity.delete_user(found)

    comparison.prepare = prepare
    tasks = f"""
- {FLAVORS}: {{cloud: later}}
  register: first
  ignore_errors: true
- shell: >-
    openstack --os-cloud sandbox-admin user create --password {PASSWORD} {user} &&
    openstack --os-cloud sandbox-admin role add --user {user} --project demo member
  async: 60
  poll: 0
- {FLAVORS}: {{cloud: later}}
  register: found
  until: found is succeeded
  retries: 30
  delay: 1
"""
    one = case("later", "later, admin", tasks, "first.msg", "found.flavors")
    without, found = comparison.run(play([one]))
    assert found.answers == without.answers
    assert comparison.left() == []


def test_a_passcode_that_is_good_once_is_sent_once(comparison, sandbox, admin):
    secret = b"twenty bytes of code"
    rules = {"multi_factor_auth_enabled": True, "multi_factor_auth_rules": [["password", "totp"]]}
    user = make_user(admin, f"{OURS}passcode", options=rules)
    blob = base64.b32encode(secret).decode()
    admin.identity.create_credential(type="totp", blob=blob, user_id=user.id, project_id=None)

    def write_passcode() -> None:
        cloud = cloud_of(sandbox, user.name, passcode=passcode(secret))
        cloud.update(auth_type="v3multifactor", auth_methods=["v3password", "v3totp"])
        comparison.files["clouds.yaml"] = clouds_yaml({"sandbox": cloud})

    comparison.prepare = write_passcode
    one = case(
        "passcode", "passcode", f"- {FLAVORS}: {{cloud: sandbox}}\n  loop: [1, 2]\n  register: found", "found.msg"
    )
    found = comparison.once(play([one]), **CALLBACK)
    assert (found.posts, found.deletes) == (1, 1)


def passcode(secret: bytes) -> str:
    """RFC 6238."""
    digest = hmac.new(secret, struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
    start = digest[-1] & 15
    return str((int.from_bytes(digest[start : start + 4], "big") & 0x7FFFFFFF) % 10**6).zfill(6)


INVENTORY = yaml.safe_dump({"plugin": "openstack.cloud.openstack", "only_clouds": ["sandbox"], "fail_on_errors": True})
LOCAL = f"ansible_connection=local ansible_python_interpreter={sys.executable}"
OURS_FIRST = "plugin: onetoken.openstack.one_token\n"
ON_SERVERS = case(
    "servers",
    "demo",
    f"- {FLAVORS}: {{cloud: sandbox}}\n  run_once: true\n  delegate_to: localhost\n  register: found\n",
    "found.flavors",
    "groups.all | sort",
    "hostvars['web-01'].openstack.id",
)
#: Servers of a cloud cannot be reached: what is asked is asked from here.
HEAD = (
    "{hosts: 'all:!localhost', connection: local, vars: {ansible_python_interpreter: '{{ ansible_playbook_python }}'}}"
)


@REPEATS
def test_an_inventory_and_its_tasks_share_a_token_where_ours_is_listed_first(comparison):
    comparison.files.update({"inventory/0_one_token.yml": OURS_FIRST, "inventory/openstack.yml": INVENTORY})
    plays = play([ON_SERVERS], HEAD)
    found = comparison.once(plays, "-i", "inventory", **CALLBACK)
    assert (found.posts, found.deletes) == (1, 1), found.output
    assert "web-01" in found.answers["servers"][1]
    assert comparison.left() == []


@REPEATS
def test_an_inventory_alone_has_a_session_of_its_own(comparison, controller, keystone, issued):
    comparison.files.update({"inventory/0_one_token.yml": OURS_FIRST, "inventory/openstack.yml": INVENTORY})
    comparison.write_files()
    run = controller.command("ansible-inventory", "-i", "inventory", "--list")
    assert run.ok and "web-01" in run.output, run.output
    assert (keystone.count("POST"), keystone.count("DELETE")) == (1, 1)
    assert issued.living() == []


@REPEATS
def test_an_inventory_that_is_read_during_the_run_is_on_its_session(comparison):
    """It is found by meta: refresh_inventory, and by an ansible-playbook that a task runs."""
    inner = "- hosts: web-01\n  gather_facts: false\n  tasks:\n    - debug: {var: openstack.id}\n"
    comparison.files.update({"static/hosts": f"localhost {LOCAL}\n", "openstack.yml": INVENTORY})
    comparison.files["inner.yml"] = inner
    first = """
- hosts: localhost
  gather_facts: false
  tasks:
    - command: ansible-playbook -i openstack.yml inner.yml
      register: inner
    - copy: {src: openstack.yml, dest: static/openstack.yml}
    - meta: refresh_inventory
"""
    last = """
- hosts: localhost
  gather_facts: false
  tasks:
    - file: {path: static/openstack.yml, state: absent}
"""
    one = dataclasses.replace(ON_SERVERS, answers=(*ON_SERVERS.answers, "hostvars.localhost.inner.rc"))
    without, found = comparison.run(first + play([one], HEAD) + last, "-i", "static")
    assert found.answers == without.answers
    assert (found.posts, found.deletes, without.posts) == (1, 1, 3), found.output
    assert comparison.left() == []


LOOKUP = """
import openstack
from ansible.plugins.lookup import LookupBase

class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        return [sorted(flavor.name for flavor in openstack.connect(cloud=terms[0]).compute.flavors())]
"""


def test_lookups_of_the_controller_are_on_the_session(comparison):
    comparison.files["lookup_plugins/flavors.py"] = LOOKUP
    tasks = "- set_fact: {found: \"{{ lookup('flavors', 'sandbox') }}\"}\n"
    one = case("lookups", "demo", tasks, "found", "lookup('flavors', 'sandbox')", "groups.all")
    head = "{hosts: \"{{ 'localhost' if lookup('flavors', 'sandbox') else 'none' }}\"}"
    comparison.check([one], head=head)


PYTHON_OF_ALL = "/usr/bin/python3"
SITE_PACKAGES = sysconfig.get_path("purelib")


def nobody_can_sign_in() -> bool:
    if os.geteuid() != 0 or not shutil.which("su"):
        return False
    command = f"PYTHONPATH={SITE_PACKAGES} {PYTHON_OF_ALL} -c 'import openstack'"
    return (
        subprocess.run(["su", "nobody", "-s", "/bin/sh", "-c", command], check=False, capture_output=True).returncode
        == 0
    )


@REPEATS
@pytest.mark.parametrize("way", ["a template", "variables"])
def test_a_task_that_becomes_another_user_signs_in_by_itself(comparison, sandbox, way):
    if not nobody_can_sign_in():
        pytest.skip("nobody here has a Python with openstacksdk, or may not be become")
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
    arguments = ("-e", "other=nobody", "-e", f"ansible_python_interpreter={PYTHON_OF_ALL}")
    head = yaml.safe_dump({"environment": {"PYTHONPATH": SITE_PACKAGES}})
    without, found = comparison.run(play([one], head), *arguments, **variables)
    assert found.answers == without.answers
    # What others sign in to is not on the list.
    assert (found.posts, found.deletes) == (2, 1), found.output
    assert "one_token: identities: 1, tokens issued: 1" in found.output, found.output


def test_a_session_that_vanishes_costs_sign_ins_and_one_warning(comparison):
    tasks = f"""
- {FLAVORS}: {{cloud: sandbox}}
- file: {{path: "{{{{ lookup('env', 'ONETOKEN_SESSION_DIRECTORY') }}}}", state: absent}}
  when: lookup('env', 'ONETOKEN_SESSION_DIRECTORY') | length > 0
- {FLAVORS}: {{cloud: sandbox}}
  register: found
- command: openstack --os-cloud sandbox flavor list -f json
  register: by_command
- openstack.cloud.networks_info: {{cloud: sandbox}}
"""
    one = case("vanished", "demo", tasks, "found.flavors", "by_command.stdout", "by_command.stderr")
    without, found = comparison.run(play([one]))
    assert found.answers == without.answers
    assert found.posts == without.posts
    assert found.output.count("WARNING") == 1 and "is not there any more" in found.output, found.output


@REPEATS
@pytest.mark.parametrize(
    "command", ["cinder list", "glance image-list", "nova list", "heat stack-list", "openstack image list"]
)
def test_a_client_with_a_sourced_openrc_works_as_it_does_without(comparison, sandbox, controller, command):
    if not shutil.which(command.split()[0], path=controller.environment["PATH"]):
        pytest.skip(f"{command.split()[0]} is not installed")
    # The sandbox has no Heat, which both ways are to say alike.
    one_try = f"- command: {command}\n  failed_when: false\n"
    tasks = f"{one_try}  register: found\n{one_try}"
    one = case("client", "demo", tasks, "found.rc", "found.stdout_lines", "found.stderr_lines")
    variables = {**sandbox.sourced_openrc(), "OS_PROJECT_NAME": "demo", "OS_CLIENT_CONFIG_FILE": ""}
    comparison.check([one], **variables)


@REPEATS
def test_the_tasks_of_many_hosts_are_one_token_an_identity(comparison):
    tasks = """
- openstack.cloud.compute_flavor_info: {cloud: sandbox}
- openstack.cloud.networks_info: {cloud: sandbox-admin}
- command: openstack --os-cloud sandbox image list -f json
"""
    comparison.files["hosts"] = f"[all]\nhost[01:20] {LOCAL}\n"
    found = comparison.once(play([case("hosts", "", tasks)], "hosts: all"), "-i", "hosts", "--forks", "10", **CALLBACK)
    assert (found.posts, found.deletes) == (2, 2), found.output
    served = "identities: 2, tokens issued: 2, sign-ins served from the session: 58, revoked: 2"
    assert served in found.output, found.output
