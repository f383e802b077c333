# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.images import Image

BODY = {"id": "i", "name": "web-r1", "status": "active", "created_at": "2026-01-31T12:00:00Z"}


def test_the_volume_snapshots_behind_an_image_are_known():
    mapping = [{"snapshot_id": "one"}, {"snapshot_id": None}, {"source_type": "blank"}, {"snapshot_id": "two"}]
    image = Image.from_body({**BODY, "block_device_mapping": json.dumps(mapping)})
    assert image.volume_snapshot_ids == ("one", "two")


@pytest.mark.parametrize("mapping", ["", "no JSON", "7", "null", "[7]", '["x"]', '{"snapshot_id": "x"}'])
def test_a_mapping_that_cannot_be_read_names_no_snapshots(mapping):
    assert Image.from_body({**BODY, "block_device_mapping": mapping}).volume_snapshot_ids == ()
