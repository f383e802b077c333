#!/usr/bin/python
# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: os_server_power
short_description: Start, stop or reboot many servers in one call
version_added: "0.1.0"
author: onetoken.openstack contributors (@onetoken)
description:
  - Starts, stops or reboots each selected server, all in one process, with one connection and one token, as fast as
    the cloud allows.
  - What became of the servers is seen in one listing of the project's servers at each look, whatever their number. A
    server that goes into error, or that Nova silently leaves as it was, is a failed item.
  - A server that cannot be started, stopped or rebooted is reported with the reason that the cloud gives, and does not
    stop the others.
options:
  state:
    description:
      - V(started) is a server in status C(ACTIVE), V(stopped) one in status C(SHUTOFF). A server that is there, or on
        the way, is left alone.
      - Nova also stops servers in C(ERROR), which then no longer look broken. Give O(status) to leave them out.
      - V(rebooted) reboots each server, again by each call unless O(run) is given. One that is being rebooted when the
        call begins counts as rebooted, unless it is a soft reboot and O(reboot_type=HARD).
    type: str
    choices: [started, stopped, rebooted]
    required: true
  reboot_type:
    description:
      - With O(state=rebooted), V(SOFT) lets the operating system shut down; it needs a server in status C(ACTIVE).
        V(HARD) is like pulling the plug.
      - V(HARD) also starts servers that are shut off, paused or suspended, and is tried on those in error. Give
        O(status) to leave them out.
    type: str
    choices: [SOFT, HARD]
    default: SOFT
  run:
    description:
      - Name of the run, 1 to 128 letters, digits, dots, underscores or hyphens.
      - With O(state=rebooted), a server gets the run's name as metadata C(onetoken_rebooted) once Nova accepted its
        reboot, with a request of its own, and later calls of the same run leave it alone. A run that stopped halfway
        is so finished by running it again. Without a run, each call reboots every selected server.
      - Otherwise, it only names the run in reports.
    type: str
  wait:
    description:
      - Wait until the servers are in the state. Nova gives a server at most a minute to shut down by itself, as far as
        the cloud does not set another time.
      - Without it, what Nova accepted has the outcome V(accepted).
    type: bool
    default: true
notes:
  - A reboot whose answer was lost is asked for again only when the server was seen neither rebooting nor changed since
    the call began, for 5 seconds at least. Nova tells changes to the second, so a server that changed in the very
    second in which it is rebooted may be rebooted twice.
seealso:
  - module: onetoken.openstack.os_server_shelve
    description: Servers that are stopped still hold their resources, and are usually paid for.
extends_documentation_fragment:
  - onetoken.openstack.selection
  - onetoken.openstack.selection.servers
  - onetoken.openstack.bulk
  - onetoken.openstack.connection
"""

EXAMPLES = r"""
- name: Stop the test environment's web servers in the evening
  onetoken.openstack.os_server_power:
    cloud: mycloud
    state: stopped
    metadata:
      environment: test
      role: web

- name: Start them in the morning
  onetoken.openstack.os_server_power:
    cloud: mycloud
    state: started
    metadata:
      environment: test
      role: web

- name: Reboot the web servers once, ten at a time, however often this is run
  onetoken.openstack.os_server_power:
    cloud: mycloud
    state: rebooted
    run: kernel-update-42
    name_pattern: "web-*"
    status: [ACTIVE]
    concurrency: 10
    max_failures: "5%"

- name: Reset two servers that hang
  onetoken.openstack.os_server_power:
    cloud: mycloud
    state: rebooted
    reboot_type: HARD
    servers: [web-09, web-10]
"""

RETURN = r"""
run:
  description: The run that was given; empty when none was.
  returned: when the servers could be listed
  type: str
  sample: after-kernel-update
counts:
  description: How many servers had each outcome.
  returned: when the servers could be listed
  type: dict
  sample: {done: 11, already: 0, accepted: 0, incomplete: 0, blocked: 0, skipped: 0, failed: 1, planned: 0}
  contains:
    done:
      description: Brought into the state by this call, or rebooted.
      returned: always
      type: int
      sample: 11
    already:
      description: In the state already, or brought there by somebody else meanwhile, or rebooted in this run already.
      returned: always
      type: int
      sample: 0
    accepted:
      description: Accepted by Nova, without O(wait).
      returned: always
      type: int
      sample: 0
    incomplete:
      description: Always 0, as each takes one request.
      returned: always
      type: int
      sample: 0
    blocked:
      description: Always 0, as no server waits for another one.
      returned: always
      type: int
      sample: 0
    skipped:
      description: Not asked for, as the run was stopped before.
      returned: always
      type: int
      sample: 0
    failed:
      description: Not in the state, or not in time.
      returned: always
      type: int
      sample: 1
    planned:
      description: Would be started, stopped or rebooted, in check mode.
      returned: always
      type: int
      sample: 0
