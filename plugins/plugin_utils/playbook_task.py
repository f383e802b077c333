# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task of a playbook means for the session, as far as that is known before it is templated."""

from __future__ import annotations

import dataclasses
import functools
import os
import typing as t

from .templates import literal, part, template

#: The variable with which a task, a block or a play opts out of the session.
DECLINE = "one_token"
_COMMANDS = ("command", "shell", "script", "raw")
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
#: The variables that override a task's become and become_user.
_BECOME = ("ansible_become", "ansible_become_user")


class PlaybookTask:
    """A task in its play."""

    def __init__(self, task: t.Any, play: t.Any, command_line_become: bool) -> None:
        self._task = task
        self._play = play
        self._command_line_become = command_line_become

    @property
    def label(self) -> str:
        return f"{self._task.get_name()!r} ({self._task.get_path()})"

    @property
    def key(self) -> str:
        return self._task.get_path() or self._task._uuid

    @property
    def action(self) -> str:
        return getattr(self._task, "resolved_action", None) or self._task.action

    @property
    def is_openstack(self) -> bool:
        """Whether it is a module of openstack.cloud, or the openstack command."""
        return self.action.startswith("openstack.cloud.") or self._program == "openstack"

    @property
    def _program(self) -> str:
        """The program that a command task runs; empty for other tasks."""
        if self.action.rpartition(".")[2] not in _COMMANDS:
            return ""
        arguments = self._task.args
        words = arguments.get("argv") or str(arguments.get("_raw_params") or arguments.get("cmd") or "").split()
        return os.path.basename(str(words[0])) if words else ""

    @property
    def declines(self) -> bool:
        variables = {**self._play.vars, **self._task.get_vars()} if self._play else self._task.get_vars()
        return str(variables.get(DECLINE, True)).lower() in ("false", "no", "off", "0")

    @property
    def is_asynchronous(self) -> bool:
        """Whether it may outlive the run."""
        return bool(self._task.async_val)

    @property
    def becomes(self) -> str | None:
        """The user that it becomes; None without become."""
        if not (self._task.become or self._command_line_become):
            return None
        return self._task.become_user or "root"

    @property
    def becomes_by_host(self) -> bool:
        """Whether the user that it becomes depends on the variables of each host."""
        if "{{" in (self.becomes or ""):
            return True
        return any(name in self._task.get_vars() for name in _BECOME) or _hosts_of(self._play).set_become

    @property
    def runs_here(self) -> bool:
        """Whether it certainly runs on this machine, for all hosts."""
        if self._task.delegate_to:
            return self._task.delegate_to in _LOCAL_HOSTS
        if self._task.connection == "local":
            return True
        return _hosts_of(self._play).are_local

    @property
    def _environment(self) -> dict[str, t.Any]:
        """The variables that environment sets for it, unless all of environment is a template."""
        merged: dict[str, t.Any] = {}
        for one in self._task.environment or ():
            if isinstance(one, dict):
                merged.update(one)
        return merged

    def add_environment(self, variables: t.Mapping[str, str]) -> None:
        """Set variables for it, except those that the playbook sets."""
        new = {
            name: template(literal(text)) if "{" in text else text
            for name, text in variables.items()
            if name not in self._environment
        }
        # In front, as the last one wins: a template of the task may set the same variable.
        self._task._environment = [new, *self.own_environment]

    def add_environment_of(
        self,
        users: t.Collection[str],
        inside: t.Mapping[str, str],
        outside: t.Mapping[str, str],
    ) -> None:
        """Set the variables inside if it becomes one of these users or none, and those outside if it becomes another.

        A PYTHONPATH of the playbook stays, behind the first entry of the one inside.
        """
        own = self._environment
        condition = (
            f"{{% set user %}}{part(self.becomes or 'root')}{{% endset %}}"
            f"{{% if not (ansible_become | default({bool(self.becomes)}) | bool)"
            f" or (ansible_become_user | default(user) | string | trim) in {sorted(users)} %}}"
        )
        added = {
            name: template(f"{condition}{literal(text)}{{% else %}}{literal(outside[name])}{{% endif %}}")
            for name, text in inside.items()
            if name not in own
        }
        path, site = own.get("PYTHONPATH"), inside["PYTHONPATH"].split(os.pathsep)[0]
        if path is not None and literal(site) not in str(path):
            own_path = part(path)
            parts = os.pathsep.join(filter(None, [literal(site), own_path]))
            added["PYTHONPATH"] = template(f"{condition}{parts}{{% else %}}{own_path}{{% endif %}}")
        if added:
            self._task._environment = [*self.own_environment, added]

    def prepend_python_path(self, path: str) -> None:
        """Prepend the session's code to a PYTHONPATH that the playbook sets, which may be a template.

        On other machines it stays unchanged; whether a task for another host runs there is only known later.
        """
        own = self._environment.get("PYTHONPATH")
        if own is None or literal(path) in str(own):
            return
        first = f"{literal(path)}{os.pathsep if own else ''}"
        if not self.runs_here:
            # Ansible takes an empty result of a template for None.
            if self._task.delegate_to or not own:
                return
            first = f"{{% if (ansible_connection | default('')).split('.') | last == 'local' %}}{first}{{% endif %}}"
        self._task._environment = [*self.own_environment, {"PYTHONPATH": template(f"{first}{part(own)}")}]

    @property
    def own_environment(self) -> list[t.Any]:
        """The task's own environment: mappings and templates."""
        own = getattr(self._task, "_environment", None)
        if isinstance(own, list):
            return own
        return [own] if isinstance(own, (dict, str)) else []


@dataclasses.dataclass(frozen=True)
class _Hosts:
    """What the variables of a play's hosts mean for its tasks."""

    #: Whether all of them are this machine.
    are_local: bool
    #: Whether some of them set the user that tasks become.
    set_become: bool


@functools.lru_cache(maxsize=1)
def _hosts_of(play: t.Any) -> _Hosts:
    # Once a play: collecting the variables of thousands of hosts takes seconds.
    variables = play.get_variable_manager().get_vars(play=play)
    hosts, hostvars = variables.get("ansible_play_hosts_all") or [], variables.get("hostvars") or {}
    known = [variables, *(hostvars[host] for host in hosts if host in hostvars)]
    return _Hosts(
        bool(hosts) and all(_is_local(host, hostvars) for host in hosts),
        any(name in one for one in known for name in _BECOME),
    )


def _is_local(host: str, hostvars: t.Mapping[str, t.Any]) -> bool:
    try:
        connection = hostvars[host].get("ansible_connection", "")
    except KeyError:
        # A localhost that is in no inventory has no variables.
        return host in _LOCAL_HOSTS
    return str(connection).rpartition(".")[2] == "local"
