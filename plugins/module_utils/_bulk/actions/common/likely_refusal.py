# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check of a server's status says of an action, before it is sent."""

from __future__ import annotations

import typing as t

from ...model.reason import Code, Reason
from ...resources.servers import Server


def likely_refusal(server: Server, statuses: t.AbstractSet[str]) -> Reason | None:
    """Why Nova may refuse an action that it allows in these statuses; None where nothing speaks against it."""
    if server.task_state:
        return Reason(Code.BUSY, f"Nova may refuse it while the server is busy with {server.task_state}")
    if server.status not in statuses:
        text = f"Nova may refuse it because the server is in status {server.status}"
        return Reason(Code.UNSUITABLE_STATUS, text)
    return None
