# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox's clouds.yaml, with the administrator's cloud in other scopes."""

from __future__ import annotations

import copy
import typing as t

SCOPES: dict[str, dict[str, str]] = {"sandbox-unscoped": {}, "sandbox-system": {"system_scope": "all"}}


def with_scopes(clouds: dict[str, t.Any]) -> dict[str, t.Any]:
    """Add clouds that do with the password what `unscoped` and `system` of os_token_issue do."""
    found = dict(clouds)
    for name, scope in SCOPES.items():
        found[name] = copy.deepcopy(clouds["sandbox-admin"])
        auth = {key: value for key, value in found[name]["auth"].items() if not key.startswith("project_")}
        found[name]["auth"] = {**auth, **scope}
    return found
