# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action bulk runs a module, and retention only after a run that did not fail."""

from __future__ import annotations

import types

import pytest
from ansible_collections.onetoken.openstack.plugins.action.bulk import ActionModule
from ansible_collections.onetoken.openstack.plugins.plugin_utils.bulk_variables import Variables

DONE = {"results": [{"id": "a", "outcome": "done", "created": [{"type": "image"}]}], "run": "r", "report": {}}
SNAPSHOT, RETENTION = "onetoken.openstack.os_server_snapshot", "onetoken.openstack.os_retention"


@pytest.fixture
def run(monkeypatch):
    """Run the action with these variables and this result of the module; its result, and the modules that ran."""

    def run_with(entry_point, values, result=None, check_mode=False, **arguments):
        action = ActionModule.__new__(ActionModule)
        arguments = {"entry_point": entry_point, **arguments}
        action._task = types.SimpleNamespace(args=arguments, action="bulk", check_mode=check_mode)
        ran = []

        def run_module(module, options, _task_vars):
            ran.append((module, options, action._task.check_mode))
            return dict(result or DONE) if module != RETENTION else {"results": [], "summary": {}}

        monkeypatch.setattr(action, "_variables", lambda name, _task_vars: Variables.of(name, values))
        monkeypatch.setattr(action, "_run_module", run_module)
        return action.run(None, {}), ran

    return run_with


def test_the_module_of_the_entry_point_runs_with_the_variables(run):
    result, ran = run("server_snapshot", {"name_pattern": "web-*"}, cloud="of-module-defaults")
    assert result == DONE
    assert ran == [(SNAPSHOT, {"cloud": "of-module-defaults", "name_pattern": "web-*"}, False)]


def test_a_wrong_variable_runs_nothing(run):
    result, ran = run("server_snapshot", {})
    assert result["failed"] and result["msg"].startswith("Nothing was done: no criterion was given")
    assert ran == []


def test_validation_alone_runs_nothing(run):
    assert run("server_snapshot", {"servers": ["a"]}, validate_only=True) == ({"changed": False}, [])


def test_retention_follows_a_run(run):
    result, ran = run("server_snapshot", {"servers": ["a"], "keep_last": 2})
    assert [module for module, _options, _check_mode in ran] == [SNAPSHOT, RETENTION]
    assert ran[1][1] == {"keep_last": 2, "kind": "image", "sources": ["a"], "after_run": "r"}
    assert len(result["deletions"]) == 1


def test_nothing_is_deleted_after_a_run_that_failed_or_in_check_mode(run):
    values = {"servers": ["a"], "keep_last": 2}
    for result, check_mode in ((DONE | {"failed": True, "msg": "no report"}, False), (DONE, True)):
        _result, ran = run("server_snapshot", values, result, check_mode)
        assert [module for module, _options, _check_mode in ran] == [SNAPSHOT]


def test_retention_deletes_only_with_a_plain_no(run):
    values = {"kind": "image", "keep_last": 1, "name_pattern": "**"}
    for dry_run, check_mode in (({}, True), ({"dry_run": ""}, True), ({"dry_run": "false"}, False)):
        _result, ran = run("retention", {**values, **dry_run})
        assert [(module, in_check_mode) for module, _options, in_check_mode in ran] == [(RETENTION, check_mode)]
