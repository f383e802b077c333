# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of servers, of which Nova itself keeps the last ones and deletes those before."""

from __future__ import annotations

import typing as t

from ..._session.util.errors import ConfigurationError
from ..api.client import Client
from ..model.reason import Code, Reason
from ..resources.labels import Labels
from ..resources.selection import Criteria
from ..resources.servers import Server
from .common.server_image import ServerImage


class ServerBackup(ServerImage):
    name = "backup"
    past = "backed up"

    def __init__(
        self,
        client: Client,
        criteria: Criteria,
        labels: Labels,
        queued_timeout: int,
        backup_type: str,
        rotation: int,
    ) -> None:
        # Nova deletes all backups of the type but the last ones: with 0 it would delete the new one too.
        if rotation < 1:
            raise ConfigurationError(f"rotation must be at least 1, so that a backup remains, not {rotation}.")
        super().__init__(client, criteria, labels, queued_timeout)
        self._backup_type = backup_type
        self._rotation = rotation

    def request_of(self, server: Server, labels: t.Mapping[str, str]) -> dict[str, t.Any]:
        backup = {
            "name": self._labels.name_of(server),
            "backup_type": self._backup_type,
            "rotation": self._rotation,
            "metadata": dict(labels),
        }
        return {"createBackup": backup}

    def unsupported(self, server: Server) -> Reason | None:
        if server.volume_backed:
            text = "Nova makes no backups of servers that were booted from a volume: use os_server_snapshot for it"
            return Reason(Code.UNSUPPORTED, text)
        return None
