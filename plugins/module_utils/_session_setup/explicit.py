# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clouds.yaml of an explicit session, with a handle in place of the token, for tasks without credentials."""

from __future__ import annotations

import json
import os
import typing as t

from .._session.store.session import Session
from .._session.store.token import Token
from .._session.util.errors import public

#: The keys of a cloud's configuration that a connection needs apart from the authentication. Any other may be a secret.
_KEYS = frozenset(
    {
        *("api_timeout", "cacert", "cert", "connect_retries", "connect_retry_delay", "disable_vendor_agent"),
        *("endpoint_type", "external_network", "floating_ip_source", "force_ipv4", "image_api_use_tasks"),
        *("image_format", "interface", "internal_network", "key", "nat_destination", "nat_source", "networks"),
        *("prefer_ipv6", "private", "rate_limit", "region_name", "requires_floating_ip", "retriable_status_codes"),
        *("secgroup_source", "security_groups", "status_code_retries", "status_code_retry_delay"),
        *("use_external_network", "use_internal_network", "verify"),
    }
)
#: The same for a single service, such as compute_api_version or image_endpoint_override.
_SUFFIXES = (
    *("_api_version", "_default_microversion", "_endpoint", "_endpoint_override", "_endpoint_type", "_interface"),
    *("_region_name", "_service_name", "_service_type", "_status_code_retries", "_connect_retries", "_retry_delay"),
    *("_retriable_status_codes", "_min_version", "_max_version"),
)


def write(session: Session, cloud: str, config: t.Mapping[str, t.Any], token: Token, handle: str) -> None:
    """Add a cloud to the session's clouds.yaml, with the configuration that openstacksdk loaded."""
    kept = {key: value for key, value in config.items() if key in _KEYS or key.endswith(_SUFFIXES)}
    entry = {key: public(value) if isinstance(value, str) else value for key, value in kept.items()}
    entry.update(auth_type="v3token", auth={"auth_url": token.auth_url, "token": handle, **_scope(token)})
    # Other processes may add their clouds at this moment.
    with session.locked_for_changes():
        with session.undamaged(os.path.basename(session.clouds_file)):
            others = dict(json.loads(session.read_clouds() or '{"clouds": {}}')["clouds"])
        # JSON is YAML, and needs no library.
        session.write_clouds(json.dumps({"clouds": {**others, cloud: entry}}, indent=2, default=str) + "\n")


def _scope(token: Token) -> dict[str, t.Any]:
    """The token's scope by id, which requests use, and by name, which openstacksdk shows as location."""
    if token.scope == "system":
        return {"system_scope": "all"}
    scope = token.body.get(token.scope) or {}
    named = {f"{token.scope}_id": scope.get("id"), f"{token.scope}_name": scope.get("name")}
    domain = scope.get("domain") or {}
    named.update({f"{token.scope}_domain_{key}": domain.get(key) for key in ("id", "name")})
    return {key: value for key, value in named.items() if value}
