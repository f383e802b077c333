# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that uses Ansible's private code: it replaces one step of the action that runs modules.

Checked with ansible-core 2.17 to 2.21. On other releases it does nothing, and modules run as without it.
"""

from __future__ import annotations

import importlib.util
import os
import typing as t

import ansible.plugins.action
import ansible.plugins.connection
from ansible import constants
from ansible.errors import AnsibleError
from ansible.module_utils.common.text.converters import to_text
from ansible.plugins.loader import action_loader
from ansible.release import __version__
from ansible.utils.display import Display

from ..module_utils._session.fork_server.call import DeclinedError
from . import direct_door

#: With this variable, tests use it on a new release.
ANY_RELEASE = "ONETOKEN_ANY_ANSIBLE"
CHECKED = ((2, 17), (2, 18), (2, 19), (2, 20), (2, 21))
#: The action that runs modules without an action of their own.
_ACTION = "ansible.legacy.normal"
OVERRIDE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "action_override")
_MODULES = "openstack.cloud."
#: Shells that only run the command; bash does, if no variable makes it read a file first.
_SH, _BASH = ("/bin/sh", "/usr/bin/sh"), ("/bin/bash", "/usr/bin/bash")
_READ_BY_BASH = "BASH_ENV"
_display = Display()


def take_over() -> str | None:
    """Have modules of openstack.cloud run in forks of the session's server; the reason if that is not possible."""
    if _release() not in CHECKED and not os.environ.get(ANY_RELEASE):
        return f"ansible-core {__version__} is not one that it was checked with"
    if not _comes_from(os.path.dirname(ansible.plugins.action.__file__)):
        return f"somebody else's {_ACTION} is there"
    action_loader.add_directory(OVERRIDE)
    return None if _comes_from(OVERRIDE) else f"another {_ACTION} comes first"


def _release() -> tuple[int, ...]:
    return tuple(int(number) for number in __version__.split(".")[:2])


def _comes_from(directory: str) -> bool:
    found = action_loader.find_plugin(_ACTION)
    return found is not None and os.path.dirname(os.path.realpath(found)) == os.path.realpath(directory)


def _is_local(connection: t.Any) -> bool:
    """Whether it is Ansible's own local connection: one that derives from it has the same name, and does more."""
    own = os.path.join(os.path.dirname(ansible.plugins.connection.__file__), "local.py")
    return os.path.realpath(connection._original_path) == os.path.realpath(own)


def _base() -> t.Any:
    """Ansible's own action, loaded by its file, as its name is that of the override now."""
    path = os.path.join(os.path.dirname(ansible.plugins.action.__file__), "normal.py")
    spec = importlib.util.spec_from_file_location("onetoken_openstack_normal_action", path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ActionModule


class ActionModule(_base()):  # type: ignore[misc]
    """Ansible prepares a module as usual; only the shell that would run it is left out."""

    _goes_direct = False

    def _execute_module(self, module_name: t.Any = None, module_args: t.Any = None, **options: t.Any) -> t.Any:
        if module_name is not None or not str(self._task.resolved_action).startswith(_MODULES):
            return super()._execute_module(module_name=module_name, module_args=module_args, **options)
        reason = self._reason_against()
        if reason is not None:
            self._log(f"does not run directly: {reason}")
            return super()._execute_module(module_name=module_name, module_args=module_args, **options)
        pipelining = self._connection.get_option("pipelining")
        # Then Ansible passes the module as a script, and writes no file.
        self._connection.set_option("pipelining", True)
        self._goes_direct = True
        try:
            return super()._execute_module(module_name=module_name, module_args=module_args, **options)
        finally:
            self._goes_direct = False
            self._connection.set_option("pipelining", pipelining)

    def _reason_against(self) -> str | None:
        if not _is_local(self._connection):
            return "it runs over another connection than local"
        if self._connection.become:
            return "it uses become"
        if self._task.async_val:
            return "it is asynchronous"
        if constants.DEFAULT_KEEP_REMOTE_FILES:
            return "its files are to be kept"
        # Another shell may set variables, or be a wrapper.
        plain = _SH if os.environ.get(_READ_BY_BASH) else (*_SH, *_BASH)
        if not self._shells().issubset(plain):
            return "its shell may do more than run it"
        return None

    def _shells(self) -> set[str]:
        """The shells of the command: Ansible lets one run the other."""
        return {str(shell) for shell in (self._play_context.executable, constants.DEFAULT_EXECUTABLE) if shell}

    def _low_level_execute_command(
        self, cmd: t.Any, sudoable: bool = True, in_data: t.Any = None, *rest: t.Any, **options: t.Any
    ) -> t.Any:
        # ansible-core 2.21 always passes an option for processing the result: None for Python modules.
        plain = not rest and all(value is None for value in options.values())
        if self._goes_direct and in_data is not None and plain:
            try:
                result = direct_door.run(str(cmd), bytes(in_data), self._loader.get_basedir(), os.environ)
            except (DeclinedError, OSError) as exc:
                self._log(f"runs without the fork server: {exc}")
            except direct_door.KilledError as exc:
                raise AnsibleError(str(exc)) from None
            else:
                self._log("runs in a fork of the server")
                return _as_dict(result)
        elif self._goes_direct:
            self._log("runs without the fork server: this ansible-core runs it in a way that is not known")
        return super()._low_level_execute_command(cmd, sudoable, in_data, *rest, **options)

    def _log(self, how: str) -> None:
        _display.vvv(f"one_token: {self._task.resolved_action} {how}", host=self._play_context.remote_addr)


def _as_dict(result: direct_door.Result) -> dict[str, t.Any]:
    output = to_text(result.output, errors="surrogate_then_replace")
    errors = to_text(result.errors, errors="surrogate_then_replace")
    return {
        "rc": result.status,
        "stdout": output,
        "stdout_lines": output.splitlines(),
        "stderr": errors,
        "stderr_lines": errors.splitlines(),
    }
