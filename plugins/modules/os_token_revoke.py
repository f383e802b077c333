#!/usr/bin/python
# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: os_token_revoke
short_description: Revoke the tokens of a session, or one token
version_added: "0.1.0"
author: onetoken.openstack contributors (@onetoken)
description:
  - Revokes every token that a session ever held, newest first, and closes the session. Later tasks on it fail; they do
    not fall back to the password.
  - The session of the callback P(onetoken.openstack.one_token#callback) is left to its run, which revokes it at the
    end.
  - Each request is authenticated with the token itself, so no other token is needed. A token counts as revoked when
    Keystone confirms that, and as already dead when Keystone says so or its lifetime is over. An answer from a gateway
    or another server does not count.
  - A token's file is removed only after that. If Keystone cannot be reached before O(timeout), the task fails and can
    be run again.
  - Some tokens cannot be revoked, because Keystone refuses that for a trust that impersonates and for an application
    credential with access rules, because something else answers in its place, or because Keystone has moved to another
    host. The task then succeeds with a warning that says why, when the token expires and what to do, and counts them in
    RV(alive).
  - The module first waits for the processes that use the session, such as asynchronous tasks, up to O(drain_timeout).
    It does not know what a service still does with the token, such as a snapshot in progress; revoke the token when
    that is done.
options:
  state:
    description:
      - V(revoked) revokes the session that O(session) or the environment names, or O(token).
      - V(swept) looks through all sessions of this user on this machine, in the directory that E(ONETOKEN_DIRECTORY)
        names or in the default one, and revokes those whose runs ended without doing so, such as after a power failure.
        A session is left alone if a run still uses it, if a run of another machine made it in a shared home directory
        less than a week ago, or if no run ever owned it because it was named.
    type: str
    choices: [revoked, swept]
    default: revoked
  drain:
    description: Whether to wait for the processes that use the session before its tokens are revoked.
    type: bool
    default: true
  drain_timeout:
    description: How many seconds to wait for them. After that, the tokens are revoked anyway, with a warning.
    type: int
    default: 300
  token:
    description:
      - The id of one token to revoke, instead of a session. Set C(no_log) on the task.
      - Keystone's address is taken from O(cloud), O(auth) or the environment; the credentials there are not used.
    type: str
extends_documentation_fragment:
  - onetoken.openstack.connection
  - onetoken.openstack.session
seealso:
  - module: onetoken.openstack.os_token_issue
  - module: onetoken.openstack.os_token_info
"""

EXAMPLES = r"""
- name: Revoke the token, whatever happens in between
  block:
    - name: Sign in once
      onetoken.openstack.os_token_issue:
        cloud: mycloud
      register: session

    - name: Work on the session
      openstack.cloud.server_info:
      environment: "{{ session.environment }}"
  always:
    - name: Revoke the token
      onetoken.openstack.os_token_revoke:
        session: "{{ session.session }}"
      when: session.session is defined

- name: Revoke what runs left behind, such as after a power failure
  onetoken.openstack.os_token_revoke:
    state: swept

- name: Get a token's id
  onetoken.openstack.os_token_issue:
    cloud: mycloud
    return_token: true
  register: issued
  no_log: true

- name: Revoke one token by its id
  onetoken.openstack.os_token_revoke:
    cloud: mycloud
    token: "{{ issued.token }}"
  no_log: true
"""

RETURN = r"""
session:
  description: The session's directory.
  returned: with O(state=revoked), without O(token)
  type: str
  sample: /home/you/.local/state/onetoken/run-5f0c3d5e9b8a4c21
revoked:
  description: How many tokens this task revoked; in check mode, how many it would revoke.
  returned: always
  type: int
  sample: 1
already_dead:
  description: How many tokens had already expired or been revoked, or were unknown to Keystone.
  returned: always
  type: int
  sample: 0
alive:
  description:
    - How many tokens are or may be still valid, because they cannot be revoked; a warning gives the reason for each. A
      token that Keystone itself refuses to revoke is not kept in the session.
    - In check mode, how many are known from an earlier attempt to revoke them.
  returned: always
  type: int
  sample: 0
alive_until:
  description:
    - When the last of RV(alive) expires, in UTC, ISO 8601.
    - Null if there is none, or if it is not known when one of them expires.
  returned: always
  type: str
  sample: null
tokens_issued:
  description: How many tokens the session ever got.
  returned: with O(state=revoked), without O(token)
  type: int
  sample: 1
drained:
  description: Whether no process used the session any more when its tokens were revoked.
  returned: with O(state=revoked), without O(token)
  type: bool
  sample: true
sessions:
  description: The directories of the sessions that were revoked.
  returned: with O(state=swept)
  type: list
  elements: str
  sample: [/home/ansible/.local/state/onetoken/run-5f0c3d5e9b8a4c21]
keystone_requests:
  description:
    - How many requests the session ever sent to Keystone, including those of this task; with O(state=swept), the total
      of the sessions.
  returned: always
  type: int
  sample: 3
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._modules.base import run_module
from ..module_utils._modules.connection import import_sdk
from ..module_utils._modules.task_keystone import keystone_of
from ..module_utils._session.revoke import revocation, sweep
from ..module_utils._session.store import directory, owners, usage
from ..module_utils._session.store.session import LivingToken, Session, last_end
from ..module_utils._session.store.token import TokenId
from ..module_utils._session.util.errors import ConfigurationError, SessionError, TokenNotRevokedError
from ..module_utils._session.util.waiting import Waiter


def revoke(module: AnsibleModule) -> dict:
    if module.params["state"] == "swept":
        return _sweep(module)
    if module.params["token"]:
        return _revoke_token(module)
    if not module.params["session"] and Session.of_environment(os.environ) is None:
        raise SessionError("Nothing to revoke is named: set session to what os_token_issue returned, or set token.")
    session = Session.named(module.params["session"], os.environ)
    drained = True
    if _is_of_a_living_run(session):
        # Other tasks of the run would be left without a token; it revokes at its end, with the callback.
        module.warn(f"The session {session.path} will be revoked when its run ends.")
        result = revocation.Revocation()
    elif module.check_mode:
        result = revocation.preview(session)
    else:
        if module.params["drain"]:
            drained = usage.wait_until_idle(session, Waiter(module.params["drain_timeout"]))
            if not drained:
                module.warn(
                    f"A process was still using the session {session.path} after {module.params['drain_timeout']} s, "
                    "and its token is revoked: its next request fails."
                )
        result = revocation.revoke(session, module.params["timeout"])
    _warn_of(module, result.living)
    return {
        "changed": result.revoked > 0,
        "session": session.path,
        "drained": drained,
        "revoked": result.revoked,
        "already_dead": result.already_dead,
        **_alive(result.living),
        "tokens_issued": result.tokens_issued,
        "keystone_requests": result.keystone_requests,
    }


def _is_of_a_living_run(session: Session) -> bool:
    if not session.exists or not session.is_of_this_format:
        return False
    return session.read_record().of_runs and owners.living(session)


def _alive(living: list[LivingToken]) -> dict:
    return {"alive": len(living), "alive_until": last_end(living)}


def _warn_of(module: AnsibleModule, living: list[LivingToken]) -> None:
    for token in living:
        module.warn(token.reason)


def _sweep(module: AnsibleModule) -> dict:
    if module.params["session"] or module.params["token"]:
        raise ConfigurationError("state is swept, which looks through all sessions: leave out session and token.")
    base = directory.default_base(os.environ)
    if module.check_mode:
        found = sweep.orphans(base)
        previews = [revocation.preview(session) for session in found]
        return {
            "changed": bool(found),
            "sessions": [session.path for session in found],
            "revoked": sum(one.revoked for one in previews),
            "already_dead": sum(one.already_dead for one in previews),
            **_alive([token for one in previews for token in one.living]),
            "keystone_requests": 0,
        }
    result = sweep.sweep(base, module.params["timeout"])
    _warn_of(module, result.living)
    if result.problems:
        raise SessionError(" ".join(result.problems))
    return {
        "changed": bool(result.sessions),
        "sessions": result.sessions,
        "revoked": result.revoked,
        "already_dead": result.already_dead,
        **_alive(result.living),
        "keystone_requests": result.keystone_requests,
    }


def _revoke_token(module: AnsibleModule) -> dict:
    # Where Keystone is, which a session has on record, is read from the user's configuration.
    import_sdk(module)
    keystone = keystone_of(module.params)
    try:
        token = TokenId(module.params["token"].strip())
    except ValueError:
        raise ConfigurationError("The value of token is not a token's id: give the id alone.") from None
    # Whether a bare id is alive, Keystone alone knows.
    method = keystone.is_valid if module.check_mode else keystone.revoke
    living = []
    changed = False
    try:
        changed = method(token, Waiter(module.params["timeout"]))
    except TokenNotRevokedError as exc:
        lives = "lives" if exc.lives else "may live"
        remedy = exc.remedy or "run this task again once Keystone answers there"
        living = [LivingToken(None, f"The token {lives} until it expires, because {exc}: {remedy}.")]
    _warn_of(module, living)
    return {
        "changed": changed,
        "revoked": int(changed),
        "already_dead": int(not changed and not living),
        **_alive(living),
        "keystone_requests": keystone.requests,
    }


def main() -> None:
    run_module(
        revoke,
        options={
            "session": {"type": "str"},
            "token": {"type": "str", "no_log": True},
            "state": {"type": "str", "choices": ["revoked", "swept"], "default": "revoked"},
            "drain": {"type": "bool", "default": True},
            "drain_timeout": {"type": "int", "default": 300},
        },
        needs_sdk=False,
        mutually_exclusive=[("session", "token")],
    )


if __name__ == "__main__":
    main()
