# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both ways of running a play, and an administrator who makes users for it."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.onetoken.openstack.tests.helpers.controller import clouds_yaml
from ansible_collections.onetoken.openstack.tests.integration.transparency.comparison import Comparison
from ansible_collections.onetoken.openstack.tests.integration.transparency.users import PREFIX
from openstack.connection import Connection


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


@pytest.fixture
def admin(sandbox) -> t.Iterator[Connection]:
    """Makes users and projects; those that are left are deleted at the end."""
    cloud = sandbox.administrator()
    yield cloud
    for user in cloud.identity.users():
        if user.name.startswith(PREFIX):
            cloud.identity.delete_user(user)
    for project in cloud.identity.projects():
        if project.name.startswith(PREFIX):
            cloud.identity.delete_project(project)
