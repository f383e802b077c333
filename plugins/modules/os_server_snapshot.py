#!/usr/bin/python
# Copyright: (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: os_server_snapshot
short_description: Snapshot many servers in one call
version_added: "0.1.0"
author: onetoken.openstack contributors (@onetoken)
description:
  - Makes an image of each selected server, all in one process, with one connection and one token.
  - Each image carries the properties C(onetoken_run), C(onetoken_server_id) and C(onetoken_server_name). A server that
    has an image of the same run already is not snapshotted again, so a run that stopped halfway is finished by running
    it again.
  - A server that cannot be snapshotted is reported with the reason that the cloud gives, and does not stop the others.
  - Rate limits of the cloud (429, or 413 with C(Retry-After)) are waited out, within O(timeout).
  - Of a server that was booted from a volume, Nova makes an image of size 0 and a snapshot of each of its volumes; the
    module waits for both. Of a server that was booted from an image, Nova does not snapshot the attached volumes.
options:
  servers:
    description:
      - Names or ids of the servers to snapshot, taken literally.
      - A name that no server has, or that several of the selected servers share, is reported as a failed server.
      - O(servers), O(name_pattern), O(metadata) and O(status) narrow each other. With none of them, every server of
        the project is selected.
    type: list
    elements: str
    default: []
  name_pattern:
    description: Select servers with a name that matches this shell wildcard, such as V(web-*). Case matters.
    type: str
  metadata:
    description:
      - Select servers with all of these metadata. Values are compared as text, V(true) and V(false) in small letters.
    type: dict
    default: {}
  status:
    description: Select servers in one of these statuses, such as V(ACTIVE) or V(SHUTOFF). All statuses by default.
    type: list
    elements: str
    default: []
  run:
    description:
      - Name of the run that the images belong to, 1 to 128 letters, digits, dots, underscores or hyphens.
      - The default is the current date in UTC, such as V(2026-01-31). All calls of one day are then one run, and make
        one image a server. Give a run to make more, or to finish yesterday's.
    type: str
  image_name:
    description:
      - Name of the images. V({server}) stands for the server's name, V({server_id}) for its id, V({run}) for O(run)
        and V({date}) for the time of the call in UTC, such as V(2026-01-31T120000Z).
      - Write V({{) and V(}}) for braces that are to stay, marked as C(!unsafe) so that Ansible leaves them alone.
    type: str
    default: "{server}-{run}"
  properties:
    description:
      - More properties for the images. Values are stored as text, V(true) and V(false) in small letters.
      - Names that start with C(onetoken_) are refused.
    type: dict
    default: {}
  wait:
    description:
      - Wait until the images are active and the volume snapshots available. One listing of the images (and one of
        the volume snapshots, where there are any) is asked for at each look, whatever the number of servers.
      - Without it, outcome V(done) only means that Nova accepted the request.
    type: bool
    default: true
  timeout:
    description: Seconds for the whole call, all servers together.
    type: int
    default: 1800
  ignore_failures:
    description:
      - Succeed although servers failed; they are in RV(results) and RV(counts). A playbook can then do its last steps,
        such as revoking the token, before it fails.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Nothing is made. What would be made has the outcome V(planned).
  diff_mode:
    support: none
    description: There is no state to compare.
notes:
  - A snapshot that is refused for lack of quota, or because the server is in error or busy, is tried again by the next
    call of the same run.
extends_documentation_fragment:
  - openstack.cloud.openstack
"""

EXAMPLES = r"""
- name: Snapshot every server of the project, once a day
  onetoken.openstack.os_server_snapshot:
    cloud: production

- name: Snapshot the running web servers, under a name of our own
  onetoken.openstack.os_server_snapshot:
    cloud: production
    name_pattern: "web-*"
    metadata:
      backup: daily
    status: [ACTIVE]
    run: before-upgrade-42
    image_name: "{run}-{server}"
    properties:
      owner_team: platform

