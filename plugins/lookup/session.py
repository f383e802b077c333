# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: session
short_description: Return what a session's token is for and how to sign in with it
version_added: "0.1.0"
author: onetoken.openstack contributors (@onetoken)
description:
  - Returns a mapping for each named cloud, with the token's user, scope and times, and with the variables that put a
    process on the session.
  - A token that is due is renewed first, and a cloud without a token gets one, once for all who use the session.
    Otherwise, Keystone gets no request, however often the lookup is used.
  - It runs on the controller, as every lookup does, and sees the environment of C(ansible-playbook). The
    C(environment) of a play or a task does not reach it, so name the session there with O(session).
options:
  _terms:
    description:
      - Names of clouds that were issued in the session, or of clouds in your C(clouds.yaml).
      - Without any, it is the one that C(OS_CLOUD) names, or else the only cloud that was issued in the session.
    type: list
    elements: str
  session:
    description:
      - The session to read, as an absolute path or as a plain name.
      - RV(onetoken.openstack.os_token_issue#module:session) is one, and so is C(os_token_issued.session) of the role.
      - Without it, the session in the environment of C(ansible-playbook) is used.
    type: str
  return_token:
    description:
      - Whether to return the token's id as well, for programs that accept nothing else.
      - Set C(no_log) on every task that uses it. Whoever reads the id can act as you until it is revoked.
    type: bool
    default: false
notes:
  - In check mode M(onetoken.openstack.os_token_issue) makes no session, so there is nothing to look up unless one
    existed before; a C(when) of C(not ansible_check_mode) skips a task that uses it.
requirements:
  - openstacksdk, for the Python that runs C(ansible-playbook), when a token is to be issued or renewed
seealso:
  - module: onetoken.openstack.os_token_issue
  - module: onetoken.openstack.os_token_info
"""

EXAMPLES = r"""
- name: Sign in once
  onetoken.openstack.os_token_issue:
    cloud: mycloud
  register: issued

- name: Show when the token expires
  ansible.builtin.debug:
    msg: "{{ token.user.name }} can work in {{ token.project.name }} until {{ token.expires_at }}."
  vars:
    token: "{{ lookup('onetoken.openstack.session', session=issued.session) }}"

- name: Run one task on the session, in another of its clouds
  openstack.cloud.server_info:
  environment: "{{ lookup('onetoken.openstack.session', 'othercloud', session=issued.session).environment }}"

- name: Pass the token to an API that accepts nothing else
  ansible.builtin.uri:
    url: https://metrics.example.org/v1/usage
    headers:
      X-Auth-Token: "{{ lookup('onetoken.openstack.session', session=issued.session, return_token=true).token }}"
  no_log: true

- name: Show the regions, in a run that was started in the environment of a session
  ansible.builtin.debug:
    msg: "{{ lookup('onetoken.openstack.session').regions }}"
"""

RETURN = r"""
_raw:
  description: A mapping for each cloud, in the order in which they were named.
  type: list
  elements: dict
  contains:
    session:
      description: The session's directory.
      type: str
      sample: /home/you/.local/state/onetoken/run-5f0c3d5e9b8a4c21
    cloud:
      description: The name of the cloud in the session.
      type: str
      sample: sandbox
    environment:
      description: The variables that put a process on the session; none of them is secret.
      type: dict
      sample:
        ONETOKEN_SESSION_DIRECTORY: /home/you/.local/state/onetoken/run-5f0c3d5e9b8a4c21
        OS_CLOUD: sandbox
        PYTHONPATH: /home/you/.local/state/onetoken/run-5f0c3d5e9b8a4c21/site
    issued_at:
      description: When Keystone issued the token, in UTC, ISO 8601.
      type: str
      sample: "2026-01-31T12:00:00Z"
    expires_at:
      description: When the token expires, in UTC, ISO 8601.
      type: str
      sample: "2026-02-01T12:00:00Z"
    seconds_left:
      description: The seconds until the token expires.
      type: int
      sample: 86399
    audit_id:
      description: The id under which the cloud's logs name the token; not secret.
      type: str
      sample: xhJ3Q0tFSUyd2L9QzJzJmg
    user:
      description: Whose token it is.
      type: dict
      sample: {"id": "a3b8b6c1d2e94f1f9a0b1c2d3e4f5a6b", "name": "demo", "domain": "Default"}
    scope:
      description: What the token is for, C(project), C(domain), C(system) or C(unscoped).
      type: str
      sample: project
    project:
      description: The project that it is for; null for another scope.
      type: dict
      sample: {"id": "0c5a1b2d3e4f5a6b7c8d9e0f1a2b3c4d", "name": "demo", "domain": "Default"}
    domain:
      description: The domain that it is for; null for another scope.
      type: dict
      sample: null
    roles:
      description: The roles that it carries.
      type: list
      elements: str
      sample: [member, reader]
    regions:
      description: The regions in its catalog.
      type: list
      elements: str
      sample: [RegionOne, RegionTwo]
    token:
      description: The token's id, with O(return_token=true). Secret.
      type: str
      sample: gAAAAABn...
"""

import os
import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ..module_utils._modules.valid_text import valid
from ..module_utils._session.util.errors import OneTokenError
from ..plugin_utils.session_report import chosen_session, report


class LookupModule(LookupBase):
    def run(
        self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **kwargs: t.Any
    ) -> list[dict[str, t.Any]]:
        self.set_options(var_options=variables, direct=kwargs)
        try:
            session = chosen_session(self.get_option("session"), os.environ)
            clouds: list[str | None] = [str(term) for term in self._flatten(terms)] or [None]
            reports = [report(session, cloud, os.environ, self.get_option("return_token")) for cloud in clouds]
            return [valid(one) for one in reports]
        except OneTokenError as exc:
            raise AnsibleLookupError(str(exc)) from None
        except Exception as exc:
            # Its text may quote anything, so only its type is reported.
            raise AnsibleLookupError(
                f"The lookup ended in an unexpected {type(exc).__name__}: please report this as a bug."
            ) from None
