#!/usr/bin/python
# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: os_token_issue
short_description: Issue one Keystone token for a whole Ansible run
version_added: "0.1.0"
author: onetoken.openstack contributors (@onetoken)
description:
  - Signs in once and keeps Keystone's answer, the token with its catalog, in a session on disk.
  - Every process that has the variables in RV(environment) and signs in as the same user, for the same project, gets
    that answer. C(openstack.cloud) modules, the C(openstack) command and openstacksdk scripts then request no token of
    their own from Keystone. A process that signs in as somebody else sends one request, on behalf of all others that do
    the same.
  - If tasks on the host can resolve the cloud by its name, the variables name it. Otherwise, such as with O(auth) or
    another scope, they lead to a C(clouds.yaml) in the session, in which a handle takes the place of the token.
  - On an existing session, the session's own credentials are used unless an option says where to sign in.
  - When run again on the same session, it sends no request to Keystone as long as the token is younger than
    O(renew_after).
  - After HTTP 429 and 503, requests are repeated until O(timeout), after the delay that the server asks for or with
    growing delays. HTTP 401 is never retried, because that can lock an account.
options:
  renew_after:
    description:
      - The age at which the token is due for renewal, in seconds or as a share of its lifetime.
      - V(33%) is 8 hours for a token that is valid for 24 hours, and 20 minutes for one that is valid for an hour.
      - In the session of a playbook run, the C(renew_after) of that run applies instead.
    type: str
    default: 33%
  min_remaining:
    description:
      - The number of seconds for which the token must still be valid. A token with less time left is renewed before
        O(renew_after), for example before one long action.
      - A token whose whole lifetime is shorter is not renewed for this; a warning is printed instead.
    type: int
    default: 0
  project:
    description:
      - Name or id of the project to issue the token for, instead of the configured one. An application credential is
        bound to its project and accepts no other scope.
      - A name is looked up in O(project_domain), or else in the configured project domain.
    type: str
  project_domain:
    description: Name or id of the domain of O(project).
    type: str
  domain:
    description: Name or id of the domain to issue the token for, instead of a project.
    type: str
  system:
    description: Whether to issue a token for the whole system, instead of a project.
    type: bool
    default: false
  unscoped:
    description: Whether to issue a token without a scope. It has no catalog and works only with Keystone.
    type: bool
    default: false
  fork_server:
    description:
      - Whether to run modules of C(openstack.cloud) and the C(openstack) command in forks of a process that has already
        imported openstacksdk. Each still has a process of its own.
      - That process, the fork server, is started if the run that issued the token continues on the same machine, as
        with the role on the controller, and ends with the run.
      - A session that O(session) names has no fork server, because no run watches it, unless a playbook run shares it
        through the callback.
      - In the session of a playbook run, the C(fork_server) of that run applies instead.
    type: bool
    default: true
  requests_per_second:
    description:
      - How many requests per second tasks may send to each service for a project, such as V(20). All processes of this
        user on this machine that work in the same project share the limit.
      - V(auto) sets no limit until a service throttles a request (HTTP 429, or 413 with C(Retry-After)); from then on,
        it finds out which rate the service accepts.
      - V(ovhcloud) and V(rackspace) are the limits that these clouds publish.
      - With all of these, a throttled request is sent again after the delay that the cloud asks for.
      - V(false) sends all requests as without this collection; a throttled request then fails its task.
      - In the session of a playbook run, the C(requests_per_second) of that run applies instead.
    type: str
    default: auto
  limit_timeout:
    description:
      - How many seconds a request may wait for the rate limit before its task fails.
      - In the session of a playbook run, the C(limit_timeout) of that run applies instead.
    type: int
    default: 600
  return_token:
    description:
      - Whether to return the token's id as RV(token), and the variables of OS_TOKEN mode as RV(token_environment).
      - Set C(no_log) on such a task. Anyone who reads the id can act as you until it is revoked.
    type: bool
    default: false
extends_documentation_fragment:
  - onetoken.openstack.connection
  - onetoken.openstack.session
seealso:
  - module: onetoken.openstack.os_token_revoke
  - module: onetoken.openstack.os_token_info
"""

EXAMPLES = r"""
- name: Sign in once
  onetoken.openstack.os_token_issue:
    cloud: mycloud
  register: session

- name: Run tasks on the session
  environment: "{{ session.environment }}"
  block:
    - name: List the servers without requesting a token
      openstack.cloud.server_info:

    - name: Run the openstack command without requesting a token
      ansible.builtin.command: openstack server list
      changed_when: false

- name: Make sure that the token is valid for two more hours before a long task
  onetoken.openstack.os_token_issue:
    cloud: mycloud
    session: "{{ session.session }}"
    min_remaining: 7200

- name: Renew it if it is due, with the credentials that it was issued with
  onetoken.openstack.os_token_issue:
    session: "{{ session.session }}"

- name: Revoke it
  onetoken.openstack.os_token_revoke:
    session: "{{ session.session }}"

