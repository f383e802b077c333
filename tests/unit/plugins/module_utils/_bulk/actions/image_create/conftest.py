# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images of files, URLs and volumes in a cloud without a network."""

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.actions.image_create.from_sources import (
    ImageFromSource,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.actions.image_create.from_volumes import (
    ImageFromVolume,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.actions.image_create.sources import image_sources
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.labels import Labels
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.selection import Criteria
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.actions.image_create.glance import (
    CONTENT,
    FakeGlance,
)


@pytest.fixture
def cloud(time):
    return FakeGlance(time)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "disk.qcow2"
    path.write_bytes(CONTENT)
    return str(path)


@pytest.fixture
def create(carry_out):
    def run(*images, run="r1", queued_timeout=3600, properties=None, **options):
        sources = image_sources(images, properties or {})
        return carry_out(lambda requests: ImageFromSource(requests, sources, run, queued_timeout), **options)

    return run


@pytest.fixture
def create_from_volumes(carry_out):
    def run(queued_timeout=3600, force=False, properties=None, **options):
        marks = Labels("r1", "volume", "{volume}-{run}", "image_name", properties or {})
        criteria = Criteria()
        return carry_out(
            lambda requests: ImageFromVolume(requests, criteria, marks, queued_timeout, "raw", force), **options
        )

    return run
