# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment variables that put a process on a session, or give it a token itself."""

from __future__ import annotations

import os
import typing as t

from .._session.sign_in.clouds import UNNAMED
from .._session.store.session import PACKAGE, VARIABLE, Session
from .._session.store.token import Token

#: Variables of a sourced openrc file that conflict with a token; an empty one counts as unset.
_CONFLICTING = (
    "OS_CLOUD",
    "OS_USERNAME",
    "OS_USER_ID",
    "OS_PASSWORD",
    "OS_PASSCODE",
    "OS_TRUST_ID",
    "OS_DEFAULT_DOMAIN_ID",
    "OS_DEFAULT_DOMAIN_NAME",
    "OS_USER_DOMAIN_NAME",
    "OS_USER_DOMAIN_ID",
    "OS_TENANT_ID",
    "OS_TENANT_NAME",
    "OS_PROJECT_ID",
    "OS_PROJECT_NAME",
    "OS_PROJECT_DOMAIN_ID",
    "OS_PROJECT_DOMAIN_NAME",
    "OS_DOMAIN_ID",
    "OS_DOMAIN_NAME",
    "OS_SYSTEM_SCOPE",
    "OS_APPLICATION_CREDENTIAL_ID",
    "OS_APPLICATION_CREDENTIAL_NAME",
    "OS_APPLICATION_CREDENTIAL_SECRET",
)
#: The variables that of_session sets.
INJECTED = ("PYTHONPATH", VARIABLE)


def of_session(session: Session, environ: t.Mapping[str, str]) -> dict[str, str]:
    """Processes that start with these variables share their sign-ins in the session; none of them is secret."""
    return {"PYTHONPATH": os.pathsep.join([session.site, *_python_path(environ)]), VARIABLE: session.path}


def of_issued(
    session: Session, environ: t.Mapping[str, str], cloud: str, is_plain: bool, region_name: str | None
) -> dict[str, str]:
    """The same for tasks that name no cloud: they use the cloud's name if they can sign in to it, or else a handle."""
    variables = of_session(session, environ)
    if not is_plain:
        variables["OS_CLIENT_CONFIG_FILE"] = session.clouds_file
    if not is_plain or cloud != UNNAMED:
        variables["OS_CLOUD"] = cloud
    if region_name:
        variables["OS_REGION_NAME"] = region_name
    return variables


def mixed_in(environ: t.Mapping[str, str]) -> list[str]:
    """The variables of a sourced openrc file that programs would mix with the cloud that OS_CLOUD names."""
    return [name for name in _CONFLICTING if name != "OS_CLOUD" and environ.get(name)]


def _python_path(environ: t.Mapping[str, str]) -> list[str]:
    """The present PYTHONPATH without other sessions and without empty entries, which mean the working directory."""
    paths = [path for path in environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    return [path for path in paths if not os.path.isdir(os.path.join(path, PACKAGE))]


def of_token(token: Token, region_name: str | None) -> dict[str, str]:
    """OS_TOKEN mode, for programs that support nothing else: each process signs in with the token itself."""
    scope = {
        "project": lambda: {"OS_PROJECT_ID": token.body["project"]["id"]},
        "domain": lambda: {"OS_DOMAIN_ID": token.body["domain"]["id"]},
        "system": lambda: {"OS_SYSTEM_SCOPE": "all"},
        "unscoped": dict,
    }[token.scope]()
    variables = {
        **dict.fromkeys(_CONFLICTING, ""),
        "OS_AUTH_TYPE": "token",
        "OS_AUTH_URL": token.auth_url,
        "OS_IDENTITY_API_VERSION": "3",
        "OS_TOKEN": token.id.reveal(),
        **scope,
    }
    return {**variables, "OS_REGION_NAME": region_name} if region_name else variables
