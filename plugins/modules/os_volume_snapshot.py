#!/usr/bin/python
# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: os_volume_snapshot
short_description: Snapshot many volumes in one call
version_added: "0.1.0"
author: onetoken.openstack contributors (@onetoken)
description:
  - Makes a Cinder snapshot of each selected volume, all in one process, with one connection and one token, as fast as
    the cloud allows.
  - Each snapshot carries the metadata C(onetoken_run), C(onetoken_volume_id), C(onetoken_volume_name) and
    C(onetoken_name). A volume that has a snapshot of the same run already is not snapshotted again, so a run that
    stopped halfway is finished by running it again.
  - A volume that cannot be snapshotted is reported with the reason that the cloud gives, and does not stop the others.
options:
  run:
    description:
      - Name of the run that the snapshots belong to, 1 to 128 letters, digits, dots, underscores or hyphens.
      - The default is the current date in UTC, such as V(2026-01-31). All calls of one day are then one run, and make
        one snapshot a volume. Give a run to make more, or to finish yesterday's.
    type: str
  servers:
    description:
      - Names or ids of servers; only volumes that are attached to one of them are selected. This costs one listing of
        the servers.
      - A name that no server has, or that several servers share, is reported as a failed item.
      - O(servers) and the other criteria narrow each other.
    type: list
    elements: str
  snapshot_name:
    description:
      - Name of the snapshots. V({volume}) stands for the volume's name, V({volume_id}) for its id, V({run}) for O(run)
        and V({date}) for the time of the call in UTC, such as V(2026-01-31T120000Z). The id stands for the name of a
        volume that has none.
      - Write V({{) and V(}}) for braces that are to stay, marked as C(!unsafe) so that Ansible leaves them alone.
    type: str
    default: "{volume}-{run}"
  properties:
    description:
      - More metadata for the snapshots. Values are stored as text, V(true) and V(false) in small letters.
      - Names that start with C(onetoken_) are refused.
    type: dict
    default: {}
  force:
    description:
      - Snapshot volumes that are attached to a server, too. Such a snapshot is what would be on disk if the server's
        power failed.
      - Without it, Cinder refuses attached volumes.
    type: bool
    default: true
  wait:
    description:
      - Wait until the snapshots are available. One listing of the snapshots is asked for at each look, whatever the
        number of volumes.
      - Without it, what Cinder accepted has the outcome V(accepted).
    type: bool
    default: true
notes:
  - A snapshot that is refused for lack of quota, or because the volume is in error or busy, is tried again by the next
    call of the same run.
  - Cinder does not delete a volume that has snapshots. M(onetoken.openstack.os_retention) deletes old ones.
seealso:
  - module: onetoken.openstack.os_retention
extends_documentation_fragment:
  - onetoken.openstack.selection
  - onetoken.openstack.selection.volumes
  - onetoken.openstack.bulk
  - onetoken.openstack.connection
"""

EXAMPLES = r"""
- name: Snapshot every volume of the project, once a day
  onetoken.openstack.os_volume_snapshot:
    cloud: mycloud
    name_pattern: "**"

- name: Snapshot the volumes of two servers before an upgrade
  onetoken.openstack.os_volume_snapshot:
    cloud: mycloud
    servers: [db-01, db-02]
    run: before-upgrade-42
    snapshot_name: "{run}-{volume}"
    properties:
      owner_team: platform

- name: Snapshot what is not attached and says so in its metadata
  onetoken.openstack.os_volume_snapshot:
    cloud: mycloud
    status: [available]
    metadata:
      backup: daily
    run: "nightly-{{ now(utc=true).strftime('%Y-%m-%d') }}"
    force: false
    timeout: 7200
"""

RETURN = r"""
run:
  description: The run that the volume snapshots belong to.
  returned: when the volumes could be listed
  type: str
  sample: "2026-01-31"
