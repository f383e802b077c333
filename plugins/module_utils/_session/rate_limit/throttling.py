# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers by which a limit on the rate of requests turns one away."""

from __future__ import annotations

import time
import typing as t

from ..util.waiting import delay_asked

_ENTITY_TOO_LARGE = 413
_TOO_MANY_REQUESTS = 429


def is_throttled(status: int, headers: t.Mapping[str, str]) -> bool:
    """Whether waiting helps. Of a quota that is used up, 413 says nothing on when to come back, or 0 seconds."""
    if status == _ENTITY_TOO_LARGE:
        return bool(delay_asked(headers, time.time()))
    return status == _TOO_MANY_REQUESTS
