# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import os
import pathlib

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.config_files import ConfigFiles
from ansible_collections.onetoken.openstack.plugins.module_utils._session.source import CONFIG, Source
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.renewal import RenewalPolicy
from ansible_collections.onetoken.openstack.plugins.module_utils._session_setup import environment, site
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    PROJECT_ID,
    REGIONS,
)

pytestmark = pytest.mark.processes

PACKAGE_FOLDER = pathlib.Path(site.__file__).parent


@pytest.fixture
def injected(session, write_clouds, keystone):
    """The variables of a session that has a token."""
    path = write_clouds({"clouds": {"sandbox": keystone.entry(regions=list(REGIONS))}})
    lifecycle.issue(session, Source(CONFIG, "sandbox", ConfigFiles(path)), RenewalPolicy(), 10)
    return environment.of_session(session, "sandbox", {})


def test_every_module_of_the_package_is_shipped():
    on_disk = {f"{site.PACKAGE}/{path.name}" for path in PACKAGE_FOLDER.glob("*.py")}

    assert {name for name in site.files() if name.endswith(".py")} == on_disk


def test_what_is_shipped_is_what_is_there():
    for name, text in site.files().items():
        if name.endswith(".py"):
            assert text == (PACKAGE_FOLDER / os.path.basename(name)).read_text(encoding="utf-8")


def test_a_process_without_ansible_signs_in_from_the_session_and_asks_keystone_for_nothing(
    injected, keystone, run_python
):
    keystone.requests.clear()

    process = run_python(
        "import sys, openstack\n"
        "connection = openstack.connect()\n"
        "print(connection.current_project_id, connection.current_user_id, connection.config.region_name)\n"
        "for region in ('RegionOne', 'RegionTwo'):\n"
        "    there = openstack.connect(region_name=region)\n"
        "    endpoint = there.endpoint_for('compute')\n"
        "    print(endpoint, there.session.get(endpoint).status_code)\n"
        "import onetoken_session.plugin\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('ansible', 'ansible_collections')])\n"
        "print(onetoken_session.plugin.__file__)\n",
        **injected,
    )

    assert process.stdout.splitlines() == [
        f"{PROJECT_ID} u1 {REGIONS[0]}",
        f"{keystone.url}/compute 200",
        f"{keystone.url}/compute/two 200",
        "[]",
        os.path.join(injected["PYTHONPATH"], site.PACKAGE, "plugin.py"),
    ], process.stderr
    assert keystone.keystone_requests == []
    assert len(keystone.requests) == 2


def test_the_package_ships_itself_from_a_site_too(injected, run_python):
    """A module that runs on a session can be found there first, and then renews the session's site from it."""
    process = run_python(
        "import hashlib\n"
        "from onetoken_session import site\n"
        "print(hashlib.sha256(repr(sorted(site.files().items())).encode()).hexdigest())\n",
        **injected,
    )

    expected = hashlib.sha256(repr(sorted(site.files().items())).encode()).hexdigest()
    assert process.stdout.split() == [expected], process.stderr


def test_a_revoked_session_fails_with_a_sentence_and_does_not_fall_back_to_the_password(
    injected, session, keystone, run_python
):
    lifecycle.revoke(session, 10)
    keystone.requests.clear()

    process = run_python("import openstack; openstack.connect().authorize()", OS_PASSWORD="x", **injected)

    assert process.returncode == 1
    assert "was revoked, so this task has no token" in process.stderr
    assert keystone.requests == []


def test_a_secure_yaml_that_adds_a_password_to_the_same_cloud_does_not_disturb(
    injected, keystone, run_python, tmp_path
):
    secure = tmp_path / "secure.yaml"
    secure.write_text('{"clouds": {"sandbox": {"auth": {"password": "x"}}}}')
    keystone.requests.clear()

    process = run_python(
        "import openstack; print(openstack.connect().current_project_id)",
        OS_CLIENT_SECURE_FILE=str(secure),
        OS_USERNAME="demo",
        OS_PASSWORD="x",
        OS_USER_DOMAIN_NAME="Default",
        **injected,
    )

    assert process.stdout.split() == [PROJECT_ID], process.stderr
    assert keystone.requests == []
