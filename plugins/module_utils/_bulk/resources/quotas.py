# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The quotas that a run will hit, read before anything is asked for."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..._session.util.errors import OneTokenError
from ..api.cloud_requests import CloudRequests, Service

GIB = 1024**3


@dataclass(frozen=True)
class Quota:
    """One of the project's limits, and what a run needs of it."""

    name: str
    limit: int
    used: int
    needed: int

    @property
    def suffices(self) -> bool:
        return self.limit < 0 or self.used + self.needed <= self.limit

    def result(self) -> dict[str, t.Any]:
        return {
            "name": self.name,
            "limit": self.limit,
            "used": self.used,
            "needed": self.needed,
            "suffices": self.suffices,
        }

    def shortage(self) -> str:
        """What is missing, as part of a sentence."""
        return f"{self.name} allows {self.limit}, {self.used} are used and {self.needed} more are needed"


def image_quotas(requests: CloudRequests, images: int) -> list[Quota]:
    """How many images the project may have. Only clouds that keep these limits in Keystone tell."""
    name = "image_count_total"
    count = _part(requests, "image", "/info/usage", "usage", name)
    return _quotas(count, [(name, "limit", "usage", images)])


def volume_quotas(
    requests: CloudRequests, snapshots: int = 0, backups: int = 0, snapshot_gib: int = 0, backup_gib: int = 0
) -> list[Quota]:
    """How many snapshots and backups of volumes the project may have, and how large all of them may be."""
    limits = _part(requests, "block_storage", "/limits", "limits", "absolute")
    wanted = [
        ("snapshots", "maxTotalSnapshots", "totalSnapshotsUsed", snapshots),
        ("gigabytes", "maxTotalVolumeGigabytes", "totalGigabytesUsed", snapshot_gib),
        ("backups", "maxTotalBackups", "totalBackupsUsed", backups),
        ("backup_gigabytes", "maxTotalBackupGigabytes", "totalBackupGigabytesUsed", backup_gib),
    ]
    return _quotas(limits, wanted)


def _part(requests: CloudRequests, service: Service, path: str, *keys: str) -> t.Any:
    """What is below these keys of an answer; nothing where the cloud does not tell."""
    try:
        found: t.Any = requests.get(service, path)
        for key in keys:
            found = found[key]
    except (OneTokenError, KeyError, TypeError):
        return None
    return found


def _quotas(told: t.Any, wanted: list[tuple[str, str, str, int]]) -> list[Quota]:
    """Those that are needed and told, each with the names of its limit and of what is used."""
    if not isinstance(told, dict):
        return []
    return [
        Quota(name, told[limit], told[used], needed)
        for name, limit, used, needed in wanted
        if needed and isinstance(told.get(limit), int) and isinstance(told.get(used), int)
    ]
