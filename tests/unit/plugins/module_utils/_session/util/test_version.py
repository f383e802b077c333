# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

import yaml
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.version import APPLICATION, VERSION


def test_it_is_the_version_and_the_name_of_the_collection():
    galaxy = yaml.safe_load((pathlib.Path(__file__).resolve().parents[6] / "galaxy.yml").read_text(encoding="utf-8"))

    assert galaxy["version"] == VERSION
    assert f"{galaxy['namespace']}.{galaxy['name']}" == APPLICATION
