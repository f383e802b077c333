# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a shell has after an openrc file and a provider's guide signs in, or one sentence says what it lacks."""

from __future__ import annotations

import types
import typing as t

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._modules import connection, signing_in
from ansible_collections.onetoken.openstack.plugins.module_utils._modules.task_cloud import TaskCloud
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.renewal import RenewalPolicy
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import ConfigurationError
from ansible_collections.onetoken.openstack.tests.unit.conftest import task_options
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    PASSWORD,
    PROJECT_ID,
    USER,
)

AGAIN = ": source the openrc file again, or export what is missing."
GUIDE = ", which step 3 of the provider's guide unsets"


@pytest.fixture
def issue(session, task_cloud):
    return lambda **options: signing_in.issue(session, task_cloud(**options), RenewalPolicy(), 1)


@pytest.fixture
def connect(no_cloud):
    def connect(**options: t.Any) -> None:
        connection.connect(types.SimpleNamespace(params=task_options(**options), warn=pytest.fail)).authorize()

    return connect


@pytest.fixture(params=["issue", "connect"])
def way(request, issue, connect):
    return {"issue": issue, "connect": connect}[request.param]


@pytest.fixture
def shell(no_cloud, monkeypatch, keystone) -> t.Callable[..., None]:
    """Source an openrc file, and do what a guide, or somebody, does to the variables afterwards: None unsets one."""

    def source(**changes: str | None) -> None:
        variables: dict[str, str | None] = {
            "OS_AUTH_URL": keystone.auth_url,
            "OS_IDENTITY_API_VERSION": "3",
            "OS_USER_DOMAIN_NAME": "Default",
            "OS_PROJECT_DOMAIN_NAME": "Default",
            "OS_TENANT_ID": PROJECT_ID,
            "OS_TENANT_NAME": "demo",
            "OS_USERNAME": USER,
            "OS_PASSWORD": PASSWORD,
            "OS_REGION_NAME": "RegionOne",
            **changes,
        }
        for name, value in variables.items():
            if value == "TOKEN":
                value = keystone.issue()
            if value is not None:
                monkeypatch.setenv(name, value)

    return source


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"OS_TOKEN": "TOKEN"},
        {"OS_TOKEN": "expired"},
        {"OS_TOKEN": "TOKEN", "OS_AUTH_TYPE": "v3password"},
        {"OS_TOKEN": "TOKEN", "OS_AUTH_TYPE": "token"},
        {"OS_TOKEN": "TOKEN", "OS_AUTH_TYPE": "v3token"},
        {"OS_TOKEN": "TOKEN", "OS_AUTH_TYPE": "token", "OS_USER_DOMAIN_NAME": None, "OS_PASSWORD": None},
        {"OS_USER_DOMAIN_NAME": None, "OS_USER_DOMAIN_ID": "default"},
        {"OS_USER_DOMAIN_NAME": None, "OS_DEFAULT_DOMAIN": "default"},
        {"OS_USER_DOMAIN_NAME": None, "OS_DEFAULT_DOMAIN_ID": "default"},
        {"OS_PROJECT_DOMAIN_NAME": None},
        {"OS_PROJECT_DOMAIN_NAME": None, "OS_TENANT_ID": None, "OS_DEFAULT_DOMAIN": "default"},
        {"OS_PASSCODE": "123456"},
    ],
    ids=str,
)
def test_variables_left_by_a_guide_do_not_prevent_signing_in_with_an_openrc_file(
    shell, way, keystone, changes, task_cloud
):
    shell(**changes)

    way()

    assert len(keystone.asked("POST")) == 1
    cloud = task_cloud()
    assert cloud.way.region().config["auth"] == cloud.region.config["auth"]


@pytest.mark.parametrize(
    ("changes", "plain"),
    [
        ({}, True),
        ({"OS_PASSCODE": ""}, True),
        ({"OS_USER_DOMAIN_NAME": None, "OS_USER_DOMAIN_ID": "default"}, True),
        ({"OS_TOKEN": "TOKEN"}, False),
        ({"OS_PASSCODE": "123456"}, False),
        ({"OS_TOKEN": "TOKEN", "OS_AUTH_TYPE": "token"}, False),
        ({"OS_USER_DOMAIN_NAME": None, "OS_DEFAULT_DOMAIN": "default"}, False),
    ],
    ids=str,
)
def test_if_openstacksdk_by_itself_loads_another_cloud_tasks_get_a_handle(shell, task_cloud, changes, plain):
    shell(**changes)

    assert task_cloud().is_plain is plain
    assert TaskCloud.of_way("onetoken", task_cloud().way, {}, None).is_plain is plain


