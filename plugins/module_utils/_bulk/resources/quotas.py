# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The quotas that a run will hit, read before anything is submitted."""

from __future__ import annotations

import typing as t

from ..._session.util.errors import OneTokenError
from ..api.client import Client
from ..api.services import Service
from ..model.quota import Quota

GIB = 1024**3


def image_quotas(client: Client, images: int) -> list[Quota]:
    """How many images the project may have. Only clouds that keep these limits in Keystone report them."""
    name = "image_count_total"
    count = _part(client, "image", "/info/usage", "usage", name)
    return _quotas(count, [(name, "limit", "usage", images)])


def volume_quotas(
    client: Client, snapshots: int = 0, backups: int = 0, snapshot_gib: int = 0, backup_gib: int = 0
) -> list[Quota]:
    """How many snapshots and backups of volumes the project may have, and how large all of them may be."""
    limits = _part(client, "block_storage", "/limits", "limits", "absolute")
    wanted = [
        ("snapshots", "maxTotalSnapshots", "totalSnapshotsUsed", snapshots),
        ("gigabytes", "maxTotalVolumeGigabytes", "totalGigabytesUsed", snapshot_gib),
        ("backups", "maxTotalBackups", "totalBackupsUsed", backups),
        ("backup_gigabytes", "maxTotalBackupGigabytes", "totalBackupGigabytesUsed", backup_gib),
    ]
    return _quotas(limits, wanted)


def _part(client: Client, service: Service, path: str, *keys: str) -> t.Any:
    """What is below these keys of an answer; nothing where the cloud does not report it."""
    try:
        found: t.Any = client.get(service, path)
        for key in keys:
            found = found[key]
    except (OneTokenError, KeyError, TypeError):
        return None
    return found


def _quotas(reported: t.Any, wanted: list[tuple[str, str, str, int]]) -> list[Quota]:
    """Those that are needed and reported, each with the names of its limit and of what is used."""
    if not isinstance(reported, dict):
        return []
    return [
        Quota(name, reported[limit], reported[used], needed)
        for name, limit, used, needed in wanted
        if needed and isinstance(reported.get(limit), int) and isinstance(reported.get(used), int)
    ]
