# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to Cinder that make a copy of a volume."""

from __future__ import annotations

import typing as t

from ..api.answers import content
from ..api.client import Client
from .description_labels import describe
from .volume_copies import Kind


def create_snapshot(
    client: Client,
    volume_id: str,
    name: str,
    metadata: t.Mapping[str, str],
    force: bool,
    starts_item: bool = True,
) -> str:
    """Ask for a snapshot of a volume; with force also of one that is attached. The snapshot's id."""
    body = {"volume_id": volume_id, "name": name, "force": force, "metadata": dict(metadata)}
    response = client.post("block_storage", "/snapshots", {"snapshot": body}, starts_item=starts_item)
    return content(response, "snapshot", "id")


def create_backup(
    client: Client,
    kind: Kind,
    volume_id: str,
    name: str,
    metadata: t.Mapping[str, str],
    how: t.Mapping[str, t.Any],
    starts_item: bool = True,
) -> str:
    """Ask for a backup of a volume, made as this says: ``force``, ``incremental``, ``container``. The backup's id."""
    labels = {"metadata": dict(metadata)} if kind.microversion else {"description": describe(metadata)}
    body = {"backup": {"volume_id": volume_id, "name": name, **how, **labels}}
    return content(client.post("block_storage", "/backups", body, kind.microversion, starts_item), "backup", "id")
