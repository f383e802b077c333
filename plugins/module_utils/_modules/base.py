# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules share: running one, and results that Ansible accepts and does not mask by accident."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule

from .._session.sign_in.clouds import SCOPE_KEYS
from .._session.util.errors import OneTokenError
from .connection import argument_spec, import_sdk
from .task_cloud import is_name, refuse_quoted_mapping
from .valid_text import valid

#: What Ansible itself shows for a secret option.
HIDDEN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"

#: The authentication options that may be shown: the user, the address and the scope.
_PUBLIC = SCOPE_KEYS | {
    *("auth_url", "username", "user_id", "user_domain_id", "user_domain_name"),
    *("application_credential_id", "application_credential_name"),
}

Run = t.Callable[[AnsibleModule], dict[str, t.Any]]


class Module(AnsibleModule):
    """A module whose results are valid JSON, whatever a cloud answered."""

    def warn(self, warning: str, *args: t.Any, **kwargs: t.Any) -> None:
        super().warn(valid(warning), *args, **kwargs)

    def exit_json(self, **kwargs: t.Any) -> None:
        super().exit_json(**valid(kwargs))

    def fail_json(self, msg: str, **kwargs: t.Any) -> None:
        super().fail_json(valid(msg), **valid(kwargs))


def run_module(run: Run, options: dict[str, t.Any], needs_sdk: bool = True, **module_options: t.Any) -> None:
    """Run a module: the task returns its result, or fails with its exception.

    A module that needs openstacksdk only sometimes imports it itself, as the import takes longer than most of its work.
    """
    module = Module(argument_spec(**options), supports_check_mode=True, **module_options)
    try:
        if needs_sdk:
            import_sdk(module)
        refuse_quoted_mapping(module.params["cloud"])
        result = run(module)
    except OneTokenError as exc:
        _unmask_public(module)
        _hide_options(module)
        if exc.result:
            module.no_log_values.clear()
        module.fail_json(msg=str(exc), **exc.result)
    except Exception as exc:  # pylint: disable=broad-exception-caught
        # Its text may quote anything, so only its type is reported.
        _hide_options(module)
        module.fail_json(msg=f"The task ended in an unexpected {type(exc).__name__}: please report this as a bug.")
    else:
        _hide_options(module)
        module.no_log_values.clear()
        module.exit_json(**result)


def _hide_options(module: AnsibleModule) -> None:
    """Remove the secret options from what is returned with the result, so that the result need not be masked.

    Ansible masks every no_log value wherever it occurs in what a module returns: with the password ``gA``, a token with
    these letters would be returned with asterisks, and with the password ``2026`` every time would be. A result is made
    from the cloud's answers and never from the options, so without these, nothing in it needs to be masked.
    """
    for name in ("auth", "client_key", "token"):
        if module.params.get(name):
            module.params[name] = HIDDEN
    if not is_name(module.params["cloud"]):
        module.params["cloud"] = HIDDEN


def _unmask_public(module: AnsibleModule) -> None:
    """Let a message name the cloud, the user and the address, though the options as a whole are secret to Ansible."""
    cloud = module.params["cloud"]
    entry = cloud if isinstance(cloud, dict) else {}
    given = [entry, entry.get("auth"), module.params["auth"]]
    values = [(key.replace("-", "_"), value) for part in given if isinstance(part, dict) for key, value in part.items()]
    public = {str(value) for key, value in values if key in _PUBLIC}
    if is_name(cloud):
        public.add(str(cloud))
    secret = {str(value) for key, value in values if key not in _PUBLIC and key != "auth"}
    module.no_log_values -= public - secret
