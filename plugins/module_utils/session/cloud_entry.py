# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One cloud as clouds.yaml describes it: another scope for it, and what of it may be shown to every process."""

from __future__ import annotations

import copy
import typing as t

#: Where to authenticate and for what; in clouds.yaml these stand under auth or beside it.
SCOPE_KEYS = frozenset(
    {
        "project_id",
        "project_name",
        "project_domain_id",
        "project_domain_name",
        "tenant_id",
        "tenant_name",
        "domain_id",
        "domain_name",
        "system_scope",
    }
)
#: Who authenticates. Not secret, and messages name it.
IDENTITY_KEYS = (
    "username",
    "user_id",
    "application_credential_name",
    "application_credential_id",
)
#: What of an authentication may be shown.
PUBLIC_AUTH_KEYS = SCOPE_KEYS | {*IDENTITY_KEYS, "auth_url", "user_domain_id", "user_domain_name"}
#: Where these differ, it is another sign-in.
DECISIVE_KEYS = (
    "auth_url",
    *IDENTITY_KEYS,
    "user_domain_id",
    "user_domain_name",
    "project_id",
    "project_name",
    "project_domain_id",
    "project_domain_name",
    "domain_id",
    "domain_name",
    "system_scope",
)
#: What a connection needs besides its authentication. Everything that is not here may be a secret and is left out.
CONNECTION_KEYS = frozenset(
    {
        "api_timeout",
        "cacert",
        "cert",
        "cloud",
        "connect_retries",
        "connect_retry_delay",
        "default_interface",
        "disable_vendor_agent",
        "endpoint_type",
        "external_network",
        "floating_ip_source",
        "force_ipv4",
        "image_api_use_tasks",
        "image_format",
        "insecure",
        "interface",
        "internal_network",
        "key",
        "nat_destination",
        "nat_source",
        "networks",
        "prefer_ipv6",
        "private",
        "profile",
        "region_name",
        "requires_floating_ip",
        "rate_limit",
        "retriable_status_codes",
        "secgroup_source",
        "security_groups",
        "status_code_retries",
        "status_code_retry_delay",
        "use_external_network",
        "use_internal_network",
        "vendor_hook",
        "verify",
    }
)
#: The same for a single service, as in compute_api_version or image_endpoint_override.
SERVICE_SUFFIXES = (
    "_api_version",
    "_default_microversion",
    "_endpoint",
    "_endpoint_override",
    "_endpoint_type",
    "_interface",
    "_region_name",
    "_service_name",
    "_service_type",
    "_status_code_retries",
    "_connect_retries",
    "_retry_delay",
    "_retriable_status_codes",
    "_min_version",
    "_max_version",
)

Entry = dict[str, t.Any]


def normalized(entry: t.Mapping[str, t.Any]) -> Entry:
    """A copy with underscores in the names, as openstacksdk reads them."""
    copied = {str(key).replace("-", "_"): copy.deepcopy(value) for key, value in entry.items()}
    auth = copied.get("auth")
    # What is no mapping signs nobody in; it is told of the cloud that is used, and keeps no other from being used.
    auth = auth if isinstance(auth, dict) else {}
    copied["auth"] = {str(key).replace("-", "_"): value for key, value in auth.items()}
    return copied


def auth_value(entry: Entry, key: str) -> t.Any:
    """A value of the authentication, wherever it stands; beside auth wins, as in openstacksdk."""
    return entry.get(key) or entry["auth"].get(key)


def identity(entry: Entry) -> dict[str, str]:
    """Who signs in, where and for what, as far as it is no secret; under the names that openstacksdk settles on."""
    named = {key: auth_value(entry, key) for key in (*DECISIVE_KEYS, "tenant_id", "tenant_name")}
    for name in ("id", "name"):
        named[f"project_{name}"] = named[f"project_{name}"] or named[f"tenant_{name}"]
    return {key: str(named[key]) for key in DECISIVE_KEYS if named[key]}


def identity_of_variables(environ: t.Mapping[str, str]) -> dict[str, str]:
    """Who the OS_* variables sign in."""
    keys = (*DECISIVE_KEYS, "tenant_id", "tenant_name")
    return identity(normalized({key: environ.get(f"OS_{key.upper()}") for key in keys}))


def with_scope(entry: Entry, scope: t.Mapping[str, str]) -> Entry:
    """The same cloud for another scope: a project, a domain, the system, or none where the scope is empty."""
    rescoped = {key: value for key, value in entry.items() if key not in SCOPE_KEYS}
    rescoped["auth"] = {key: value for key, value in entry["auth"].items() if key not in SCOPE_KEYS}
    project_domain = ("project_domain_id", "project_domain_name")
    if "project_name" in scope and not scope.keys() & set(project_domain):
        # A project's name alone says nothing: it stays in the domain that was configured.
        for key in project_domain:
            if auth_value(entry, key):
                rescoped["auth"][key] = auth_value(entry, key)
    rescoped["auth"].update(scope)
    return rescoped


def with_options(entry: Entry, options: t.Mapping[str, t.Any]) -> Entry:
    """The same cloud with other connection options."""
    changed = {**entry, **options}
    if "region_name" in options and entry.get("regions"):
        # Where regions are listed, openstacksdk works in the first one, whatever region_name says.
        changed["regions"] = sorted(entry["regions"], key=lambda region: _region_name(region) != options["region_name"])
    return changed


def _region_name(region: t.Any) -> t.Any:
    return region.get("name") if isinstance(region, dict) else region


def without_secrets(entry: Entry) -> Entry:
    """What of a cloud may be written into a session's clouds.yaml."""
    public = {key: value for key, value in entry.items() if _is_connection_key(key)}
    # As openstacksdk has it, identity is served at auth_url where no scope is named, and from the catalog elsewhere.
    # More would be in the way of a task that brings an auth of its own, as that is laid over this one.
    scoped = any(auth_value(entry, key) for key in SCOPE_KEYS)
    auth_url = auth_value(entry, "auth_url")
    public["auth"] = {"auth_url": auth_url} if auth_url and not scoped else {}
    if entry.get("regions"):
        public["regions"] = [_region_without_secrets(region) for region in entry["regions"]]
    return public


def _is_connection_key(key: str) -> bool:
    return key in CONNECTION_KEYS or key.startswith("has_") or key.endswith(SERVICE_SUFFIXES)


def _region_without_secrets(region: t.Any) -> t.Any:
    if not isinstance(region, dict):
        return region
    values = normalized(region.get("values") or {})
    return {
        "name": region.get("name"),
        "values": {key: value for key, value in values.items() if _is_connection_key(key)},
    }
