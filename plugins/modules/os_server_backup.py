#!/usr/bin/python
# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: os_server_backup
short_description: Back up many servers in one call, and keep the last backups of each
version_added: "0.1.0"
author: onetoken.openstack contributors (@onetoken)
description:
  - Has Nova make a backup of each selected server, all in one process, with one connection and one token, as fast as
    the cloud allows. A backup is an image of which Nova keeps the last O(rotation) ones of each server and
    O(backup_type); it deletes the older ones itself, as soon as it accepts the next.
  - Each image carries the properties C(onetoken_run), C(onetoken_server_id), C(onetoken_server_name) and
    C(onetoken_name). A server that has an image of the same run already is not backed up again, so a run that stopped
    halfway is finished by running it again.
  - A server that cannot be backed up is reported with the reason that the cloud gives, and does not stop the others.
  - Nova makes no backups of servers that were booted from a volume; they fail without being asked for. Their volumes
    are for M(onetoken.openstack.os_volume_backup), or M(onetoken.openstack.os_server_snapshot).
options:
  run:
    description:
      - Name of the run that the backups belong to, 1 to 128 letters, digits, dots, underscores or hyphens.
      - The default is the current date in UTC, such as V(2026-01-31). All calls of one day are then one run, and make
        one backup a server. Give a run to make more, or to finish yesterday's.
    type: str
  backup_name:
    description:
      - Name of the images. V({server}) stands for the server's name, V({server_id}) for its id, V({run}) for O(run)
        and V({date}) for the time of the call in UTC, such as V(2026-01-31T120000Z).
      - Write V({{) and V(}}) for braces that are to stay, marked as C(!unsafe) so that Ansible leaves them alone.
    type: str
    default: "{server}-{run}"
  backup_type:
    description:
      - What the backups count as, such as V(daily) or V(weekly). Each type is rotated by itself.
      - A server has one backup a run, whatever its type. Give a weekly backup on the same day a run of its own.
    type: str
    default: daily
  rotation:
    description:
      - How many backups of this type Nova keeps of each server, the new one among them; at least V(1).
      - All of the server's backups of this type count, also those that other tools made.
    type: int
    default: 7
  properties:
    description:
      - More properties for the images. Values are stored as text, V(true) and V(false) in small letters.
      - Names that start with C(onetoken_) are refused.
    type: dict
    default: {}
  wait:
    description:
      - Wait until the images are active. One listing of the images is asked for at each look, whatever the number of
        servers.
      - Without it, what Nova accepted has the outcome V(accepted).
    type: bool
    default: true
  queued_timeout:
    description:
      - An image that is still V(queued) so many seconds after it was made counts as stuck. It is deleted; if an earlier
        call made it, another one takes its place.
    type: int
    default: 3600
notes:
  - A backup that is refused for lack of quota, or because the server is in error or busy, is tried again by the next
    call of the same run.
  - Nova rotates when it accepts a backup, before the image is complete. With O(rotation=1), a server is without a
    complete backup until the new one is done, or for good when it fails.
seealso:
  - module: onetoken.openstack.os_server_snapshot
    description: Images that nothing deletes by itself, also of servers that were booted from a volume.
extends_documentation_fragment:
  - onetoken.openstack.selection
  - onetoken.openstack.selection.servers
  - onetoken.openstack.bulk
  - onetoken.openstack.connection
"""

EXAMPLES = r"""
- name: Back up the web servers, and keep a week of it
  onetoken.openstack.os_server_backup:
    cloud: mycloud
    name_pattern: "web-*"

- name: Back up two of them every week, and keep four
  onetoken.openstack.os_server_backup:
    cloud: mycloud
    servers: [web-01, web-02]
    run: "week-{{ now(utc=true).strftime('%G-%V') }}"
    backup_type: weekly
    rotation: 4
    properties:
      owner_team: platform

- name: Back up the servers with a tag, without failing yet for those that were booted from a volume
  onetoken.openstack.os_server_backup:
    cloud: mycloud
    tags: [backup]
    status: [ACTIVE, SHUTOFF]
    timeout: 7200
    ignore_failures: true
  register: backups

- name: Say which servers failed
  ansible.builtin.debug:
    msg: "{{ item.name }}: {{ item.reason }}"
  loop: "{{ backups.results | selectattr('outcome', '==', 'failed') }}"
  loop_control:
    label: "{{ item.name }}"
