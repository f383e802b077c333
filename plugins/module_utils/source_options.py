# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which credentials a task's options mean, by the rules of openstacksdk."""

from __future__ import annotations

import re
import typing as t

from ._session.revoke.keystone import Connection
from ._session.store.session import Session
from ._session.util.errors import ConfigurationError
from .connection import sdk_options
from .session import cloud_entry
from .session import source as sources
from .session.config_files import ConfigFiles
from .session.source import Source

_ID = re.compile(r"[0-9a-f]{32}")


def source_of(params: dict[str, t.Any], environ: t.Mapping[str, str], session: Session) -> Source:
    """The source that the options name; where they name none, that of the environment."""
    injected = Session.of_environment(environ)
    known = next((one.read_record() for one in (injected, session) if one and one.exists), None)
    # In a process with a session, openstacksdk's own search would find the session's clouds.yaml.
    files = known.files if injected and known else ConfigFiles.of_user(environ)
    options = sdk_options(params)
    scope = scope_of(params)
    cloud, auth = params["cloud"], params["auth"]
    nothing_asked = not (cloud or auth or options) and scope is None
    if params.get("session") and known and nothing_asked:
        # To renew is to sign in as before, in another scope than the configured one if that was asked for.
        issued = environ.get("OS_CLOUD") or "".join(known.sources if len(known.sources) == 1 else ())
        if issued in known.sources:
            return known.sources[issued]
    if isinstance(cloud, dict) or auth:
        base = _base_entry(cloud, environ, files, params["auth_type"])
        if params["auth_type"]:
            base["auth_type"] = params["auth_type"]
        base["auth"].update(auth or {})
        entry = cloud_entry.normalized(base)
        identity = (*cloud_entry.IDENTITY_KEYS, "auth_url", *sorted(cloud_entry.SCOPE_KEYS))
        public = {key: cloud_entry.auth_value(entry, key) for key in identity}
        return Source(
            sources.EXPLICIT,
            cloud if isinstance(cloud, str) and cloud else sources.UNNAMED,
            files,
            options,
            scope,
            public_auth={key: str(value) for key, value in public.items() if value},
            explicit=entry,
        )
    if not cloud and environ.get("OS_CLOUD"):
        cloud = environ["OS_CLOUD"]
    if cloud and known and cloud in known.sources and known.sources[cloud].kind != sources.CONFIG:
        recorded = known.sources[cloud]
        return (
            recorded
            if scope is None and not options
            else Source(recorded.kind, cloud, files, options, scope, recorded.auth_type, recorded.public_auth)
        )
    if not cloud and sources.environment_has_credentials(environ):
        return Source.of_environment(environ, files, options, scope, params["auth_type"])
    return Source(sources.CONFIG, cloud or _only_cloud(files), files, options, scope)


def keystone_of(params: dict[str, t.Any], environ: t.Mapping[str, str]) -> Connection:
    """The Keystone that the options mean, to be reached without their credentials."""
    cloud, auth = params["cloud"], params["auth"] or {}
    if auth.get("auth_url") and not cloud:
        entry = cloud_entry.normalized({"auth": auth})
    elif isinstance(cloud, dict):
        entry = cloud_entry.normalized(cloud)
    else:
        entry = source_of(params, environ, Session("")).entry()
    return Connection.of_entry({**entry, **sdk_options(params)})


def scope_of(params: dict[str, t.Any]) -> dict[str, str] | None:
    """The scope that the options ask for, None to keep the configured one."""
    asked = [name for name in ("project", "domain", "system", "unscoped") if params.get(name)]
    if len(asked) > 1:
        raise ConfigurationError(f"A token has one scope, but {' and '.join(asked)} are given: keep one of them.")
    if not asked:
        return None
    if params.get("project"):
        scope = _name_or_id("project", params["project"])
        if params.get("project_domain"):
            scope.update(_name_or_id("project_domain", params["project_domain"]))
        return scope
    if params.get("domain"):
        return _name_or_id("domain", params["domain"])
    return {"system_scope": "all"} if params.get("system") else {}


def _name_or_id(key: str, value: str) -> dict[str, str]:
    # Keystone's ids are 32 hexadecimal digits, but for the domain that it is installed with.
    is_id = _ID.fullmatch(value) or ("domain" in key and value == "default")
    return {f"{key}_id" if is_id else f"{key}_name": value}


def _base_entry(
    cloud: t.Any, environ: t.Mapping[str, str], files: ConfigFiles, auth_type: str | None
) -> cloud_entry.Entry:
    """What an explicit auth is laid over: a mapping, a configured cloud, the OS_* variables, or nothing."""
    if isinstance(cloud, dict):
        entry = cloud_entry.normalized(cloud)
        name = entry.pop("cloud", None)
        if name:
            base = _base_entry(name, environ, files, auth_type)
            return {**base, **entry, "auth": {**base["auth"], **entry["auth"]}}
        return entry
    if cloud:
        return Source(sources.CONFIG, cloud, files).entry()
    if sources.environment_has_credentials(environ) and not environ.get("OS_CLOUD"):
        return Source.of_environment(environ, files, auth_type=auth_type).entry()
    return cloud_entry.normalized({})


def _only_cloud(files: ConfigFiles) -> str:
    entries = files.entries()
    if len(entries) == 1:
        return next(iter(entries))
    choice = f" ({files.clouds} has {', '.join(sorted(entries))})" if entries else ""
    raise ConfigurationError(
        f"No cloud is named: set the option cloud or the variable OS_CLOUD{choice}, or source an openrc file."
    )
