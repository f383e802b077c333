# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a bulk module with the variables of the role bulk as its options."""

from __future__ import annotations

import typing as t

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.utils.vars import load_extra_vars

from ..plugin_utils.bulk_variables import VariableError, Variables, retention_after, specs
from ..plugin_utils.progress_action import ProgressAction


class ActionModule(ProgressAction):
    def run(self, tmp: t.Any = None, task_vars: t.Any = None) -> dict[str, t.Any]:
        arguments = dict(self._task.args)
        variables = self._variables(arguments.pop("entry_point"), task_vars or {})
        validate_only = boolean(arguments.pop("validate_only", False))
        # What is left comes from module_defaults.
        defaults = arguments
        try:
            options = variables.options()
        except VariableError as exc:
            return {"failed": True, "msg": f"Nothing was done: {exc}."}
        if validate_only:
            return {"changed": False}
        self._task.check_mode = self._task.check_mode or variables.is_dry_run
        result = self._run_module(variables.module, {**defaults, **options}, task_vars)
        if self._task.check_mode:
            # A plan that reports a change would alert for a run that did nothing.
            return {**result, "changed": False}
        if variables.keeps and not result.get("failed"):
            shared = variables.retention()
            result["deletions"] = [
                self._run_module("onetoken.openstack.os_retention", {**defaults, **shared, **of_kind}, task_vars)
                for of_kind in retention_after(result)
            ]
            for deletion in result["deletions"]:
                # What was made is still worth a report.
                if deletion.get("failed"):
                    return {**result, "failed": True, "msg": deletion["msg"]}
        return result

    def _run_module(self, module: str, options: dict[str, t.Any], task_vars: t.Any) -> dict[str, t.Any]:
        self._task.action = module
        self._task.args = {**options, "ignore_failures": True}
        return super().run(None, task_vars)

    def _variables(self, entry_point: str, task_vars: dict[str, t.Any]) -> Variables:
        # Variables are templated when they are read, and most of a play's are no business of this role.
        names = specs()[entry_point]
        values = {name: self._templar.template(task_vars[name]) for name in names if name in task_vars}
        hosts = self._hosts(task_vars) if "target" in values else ()
        return Variables.of(entry_point, values, others=task_vars, extra=load_extra_vars(self._loader), hosts=hosts)

    def _hosts(self, task_vars: dict[str, t.Any]) -> list[dict[str, t.Any]]:
        """The hosts of the play, and what the inventory knows of their servers."""
        hostvars = task_vars["hostvars"]
        return [
            {"name": name, "openstack": self._templar.template(hostvars[name].get("openstack", {}))}
            for name in task_vars.get("ansible_play_hosts_all", ())
        ]
