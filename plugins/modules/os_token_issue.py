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
  - Every process that gets the variables in RV(environment) and signs in as the same user, for the same project, gets
    that answer. C(openstack.cloud) modules, the C(openstack) command and openstacksdk scripts then ask Keystone for no
    token of their own. Who signs in as somebody else asks once, for all others that do so too.
  - The variables name the cloud where tasks on that host can resolve it as it is. In any other case, as with O(auth) or
    another scope, they lead to a C(clouds.yaml) in the session, in which a handle stands in place of the token.
  - On a session that exists, without any option that says where to sign in, the session's own credentials are meant.
  - Run again on the same session, it asks Keystone for nothing as long as the token is younger than O(renew_after).
  - HTTP 429 and 503 are waited out, for as long as the server asks or with growing delays, until O(timeout). HTTP 401
    is never tried again, because that can lock an account.
options:
  renew_after:
    description:
      - The age from which the token is due for a new one, in seconds, or as a share of its lifetime.
      - V(33%) is 8 hours of a token that lives 24, and 20 minutes of one that lives an hour.
      - In the session of a playbook run, the C(renew_after) of that run counts instead.
    type: str
    default: 33%
  min_remaining:
    description:
      - The seconds for which the token must still live. With less than that left it is renewed before O(renew_after),
        as is fit before one long action.
      - A token whose whole lifetime is shorter is not renewed for that; a warning says so.
    type: int
    default: 0
  project:
    description:
      - Name or id of the project to issue the token for, instead of the configured one. An application credential is
        bound to its project and takes no other scope.
      - A name is looked for in O(project_domain), else in the configured project domain.
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
    description: Whether to issue a token without any scope. It has no catalog and serves Keystone only.
    type: bool
    default: false
  fork_server:
    description:
      - Whether modules of C(openstack.cloud) and the C(openstack) command run in forks of a process that has imported
        openstacksdk already. Each still has a process of its own.
      - That process, the fork server, is started where the run that issued the token goes on on the same machine, as
        with the role on the controller, and ends with it.
      - There is none in a session that O(session) names, as no run watches it, unless a playbook run shares it by the
        callback.
      - In the session of a playbook run, the C(fork_server) of that run counts instead.
    type: bool
    default: true
  requests_per_second:
    description:
      - How many requests a second tasks may send to each service for a project, such as V(20); all processes of this
        user on this machine that work in the same project share it.
      - V(auto) sets no limit until a service refuses a request by its own (429, or 413 with C(Retry-After)); from then
        on, it finds out the rate that the service takes.
      - V(ovhcloud) and V(rackspace) are the limits that these clouds publish.
      - Whatever is set, a refusal by a rate limit is waited out, for as long as the cloud asks, and the request is sent
        again.
      - V(false) sends all requests as without this collection; a refusal is then the task's failure.
      - In the session of a playbook run, the C(requests_per_second) of that run counts instead.
    type: str
    default: auto
  limit_timeout:
    description:
      - The seconds for which a request waits for a limit before its task fails.
      - In the session of a playbook run, the C(limit_timeout) of that run counts instead.
    type: int
    default: 600
  return_token:
    description:
      - Whether to return the token's id as RV(token), and the variables of OS_TOKEN mode as RV(token_environment).
      - Set C(no_log) on such a task. Whoever reads the id can act as you until it is revoked.
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
    - name: List the servers without asking Keystone for a token
      openstack.cloud.server_info:

    - name: Run the openstack command without asking Keystone for a token
      ansible.builtin.command: openstack server list
      changed_when: false

- name: Have at least two hours left before a long task
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

- name: Sign in for another project, in a session that several playbooks share by its name
  onetoken.openstack.os_token_issue:
    cloud: othercloud
    project: demo
    session: nightly

- name: Revoke what the playbooks shared
  onetoken.openstack.os_token_revoke:
    session: nightly

- name: Get the token itself for a program that takes nothing else
  onetoken.openstack.os_token_issue:
    cloud: mycloud
    return_token: true
  register: issued
  no_log: true

- name: Revoke that as well
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
  description: The name of the cloud in the session; C(onetoken) for credentials of OS_* variables or O(auth).
  returned: always
  type: str
  sample: sandbox
environment:
  description:
    - The variables that put a task on the session; none of them is secret.
    - Where each task of the host can sign in to the cloud by its name, C(OS_CLOUD) is that name. With a scope of its
      own, connection options, O(auth) or a mapping, C(OS_CLIENT_CONFIG_FILE) leads to the session's own
      C(clouds.yaml), in which the cloud has a handle in the place of a token, good for processes on the session only.
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
  description: The seconds until the token expires.
  returned: when there is a token
  type: int
  sample: 86399
audit_id:
  description: The id under which the cloud's logs name the token; not secret.
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
    - The variables of OS_TOKEN mode, for programs that know no session. Secret. Processes that sign in with them trade
      the token for another one, which costs one token request on the session.
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
        token = signing_in.foresee(session, cloud, policy)
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
            # Each process trades the token for one of its own, which the session keeps to one trade for all.
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
