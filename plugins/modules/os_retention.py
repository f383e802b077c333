#!/usr/bin/python
# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: os_retention
short_description: Delete old copies that the bulk modules made
version_added: "0.1.0"
author: onetoken.openstack contributors (@onetoken)
description:
  - Deletes expired images, volume snapshots or volume backups that other modules of this collection made, all in one
    process. In check mode, it only reports which ones those are, and why.
  - Only copies that belong to the project and carry the labels of a run (C(onetoken_run) and related ones) are deleted.
    A copy that was renamed is left alone, and so is an image that was made from a file.
  - Servers and volumes inherit the labels of the image that they were made from, and so does an image that a user makes
    of them. Such an image is not a copy, even under the same name. An image counts as a copy only if Nova reports that
    it was made of the server in its labels, or if its labels contain its own id, as os_image_create writes it. Of
    several images of a server with the same labels and name, only the oldest counts. It is kept as long as the others
    exist, with the reason code V(labels_shared). An image of a server does not count either if Nova reports that the
    server was booted from an image with the same labels.
  - As long as the good images of a server that was booted from a volume have no volume in common, none of them is
    deleted, with the reason code V(labels_shared), because some of them belong to another server.
  - The copies of one server or volume (its source, identified by id) are judged together. The newest good copy, which
    is V(active) or V(available), is never deleted, whatever the options say. Before a copy is deleted, the module asks
    the service whether the newest good one still exists; if not, nothing of that source is deleted. One answer is valid
    for the deletions of the next second, until one of them fails.
  - An image that a server of the project was booted from is kept, unless O(delete_in_use) is set.
  - With O(keep_last), the newest good copies are kept; with O(keep_days), the recent ones; with both, a copy is deleted
    only if neither option keeps it.
  - Ages are measured by the clock of the cloud, as the services report it with each answer (HTTP header C(Date)).
    Before a copy is deleted because of its age, the clocks of at least two services are compared. With O(keep_days),
    the module fails and deletes nothing if no service reports its time, or if the services' clocks differ by more than
    300 seconds. The clock of this machine matters only if a single service reports its time; then these two must agree.
  - Failed copies (V(killed), V(error), and images that are V(queued) for longer than O(queued_timeout)) do not count,
    and are deleted when there is a newer good copy.
  - As long as the newest copy of a source is not good, because it is still being made or has failed, no copy of this
    source is deleted. Its expired copies have the outcome V(skipped).
  - The same applies as long as the newest copy of a source is dated more than 300 seconds after the time of the service
    that lists it; the reason code is V(age_uncertain). Delete or rename the copy with the wrong date.
