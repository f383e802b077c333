# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time since this machine was started: the same for all its processes, whatever is done to its clock."""

from __future__ import annotations

import contextlib
import functools
import time

#: Goes on while the machine sleeps, unlike the monotonic clock, which is all that other systems have.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", None)


def now() -> float:
    """Seconds since the start."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)


@functools.lru_cache
def identifier() -> str:
    """This start of this machine; empty where the system does not say."""
    with contextlib.suppress(OSError), open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
        return stream.read().strip()
    return ""
