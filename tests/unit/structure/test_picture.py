# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.onetoken.openstack.tests.structure.picture import PICTURE, svg


def test_the_picture_of_the_layers_is_current():
    assert PICTURE.read_text(encoding="utf-8") == svg(), "run make structure"