results:
  description: The selected servers, in the order of their names.
  returned: when the servers could be listed
  type: list
  elements: dict
  contains:
    id:
      description: Id of the server; empty when O(servers) names one that does not exist, or is ambiguous.
      returned: always
      type: str
      sample: 2f3d2c5e-54b4-4c4f-8b5d-6d3f7a6b1c11
    name:
      description: Name of the server.
      returned: always
      type: str
      sample: web-01
    action:
      description: V(start), V(stop) or V(reboot).
      returned: always
      type: str
      sample: stop
    outcome:
      description: >-
        V(done), V(already), V(accepted), V(incomplete), V(blocked), V(skipped), V(failed), or V(planned) in check mode.
      returned: always
      type: str
      sample: done
    reason_code:
      description:
        - "Why it has its outcome, for programs; empty without a reason. One of these:"
        - V(not_found) - Nothing in the project has this name or id.
        - V(ambiguous) - Several resources of the project have this name.
        - V(busy) - Planned, but Nova may refuse it, as the server is busy.
        - V(unsuitable_status) - Planned, but the service may refuse it, as the resource is in the wrong status.
        - V(refused) - The service refused the request, for the reason that it gives.
        - V(conflict) - The service refused the request, as the resource is busy or in the wrong state.
        - V(quota_exceeded) - A quota of the project is used up.
        - V(unconfirmed) - A request got no answer, and nothing shows that it was carried out.
        - V(cloud_unusable) - The cloud cannot be used, as signing in failed or a service is absent or down.
        - V(unreadable) - The service says something of the resource that cannot be understood.
        - V(unexpected) - An unexpected error, which is a bug of this collection.
        - V(in_progress) - It was in progress before this call, and was not waited for.
        - V(error_status) - The resource, or what was made of it, is in a status that means failure.
        - V(disappeared) - The resource, or what was made of it, does not exist any more.
        - V(dropped) - Nova accepted the request and dropped it, so the server is in its old status again.
        - V(not_labelled) - Done, but the name or labels by which a later call knows it could not be written.
        - V(timeout) - The O(timeout) seconds of the call were over.
        - V(interrupted) - The playbook run was interrupted.
        - V(max_failures) - More items failed than O(max_failures) allows.
        - V(not_awaited) - It takes another step, which the call did not wait for.
      returned: always
      type: str
      sample: ""
    reason:
      description: Why it failed, or what could not be written down, in words that may change; empty when all is well.
      returned: always
      type: str
      sample: ""
    seconds:
      description: Seconds from the request until a look found the server in the state; 0 when nothing was asked for.
      returned: always
      type: float
      sample: 12.4
    created:
      description: Always empty, as nothing is made of the servers.
      returned: always
      type: list
      elements: dict
      sample: []
requests:
  description: How many requests this call sent to each service, those that the cloud refused among them.
  returned: when the servers could be listed
  type: dict
  sample: {compute: 14, identity: 1}
tokens_issued:
  description: How many tokens the session issued so far, or this call where it had none.
  returned: when the servers could be listed
  type: int
  sample: 1
seconds:
  description: Seconds that the call took.
  returned: when the servers could be listed
  type: float
  sample: 14.2
throttled_seconds:
  description: Seconds for which the cloud's rate limit kept the call from sending.
  returned: when the servers could be listed
  type: float
  sample: 0.0
report:
  description: The paths of the report's files, by their endings; empty without O(report).
  returned: when the servers could be listed
  type: dict
  sample: {json: /var/reports/nightly.json, csv: /var/reports/nightly.csv, html: /var/reports/nightly.html}
plan:
  description: What the run would cost.
  returned: in check mode
  type: dict
  contains:
    text:
      description: All of it in a few sentences.
      returned: always
      type: str
      sample: "Stop of 12 of 12 servers. About 15 requests (15 to compute), 1 s to ask for all of it."
    requests:
      description: Requests by service.
      returned: always
      type: dict
      sample: {compute: 15}
    seconds:
      description: Seconds to ask for all of it at the given pace, without what the cloud needs to finish.
      returned: always
      type: float
      sample: 0.6
    quotas:
      description: Always empty, as no quota limits it.
      returned: always
      type: list
      elements: dict
      sample: []
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._bulk.actions.server_power import ServerReboot, ServerStart, ServerStop
from ..module_utils._bulk.module import SERVER_OPTIONS, NewAction, run_bulk_module
from ..module_utils._bulk.resources.labels import check_run
from ..module_utils._bulk.resources.selection import Criteria


def prepare(module: AnsibleModule) -> NewAction:
    params = module.params
    if params["run"]:
        check_run(params["run"])
    criteria = Criteria.of(params, "servers")
    if params["state"] == "rebooted":
        return lambda client: ServerReboot(client, criteria, params["reboot_type"], params["run"])
    return lambda client: (ServerStart if params["state"] == "started" else ServerStop)(client, criteria)


def main() -> None:
    run_bulk_module(
        prepare,
        options={
            **SERVER_OPTIONS,
            "state": {"type": "str", "choices": ["started", "stopped", "rebooted"], "required": True},
            "reboot_type": {"type": "str", "choices": ["SOFT", "HARD"], "default": "SOFT"},
            "run": {"type": "str"},
        },
    )


if __name__ == "__main__":
    main()
