# Copyright: (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the token modules share: their frame, and answers in which nothing is masked by accident."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule

from .connection import HIDDEN, argument_spec, import_sdk
from .session.errors import OneTokenError

Run = t.Callable[[AnsibleModule], dict[str, t.Any]]


def run_module(run: Run, options: dict[str, t.Any], **module_options: t.Any) -> None:
    """Run a token module: its result is what the task returns, its exception is what the task fails with."""
    module = AnsibleModule(argument_spec(**options), supports_check_mode=True, **module_options)
    try:
        import_sdk(module)
        result = run(module)
    except OneTokenError as exc:
        _hide_mapping(module)
        module.fail_json(msg=str(exc))
    else:
        _exit(module, result)


def _exit(module: AnsibleModule, result: dict[str, t.Any]) -> None:
    """End the task with an answer that is true to the letter.

    Ansible masks every no_log value wherever it occurs in what a module returns: with the password ``gA`` a token that
    has these letters in it would be returned with asterisks, and with the password ``2026`` every time would be. The
    answer is made of what Keystone said and never of the options, so once the secret options are out of what is
    returned with it, there is nothing left to mask.
    """
    for name in ("auth", "client_key", "token"):
        if module.params.get(name):
            module.params[name] = HIDDEN
    _hide_mapping(module)
    module.no_log_values.clear()
    module.exit_json(**result)


def _hide_mapping(module: AnsibleModule) -> None:
    # openstack.cloud declares cloud as a plain value, but it may be a mapping with a password in it.
    if isinstance(module.params["cloud"], dict):
        module.params["cloud"] = HIDDEN
