# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests of a bulk run over a socket."""

from __future__ import annotations

import pytest


@pytest.fixture
def wired(new_wired, wire):
    """Requests of somebody who has signed in and found the services."""
    requests = new_wired()
    requests.get("compute", "/before")
    wire.exchanges.clear()
    return requests
