# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of volumes."""

from __future__ import annotations

import functools
import typing as t

from ..._session.util.errors import ConfigurationError
from ..api.client import Client
from ..model.item import Item
from ..model.quota import Quota
from ..resources.labels import Labels
from ..resources.quotas import volume_quotas
from ..resources.selection import Criteria
from ..resources.volume_copies import Kind, kind_of_backups
from ..resources.volume_requests import create_backup
from ..resources.volumes import Volume
from .common.volume_copy import VolumeCopyAction


class VolumeBackup(VolumeCopyAction):
    name = "backup"
    past = "backed up"
    awaited = "the volume backups"

    def __init__(
        self,
        client: Client,
        criteria: Criteria,
        servers: t.Sequence[str],
        labels: Labels,
        force: bool,
        incremental: bool,
        container: str | None,
    ) -> None:
        super().__init__(client, criteria, servers, labels, force)
        self._how: dict[str, t.Any] = {"force": force, "incremental": incremental}
        if container:
            self._how["container"] = container

    @functools.cached_property
    def kind(self) -> Kind:
        kind = kind_of_backups(self.client)
        if not kind.microversion and self._labels.properties:
            raise ConfigurationError(
                "This cloud's Cinder keeps no metadata of backups (that takes microversion 3.43): leave properties out."
            )
        return kind

    def create(self, volume: Volume, name: str, labels: t.Mapping[str, str]) -> str:
        return create_backup(self.client, self.kind, volume.id, name, labels, self._how)

    def quotas(self, items: list[Item[Volume]]) -> list[Quota]:
        size = sum(item.resource.size for item in items)
        return volume_quotas(self.client, backups=len(items), backup_gib=size)
