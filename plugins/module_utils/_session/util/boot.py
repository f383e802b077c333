# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seconds since the machine's start: the same for all its processes, and independent of its wall clock."""

from __future__ import annotations

import contextlib
import functools
import time

#: Unlike the monotonic clock, which is all that other systems have, it counts while the machine sleeps.
CLOCK = getattr(time, "CLOCK_BOOTTIME", None)


def now() -> float:
    return time.monotonic() if CLOCK is None else time.clock_gettime(CLOCK)


@functools.lru_cache
def identifier() -> str:
    """The id of this start of the machine; empty if the system has none."""
    with contextlib.suppress(OSError), open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
        return stream.read().strip()
    return ""
