# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the rate limiters of these tests share what they learn."""

from __future__ import annotations

import pytest


@pytest.fixture
def environ(no_cloud, tmp_path):
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    return {"XDG_STATE_HOME": str(state)}