counts:
  description: How many volumes had each outcome.
  returned: when the volumes could be listed
  type: dict
  sample: {done: 11, already: 0, accepted: 0, incomplete: 0, blocked: 0, skipped: 0, failed: 1, planned: 0}
  contains:
    done:
      description: Snapshotted by this call.
      returned: always
      type: int
      sample: 11
    already:
      description: A snapshot of this run was there already.
      returned: always
      type: int
      sample: 0
    accepted:
      description: Accepted by Cinder, without O(wait).
      returned: always
      type: int
      sample: 0
    incomplete:
      description: Always 0, as a snapshot is one request.
      returned: always
      type: int
      sample: 0
    blocked:
      description: Always 0, as no volume waits for another one.
      returned: always
      type: int
      sample: 0
    skipped:
      description: Not asked for, as the run was stopped before.
      returned: always
      type: int
      sample: 0
    failed:
      description: Not snapshotted, or not completely, or not in time.
      returned: always
      type: int
      sample: 1
    planned:
      description: Would be snapshotted, in check mode.
      returned: always
      type: int
      sample: 0
results:
  description: The selected volumes, in the order of their names.
  returned: when the volumes could be listed
  type: list
  elements: dict
  contains:
    id:
      description: Id of the volume; empty when O(volumes) or O(servers) names what does not exist, or is ambiguous.
      returned: always
      type: str
      sample: 2f3d2c5e-54b4-4c4f-8b5d-6d3f7a6b1c11
    name:
      description: Name of the volume, its id where it has none.
      returned: always
      type: str
      sample: data-01
    action:
      description: Always V(snapshot).
      returned: always
      type: str
      sample: snapshot
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
      description: The volume snapshot.
      returned: always
      type: list
      elements: dict
      contains:
        type:
          description: Always V(volume_snapshot).
          returned: always
          type: str
          sample: volume_snapshot
        id:
          description: Id; empty when there is none.
          returned: always
          type: str
          sample: 0f1e6a52-6b0c-4d53-a3c5-8f6e3c9b7a10
        name:
          description: Name that it has or would have; empty when it is not known.
          returned: always
          type: str
          sample: data-01-2026-01-31
        status:
          description: Status when it was last seen; empty when it was not.
          returned: always
          type: str
          sample: available
        size:
          description: Size of the volume in bytes; null until it is known.
          returned: always
          type: int
          sample: 10737418240
requests:
  description: How many requests this call sent to each service, those that the cloud refused among them.
  returned: when the volumes could be listed
  type: dict
  sample: {block_storage: 17}
tokens_issued:
  description: How many tokens the session issued so far, or this call where it had none.
  returned: when the volumes could be listed
  type: int
  sample: 1
seconds:
  description: Seconds that the call took.
  returned: when the volumes could be listed
  type: float
  sample: 14.2
throttled_seconds:
  description: Seconds for which the cloud's rate limit kept the call from sending.
  returned: when the volumes could be listed
  type: float
  sample: 0.0
report:
  description: The paths of the report's files, by their endings; empty without O(report).
  returned: when the volumes could be listed
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
      sample: "Snapshot of 12 of 12 volumes. About 15 requests (15 to block storage), 1 s to ask for all of it."
    requests:
      description: Requests by service.
      returned: always
      type: dict
      sample: {block_storage: 15}
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
          sample: gigabytes
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
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._bulk.actions.volume_snapshot import VolumeSnapshot
from ..module_utils._bulk.module import VOLUME_OPTIONS, NewAction, run_bulk_module
from ..module_utils._bulk.resources.labels import Labels, run_of_today
from ..module_utils._bulk.resources.selection import Criteria


def prepare(module: AnsibleModule) -> NewAction:
    params = module.params
    run = params["run"] = params["run"] or run_of_today()
    labels = Labels(run, "volume", params["snapshot_name"], "snapshot_name", params["properties"])
    servers, force = params["servers"], params["force"]
    criteria = Criteria.of(params, "volumes", servers is not None)
    return lambda client: VolumeSnapshot(client, criteria, servers, labels, force)


def main() -> None:
    run_bulk_module(
        prepare,
        options={
            **VOLUME_OPTIONS,
            "run": {"type": "str"},
            "servers": {"type": "list", "elements": "str"},
            "snapshot_name": {"type": "str", "default": "{volume}-{run}"},
            "properties": {"type": "dict", "default": {}},
            "force": {"type": "bool", "default": True},
            "wait": {"type": "bool", "default": True},
        },
    )


if __name__ == "__main__":
    main()
