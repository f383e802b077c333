# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of a sourced openrc file, and of what a guide or somebody changed afterwards."""

from __future__ import annotations

import typing as t

PASSWORD = ("password", "v3password")
TOKEN = ("token", "v3token")
#: Variables that choose among configured clouds, or do not concern the connection.
_SELECTORS = ("OS_CLOUD", "OS_CLOUD_NAME", "OS_CLIENT_CONFIG_FILE", "OS_CLIENT_SECURE_FILE")
_UNRELATED = ("OS_TEST", "OS_STD", "OS_LOG")
#: Variables of another authentication method, such as OS_TOKEN beside a password: openstacksdk passes them to every
#: plugin, and these plugins refuse them.
_UNSUPPORTED = {
    **dict.fromkeys((*PASSWORD, "v3applicationcredential"), ("auth_token", "passcode", "token")),
    **dict.fromkeys(TOKEN, ("passcode", "user_domain_id", "user_domain_name")),
}


def is_sourced(environ: t.Mapping[str, str]) -> bool:
    return bool(environ.get("OS_AUTH_URL"))


def cloud(environ: t.Mapping[str, str], auth_type: str | None = None) -> dict[str, t.Any]:
    """The cloud that the variables describe, as clouds.yaml would."""
    values: dict[str, t.Any] = {
        name[len("OS_") :].lower(): value
        for name, value in environ.items()
        if name.startswith("OS_") and value and name not in _SELECTORS and not name.startswith(_UNRELATED)
    }
    auth_type = values["auth_type"] = auth_type or values.get("auth_type") or "password"
    # Only the openstack command knows default_domain.
    default_domain = values.pop("default_domain", None)
    for key in ("user_domain", "project_domain"):
        if default_domain and not values.keys() & {f"{key}_id", f"{key}_name"}:
            values[f"{key}_id"] = default_domain
    for key in _UNSUPPORTED.get(auth_type, ()):
        values.pop(key, None)
    return {**values, "auth": {}}