- name: Sign in for another project, in a named session that several playbooks share
  onetoken.openstack.os_token_issue:
    cloud: othercloud
    project: demo
    session: nightly

- name: Revoke what the playbooks shared
  onetoken.openstack.os_token_revoke:
    session: nightly

- name: Get the token itself for a program that accepts nothing else
  onetoken.openstack.os_token_issue:
    cloud: mycloud
    return_token: true
  register: issued
  no_log: true

- name: Revoke that token as well
  onetoken.openstack.os_token_revoke:
    session: "{{ issued.session }}"
"""

RETURN = r"""
session:
  description: The session's directory.
  returned: always
  type: str
  sample: /home/you/.local/state/onetoken/run-5f0c3d5e9b8a4c21
cloud:
  description: The name of the cloud in the session; C(onetoken) for credentials from OS_* variables or O(auth).
  returned: always
  type: str
  sample: sandbox
environment:
  description:
    - The variables that put a task on the session; none of them is secret.
    - If each task of the host can sign in to the cloud by its name, C(OS_CLOUD) is that name. With another scope,
      connection options, O(auth) or a mapping, C(OS_CLIENT_CONFIG_FILE) leads to the session's own C(clouds.yaml), in
      which a handle takes the place of the token. It is valid only for processes on the session.
  returned: when there is a session
  type: dict
  sample:
    ONETOKEN_SESSION_DIRECTORY: /home/you/.local/state/onetoken/run-5f0c3d5e9b8a4c21
    OS_CLOUD: sandbox
    PYTHONPATH: /home/you/.local/state/onetoken/run-5f0c3d5e9b8a4c21/site
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
seconds_left:
  description: How many seconds the token is still valid.
  returned: when there is a token
  type: int
  sample: 86399
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
token:
  description: The token's id. Secret.
  returned: with O(return_token=true)
  type: str
  sample: gAAAAABn...
token_environment:
  description:
    - The variables of OS_TOKEN mode, for programs that cannot use a session. Secret. Processes that sign in with them
      exchange the token for another one, which costs one token request on the session.
  returned: with O(return_token=true)
  type: dict
  sample: {"OS_TOKEN": "gAAAAABn...", "OS_AUTH_TYPE": "token", "OS_AUTH_URL": "https://auth.example.com/v3"}
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._modules import signing_in
from ..module_utils._modules.base import run_module
from ..module_utils._modules.token_report import describe, still_good, warnings_of
from ..module_utils._session.revoke import sweep
from ..module_utils._session.store.renewal import RenewalPolicy
from ..module_utils._session.store.session import Session
from ..module_utils._session_setup import environment
from ..module_utils._session_setup.limits import options as limit_options
from ..module_utils._session_setup.preparation import exposure


def issue(module: AnsibleModule) -> dict:
    params = module.params
    policy = RenewalPolicy(params["renew_after"], params["min_remaining"])
    limits = limit_options(params["requests_per_second"], params["limit_timeout"])
    session = Session.named(params["session"], os.environ)
    cloud = signing_in.cloud_of(params, session)
    if module.check_mode:
        token = signing_in.preview(session, cloud, policy)
        changed, known_as = token is None, cloud.name
    else:
        is_new = not session.exists
        issued = signing_in.issue(session, cloud, policy, params["timeout"], limits, params["fork_server"])
        token, changed, known_as = issued.token, issued.changed, issued.cloud
        if issued.kept_because:
            module.warn(still_good(cloud.name, token, issued.kept_because))
        if is_new and session.is_of_one_run:
            sweep.clear(os.path.dirname(session.path))
        if is_new and (exposed := exposure(session)):
            module.warn(exposed)
    result = {"changed": changed, "session": session.path, "cloud": cloud.name}
    if session.exists:
        name = cloud.name if cloud.is_plain else known_as
        result["environment"] = environment.of_issued(session, os.environ, name, cloud.is_plain, cloud.region_name)
    if token is None:
        return result
    for warning in warnings_of(token, policy):
        module.warn(warning)
    if params["return_token"]:
        result["token"] = token.id.reveal()
        result["token_environment"] = {
            **environment.of_token(token, cloud.region_name),
            # Each process exchanges the token for another one. With the session, they all share one exchange.
            **environment.of_session(session, os.environ),
        }
    return {**result, **describe(token)}


def main() -> None:
    run_module(
        issue,
        options={
            "session": {"type": "str"},
            "renew_after": {"type": "str", "default": "33%"},
            "min_remaining": {"type": "int", "default": 0},
            "project": {"type": "str"},
            "project_domain": {"type": "str"},
            "domain": {"type": "str"},
            "system": {"type": "bool", "default": False},
            "unscoped": {"type": "bool", "default": False},
            "fork_server": {"type": "bool", "default": True},
            "requests_per_second": {"type": "str", "default": "auto"},
            "limit_timeout": {"type": "int", "default": 600},
            "return_token": {"type": "bool", "default": False, "no_log": False},
        },
        required_by={"project_domain": ["project"]},
    )


if __name__ == "__main__":
    main()
