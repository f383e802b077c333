# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sign-ins that Keystone refuses fail as without a session, and are not repeated without need."""

from __future__ import annotations

import base64
import copy
import hashlib
import hmac
import struct
import subprocess
import time

import pytest
from ansible_collections.onetoken.openstack.tests.helpers.controller import CALLBACK, clouds_yaml
from ansible_collections.onetoken.openstack.tests.helpers.sandbox import FIRST_SANDBOX, SANDBOX
from ansible_collections.onetoken.openstack.tests.integration.transparency.comparison import Case, case, play_of_cases
from ansible_collections.onetoken.openstack.tests.integration.transparency.users import (
    PASSCODE_RULES,
    PASSWORD,
    PREFIX,
    cloud_of,
    delete_user,
    make_user,
)
from openstack.identity.v3.user import User

FLAVORS = "openstack.cloud.compute_flavor_info"
REPEATS = pytest.mark.repeats


def let_password_expire(user: User) -> None:
    """In Keystone's database, as no API does it."""
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


@REPEATS
def test_keystones_own_error_messages_reach_the_user(comparison, sandbox, admin):
    let_password_expire(make_user(admin, f"{PREFIX}expired"))
    make_user(admin, f"{PREFIX}factors", options=PASSCODE_RULES)
    clouds = sandbox.clouds
    for name in ("expired", "factors", "nobody"):
        clouds[name] = cloud_of(sandbox, f"{PREFIX}{name}")
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
        # Each process asks Keystone, as credentials may be valid a moment later; modules without a domain do not.
        more = 0 if name in ("unreachable", "no-domain") else 1
        return case(name, "" if name == "unreachable" else name, tasks, *answers, more_requests=more)

    found = comparison.check([refused(name) for name in REFUSED])
    texts = {name: " ".join(str(answer).split()) for name, answer in found.answers.items()}
    assert "The password is expired and needs to be changed" in texts["expired"]
    assert "Application credentials cannot request a scope" in texts["scoped-appcred"]


@REPEATS
def test_a_task_retried_until_its_user_exists_succeeds(comparison, sandbox, admin):
    user = f"{PREFIX}later"
    comparison.files["clouds.yaml"] = clouds_yaml({**sandbox.clouds, "later": cloud_of(sandbox, user)})
    comparison.prepare = lambda: delete_user(admin, user)
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
    without, found = comparison.run(play_of_cases([one]))
    assert found.answers == without.answers
    assert comparison.living_tokens() == []


def test_a_one_time_passcode_is_sent_once(comparison, sandbox, admin):
    secret = b"twenty bytes of code"
    user = make_user(admin, f"{PREFIX}passcode", options=PASSCODE_RULES)
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
    found = comparison.once(play_of_cases([one]), **CALLBACK)
    assert (found.posts, found.deletes) == (1, 1)


def passcode(secret: bytes) -> str:
    """The current one, by RFC 6238."""
    digest = hmac.new(secret, struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
    start = digest[-1] & 15
    return str((int.from_bytes(digest[start : start + 4], "big") & 0x7FFFFFFF) % 10**6).zfill(6)
