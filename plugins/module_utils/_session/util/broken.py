# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a process reports a session whose code or files it cannot use, without either."""

from __future__ import annotations

import contextlib
import os

#: An empty file of the session; removing it needs no room on a full disk.
FILE = "usable"


def report() -> None:
    """Have the run warn that this process is not on its session."""
    with contextlib.suppress(KeyError, OSError):
        os.remove(os.path.join(os.environ["ONETOKEN_SESSION_DIRECTORY"], FILE))
