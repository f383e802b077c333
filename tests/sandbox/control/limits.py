# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file with the limits, which services read again after each change."""

from __future__ import annotations

import typing as t

from .errors import SandboxError
from .layout import Layout, number, read_json, write_json

DIALECTS = ("none", "retry-after", "x-ratelimit-reset", "x-retry-after", "413")
#: How slow the cloud is.
SECONDS = {
    "keystone_seconds": "an answer with a new token takes",
    "snapshot_seconds": "a snapshot of a server takes",
    "spawn_seconds": "a server takes to come up",
    "shelved_seconds": "a shelved server of an image stays SHELVED before it is offloaded, at least",
    "volume_seconds": "a volume's snapshot, backup and upload as an image take, each",
}
# The limits of OVHcloud, https://help.ovhcloud.com: Keystone's per minute and user, others per second and project.
DEFAULTS: dict[str, t.Any] = {
    "token_requests_per_minute": 60,
    "requests_per_second": 20,
    "dialect": "none",
    "keystone_status": None,
    **dict.fromkeys(SECONDS, 0),
}
HIGHEST = 10**6


def from_environment(environment: t.Mapping[str, str]) -> dict[str, t.Any]:
    """The limits that variables set."""
    chosen: dict[str, t.Any] = {
        "token_requests_per_minute": number(environment, "SANDBOX_TOKEN_REQUESTS_PER_MINUTE", 0, HIGHEST),
        "requests_per_second": number(environment, "SANDBOX_REQUESTS_PER_SECOND", 0, HIGHEST),
        "dialect": environment.get("SANDBOX_LIMIT_DIALECT", "").strip() or None,
    }
    if chosen["dialect"] not in (None, *DIALECTS):
        raise SandboxError(f"SANDBOX_LIMIT_DIALECT={chosen['dialect']} is unknown: use one of {', '.join(DIALECTS)}.")
    return {name: value for name, value in chosen.items() if value is not None}


def read_limits(layout: Layout) -> dict[str, t.Any]:
    return {**DEFAULTS, **read_json(layout.limits)}


def write_limits(layout: Layout, changes: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Change these limits and keep the others; services then reset all counts."""
    limits = {**read_limits(layout), **changes}
    write_json(layout.limits, limits)
    return limits
