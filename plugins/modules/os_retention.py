#!/usr/bin/python
# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: os_retention
short_description: Delete the old copies that the bulk modules made
version_added: "0.1.0"
author: onetoken.openstack contributors (@onetoken)
description:
  - Deletes images, volume snapshots or volume backups that other modules of this collection made, when they have had
    their time, all in one process. In check mode it only tells which ones that are, and why.
  - Only copies with the labels of a run (C(onetoken_run) and what goes with it) that belong to the project are touched.
    A copy that was renamed is not one of them, nor is an image that was made of a file.
  - Servers and volumes inherit the labels of the image that they were made from, and so does an image that a user makes
    of them. Such an image is not a copy, even under the same name. An image counts as a copy only where Nova says that
    it was made of the server in its labels, or where its labels have its own id, as os_image_create writes it. Of
    several images of a server with the same labels and name, only the oldest counts. It is kept as long as the others
    exist, with the reason code V(labels_shared). Nor does an image count that was made of a server which, as Nova says,
    was booted from an image with the same labels.
  - As long as the good images of a server that was booted from a volume are of altogether different volumes, none of
    them is deleted, with the reason code V(labels_shared), because some of them are of another server.
  - The copies of one server or volume (its source, by id) are judged together. The newest good copy, one that is
    V(active) or V(available), is never deleted, whatever the options say. Before a copy is deleted, the service is
    asked whether the newest good one still exists; if not, nothing of that source is deleted. One answer is good for
    the deletions of the next second, until one of them fails.
  - An image that a server of the project was booted from is kept, unless O(delete_in_use) is set.
  - With O(keep_last), the newest good copies stay. With O(keep_days), the young good copies stay. With both, a copy
    goes only when it is neither among the last ones nor young enough.
  - Ages are measured by the clock of the cloud, as the services report it with each answer (HTTP header C(Date)).
    Before a copy is deleted for its age, the clocks of at least two services are compared. The module fails with
    O(keep_days), and deletes nothing, where no service reports its time, or where the services' clocks differ by more
    than 300 seconds. The clock of this machine matters only where a single service reports its time; then these two
    must agree.
  - Failed copies (V(killed), V(error), images V(queued) for longer than O(queued_timeout)) are not counted, and
    go when there is a newer good copy.
  - As long as the newest copy of a source is not good, because it is still being made or has failed, no copy of this
    source is deleted. Those that would be have the outcome V(skipped).
  - Nor is any copy of a source deleted while its newest one is dated more than 300 seconds after the time of the
    service that lists it, with the reason code V(age_uncertain). Delete or rename the one with the wrong date.
options:
  kind:
    description:
      - What to delete. V(image) are the images of M(onetoken.openstack.os_server_snapshot),
        M(onetoken.openstack.os_server_backup) and, as far as they were made of volumes,
        M(onetoken.openstack.os_image_create); V(volume_snapshot) the snapshots of
        M(onetoken.openstack.os_volume_snapshot), and of M(onetoken.openstack.os_server_snapshot) where it makes volume
        snapshots alone; V(volume_backup) the backups of M(onetoken.openstack.os_volume_backup).
      - The image of a server that was booted from a volume has volume snapshots behind it, called C(snapshot for NAME).
        They go with it, before it, unless another image leads to them as well.
      - Volume snapshots that were made of a server count for each of its volumes. Good ones that a run made of several
        volumes stay until a newer run has good ones of all these volumes, whatever O(keep_last) and O(keep_days) say.
    type: str
    choices: [image, volume_snapshot, volume_backup]
    required: true
  keep_last:
    description:
      - How many good copies of each source stay, at least 1.
      - One of O(keep_last) and O(keep_days) is needed.
    type: int
  keep_days:
    description:
      - For how many days good copies stay, at least 1. A day is 24 hours.
    type: int
  delete_in_use:
    description:
      - Whether to delete expired images that a server of the project was booted from, too. Such a server keeps running,
        but it cannot be rebuilt, and on some clouds not resized or migrated, without its image.
      - If not set, the servers are listed once where any image would be deleted. If they cannot be listed, no image is
        deleted.
      - A server that was booted from a volume does not count, as its volume has its own content. Servers of other
        projects cannot be seen, even if they were booted from a shared image.
      - This has no effect on volume snapshots and backups.
    type: bool
    default: false
  sources:
    description:
      - Ids or names of the servers or volumes whose copies are to be looked at, taken literally. They need not exist
        any more.
      - One of O(sources), O(name_pattern) and O(run_pattern) is needed; together they narrow each other. An empty list
        selects nothing.
      - The name is the one that the source had when its newest copy was made. A name means every source that had it,
        such as a server and the one that took its place; each of them keeps its own copies.
      - One that there is no copy of is an item with the outcome V(skipped).
    type: list
    elements: str
  name_pattern:
    description:
      - Look at sources with a name that matches this shell wildcard, such as V(web-*). Case matters.
      - V(**) matches every name, and so selects the copies of all sources.
    type: str
  run_pattern:
    description:
      - Look at copies of the runs with a name that matches this shell wildcard, such as V(nightly-*). Case matters.
      - Copies of other runs neither count nor are touched, so each kind of run can have its own rule.
    type: str
  after_run:
    description:
      - The name of a run that has just ended. Only the sources of which this run has a good copy are looked at, and its
        good copies all stay. It need not match O(run_pattern).
      - It is for a task that deletes old copies after one that makes new ones; it is not a criterion by itself.
    type: str
  queued_timeout:
    description:
      - An image that is still V(queued) so many seconds after it was made, by the clock of the cloud, counts as failed.
    type: int
    default: 3600
