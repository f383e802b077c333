# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox's clouds.yaml, and the administrator's cloud once more for each other scope."""

from __future__ import annotations

import copy
import typing as t

SCOPES: dict[str, dict[str, str]] = {"sandbox-unscoped": {}, "sandbox-system": {"system_scope": "all"}}


def with_scopes(clouds: dict[str, t.Any]) -> dict[str, t.Any]:
    """The password's equivalent of os_token_issue's `unscoped` and `system`."""
    found = dict(clouds)
    for name, scope in SCOPES.items():
        found[name] = copy.deepcopy(clouds["sandbox-admin"])
        auth = {key: value for key, value in found[name]["auth"].items() if not key.startswith("project_")}
        found[name]["auth"] = {**auth, **scope}
    return found
