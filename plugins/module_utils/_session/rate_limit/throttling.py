# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which answers mean that a request was throttled."""

from __future__ import annotations

import time
import typing as t

from ..util.waiting import delay_asked

_ENTITY_TOO_LARGE = 413
_TOO_MANY_REQUESTS = 429


def is_throttled(status: int, headers: t.Mapping[str, str]) -> bool:
    """Whether to wait and send it again. Where a quota is used up, 413 has no Retry-After, or one of 0 seconds."""
    if status == _ENTITY_TOO_LARGE:
        return bool(delay_asked(headers, time.time()))
    return status == _TOO_MANY_REQUESTS
