# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cinder's fake volumes, extended to become images and backups, and to take time for it."""

from __future__ import annotations

import io
import os
import struct
import time

from cinder.backup import driver, manager
from cinder.tests import fake_driver
from cinder.volume import volume_utils
from rate_limits import Limits

VOLUME_BYTES = 16 * 1024


class SandboxVolumeDriver(fake_driver.FakeLoggingVolumeDriver):
    """FakeLoggingVolumeDriver has no device with content to upload."""

    limits: Limits  # for volume_seconds

    def create_snapshot(self, snapshot):
        time.sleep(self.limits.seconds("volume_seconds"))

    def copy_volume_to_image(self, context, volume, image_service, image_meta):
        """Upload random bytes as the image. Glance checks the format: only raw and qcow2 work here."""
        time.sleep(self.limits.seconds("volume_seconds"))
        header = qcow2_header(volume.size) if image_meta["disk_format"] == "qcow2" else b""
        image_service.update(context, image_meta["id"], {}, io.BytesIO(header + os.urandom(VOLUME_BYTES)))


class SandboxBackupManager(manager.BackupManager):
    """Attaches no volume to the host, which takes root, and which fake volumes do not support."""

    def _attach_device(self, *arguments, **options):
        return {"device": {"path": io.BytesIO(os.urandom(VOLUME_BYTES))}}

    def _detach_device(self, *arguments, **options):
        """Nothing was attached."""


class SandboxBackupDriver(driver.BackupDriver):
    """Stores nothing: only Cinder's database has the backup."""

    limits: Limits  # for volume_seconds

    def backup(self, backup, volume_file, backup_metadata=False):
        time.sleep(self.limits.seconds("volume_seconds"))

    def restore(self, backup, volume_id, volume_file, volume_is_new):
        """A volume has no content."""

    def delete_backup(self, backup):
        """Nothing was stored."""


def qcow2_header(gibibytes: int) -> bytes:
    """Magic, version, no backing file, the clusters' size as a power of two, the disk's size."""
    return struct.pack(">4sIQIIQ", b"QFI\xfb", 2, 0, 0, 16, gibibytes * 1024**3).ljust(512, b"\0")


def install(limits: Limits) -> None:
    SandboxVolumeDriver.limits = SandboxBackupDriver.limits = limits
    # Cinder would find out with commands that need root how to attach volumes to this host.
    volume_utils.brick_get_connector_properties = lambda *arguments, **options: {}
