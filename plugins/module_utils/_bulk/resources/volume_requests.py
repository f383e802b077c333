# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Cinder is asked for."""

from __future__ import annotations

import typing as t

from ..api.cloud_requests import CloudRequests, content
from .description_labels import describe
from .volume_copies import Kind


def create_snapshot(
    requests: CloudRequests,
    volume_id: str,
    name: str,
    metadata: t.Mapping[str, str],
    force: bool,
    given_up: t.Callable[[], bool],
) -> str:
    """Ask for a snapshot of a volume; with force also of one that is attached. The snapshot's id."""
    body = {"volume_id": volume_id, "name": name, "force": force, "metadata": dict(metadata)}
    response = requests.post("block_storage", "/snapshots", {"snapshot": body}, given_up=given_up)
    return content(response, "snapshot", "id")


def create_backup(
    requests: CloudRequests,
    kind: Kind,
    volume_id: str,
    name: str,
    metadata: t.Mapping[str, str],
    how: t.Mapping[str, t.Any],
    given_up: t.Callable[[], bool],
) -> str:
    """Ask for a backup of a volume, made as this says: ``force``, ``incremental``, ``container``. The backup's id."""
    marks = {"metadata": dict(metadata)} if kind.microversion else {"description": describe(metadata)}
    body = {"backup": {"volume_id": volume_id, "name": name, **how, **marks}}
    return content(requests.post("block_storage", "/backups", body, kind.microversion, given_up), "backup", "id")
