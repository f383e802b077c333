# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """The options of a playbook run on a session: of the callback, and of the inventory that begins it earlier."""

    DOCUMENTATION = r"""
options:
  renew_after:
    description: The age from which a token is due for a new one, in seconds, or as a share of its lifetime.
    type: str
    default: 33%
    ini: [{section: callback_one_token, key: renew_after}]
    env: [{name: ONETOKEN_RENEW_AFTER}]
  session:
    description:
      - Name or absolute path of a session to share with other runs of this user on this machine. The last of them to
        end revokes it.
      - By default each run has its own.
    type: str
    ini: [{section: callback_one_token, key: session}]
    env: [{name: ONETOKEN_SESSION}]
  directory:
    description:
      - The directory below which a run's own session is made. Only this user may be able to write to it.
      - By default it is C(${XDG_STATE_HOME:-~/.local/state}/onetoken) or, where that cannot be written,
        C($XDG_RUNTIME_DIR/onetoken), or C(onetoken) among temporary files, if nobody else can write there.
      - The variable also says where sessions with a name are, and those of the modules, the role and bulk runs.
    type: path
    ini: [{section: callback_one_token, key: directory}]
    env: [{name: ONETOKEN_DIRECTORY}]
  drain:
    description:
      - Whether to wait at the end for processes that still work on the session, such as asynchronous tasks, before the
        token is revoked. An interrupted run does not wait.
    type: bool
    default: true
    ini: [{section: callback_one_token, key: drain}]
    env: [{name: ONETOKEN_DRAIN}]
  drain_timeout:
    description: The seconds for which to wait for them.
    type: int
    default: 300
    ini: [{section: callback_one_token, key: drain_timeout}]
    env: [{name: ONETOKEN_DRAIN_TIMEOUT}]
  revoke_timeout:
    description:
      - The seconds for which the end of the run waits for Keystone to confirm. After that the watcher goes on alone,
        until Keystone confirmed or the token has expired.
    type: int
    default: 90
    ini: [{section: callback_one_token, key: revoke_timeout}]
    env: [{name: ONETOKEN_REVOKE_TIMEOUT}]
  fork_server:
    description:
      - Whether modules of C(openstack.cloud) and the C(openstack) command run in forks of a process that has imported
        openstacksdk already, instead of in processes that each import it themselves. Each still has a process of its
        own, with its own environment, output and exit status.
      - The first such task of a run starts that process, the fork server, and it ends with the run. Where a fork
        cannot be like the process that it stands for, that process is started as without this. At C(-vvv) a line says
        for each task which way it went, and why.
    type: bool
    default: true
    ini: [{section: callback_one_token, key: fork_server}]
    env: [{name: ONETOKEN_FORK_SERVER}]
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
    type: str
    default: auto
    ini: [{section: callback_one_token, key: requests_per_second}]
    env: [{name: ONETOKEN_REQUESTS_PER_SECOND}]
  limit_timeout:
    description: The seconds for which a request waits for a limit before its task fails.
    type: int
    default: 600
    ini: [{section: callback_one_token, key: limit_timeout}]
    env: [{name: ONETOKEN_LIMIT_TIMEOUT}]
"""
