# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bulk module is registered wherever the others are."""

from __future__ import annotations

import pathlib

import pytest
import yaml
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.test_module import BULK

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
NAMES = sorted(
    path.stem
    for path in (REPOSITORY / "plugins" / "modules").glob("os_*.py")
    if "run_bulk_module(" in path.read_text(encoding="utf-8")
)
#: The module whose name the action plugin has.
SHOWS_PROGRESS = "os_server_snapshot"


@pytest.fixture(scope="module")
def runtime():
    return yaml.safe_load((REPOSITORY / "meta" / "runtime.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_it_is_in_the_action_group(runtime, name):
    assert name in runtime["action_groups"]["openstack"], f"add {name} to action_groups in meta/runtime.yml"


@pytest.mark.parametrize("name", [name for name in NAMES if name != SHOWS_PROGRESS])
def test_its_progress_is_shown(runtime, name):
    routes = runtime["plugin_routing"]["modules"]
    plugin = f"onetoken.openstack.{SHOWS_PROGRESS}"
    assert routes.get(name) == {"action_plugin": plugin}, f"route {name} to {plugin} in meta/runtime.yml"


@pytest.mark.parametrize("page", ["README.md", "README.fr.md", "docs/bulk_runs.md"])
@pytest.mark.parametrize("name", NAMES)
def test_readers_find_it(page, name):
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    assert f"`{name}`" in text, f"name {name} in the table of {page}"


def test_all_of_them_run_as_modules():
    assert sorted(BULK) == NAMES, "keep BULK in test_module.py up to date"