notes:
  - Copies of a server or volume that does not exist any more are treated like the others, so at least the last good one
    stays until somebody deletes it.
  - A protected image is left alone, with the outcome V(skipped). So is a snapshot or backup that is in use, such as one
    that is being restored. To keep a copy for good, protect it or rename it.
  - An image of a volume that was made before its labels had its own id (C(onetoken_image_id)) is never deleted, as it
    cannot be told from an image that inherited them. Nor is an image of a server that was booted from a volume without
    a time in its label C(onetoken_asked_at), as older versions made it, and as it is made in a cloud whose services do
    not say what time it is.
  - A volume backup stays as long as an incremental one that stays builds on it. The others are deleted from the newest
    to the oldest, each after those that build on it are gone. One whose turn did not come has the outcome V(blocked).
  - Cinder deletes in its own time, which is waited for unless O(wait=false). Glance deletes at once.
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

- name: Keep the nightly volume snapshots of a month, and three of each volume however old they are
  onetoken.openstack.os_retention:
    cloud: mycloud
    kind: volume_snapshot
    keep_days: 30
    keep_last: 3
    run_pattern: "nightly-*"

- name: See which backups would go if one of each data volume were enough
  onetoken.openstack.os_retention:
    cloud: mycloud
    kind: volume_backup
    keep_last: 1
    name_pattern: "data-*"
  check_mode: true
  register: retention

- name: Say so
  ansible.builtin.debug:
    msg: "{{ item.name }}: {{ item.outcome }}, {{ item.reason }}"
  loop: "{{ retention.results }}"
  loop_control:
    label: "{{ item.name }}"
"""

# Generated by `make returns` from tests/tools/returns/os_retention.yml and bulk.yml: edit those.
RETURN = r"""
kept:
  description: How many of the copies that count stay.
  returned: when the copies could be listed
  type: int
  sample: 84
counts:
  description: How many copies had each outcome; those that are kept are not among them.
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
      description: Gone, or being deleted, before this call asked for it.
      returned: always
      type: int
      sample: 0
    accepted:
      description: Volume snapshots and backups that Cinder is deleting, without O(wait).
      returned: always
      type: int
      sample: 0
    incomplete:
      description: Deleted in part, such as one volume snapshot of an image, as the call ended or the rest was refused.
      returned: always
      type: int
      sample: 0
    blocked:
      description: Not asked for, as backups that build on it were not deleted before.
      returned: always
      type: int
      sample: 0
    skipped:
      description: Left alone for the reason that is given, or not asked for, as the call was stopped before.
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
  description: The copies that have had their time, in the order of their names.
  returned: when the copies could be listed
  type: list
  elements: dict
  contains:
    id:
      description: Id of the copy; empty when O(sources) names what there is no copy of.
      returned: always
      type: str
      sample: 2f3d2c5e-54b4-4c4f-8b5d-6d3f7a6b1c11
    name:
      description: Name of the copy, or what O(sources) names.
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
        - "Why it has its outcome, for programs; empty without a reason. One of these:"
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
      description: Why it is deleted, left alone or not deleted, in words that may change.
      returned: always
      type: str
      sample: older than the last 7 of web-01
    seconds:
      description: Seconds from the request until it was gone; 0 when nothing was asked for.
      returned: always
      type: float
      sample: 12.4
    created:
      description: Always empty, as nothing is made; the other modules have here what they made.
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
      description: All of it in a few sentences.
      returned: always
      type: str
      sample: Delete of 12 of 12 images. About 12 requests (12 to image), 1 s to ask for all of it.
    requests:
      description: Requests by service.
      returned: always
      type: dict
      sample: {image: 12}
    seconds:
      description: Seconds to ask for all of it at the given pace, without what the cloud needs to finish.
      returned: always
      type: float
      sample: 0.6
    quotas:
      description: Always empty, as deleting counts for no quota.
      returned: always
      type: list
      elements: dict
      sample: []
requests:
  description: How many requests this call sent to each service, those that the cloud refused among them.
  returned: when the copies could be listed
  type: dict
  sample: {block_storage: 4, image: 16}
# The same in all bulk modules:
tokens_issued:
  description: How many tokens the session issued so far, or this call where it had none.
  returned: when the copies could be listed
  type: int
  sample: 1
seconds:
  description: Seconds that the call took.
  returned: when the copies could be listed
  type: float
  sample: 14.2
throttled_seconds:
  description: Seconds for which the cloud's rate limit kept the call from sending.
  returned: when the copies could be listed
  type: float
  sample: 0.0
report:
  description: The paths of the report's files, by their endings; empty without O(report).
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
        return lambda requests: ImageRetention(requests, keep, sources, timeout, delete_in_use)
    kind = BACKUPS if params["kind"] == "volume_backup" else SNAPSHOTS
    return lambda requests: VolumeRetention(requests, keep, sources, kind)


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
