# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.sign_in.clouds import UNNAMED
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import (
    PACKAGE,
    VARIABLE,
    Session,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session_setup import environment
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    PROJECT_ID,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import (
    SECRET,
    make_token,
)


@pytest.fixture
def other_site(tmp_path):
    site = tmp_path / "other" / "site"
    (site / PACKAGE).mkdir(parents=True)
    return str(site)


def python_path(session: Session, before: str | None) -> list[str]:
    environ = {} if before is None else {"PYTHONPATH": before}
    return environment.of_session(session, environ)["PYTHONPATH"].split(os.pathsep)


@pytest.mark.parametrize(
    ("before", "kept"),
    [
        (None, []),
        ("", []),
        (":", []),
        ("::/a::/b:", ["/a", "/b"]),
        ("/a", ["/a"]),
        ("/b:/a:/b", ["/b", "/a", "/b"]),
    ],
)
def test_the_site_comes_first_and_other_entries_stay_without_empty_ones(session, before, kept):
    assert python_path(session, before) == [session.site, *kept]


def test_the_variables_have_no_symbolic_links(session, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    variables = environment.of_session(Session(str(tmp_path / "link" / "session")), {})

    assert variables == environment.of_session(session, {})


def test_the_site_of_another_session_is_dropped(session, other_site):
    assert python_path(session, f"/a:{other_site}:/b") == [session.site, "/a", "/b"]


def test_its_own_site_is_listed_once(session):
    os.makedirs(os.path.join(session.site, PACKAGE))

    assert python_path(session, session.site) == [session.site]


def test_the_variables_name_the_session_and_hold_nothing_else(session):
    """Whoever a process signs in as is its own affair."""
    variables = environment.of_session(session, {"OS_PASSWORD": SECRET, "OS_CLOUD": "mine"})

    assert variables == {"ONETOKEN_SESSION_DIRECTORY": session.path, "PYTHONPATH": session.site}
    assert set(variables) == set(environment.INJECTED)


@pytest.mark.parametrize(
    ("cloud", "is_plain", "region_name", "more"),
    [
        ("sandbox", True, None, {"OS_CLOUD": "sandbox"}),
        ("sandbox", True, "RegionTwo", {"OS_CLOUD": "sandbox", "OS_REGION_NAME": "RegionTwo"}),
        # The OS_* variables that tasks have themselves.
        (UNNAMED, True, None, {}),
        ("sandbox", False, None, {"OS_CLOUD": "sandbox", "OS_CLIENT_CONFIG_FILE": "/s/clouds.yaml"}),
        (UNNAMED, False, "R", {"OS_CLOUD": UNNAMED, "OS_CLIENT_CONFIG_FILE": "/s/clouds.yaml", "OS_REGION_NAME": "R"}),
    ],
)
def test_tasks_that_name_no_cloud_find_the_one_that_was_issued(cloud, is_plain, region_name, more):
    variables = environment.of_issued(Session("/s"), {}, cloud, is_plain, region_name)

    assert variables == {VARIABLE: "/s", "PYTHONPATH": "/s/site", **more}


@pytest.mark.parametrize(
    ("body", "scope"),
    [
        ({"project": {"id": "p1"}}, {"OS_PROJECT_ID": "p1"}),
        ({"domain": {"id": "d1"}}, {"OS_DOMAIN_ID": "d1"}),
        ({"system": {"all": True}}, {"OS_SYSTEM_SCOPE": "all"}),
        ({"user": {"id": "u1"}}, {}),
    ],
)
def test_a_bare_token_comes_with_its_scope_and_with_no_other(body, scope):
    variables = environment.of_token(make_token(**body), None)

    asked = ("OS_PROJECT_ID", "OS_PROJECT_NAME", "OS_DOMAIN_ID", "OS_DOMAIN_NAME", "OS_SYSTEM_SCOPE")
    assert {name: variables[name] for name in asked if variables[name]} == scope
    assert variables["OS_TOKEN"] == SECRET
    assert variables["OS_AUTH_TYPE"] == "token"
    assert variables["OS_AUTH_URL"] == "http://127.0.0.1:5000/v3"
    assert not any(value for name, value in variables.items() if "PASSWORD" in name or "USER" in name)
    assert "OS_REGION_NAME" not in variables


def test_a_bare_token_comes_with_the_region_that_was_asked_for():
    assert environment.of_token(make_token(), "RegionTwo")["OS_REGION_NAME"] == "RegionTwo"


OPENRC = {
    "OS_USERNAME": "demo",
    "OS_USER_ID": "u1",
    "OS_PASSWORD": "secret",
    "OS_USER_DOMAIN_NAME": "Default",
    "OS_USER_DOMAIN_ID": "default",
    "OS_PROJECT_NAME": "other",
    "OS_PROJECT_DOMAIN_NAME": "Default",
    "OS_PROJECT_DOMAIN_ID": "default",
    "OS_TENANT_NAME": "other",
    "OS_TENANT_ID": "t1",
    "OS_DOMAIN_NAME": "Default",
    "OS_APPLICATION_CREDENTIAL_ID": "a1",
    "OS_APPLICATION_CREDENTIAL_SECRET": "secret",
    "OS_CLOUD": "gone",
    "OS_PASSCODE": "123456",
    "OS_AUTH_TYPE": "password",
    "OS_IDENTITY_API_VERSION": "3",
    "OS_INTERFACE": "public",
    "OS_ENDPOINT_TYPE": "publicURL",
    "OS_DEFAULT_DOMAIN": "default",
    "OS_VOLUME_API_VERSION": "3",
}
SIGN_IN = """
import openstack
connection = openstack.connect()
print(connection.current_project_id, connection.session.get(connection.endpoint_for("compute")).status_code)
"""


@pytest.mark.processes
@pytest.mark.parametrize("left_over", [{"OS_USER_DOMAIN_NAME": "Default"}, OPENRC], ids=["one variable", "all"])
def test_variables_of_a_sourced_openrc_do_not_conflict_with_a_bare_token(keystone, run_python, left_over):
    token = keystone.issue()
    described = make_token(token, project={"id": PROJECT_ID})
    variables = environment.of_token(described, None) | {"OS_AUTH_URL": keystone.auth_url}

    process = run_python(SIGN_IN, **{**left_over, **variables})

    assert process.stdout.split() == [PROJECT_ID, "200"], process.stderr
    assert '"methods": ["token"]' in keystone.asked("POST")[0].body
