# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.actions.image_create.sources import image_sources
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import ConfigurationError
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.actions.image_create.glance import (
    URL,
)


class TestOptions:
    def test_an_image_needs_a_name(self):
        with pytest.raises(ConfigurationError, match="empty name"):
            image_sources([{"name": "", "url": URL}], {})

    def test_two_images_of_one_name_are_refused(self):
        with pytest.raises(ConfigurationError, match="called a"):
            image_sources([{"name": "a", "url": URL}, {"name": "a", "file": "a.raw"}], {})

    @pytest.mark.parametrize(
        "option, message",
        [
            ({"file": "a.img"}, "disk_format"),
            ({"url": "https://a/b?c=d.qcow2"}, "disk_format"),
            ({"url": "ftp://a/b.raw"}, "http"),
            ({"url": "https:///b.raw"}, "host"),
            ({"file": "a.raw", "checksum": "abc"}, "checksum"),
            ({"file": "a.raw", "properties": {"onetoken_run": "r"}}, "onetoken_"),
            ({"file": "a.raw", "properties": {"a": ["b"]}}, "properties of image a"),
        ],
        ids=str,
    )
    def test_what_cannot_be_used_is_refused(self, option, message):
        with pytest.raises(ConfigurationError, match=message):
            image_sources([{"name": "a", **option}], {})

    def test_the_disk_format_is_reported_by_the_ending(self):
        options = [{"name": "a", "file": "A.QCOW2"}, {"name": "b", "url": "http://c/d.iso?e"}]
        assert [source.disk_format for source in image_sources(options, {})] == ["qcow2", "iso"]
