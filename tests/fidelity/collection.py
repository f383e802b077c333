# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The openstack.cloud that is installed beside the tests."""

from __future__ import annotations

import json
import pathlib
import sysconfig

DIRECTORY = pathlib.Path(sysconfig.get_path("purelib"), "ansible_collections", "openstack", "cloud")


def release() -> str:
    manifest = json.loads((DIRECTORY / "MANIFEST.json").read_text(encoding="utf-8"))
    return manifest["collection_info"]["version"]


def modules() -> list[str]:
    return sorted(file.stem for file in (DIRECTORY / "plugins" / "modules").glob("[!_]*.py"))