- name: Snapshot two servers, without failing yet
  onetoken.openstack.os_server_snapshot:
    cloud: production
    servers: [database-01, 2f3d2c5e-54b4-4c4f-8b5d-6d3f7a6b1c11]
    timeout: 7200
    ignore_failures: true
  register: snapshots

- name: Say which servers failed
  ansible.builtin.debug:
    msg: "{{ item.name }}: {{ item.reason }}"
  loop: "{{ snapshots.results | selectattr('outcome', '==', 'failed') }}"
  loop_control:
    label: "{{ item.name }}"
"""

RETURN = r"""
run:
  description: The run that the images belong to.
  returned: when the servers could be listed
  type: str
  sample: "2026-01-31"
counts:
  description: How many servers had each outcome.
  returned: when the servers could be listed
  type: dict
  sample: {done: 11, already: 0, failed: 1, planned: 0}
  contains:
    done:
      description: Snapshotted by this call.
      returned: always
      type: int
      sample: 11
    already:
      description: The image of this run was there already.
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
      description: Always V(snapshot).
      returned: always
      type: str
      sample: snapshot
    outcome:
      description: V(done), V(already), V(failed), or V(planned) in check mode.
      returned: always
      type: str
      sample: done
    reason:
      description: Why it failed, or what could not be checked; empty when all is well.
      returned: always
      type: str
      sample: ""
    seconds:
      description: Seconds from the request until a look found all complete; 0 when nothing was asked for.
      returned: always
      type: float
      sample: 12.4
    image:
      description: The image.
      returned: always
      type: dict
      contains:
        id:
          description: Id of the image; empty when there is none.
          returned: always
          type: str
          sample: 0f1e6a52-6b0c-4d53-a3c5-8f6e3c9b7a10
        name:
          description: Name that the image has or would have; empty when the server is not known.
          returned: always
          type: str
          sample: web-01-2026-01-31
        status:
          description: Status of the image when it was last seen; empty when it was not.
          returned: always
          type: str
          sample: active
        size:
          description: Size in bytes; null until it is known.
          returned: always
          type: int
          sample: 2361393152
    volume_snapshots:
      description: The volume snapshots behind the image of a server that was booted from a volume.
      returned: always
      type: list
      elements: dict
      contains:
        id:
          description: Id of the volume snapshot.
          returned: always
          type: str
          sample: 6f2a9c0e-6a0c-49f5-9a43-0d7b1c1c0f57
        status:
          description: Status when it was last seen; empty when it was not.
          returned: always
          type: str
          sample: available
        size:
          description: Size in GiB; null when it is not known.
          returned: always
          type: int
          sample: 20
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.connection import connect
from ..module_utils.module_frame import run_module
from ..module_utils.server_selection import Criteria
from ..module_utils.server_snapshot import RunFailedError, SnapshotOptions, run_of_today, snapshot_servers


def snapshot(module: AnsibleModule) -> dict:
    params = module.params
    options = SnapshotOptions(
        run=params["run"] or run_of_today(),
        image_name=params["image_name"],
        properties=params["properties"],
        wait=params["wait"],
        timeout=params["timeout"],
    )
    criteria = Criteria(params["servers"], params["name_pattern"], params["metadata"], params["status"])
    report = snapshot_servers(connect(module), criteria, options, module.check_mode)
    if not report.items:
        module.warn("No server is selected: nothing was snapshotted.")
    if report.failed and not params["ignore_failures"]:
        raise RunFailedError(report)
    return report.answer()


def main() -> None:
    run_module(
        snapshot,
        options={
            "servers": {"type": "list", "elements": "str", "default": []},
            "name_pattern": {"type": "str"},
            "metadata": {"type": "dict", "default": {}},
            "status": {"type": "list", "elements": "str", "default": []},
            "run": {"type": "str"},
            "image_name": {"type": "str", "default": "{server}-{run}"},
            "properties": {"type": "dict", "default": {}},
            "timeout": {"type": "int", "default": 1800},
            "ignore_failures": {"type": "bool", "default": False},
        },
    )


if __name__ == "__main__":
    main()