"""

# Generated by `make returns` from tests/tools/returns/os_server_backup.yml and bulk.yml: edit those.
RETURN = r"""
run:
  description: The run that the backups belong to.
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
      description: Backed up by this call.
      returned: always
      type: int
      sample: 11
    already:
      description: A backup of this run was there already.
      returned: always
      type: int
      sample: 0
    accepted:
      description: Accepted by Nova, without O(wait).
      returned: always
      type: int
      sample: 0
    incomplete:
      description: Always 0, as a backup is one request.
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
      description: Not backed up, or not completely, or not in time.
      returned: always
      type: int
      sample: 1
    planned:
      description: Would be backed up, in check mode.
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
      description: Always V(backup).
      returned: always
      type: str
      sample: backup
    outcome:
      description: V(done), V(already), V(accepted), V(incomplete), V(blocked), V(skipped), V(failed), or V(planned) in
        check mode.
      returned: always
      type: str
      sample: done
    reason_code:
      description:
        - "Why it has its outcome, for programs; empty without a reason. One of these:"
        - V(not_found) - Nothing in the project has this name or id.
        - V(ambiguous) - Several resources of the project have this name.
        - V(unsupported) - The service cannot do this with this resource.
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
        - V(queued_too_long) - The image was still queued after O(queued_timeout) seconds.
        - V(not_checked) - Done, but the volume snapshots behind the image could not be checked.
        - V(timeout) - The O(timeout) seconds of the call were over.
        - V(interrupted) - The playbook run was interrupted.
        - V(max_failures) - More items failed than O(max_failures) allows.
        - V(not_awaited) - It takes another step, which the call did not wait for.
      returned: always
      type: str
      sample: ""
    reason:
      description: Why it failed, or what could not be checked, in words that may change; empty when all is well.
      returned: always
      type: str
      sample: ""
    seconds:
      description: Seconds from the request until a look found all complete; 0 when nothing was asked for.
      returned: always
      type: float
      sample: 12.4
    created:
      description: The image.
      returned: always
      type: list
      elements: dict
      contains:
        type:
          description: Always V(image).
          returned: always
          type: str
          sample: image
        id:
          description: Id; empty when there is none.
          returned: always
          type: str
          sample: 0f1e6a52-6b0c-4d53-a3c5-8f6e3c9b7a10
        name:
          description: Name that it has or would have; empty when it is not known.
          returned: always
          type: str
          sample: web-01-2026-01-31
        status:
          description: Status when it was last seen; empty when it was not.
          returned: always
          type: str
          sample: active
        size:
          description: Size in bytes; null until it is known.
          returned: always
          type: int
          sample: 2361393152
plan:
  description: What the run would cost.
  returned: in check mode
  type: dict
  contains:
    text:
      description: All of it in a few sentences.
      returned: always
      type: str
      sample: Backup of 12 of 12 servers. About 15 requests (12 to compute, 3 to image), 1 s to ask for all of it.
    requests:
      description: Requests by service.
      returned: always
      type: dict
      sample: {compute: 12, image: 3}
    seconds:
      description: Seconds to ask for all of it at the given pace, without what the cloud needs to finish.
      returned: always
      type: float
      sample: 0.6
    quotas:
      description: The quotas that the run counts for, as far as the cloud tells them.
      returned: always
      type: list
      elements: dict
      contains:
        name:
          description: Name of the quota.
          returned: always
          type: str
          sample: image_count_total
        limit:
          description: What the project may have; -1 for no limit.
          returned: always
          type: int
          sample: 1000
        used:
          description: What it has.
          returned: always
          type: int
          sample: 990
        needed:
          description: What the run would add.
          returned: always
          type: int
          sample: 12
        suffices:
          description: Whether all of it fits.
          returned: always
          type: bool
          sample: false
requests:
  description: How many requests this call sent to each service, those that the cloud refused among them.
  returned: when the servers could be listed
  type: dict
  sample: {compute: 14, image: 4}
# The same in all bulk modules:
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
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._bulk.actions.server_backup import ServerBackup
from ..module_utils._bulk.module import SERVER_OPTIONS, NewAction, run_bulk_module
from ..module_utils._bulk.resources.labels import Marks, run_of_today
from ..module_utils._bulk.resources.selection import Criteria


def prepare(module: AnsibleModule) -> NewAction:
    params = module.params
    run = params["run"] = params["run"] or run_of_today()
    marks = Marks(run, "server", params["backup_name"], "backup_name", params["properties"])
    criteria = Criteria.of(params, "servers")
    queued_timeout, backup_type, rotation = params["queued_timeout"], params["backup_type"], params["rotation"]
    return lambda requests: ServerBackup(requests, criteria, marks, queued_timeout, backup_type, rotation)


def main() -> None:
    run_bulk_module(
        prepare,
        options={
            **SERVER_OPTIONS,
            "run": {"type": "str"},
            "backup_name": {"type": "str", "default": "{server}-{run}"},
            "backup_type": {"type": "str", "default": "daily"},
            "rotation": {"type": "int", "default": 7},
            "properties": {"type": "dict", "default": {}},
            "queued_timeout": {"type": "int", "default": 3600},
        },
    )


if __name__ == "__main__":
    main()
