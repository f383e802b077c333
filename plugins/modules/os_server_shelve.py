#!/usr/bin/python
# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: os_server_shelve
short_description: Shelve many servers in one call, and unshelve those that were shelved
version_added: "0.1.0"
author: onetoken.openstack contributors (@onetoken)
description:
  - Shelves or unshelves each selected server, all in one process, with one connection and one token, as fast as the
    cloud allows. A shelved server keeps its id, addresses and volumes; of its disk, Nova makes an image, from which it
    comes back.
  - A server that this module shelves is marked before, with the run's name as metadata C(onetoken_shelved). So the
    servers that one run shelved in the evening come back in the morning, and those that somebody else shelved do not.
  - What became of the servers is seen in one listing of the project's servers at each look, whatever their number. A
    server that goes into error, or that Nova silently leaves as it was, is a failed item.
  - A server that cannot be shelved or unshelved is reported with the reason that the cloud gives, and does not stop the
    others.
options:
  state:
    description:
      - V(shelved) is a server in status C(SHELVED) or C(SHELVED_OFFLOADED). Whether and when the cloud takes a shelved
        server off its hypervisor, it decides itself; servers that were booted from a volume always leave it at once.
      - V(offloaded) is a server in status C(SHELVED_OFFLOADED). One that is only shelved when its shelving ends is
        offloaded with another request, which most clouds allow to administrators alone. It needs O(wait).
      - V(unshelved) is a server that is not shelved, whatever else its status, but for C(ERROR). Nova brings servers
        back running, also those that were shut off when they were shelved.
      - A server that is there, or on the way, is left alone and not marked.
    type: str
    choices: [shelved, offloaded, unshelved]
    required: true
  run:
    description:
      - Name of the run, 1 to 128 letters, digits, dots, underscores or hyphens.
      - Servers that are shelved are marked with it. The default is then the current date in UTC, such as V(2026-01-31).
      - With O(state=unshelved), only those of the selected servers come back that this run has shelved. Without it,
        all of the selected servers come back.
      - Give every night a name of its own. A mark remains when its server is back, so a server that somebody shelves by
        hand later comes back with a run of the same name.
    type: str
  mark:
    description:
      - Mark the servers before they are shelved, with a request for each. Without it, O(run) cannot be given, and no
        run can bring back just these servers.
      - Only for O(state=shelved) and O(state=offloaded).
    type: bool
    default: true
  wait:
    description:
      - Wait until the servers are in the state.
      - Without it, what Nova accepted has the outcome V(accepted).
    type: bool
    default: true
seealso:
  - module: onetoken.openstack.os_server_power
    description: Servers that are only to be stopped.
extends_documentation_fragment:
  - onetoken.openstack.selection
  - onetoken.openstack.selection.servers
  - onetoken.openstack.bulk
  - onetoken.openstack.connection
"""

EXAMPLES = r"""
- name: Shelve the servers of the developers in the evening
  onetoken.openstack.os_server_shelve:
    cloud: mycloud
    state: shelved
    run: "night-{{ now(utc=true).strftime('%Y-%m-%d') }}"
    metadata:
      environment: development

- name: Bring back in the morning what was shelved last night, and nothing else
  onetoken.openstack.os_server_shelve:
    cloud: mycloud
    state: unshelved
    run: "night-{{ '%Y-%m-%d' | strftime(now().timestamp() | int - 86400, utc=true) }}"

- name: Shelve for good what is stopped and was given up, and free the hypervisors, as administrator
  onetoken.openstack.os_server_shelve:
    cloud: mycloud-admin
    state: offloaded
    mark: false
    status: [SHUTOFF]
    metadata:
      environment: retired
    max_failures: 10

- name: Bring back two servers, whoever shelved them
  onetoken.openstack.os_server_shelve:
    cloud: mycloud
    state: unshelved
    servers: [web-09, web-10]
"""

RETURN = r"""
run:
  description: The run that the servers were marked with, or that they were selected by; empty when there was none.
  returned: when the servers could be listed
  type: str
  sample: "2026-01-31"
counts:
  description: How many servers had each outcome.
  returned: when the servers could be listed
  type: dict
  sample: {done: 11, already: 0, accepted: 0, incomplete: 0, blocked: 0, skipped: 0, failed: 1, planned: 0}
  contains:
    done:
      description: Shelved, offloaded or unshelved by this call.
      returned: always
      type: int
      sample: 11
    already:
      description: In the state already, or brought there by somebody else meanwhile.
      returned: always
      type: int
      sample: 0
    accepted:
      description: Accepted by Nova, without O(wait).
      returned: always
      type: int
      sample: 0
    incomplete:
      description: Being shelved, but not offloaded before the call ended.
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
      description: Would be shelved, offloaded or unshelved, in check mode.
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
      description: V(shelve), V(offload) or V(unshelve).
      returned: always
      type: str
      sample: shelve
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
        - V(timeout) - The O(timeout) seconds of the call were over.
        - V(interrupted) - The playbook run was interrupted.
        - V(max_failures) - More items failed than O(max_failures) allows.
        - V(not_awaited) - It takes another step, which the call did not wait for.
      returned: always
      type: str
      sample: ""
    reason:
      description: Why it failed, in words that may change; empty when all is well.
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
      sample: "Shelve of 12 of 12 servers. About 27 requests (27 to compute), 1 s to ask for all of it."
    requests:
      description: Requests by service.
      returned: always
      type: dict
      sample: {compute: 27}
    seconds:
      description: Seconds to ask for all of it at the given pace, without what the cloud needs to finish.
      returned: always
      type: float
      sample: 1.2
    quotas:
      description: Always empty, as no quota limits it.
      returned: always
      type: list
      elements: dict
      sample: []
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._bulk.actions.server_shelve import ServerOffload, ServerShelve, ServerUnshelve
from ..module_utils._bulk.module import SERVER_OPTIONS, NewAction, run_bulk_module
from ..module_utils._bulk.resources.labels import run_of_today
from ..module_utils._bulk.resources.selection import Criteria
from ..module_utils._session.util.errors import ConfigurationError


def prepare(module: AnsibleModule) -> NewAction:
    params = module.params
    # Of the servers that a run has shelved, the run itself says which they are.
    criteria = Criteria.of(params, "servers", params["state"] == "unshelved" and bool(params["run"]))
    if params["state"] == "unshelved":
        return lambda client: ServerUnshelve(client, criteria, params["run"])
    if params["mark"]:
        params["run"] = params["run"] or run_of_today()
    elif params["run"]:
        raise ConfigurationError("run has no effect without mark: leave out one of them.")
    if params["state"] == "shelved":
        return lambda client: ServerShelve(client, criteria, params["run"])
    if not params["wait"]:
        raise ConfigurationError("state offloaded needs wait, as a server is offloaded once it is shelved.")
    return lambda client: ServerOffload(client, criteria, params["run"])


def main() -> None:
    run_bulk_module(
        prepare,
        options={
            **SERVER_OPTIONS,
            "state": {"type": "str", "choices": ["shelved", "offloaded", "unshelved"], "required": True},
            "run": {"type": "str"},
            "mark": {"type": "bool", "default": True},
        },
    )


if __name__ == "__main__":
    main()
