# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory source that begins the session of a run before other inventories are read."""

from __future__ import annotations

import os
import types

import pytest
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible_collections.onetoken.openstack.plugins.inventory import one_token
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import usage
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import VARIABLE
from ansible_collections.onetoken.openstack.plugins.plugin_utils import run as runs

OPTIONS = {
    "renew_after": "33%",
    "session": None,
    "drain": False,
    "drain_timeout": 30,
    "revoke_timeout": 30,
    "fork_server": False,
    "requests_per_second": "auto",
    "limit_timeout": 600,
}


@pytest.fixture
def parse(no_cloud, tmp_path, monkeypatch):
    """Read an inventory source as Ansible does, with the options of its documentation."""
    monkeypatch.setattr(usage, "run_process", None)
    monkeypatch.setattr(runs, "_current", None)
    monkeypatch.setattr(runs.atexit, "register", lambda function: None)
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.setenv("PYTHONPATH", "")
    path = tmp_path / "one_token.yml"
    path.write_text("plugin: onetoken.openstack.one_token\n")

    def parse(warn=None, **options):
        plugin = one_token.InventoryModule()
        if warn is not None:
            plugin.display = types.SimpleNamespace(warning=warn)
        found = {**OPTIONS, "directory": str(tmp_path / "sessions"), **options}
        monkeypatch.setattr(plugin, "_read_config_data", lambda path: None)
        monkeypatch.setattr(plugin, "get_option", found.get)
        inventory = InventoryData()
        plugin.parse(inventory, DataLoader(), str(path))
        return inventory

    yield parse
    if runs._current is not None and not runs._current.ended:
        runs._current.end(drain=False)


@pytest.mark.processes
def test_it_begins_the_run_s_session_and_adds_no_host(parse, tmp_path):
    inventory = parse()

    assert inventory.hosts == {}
    assert os.path.dirname(os.environ[VARIABLE]) == str(tmp_path / "sessions")
    assert os.environ["PYTHONPATH"].split(os.pathsep)[0] == os.path.join(os.environ[VARIABLE], "site")


@pytest.mark.processes
def test_listed_twice_or_read_again_it_keeps_the_session(parse, tmp_path):
    parse()
    first = os.environ[VARIABLE]
    parse()

    assert os.environ[VARIABLE] == first
    assert len(os.listdir(tmp_path / "sessions")) == 1


@pytest.mark.processes
def test_within_a_session_it_makes_none(parse, tmp_path, session, monkeypatch):
    parse(directory=str(tmp_path / "outer"))
    outer = os.environ[VARIABLE]
    monkeypatch.setattr(runs, "_current", None)

    parse()

    assert os.environ[VARIABLE] == outer
    assert not (tmp_path / "sessions").exists()


@pytest.mark.parametrize("options", [{"renew_after": "sometimes"}, {"drain_timeout": -1}, {"session": "a/b"}], ids=str)
def test_an_error_is_a_warning_and_the_next_inventories_sign_in_by_themselves(parse, options):
    warnings = []

    assert parse(warnings.append, **options).hosts == {}
    (warning,) = warnings
    assert warning.startswith("one_token: the run has no session, and its inventories sign in by themselves: ")


@pytest.mark.parametrize(("name", "is_one"), [("x.yml", True), ("x.yaml", True), ("x.ini", False), ("x", False)])
def test_it_reads_only_yaml_files(tmp_path, name, is_one):
    path = tmp_path / name
    path.touch()

    assert one_token.InventoryModule().verify_file(str(path)) is is_one
