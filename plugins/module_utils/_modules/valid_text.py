# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a cloud's answers valid UTF-8 and JSON.

JSON can escape half of a surrogate pair, which is no character: Ansible drops a whole result with one in it. Python
also reads NaN, which is not JSON.
"""

from __future__ import annotations

import math
import typing as t


def valid(value: t.Any) -> t.Any:
    """The same value, with U+FFFD for what is no character, and None for what is no number."""
    if isinstance(value, str):
        # Two halves of a pair become one character.
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, t.Mapping):
        return {valid(key): valid(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [valid(one) for one in value]
    return value
