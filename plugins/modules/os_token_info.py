#!/usr/bin/python
# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: os_token_info
short_description: Report the state of a session's token
version_added: "0.1.0"
author: onetoken.openstack contributors (@onetoken)
description:
  - Reports what a session holds for a cloud, from the session alone, or after asking Keystone whether it accepts the
    token.
  - A session knows the names of the clouds that M(onetoken.openstack.os_token_issue) was called for. In the session of
    a run with the callback P(onetoken.openstack.one_token#callback), the module reports the only identity.
  - Never issues, renews or revokes anything.
options:
  validate:
    description:
      - Whether to ask Keystone. This costs one request, which is not a token request.
      - Otherwise, a token that somebody revoked elsewhere is still reported as V(valid).
    type: bool
    default: false
extends_documentation_fragment:
  - onetoken.openstack.connection
  - onetoken.openstack.session
seealso:
  - module: onetoken.openstack.os_token_issue
  - module: onetoken.openstack.os_token_revoke
"""

EXAMPLES = r"""
- name: Sign in once
  onetoken.openstack.os_token_issue:
    cloud: mycloud
  register: session

- name: Find out how long the token is valid
  onetoken.openstack.os_token_info:
    session: "{{ session.session }}"
  register: token

- name: Make sure that Keystone accepts it
  onetoken.openstack.os_token_info:
    session: "{{ session.session }}"
    validate: true
  register: token
  failed_when: token.state != "valid"
"""

RETURN = r"""
session:
  description: The session's directory.
  returned: always
  type: str
  sample: /home/you/.local/state/onetoken/run-5f0c3d5e9b8a4c21
cloud:
  description: The cloud in the session that is reported.
  returned: always
  type: str
  sample: sandbox
state:
  description:
    - C(absent) - There is no such session, it has no token for the cloud, or the token expired so long ago that it was
      dropped.
    - C(valid) - The token can be used.
    - C(due) - Services accept it, but the next process that signs in gets a new one, because it is old enough to be
      renewed, or because a write to Keystone may have changed what it carries.
    - C(expired) - Its lifetime is over.
    - C(refused) - Keystone does not accept it; only with O(validate=true).
    - C(closed) - The session was revoked.
  returned: always
  type: str
  sample: valid
validated:
  description: Whether Keystone was asked.
  returned: always
  type: bool
  sample: false
seconds_left:
  description: How many seconds the token is still valid; 0 if it has expired.
  returned: when there is a token
  type: int
  sample: 86399
renews_in:
  description: How many seconds until the token is due for renewal; 0 if it is, by its age or a write to Keystone.
  returned: when there is a token
  type: int
  sample: 28799
issued_at:
  description: When Keystone issued the token, in UTC, ISO 8601.
  returned: when there is a token
  type: str
  sample: "2026-01-31T12:00:00Z"
expires_at:
  description: When the token expires, in UTC, ISO 8601.
  returned: when there is a token
  type: str
  sample: "2026-02-01T12:00:00Z"
audit_id:
  description: The id by which the cloud's logs refer to the token; not secret.
  returned: when there is a token
  type: str
  sample: xhJ3Q0tFSUyd2L9QzJzJmg
user:
  description: Whose token it is.
  returned: when there is a token
  type: dict
  sample: {"id": "a3b8b6c1d2e94f1f9a0b1c2d3e4f5a6b", "name": "demo", "domain": "Default"}
scope:
  description: What the token is for, C(project), C(domain), C(system) or C(unscoped).
  returned: when there is a token
  type: str
  sample: project
project:
  description: The project that it is for; null for another scope.
  returned: when there is a token
  type: dict
  sample: {"id": "0c5a1b2d3e4f5a6b7c8d9e0f1a2b3c4d", "name": "demo", "domain": "Default"}
domain:
  description: The domain that it is for; null for another scope.
  returned: when there is a token
  type: dict
  sample: null
roles:
  description: The roles that it carries.
  returned: when there is a token
  type: list
  elements: str
  sample: [member, reader]
regions:
  description: The regions in its catalog.
  returned: when there is a token
  type: list
  elements: str
  sample: [RegionOne, RegionTwo]
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._modules.base import run_module
from ..module_utils._modules.token_report import describe
from ..module_utils._modules.token_status import status as status_of
from ..module_utils._session.store.session import Session
from ..module_utils._session.util.errors import SessionError


def info(module: AnsibleModule) -> dict:
    params = module.params
    if not params["session"] and Session.of_environment(os.environ) is None:
        raise SessionError("No session is named: set session to what os_token_issue returned.")
    session = Session.named(params["session"], os.environ)
    cloud = params["cloud"] if isinstance(params["cloud"], str) else None
    status = status_of(session, cloud, params["validate"], params["timeout"])
    result = {
        "changed": False,
        "session": session.path,
        "cloud": status.cloud,
        "state": status.state,
        "validated": status.validated,
    }
    if status.token is None:
        return result
    return {**result, "renews_in": status.renews_in, **describe(status.token)}


def main() -> None:
    run_module(
        info,
        options={"session": {"type": "str"}, "validate": {"type": "bool", "default": False}},
    )


if __name__ == "__main__":
    main()
