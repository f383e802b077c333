# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait for a condition, with a deadline."""

from __future__ import annotations

import time
import typing as t

#: Seconds for one step of a test, on a machine that is busy with other things.
TIMEOUT = 120


def wait_for(
    condition: t.Callable[[], t.Any], seconds: float, what: str | t.Callable[[], str], pause: float = 0.1
) -> None:
    """Wait until a condition holds; if it does not in time, fail with a text, which may be made only then."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {seconds} s: {what if isinstance(what, str) else what()}")
        time.sleep(pause)