def test_the_auth_type_of_a_task_is_used_again(shell, task_cloud, keystone):
    shell(OS_TOKEN="TOKEN")
    cloud = task_cloud(auth_type="v3token")

    again = cloud.way.region()

    assert (again.config["auth_type"], again.config["auth"]) == ("v3token", cloud.region.config["auth"])


@pytest.mark.parametrize(
    ("changes", "lacks"),
    [
        ({"OS_USER_DOMAIN_NAME": None}, f"OS_USER_DOMAIN_NAME{GUIDE}{AGAIN}"),
        ({"OS_USER_DOMAIN_NAME": ""}, f"OS_USER_DOMAIN_NAME{GUIDE}{AGAIN}"),
        ({"OS_USER_DOMAIN_NAME": None, "OS_TOKEN": "TOKEN"}, f"OS_USER_DOMAIN_NAME{GUIDE}{AGAIN}"),
        ({"OS_USER_DOMAIN_NAME": None, "OS_AUTH_TYPE": "v3password"}, f"OS_USER_DOMAIN_NAME{GUIDE}{AGAIN}"),
        ({"OS_PROJECT_DOMAIN_NAME": None, "OS_TENANT_ID": None}, f"OS_PROJECT_DOMAIN_NAME{AGAIN}"),
        ({"OS_PASSWORD": None}, f"OS_PASSWORD{AGAIN}"),
        (
            {"OS_PASSWORD": None, "OS_TOKEN": "TOKEN"},
            f"OS_PASSWORD, and OS_TOKEN is used only with OS_AUTH_TYPE=token{AGAIN}",
        ),
        (
            {"OS_PASSWORD": None, "OS_USER_DOMAIN_NAME": None, "OS_TOKEN": "TOKEN"},
            f"OS_PASSWORD, OS_USER_DOMAIN_NAME{GUIDE}{AGAIN}",
        ),
        (
            {"OS_USERNAME": None, "OS_PASSWORD": None, "OS_USER_DOMAIN_NAME": None, "OS_TENANT_NAME": None},
            f"OS_USERNAME, OS_PASSWORD, OS_USER_DOMAIN_NAME{GUIDE}{AGAIN}",
        ),
        (
            {"OS_AUTH_TYPE": "token"},
            "OS_TOKEN, which OS_AUTH_TYPE needs: unset OS_AUTH_TYPE to sign in with a password.",
        ),
    ],
    ids=str,
)
def test_missing_variables_are_reported_before_keystone_is_asked(shell, way, keystone, changes, lacks):
    shell(**changes)

    with pytest.raises(ConfigurationError) as caught:
        way()

    assert str(caught.value) == f"The OS_* variables lack {lacks}"
    assert keystone.requests == []


def test_a_user_s_id_needs_no_domain(shell, task_cloud):
    shell(OS_USERNAME=None, OS_USER_DOMAIN_NAME=None, OS_USER_ID="u1")

    assert task_cloud().region.config["auth"]["user_id"] == "u1"


def test_an_application_credential_needs_its_auth_type(shell, way, keystone):
    shell(OS_PASSWORD=None, OS_APPLICATION_CREDENTIAL_ID="c1", OS_APPLICATION_CREDENTIAL_SECRET="s")

    with pytest.raises(ConfigurationError) as caught:
        way()

    assert str(caught.value) == (
        "The credentials of the OS_* variables are an application credential: set OS_AUTH_TYPE to "
        "v3applicationcredential."
    )
    assert keystone.requests == []


@pytest.mark.parametrize("key", ["user_domain_name", "project_domain_name", "username"])
def test_a_missing_key_of_a_cloud_in_clouds_yaml_is_reported(write_clouds, keystone, task_cloud, key):
    entry = keystone.entry()
    del entry["auth"][key]
    write_clouds({"clouds": {"sandbox": entry}})

    with pytest.raises(ConfigurationError, match=f"^The credentials of cloud 'sandbox' are not complete: add {key}.$"):
        task_cloud(cloud="sandbox")


def test_an_auth_over_the_variables_drops_the_unsupported_ones(shell, keystone, issue):
    shell(OS_TOKEN="TOKEN")
    issue(auth={"password": PASSWORD})

    shell(OS_USER_DOMAIN_NAME="Default")
    issue(auth_type="token", auth={"token": keystone.issue()})


def test_a_named_cloud_is_not_touched_by_variables(shell, write_clouds, keystone, issue, monkeypatch):
    shell(OS_TOKEN="TOKEN", OS_USER_DOMAIN_NAME=None)
    write_clouds({"clouds": {"sandbox": keystone.entry()}})
    monkeypatch.setenv("OS_CLOUD", "sandbox")

    issue()
