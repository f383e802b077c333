# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long images have been queued: nothing comes of one that is queued for too long, so it is deleted."""

from __future__ import annotations

import typing as t

from ..api.cloud_requests import CloudRequests
from .image_copies import QUEUED


class Queued(t.Protocol):
    """An image as far as its time in the queue is concerned."""

    @property
    def id(self) -> str: ...

    @property
    def status(self) -> str: ...

    @property
    def created_at(self) -> str: ...


class ImageQueue:
    """Counts from this call's own request, else by the clock of the cloud, and never by that of this machine."""

    def __init__(self, requests: CloudRequests, timeout: float) -> None:
        self._requests = requests
        self.timeout = timeout
        #: When this call was told that an image is there, in seconds since the run began.
        self._accepted_at: dict[str, float] = {}

    def accepted(self, image_id: str) -> None:
        """Note that the cloud has just accepted to make this image."""
        self._accepted_at[image_id] = self._requests.seconds_spent

    def holds_too_long(self, image: Queued, timeout: float | None = None) -> bool:
        """Whether an image is queued for longer than this, or than the timeout; not where that is not certain."""
        timeout = self.timeout if timeout is None else timeout
        if image.status != QUEUED:
            return False
        if image.id in self._accepted_at:
            return self._requests.seconds_spent - self._accepted_at[image.id] > timeout
        return self._requests.cloud_clock.has_passed(timeout, image.created_at)
