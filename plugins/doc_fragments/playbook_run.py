# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """The options of a playbook run on a session: of the callback, and of the inventory that starts it earlier."""

    DOCUMENTATION = r"""
options:
  renew_after:
    description: The age at which a token is due for renewal, in seconds or as a share of its lifetime.
    type: str
    default: 33%
    ini: [{section: callback_one_token, key: renew_after}]
    env: [{name: ONETOKEN_RENEW_AFTER}]
  session:
    description:
      - Name or absolute path of a session to share with other runs of this user on this machine. The last run to end
        revokes it.
      - By default, each run has a session of its own.
    type: str
    ini: [{section: callback_one_token, key: session}]
    env: [{name: ONETOKEN_SESSION}]
  directory:
    description:
      - The directory in which a run's own session is created. Nobody else may be able to write to it.
      - By default, it is C(${XDG_STATE_HOME:-~/.local/state}/onetoken) or, if that cannot be written,
        C($XDG_RUNTIME_DIR/onetoken), or C(onetoken) among temporary files, if nobody else can write there.
      - The variable also sets where named sessions are, and those of the modules, the role and bulk runs.
    type: path
    ini: [{section: callback_one_token, key: directory}]
    env: [{name: ONETOKEN_DIRECTORY}]
  drain:
    description:
      - Whether to wait at the end for processes that still use the session, such as asynchronous tasks, before the
        token is revoked. An interrupted run does not wait.
    type: bool
    default: true
    ini: [{section: callback_one_token, key: drain}]
    env: [{name: ONETOKEN_DRAIN}]
  drain_timeout:
    description: How many seconds to wait for them.
    type: int
    default: 300
    ini: [{section: callback_one_token, key: drain_timeout}]
    env: [{name: ONETOKEN_DRAIN_TIMEOUT}]
  revoke_timeout:
    description:
      - How many seconds the end of the run waits for Keystone to confirm the revocation. After that, the watcher
        continues alone until Keystone confirms or the token expires.
    type: int
    default: 90
    ini: [{section: callback_one_token, key: revoke_timeout}]
    env: [{name: ONETOKEN_REVOKE_TIMEOUT}]
  fork_server:
    description:
      - Whether to run modules of C(openstack.cloud) and the C(openstack) command in forks of a process that has already
        imported openstacksdk, instead of in processes that each import it themselves. Each still has a process of its
        own, with its own environment, output and exit status.
      - The first such task of a run starts that process, the fork server, which ends with the run. If a fork could not
        behave exactly like the process that it replaces, that process is started as usual. With C(-vvv), a line for
        each task says which way it ran, and why.
    type: bool
    default: true
    ini: [{section: callback_one_token, key: fork_server}]
    env: [{name: ONETOKEN_FORK_SERVER}]
  requests_per_second:
    description:
      - How many requests per second tasks may send to each service for a project, such as V(20). All processes of this
        user on this machine that work in the same project share the limit.
      - V(auto) sets no limit until a service throttles a request (HTTP 429, or 413 with C(Retry-After)); from then on,
        it finds out which rate the service accepts.
      - V(ovhcloud) and V(rackspace) are the limits that these clouds publish.
      - With all of these, a throttled request is sent again after the delay that the cloud asks for.
      - V(false) sends all requests as without this collection; a throttled request then fails its task.
    type: str
    default: auto
    ini: [{section: callback_one_token, key: requests_per_second}]
    env: [{name: ONETOKEN_REQUESTS_PER_SECOND}]
  limit_timeout:
    description: How many seconds a request may wait for the rate limit before its task fails.
    type: int
    default: 600
    ini: [{section: callback_one_token, key: limit_timeout}]
    env: [{name: ONETOKEN_LIMIT_TIMEOUT}]
"""
