# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long images have been queued: nothing comes of one that is queued for too long, so it is deleted."""

from __future__ import annotations

from ..api.client import Client
from .images import QUEUED, Image


class ImageQueue:
    """Counts from this call's own request, else by the clock of the cloud, and never by that of this machine."""

    def __init__(self, client: Client, timeout: float) -> None:
        self._client = client
        self.timeout = timeout
        #: When the cloud accepted to make each image for this call, in seconds since the run began.
        self._accepted_at: dict[str, float] = {}

    def accepted(self, image_id: str) -> None:
        """Note that the cloud has just accepted to make this image."""
        self._accepted_at[image_id] = self._client.budget.spent

    def holds_too_long(self, image: Image, timeout: float | None = None) -> bool:
        """Whether an image is queued for longer than this, or than the timeout; not where that is not certain."""
        timeout = self.timeout if timeout is None else timeout
        if image.status != QUEUED:
            return False
        if image.id in self._accepted_at:
            return self._client.budget.spent - self._accepted_at[image.id] > timeout
        return self._client.cloud_clock.has_passed(timeout, image.created_at)