options:
  kind:
    description:
      - What to delete. V(image) is for the images of M(onetoken.openstack.os_server_snapshot),
        M(onetoken.openstack.os_server_backup) and, if made from volumes, M(onetoken.openstack.os_image_create).
        V(volume_snapshot) is for the snapshots of M(onetoken.openstack.os_volume_snapshot), and of
        M(onetoken.openstack.os_server_snapshot) with
        O(onetoken.openstack.os_server_snapshot#module:volume_backed=volume_snapshots). V(volume_backup) is for the
        backups of M(onetoken.openstack.os_volume_backup).
      - The image of a server that was booted from a volume refers to volume snapshots, called C(snapshot for NAME).
        They are deleted first, unless another image refers to them as well.
      - Volume snapshots that were made of a server count for each of its volumes. Good snapshots that a run made of
        several volumes are kept until a newer run has good ones of all these volumes, whatever O(keep_last) and
        O(keep_days) say.
    type: str
    choices: [image, volume_snapshot, volume_backup]
    required: true
  keep_last:
    description:
      - How many good copies of each source to keep, at least 1.
      - O(keep_last) or O(keep_days) is required.
    type: int
  keep_days:
    description:
      - For how many days to keep good copies, at least 1. A day is 24 hours.
    type: int
  delete_in_use:
    description:
      - Whether to also delete expired images that a server of the project was booted from. Such a server keeps running,
        but without its image it cannot be rebuilt, nor, on some clouds, resized or migrated.
      - If not set, the servers are listed once if any image would be deleted. If they cannot be listed, no image is
        deleted.
      - A server that was booted from a volume does not count, as its volume has its own content. Servers of other
        projects cannot be seen, even if they were booted from a shared image.
      - This has no effect on volume snapshots and backups.
    type: bool
    default: false
  sources:
    description:
      - Ids or names of the servers or volumes whose copies to examine, taken literally. They need not exist any more.
      - At least one of O(sources), O(name_pattern) and O(run_pattern) is required; copies must match all that are set.
        An empty list selects nothing.
      - The name is the one that the source had when its newest copy was made. A name selects every source that had it,
        such as a server and its replacement; each of them keeps its own copies.
      - A source without copies is an item with the outcome V(skipped).
    type: list
    elements: str
  name_pattern:
    description:
      - Examine sources whose name matches this shell wildcard, such as V(web-*). Case matters.
      - V(**) matches every name, and so selects the copies of all sources.
    type: str
  run_pattern:
    description:
      - Examine copies of the runs whose name matches this shell wildcard, such as V(nightly-*). Case matters.
      - Copies of other runs neither count nor are deleted, so each kind of run can have its own rule.
    type: str
  after_run:
    description:
      - The name of a run that has just ended. Only sources with a good copy of this run are examined, and all its good
        copies are kept. The name need not match O(run_pattern).
      - This is for a task that deletes old copies after one that makes new ones; it is not a criterion by itself.
    type: str
  queued_timeout:
    description:
      - An image that is still V(queued) this many seconds after it was created, by the clock of the cloud, counts as
        failed.
    type: int
    default: 3600
notes:
  - Copies of a server or volume that no longer exists are treated like any others, so at least the last good one is
    kept until somebody deletes it.
  - A protected image is left alone, with the outcome V(skipped). So is a snapshot or backup in use, such as one that is
    being restored. To keep a copy for good, protect it or rename it.
  - An image of a volume without its own id in its labels (C(onetoken_image_id)), as older versions made it, is never
    deleted, because it could be an image that inherited the labels. Neither is an image of a server that was booted
    from a volume without a time in its label C(onetoken_asked_at), as made by older versions, or in a cloud whose
    services do not report their time.
  - A volume backup is kept as long as an incremental backup that is kept builds on it. The others are deleted from the
    newest to the oldest, each after those that build on it are gone. A backup that is still waiting for that when the
    call ends has the outcome V(blocked).
  - Cinder deletes in the background, and the module waits for that unless O(wait=false). Glance deletes at once.
seealso:
  - module: onetoken.openstack.os_server_snapshot
  - module: onetoken.openstack.os_volume_snapshot
  - module: onetoken.openstack.os_volume_backup
extends_documentation_fragment:
  - onetoken.openstack.bulk
  - onetoken.openstack.connection
"""

EXAMPLES = r"""
- name: Keep the last seven images of each server
  onetoken.openstack.os_retention:
    cloud: mycloud
    kind: image
    name_pattern: "**"
    keep_last: 7

- name: Keep one image of each server, and delete the others even if servers were booted from them
  onetoken.openstack.os_retention:
    cloud: mycloud
    kind: image
    keep_last: 1
    name_pattern: "**"
    delete_in_use: true

- name: Keep a month of nightly volume snapshots, and at least three of each volume
  onetoken.openstack.os_retention:
    cloud: mycloud
    kind: volume_snapshot
    keep_days: 30
    keep_last: 3
    run_pattern: "nightly-*"

- name: Find out which backups keeping one of each data volume would delete
  onetoken.openstack.os_retention:
    cloud: mycloud
    kind: volume_backup
    keep_last: 1
    name_pattern: "data-*"
  check_mode: true
  register: retention

- name: Show them
  ansible.builtin.debug:
    msg: "{{ item.name }}: {{ item.outcome }}, {{ item.reason }}"
  loop: "{{ retention.results }}"
  loop_control:
    label: "{{ item.name }}"
"""

# Generated by `make returns` from tests/tools/returns/os_retention.yml and bulk.yml: edit those.
RETURN = r"""
kept:
  description: How many copies are kept.
  returned: when the copies could be listed
  type: int
  sample: 84
counts:
  description: How many expired copies had each outcome.
  returned: when the copies could be listed
  type: dict
  sample: {done: 11, already: 0, accepted: 0, incomplete: 0, blocked: 0, skipped: 1, failed: 0, planned: 0}
  contains:
    done:
      description: Deleted by this call.
      returned: always
      type: int
      sample: 11
    already:
      description: Gone or being deleted before this call requested it.
      returned: always
      type: int
      sample: 0
    accepted:
      description: Volume snapshots and backups that Cinder is deleting, without O(wait).
      returned: always
      type: int
      sample: 0
    incomplete:
      description: Partly deleted, such as one volume snapshot of an image, before the call ended or the rest was
        refused.
      returned: always
      type: int
      sample: 0
    blocked:
      description: Not started, because backups that build on it were not deleted first.
      returned: always
      type: int
      sample: 0
    skipped:
      description: Left alone for the reason given, or not started, because the call stopped first.
      returned: always
      type: int
      sample: 0
    failed:
      description: Not deleted, or not in time.
      returned: always
      type: int
      sample: 1
    planned:
      description: Would be deleted, in check mode.
      returned: always
      type: int
      sample: 0
results:
  description: The expired copies, sorted by name.
  returned: when the copies could be listed
  type: list
  elements: dict
  contains:
    id:
      description: Id of the copy; empty for a name in O(sources) without copies.
      returned: always
      type: str
      sample: 2f3d2c5e-54b4-4c4f-8b5d-6d3f7a6b1c11
    name:
      description: Name of the copy, or the name in O(sources) without copies.
      returned: always
      type: str
      sample: web-01-2026-01-24
    action:
      description: Always V(delete).
      returned: always
      type: str
      sample: delete
    outcome:
      description: V(done), V(already), V(accepted), V(incomplete), V(blocked), V(skipped), V(failed), or V(planned) in
        check mode.
      returned: always
      type: str
      sample: done
    reason_code:
      description:
        - "The reason for the outcome, for programs; empty if there is none. One of these:"
        - V(not_found) - Nothing in the project has this name or id.
        - V(ambiguous) - Several resources of the project have this name.
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
        - V(not_deleted) - The service accepted the deletion, but did not delete.
        - V(timeout) - The O(timeout) seconds of the call were over.
        - V(interrupted) - The playbook run was interrupted.
        - V(max_failures) - More items failed than O(max_failures) allows.
        - V(not_awaited) - It takes another step, which the call did not wait for.
        - V(no_copy) - There is no copy of this source.
        - V(expired) - Older than what O(keep_last) and O(keep_days) keep.
        - V(superseded) - A copy that failed, and there is a newer good one.
        - V(deleting) - It was being deleted before this call.
        - V(newest_not_good) - Kept, as the newest copy of the source is not good.
        - V(protected) - Kept, as it is protected.
        - V(newest_gone) - Kept, as the newest good copy of the source is gone or not good any more.
        - V(in_use) - Kept, as it is in use.
        - V(use_unknown) - Kept, as it may be in use; the servers could not be listed.
        - V(labels_shared) - Kept, as another image has the same labels, and one of them is not a copy.
        - V(age_uncertain) - Kept, as it is not certain how old the copies of the source are.
        - V(dependents) - Something that builds on it is still there.
      returned: always
      type: str
      sample: expired
    reason:
      description: Why it is deleted, left alone or not deleted, as text whose words may change.
      returned: always
      type: str
      sample: older than the last 7 of web-01
    seconds:
      description: Seconds from the request until it was gone; 0 if nothing was requested.
      returned: always
      type: float
      sample: 12.4
    created:
      description: Always empty, as nothing is created.
      returned: always
      type: list
      elements: dict
      sample: []
plan:
  description: What the run would cost.
  returned: in check mode
  type: dict
  contains:
    text:
      description: The plan in a few sentences.
      returned: always
      type: str
      sample: "Nothing was done: 12 of 12 images would be deleted. About 12 requests (12 to image), 1 s to submit all of
        it."
    requests:
      description: Requests by service.
      returned: always
      type: dict
      sample: {image: 12}
    seconds:
      description: Seconds to send the requests at the given rate, without the time that the cloud needs to finish.
      returned: always
      type: float
      sample: 0.6
    quotas:
      description: Always empty, as no quota applies.
      returned: always
      type: list
      elements: dict
      sample: []
requests:
  description: How many requests this call sent to each service, including those that the cloud refused.
  returned: when the copies could be listed
  type: dict
  sample: {block_storage: 4, image: 16}
# The same in all bulk modules:
summary:
  description: The run in a few lines, for people. Their words may change.
  returned: when the copies could be listed
  type: dict
  contains:
    result:
      description: What was done, in a sentence; in check mode, what would be done.
      returned: always
      type: str
      sample: "Run nightly: 11 of 12 copies done, 1 failed, in 41 s."
    details:
      description: A line for each outcome and reason, with the names of the copies, and one for the requests.
      returned: always
      type: list
      elements: str
      sample: ['done: web-01, web-02', 'failed: web-03: it is busy']
    failure:
      description: Which items failed and why, in a sentence; empty if none did.
      returned: always
      type: str
      sample: ""
tokens_issued:
  description: How many tokens the session has issued so far, or this call if it has no session.
  returned: when the copies could be listed
  type: int
  sample: 1
seconds:
  description: Seconds that the call took.
  returned: when the copies could be listed
  type: float
  sample: 14.2
throttled_seconds:
  description: Seconds for which the cloud's rate limit kept the call from sending requests.
  returned: when the copies could be listed
  type: float
  sample: 0.0
report:
  description: Paths of the report's files by extension; empty without O(report).
  returned: when the copies could be listed
  type: dict
  sample: {json: /var/reports/nightly.json, csv: /var/reports/nightly.csv, html: /var/reports/nightly.html}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._bulk.module import NewAction, run_bulk_module
from ..module_utils._bulk.resources.volume_copies import BACKUPS, SNAPSHOTS
from ..module_utils._bulk.retention.images import ImageRetention
from ..module_utils._bulk.retention.rules import Keep, Sources
from ..module_utils._bulk.retention.volumes import VolumeRetention


def prepare(module: AnsibleModule) -> NewAction:
    params = module.params
    keep = Keep(params["keep_last"], params["keep_days"], params["after_run"])
    sources = Sources.of(params)
    if params["kind"] == "image":
        timeout, delete_in_use = params["queued_timeout"], params["delete_in_use"]
        return lambda client: ImageRetention(client, keep, sources, timeout, delete_in_use)
    kind = BACKUPS if params["kind"] == "volume_backup" else SNAPSHOTS
    return lambda client: VolumeRetention(client, keep, sources, kind)


def main() -> None:
    run_bulk_module(
        prepare,
        options={
            "kind": {"type": "str", "choices": ["image", "volume_snapshot", "volume_backup"], "required": True},
            "keep_last": {"type": "int"},
            "keep_days": {"type": "int"},
            "delete_in_use": {"type": "bool", "default": False},
            "sources": {"type": "list", "elements": "str"},
            "name_pattern": {"type": "str"},
            "run_pattern": {"type": "str"},
            "after_run": {"type": "str"},
            "queued_timeout": {"type": "int", "default": 3600},
        },
        required_one_of=[["keep_last", "keep_days"]],
    )


if __name__ == "__main__":
    main()
