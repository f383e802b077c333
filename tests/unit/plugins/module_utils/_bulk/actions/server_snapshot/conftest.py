# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Snapshots of servers in a cloud without a network."""

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.actions.server_snapshot.setup import (
    new_snapshot,
)


@pytest.fixture
def snapshot(carry_out):
    def run(run="r1", volume_backed="image", queued_timeout=3600, names=None, **options):
        return carry_out(new_snapshot(run, volume_backed, queued_timeout, names=names), **options)

    return run
