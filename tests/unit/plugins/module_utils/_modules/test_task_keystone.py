# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Keystone of a task is found without its credentials."""

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._modules.task_keystone import keystone_of
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import ConfigurationError
from ansible_collections.onetoken.openstack.tests.unit.conftest import task_options


@pytest.mark.parametrize("given", [{"cloud": "sandbox"}, {"cloud": {"auth": {}}}, {"auth": {}}], ids=str)
def test_its_address_is_found_without_credentials(clouds_yaml, keystone, given):
    bare = {"auth_url": keystone.auth_url}
    if "auth" in given:
        given = {"auth": bare}
    elif isinstance(given["cloud"], dict):
        given = {"cloud": {"auth": bare}}

    assert keystone_of(task_options(**given)).auth_url == keystone.auth_url


def test_it_works_without_the_scope_options(clouds_yaml, keystone):
    """os_token_revoke has none."""
    scope = ("project", "project_domain", "domain", "system", "unscoped")
    params = {name: value for name, value in task_options(cloud="sandbox").items() if name not in scope}

    assert keystone_of(params).auth_url == keystone.auth_url


def test_the_options_of_tls_are_those_of_the_cloud_and_of_the_task(write_clouds, keystone):
    write_clouds({"clouds": {"sandbox": keystone.entry(verify=False)}})

    assert keystone_of(task_options(cloud="sandbox")).session.verify is False
    assert keystone_of(task_options(cloud="sandbox", validate_certs=True)).session.verify is True


def test_an_openrc_can_name_it(no_cloud, monkeypatch):
    monkeypatch.setenv("OS_AUTH_URL", "http://127.0.0.1:5000/v3")

    assert keystone_of(task_options()).auth_url == "http://127.0.0.1:5000/v3"


def test_without_an_address_the_error_says_what_to_set(no_cloud):
    with pytest.raises(ConfigurationError, match="set cloud, or auth with an auth_url"):
        keystone_of(task_options(auth={"username": "u"}))
