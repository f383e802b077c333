# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that a user of the sandbox gets: clouds.yaml, and an openrc file like that of a provider's panel."""

from __future__ import annotations

import json
import typing as t

from .layout import REGIONS, Layout, Settings, write_private

OPENRC = """\
#!/usr/bin/env bash
# The sandbox's credentials, as a provider's panel offers them.
export OS_AUTH_URL={auth_url}
export OS_IDENTITY_API_VERSION=3

export OS_USER_DOMAIN_NAME=${{OS_USER_DOMAIN_NAME:-"Default"}}
export OS_PROJECT_DOMAIN_NAME=${{OS_PROJECT_DOMAIN_NAME:-"Default"}}

export OS_TENANT_ID={project_id}
export OS_TENANT_NAME="demo"

export OS_USERNAME="demo"

# This asks for the password, unless OS_PASSWORD is set already.
if [ -z "${{OS_PASSWORD:-}}" ]; then
    echo "Please enter your OpenStack Password: "
    read -sr OS_PASSWORD_INPUT
    export OS_PASSWORD=$OS_PASSWORD_INPUT
    unset OS_PASSWORD_INPUT
fi
export OS_PASSWORD

export OS_REGION_NAME="RegionOne"
if [ -z "$OS_REGION_NAME" ]; then unset OS_REGION_NAME; fi
"""


def quoted(text: str) -> str:
    """A YAML scalar, which every JSON string is."""
    return json.dumps(text)


def cloud(name: str, auth: t.Mapping[str, str], auth_type: str | None = None) -> str:
    lines = [f"  {name}:"]
    if auth_type:
        lines.append(f"    auth_type: {auth_type}")
    lines.append("    auth:")
    lines += [f"      {key}: {quoted(value)}" for key, value in auth.items()]
    lines += [f"    region_name: {REGIONS[0]}", "    regions:", *(f"      - {region}" for region in REGIONS)]
    lines += ["    interface: public", "    identity_api_version: 3"]
    return "\n".join(lines) + "\n"


def write_credentials(
    layout: Layout, settings: Settings, passwords: t.Mapping[str, str], identity: t.Mapping[str, str]
) -> None:
    """Write both files; `identity` has the ids that the seed got from Keystone."""
    auth_url = f"{settings.url('keystone')}/v3"

    def password(username: str, project: str) -> dict[str, str]:
        return {
            "auth_url": auth_url,
            "username": username,
            "password": passwords[username],
            "project_name": project,
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        }

    application_credential = {
        "auth_url": auth_url,
        "application_credential_id": identity["application_credential_id"],
        "application_credential_secret": identity["application_credential_secret"],
    }
    write_private(
        layout.clouds,
        "---\nclouds:\n"
        + cloud("sandbox", password("demo", "demo"))
        + cloud("sandbox-admin", password("admin", "admin"))
        + cloud("sandbox-appcred", application_credential, "v3applicationcredential")
        + cloud("sandbox-short", password("short", "demo")),
    )
    write_private(layout.openrc, OPENRC.format(auth_url=auth_url, project_id=identity["project_id"]))
