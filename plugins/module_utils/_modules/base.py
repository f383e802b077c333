# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules share: their frame, and answers that Ansible takes and in which nothing is masked by accident."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule

from .._session.sign_in.clouds import SCOPE_KEYS
from .._session.util.errors import OneTokenError
from .connection import argument_spec, import_sdk
from .task_cloud import is_name, refuse_quoted_mapping
from .valid_text import valid

#: What Ansible itself puts in the place of a secret option.
HIDDEN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"

#: What of an authentication may be shown: who, where and for what.
_PUBLIC = SCOPE_KEYS | {
    *("auth_url", "username", "user_id", "user_domain_id", "user_domain_name"),
    *("application_credential_id", "application_credential_name"),
}

Run = t.Callable[[AnsibleModule], dict[str, t.Any]]


class Module(AnsibleModule):
    """Lets nothing out that Ansible refuses to read, whatever a cloud said."""

    def warn(self, warning: str, *args: t.Any, **kwargs: t.Any) -> None:
        super().warn(valid(warning), *args, **kwargs)

    def exit_json(self, **kwargs: t.Any) -> None:
        super().exit_json(**valid(kwargs))

    def fail_json(self, msg: str, **kwargs: t.Any) -> None:
        super().fail_json(valid(msg), **valid(kwargs))


def run_module(run: Run, options: dict[str, t.Any], needs_sdk: bool = True, **module_options: t.Any) -> None:
    """Run a module: its result is what the task returns, its exception is what the task fails with.

    One that needs openstacksdk only at times imports it itself, as that takes longer than most of what it does.
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
        # Its text may quote anything, so only its kind is told.
        _hide_options(module)
        module.fail_json(msg=f"The task ended in an unexpected {type(exc).__name__}: please report this as a bug.")
    else:
        _hide_options(module)
        module.no_log_values.clear()
        module.exit_json(**result)


def _hide_options(module: AnsibleModule) -> None:
    """Take the secret options out of what is returned with the answer, so that the answer need not be masked.

    Ansible masks every no_log value wherever it occurs in what a module returns: with the password ``gA`` a token that
    has these letters in it would be returned with asterisks, and with the password ``2026`` every time would be. A
    result is made of what the cloud said and never of the options: without them, nothing in it is to be masked.
    """
    for name in ("auth", "client_key", "token"):
        if module.params.get(name):
            module.params[name] = HIDDEN
    if not is_name(module.params["cloud"]):
        module.params["cloud"] = HIDDEN


def _unmask_public(module: AnsibleModule) -> None:
    """Let a message name the cloud, the user and the address: to Ansible the options are secret as a whole."""
    cloud = module.params["cloud"]
    entry = cloud if isinstance(cloud, dict) else {}
    given = [entry, entry.get("auth"), module.params["auth"]]
    values = [(key.replace("-", "_"), value) for part in given if isinstance(part, dict) for key, value in part.items()]
    public = {str(value) for key, value in values if key in _PUBLIC}
    if is_name(cloud):
        public.add(str(cloud))
    secret = {str(value) for key, value in values if key not in _PUBLIC and key != "auth"}
    module.no_log_values -= public - secret
