# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cloud counts requests by: all processes that work there share its limits."""

from __future__ import annotations

import dataclasses
import hashlib
import json

_VERSION = "/v3"


@dataclasses.dataclass(frozen=True)
class ProjectKey:
    """A project of a cloud, in one of its regions."""

    auth_url: str
    project_id: str | None
    region_name: str | None

    def file_name(self, of: str) -> str:
        # The same Keystone is written with its version and without.
        cloud = self.auth_url.rstrip("/")
        cloud = cloud[: -len(_VERSION)] if cloud.endswith(_VERSION) else cloud
        text = json.dumps([cloud, self.project_id, self.region_name, of])
        return hashlib.sha256(text.encode()).hexdigest()[:32]
