# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots of volumes."""

from __future__ import annotations

import typing as t

from ..model.item import Item
from ..model.quota import Quota
from ..resources.quotas import volume_quotas
from ..resources.volume_copies import SNAPSHOTS
from ..resources.volume_requests import create_snapshot
from ..resources.volumes import Volume
from .common.volume_copy import VolumeCopyAction


class VolumeSnapshot(VolumeCopyAction):
    name = "snapshot"
    past = "snapshotted"
    awaited = "the volume snapshots"
    kind = SNAPSHOTS

    def create(self, volume: Volume, name: str, labels: t.Mapping[str, str]) -> str:
        return create_snapshot(self.client, volume.id, name, labels, self._force)

    def quotas(self, items: list[Item[Volume]]) -> list[Quota]:
        size = sum(item.resource.size for item in items)
        return volume_quotas(self.client, snapshots=len(items), snapshot_gib=size)
