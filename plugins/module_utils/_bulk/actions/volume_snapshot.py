# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots of volumes."""

from __future__ import annotations

import typing as t

from ..engine.item import Item
from ..resources.quotas import Quota, volume_quotas
from ..resources.selection import Volume
from ..resources.volume_copies import SNAPSHOTS
from ..resources.volume_requests import create_snapshot
from .common.volume_copy import VolumeCopyAction


class VolumeSnapshot(VolumeCopyAction):
    name = "snapshot"
    awaited = "the volume snapshots"
    kind = SNAPSHOTS

    def create(self, volume: Volume, name: str, marks: t.Mapping[str, str]) -> str:
        return create_snapshot(self.requests, volume.id, name, marks, self._force, self.given_up)

    def quotas(self, items: list[Item]) -> list[Quota]:
        size = sum(item.resource.size for item in items)
        return volume_quotas(self.requests, snapshots=len(items), snapshot_gib=size)
