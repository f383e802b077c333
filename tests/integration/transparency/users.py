# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users that a test makes, and clouds that sign them in."""

from __future__ import annotations

import typing as t

from openstack.connection import Connection
from openstack.identity.v3.user import User

#: Begins the name of all users and projects that these tests make.
PREFIX = "transparency-"
PASSWORD = "a-good-one"
PASSCODE_RULES = {"multi_factor_auth_enabled": True, "multi_factor_auth_rules": [["password", "totp"]]}


def make_user(admin: Connection, name: str, project: str = "demo", options: t.Any = None) -> User:
    """Make a user who is a member of a project, instead of the one of this name, if any."""
    delete_user(admin, name)
    user = admin.identity.create_user(name=name, password=PASSWORD, domain_id="default")
    role = admin.identity.find_role("member", ignore_missing=False)
    admin.identity.assign_project_role_to_user(admin.identity.find_project(project, ignore_missing=False), user, role)
    if options:
        done = admin.identity.patch(f"/users/{user.id}", json={"user": {"options": options}})
        assert done.ok, done.text
    return user


def delete_user(admin: Connection, name: str) -> None:
    found = admin.identity.find_user(name)
    if found:
        admin.identity.delete_user(found)


def cloud_of(sandbox: t.Any, user: str, **auth: str) -> dict[str, t.Any]:
    """An entry of clouds.yaml for such a user."""
    cloud = sandbox.clouds["sandbox"]
    return {**cloud, "auth": {**cloud["auth"], "username": user, "password": PASSWORD, **auth}}
