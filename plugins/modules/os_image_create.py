#!/usr/bin/python
# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: os_image_create
short_description: Create many images in one call, from files, URLs or volumes
version_added: "0.1.0"
author: onetoken.openstack contributors (@onetoken)
description:
  - Creates images from files that it uploads, URLs that the cloud downloads, or volumes, all in one process, with one
    connection and one token, as fast as the cloud allows.
  - Each image carries the properties C(onetoken_run) and C(onetoken_name), and C(onetoken_source) or
    C(onetoken_volume_id) and C(onetoken_volume_name). An image that the same run has already created is not created
    again, so repeating a run that stopped halfway finishes it.
  - An image that cannot be created is reported with the cloud's reason and does not stop the others. It leaves nothing
    behind in the cloud.
options:
  images:
    description:
      - The images to create from files and URLs, each under a different name.
      - An image of the same run, name and source is not created again, even if the file has changed since. Set another
        O(run) for that.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the image.
        type: str
        required: true
      file:
        description:
          - Path of a file on the host that runs the module. It is uploaded in pieces and never held in memory.
          - An upload that an earlier call did not finish is deleted and started again from the beginning. So do not run
            two calls of one run at the same time.
        type: path
      url:
        description:
          - URL that the cloud downloads the image from, with Glance's import method C(web-download), which the cloud
            must offer.
          - A user name, password or query in the URL may be secret. Only Glance gets them, and keeps them in its own
            records of the import; results, properties and reports contain only the scheme, host and path. The path is
            not secret.
          - A download continues in the cloud when the run is stopped. The next call of the run polls it.
        type: str
      disk_format:
        description:
          - Disk format of the file, such as V(qcow2).
          - The default is the extension of the file's name, if that is C(qcow2), C(raw), C(vmdk), C(vdi), C(vhd),
            C(vhdx) or C(iso). For any other, such as C(.img), this option is required.
        type: str
      container_format:
        description: Container format of the file, such as V(ova).
        type: str
        default: bare
      min_disk:
        description: Size of the smallest disk that can hold the image, in GiB.
        type: int
        default: 0
      min_ram:
        description: Memory that a server needs for the image, in MiB.
        type: int
        default: 0
      visibility:
        description: Who may use the image. Many clouds let only administrators make images V(public).
        type: str
        choices: [private, shared, community, public]
        default: private
      protected:
        description: Whether the image is protected from deletion.
        type: bool
        default: false
      tags:
        description: Tags of the image.
        type: list
        elements: str
        default: []
      properties:
        description: Properties of this image only. They are added to O(properties) and override them.
        type: dict
        default: {}
      checksum:
        description:
          - Expected checksum of the content, as V(sha512:) and the hexadecimal digits. It is compared with the checksum
            that Glance computes, which is SHA-512 unless the cloud's operator chose another.
          - An image with another checksum is deleted, and the item fails.
        type: str
  from_volumes:
    description:
      - Create an image of each selected volume instead. Mutually exclusive with O(images). The options that select
        volumes require it.
      - Cinder creates an image under a provisional name, C(onetoken RUN VOLUME_ID). The image gets its final name and
        its properties when it is active, as Glance would lose them earlier.
    type: bool
    default: false
  image_name:
    description:
      - Name of the images of volumes. V({volume}) stands for the volume's name, V({volume_id}) for its id, V({run}) for
        O(run) and V({date}) for the time of the call in UTC, such as V(2026-01-31T120000Z).
      - For literal braces, write V({{) and V(}}) and mark the value as C(!unsafe), so that Ansible leaves them alone.
    type: str
    default: "{volume}-{run}"
  disk_format:
    description: Disk format that Cinder converts the volumes to, such as V(qcow2).
    type: str
    default: raw
  force:
    description:
      - Also create images of attached volumes, where the cloud allows it. Such an image may or may not contain what a
        server writes in the meantime.
    type: bool
    default: false
  run:
    description:
      - Name of the run that the images belong to, 1 to 128 letters, digits, dots, underscores or hyphens.
      - The default is the current date in UTC, such as V(2026-01-31). All calls on one day then belong to one run,
        which creates each image once. Set a name to create more, or to finish yesterday's run.
    type: str
  properties:
    description:
      - More properties for all of the images. Values are stored as text, V(true) and V(false) in lowercase.
      - Names that start with C(onetoken_) are rejected.
    type: dict
    default: {}
  wait:
    description:
      - Wait until the images are active. Each poll is one list request for the images, whatever their number.
      - Otherwise, an image has the outcome V(accepted) once its file is uploaded or Glance has accepted the request,
        and checksums are not compared. An image of a volume is V(incomplete), as it keeps its provisional name until a
        call of the same run waits for it; the task does not fail because of that.
    type: bool
    default: true
  queued_timeout:
    description:
      - An import or an image of a volume that is still V(queued) this many seconds after it was created counts as stuck
        and is deleted. If an earlier call made it, a new one replaces it.
    type: int
    default: 3600
notes:
  - An upload that is not finished three seconds after O(timeout) is cut off. The next call of the run starts it again.
  - Parallel uploads share the network's bandwidth. Set O(concurrency) to upload fewer than 32 files at a time.
extends_documentation_fragment:
  - onetoken.openstack.selection
  - onetoken.openstack.selection.volumes
  - onetoken.openstack.bulk
  - onetoken.openstack.connection
"""

EXAMPLES = r"""
- name: Upload the images of a build, four at a time
  onetoken.openstack.os_image_create:
    cloud: mycloud
    run: build-1042
    concurrency: 4
    images:
      - name: web-1042
        file: build/web.qcow2
        min_disk: 10
        properties:
          hw_disk_bus: scsi
      - name: database-1042
        file: build/database.img
        disk_format: raw
        protected: true

- name: Have the cloud download Debian from a mirror, and verify its checksum
  onetoken.openstack.os_image_create:
    cloud: mycloud
    images:
      - name: debian-13
        url: https://mirror.example.org/debian-13-generic-amd64.qcow2
        checksum: "sha512:{{ debian_sha512 }}"

- name: Create images of the detached data volumes
  onetoken.openstack.os_image_create:
    cloud: mycloud
    from_volumes: true
    name_pattern: "data-*"
    status: [available]
    disk_format: qcow2
"""

# Generated by `make returns` from tests/tools/returns/os_image_create.yml and bulk.yml: edit those.
RETURN = r"""
run:
  description: The run that the images belong to.
  returned: when the images could be listed
  type: str
  sample: "2026-01-31"
counts:
  description: How many images had each outcome.
  returned: when the images could be listed
  type: dict
  sample: {done: 11, already: 0, accepted: 0, incomplete: 0, blocked: 0, skipped: 0, failed: 1, planned: 0}
  contains:
    done:
      description: Created by this call.
      returned: always
      type: int
      sample: 11
    already:
      description: Already created by this run.
      returned: always
      type: int
      sample: 0
    accepted:
      description: Accepted by Glance, without O(wait).
      returned: always
      type: int
      sample: 0
    incomplete:
      description: Created from a volume, but not renamed before the call ended.
      returned: always
      type: int
      sample: 0
    blocked:
      description: Always 0, as no image waits for another.
      returned: always
      type: int
      sample: 0
    skipped:
      description: Not started, because the run stopped first.
      returned: always
      type: int
      sample: 0
    failed:
      description: Not created, not completely, or not in time.
      returned: always
      type: int
      sample: 1
    planned:
      description: Would be created, in check mode.
      returned: always
      type: int
      sample: 0
results:
  description: The images or the selected volumes, sorted by name.
  returned: when the images could be listed
  type: list
  elements: dict
  contains:
    id:
      description: Id of the volume; empty for O(images), or if a name in O(volumes) does not exist or is ambiguous.
      returned: always
      type: str
      sample: ""
    name:
      description: Name of the image or of the volume.
      returned: always
      type: str
      sample: debian-13
    action:
      description: Always V(upload).
      returned: always
      type: str
      sample: upload
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
        - V(unsuitable_status) - Planned, but the service may refuse it, as the resource is in the wrong status.
        - V(file_unusable) - The file of the image cannot be read, was changed while it was sent, or was not sent to its
          end.
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
        - V(import_failed) - The content of the image did not arrive.
        - V(checksum_mismatch) - The image does not have the checksum that was given.
        - V(not_labelled) - Done, but the name or labels by which a later call knows it could not be written.
        - V(timeout) - The O(timeout) seconds of the call were over.
        - V(interrupted) - The playbook run was interrupted.
        - V(max_failures) - More items failed than O(max_failures) allows.
        - V(not_awaited) - It takes another step, which the call did not wait for.
      returned: always
      type: str
      sample: ""
    reason:
      description: The reason as text, whose words may change; empty if there is none.
      returned: always
      type: str
      sample: ""
    seconds:
      description: Seconds from the request until a poll found it complete; 0 if nothing was requested.
      returned: always
      type: float
      sample: 12.4
    created:
      description: The image; empty if there is none, as an image without its content is deleted.
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
          description: Its id; empty if it has none.
          returned: always
          type: str
          sample: 0f1e6a52-6b0c-4d53-a3c5-8f6e3c9b7a10
        name:
          description: Its name, or the name that it would have; empty if unknown.
          returned: always
          type: str
          sample: debian-13
        status:
          description: Its last known status; empty if unknown.
          returned: always
          type: str
          sample: active
        size:
          description: Its size in bytes; null until it is known.
          returned: always
          type: int
          sample: 2361393152
plan:
  description: What the run would cost.
  returned: in check mode
  type: dict
  contains:
    text:
      description: The plan in a few sentences.
      returned: always
      type: str
      sample: "Nothing was done: 12 of 12 images would be uploaded. About 27 requests (27 to image), 1 s to submit all
        of it."
    requests:
      description: Requests by service.
      returned: always
      type: dict
      sample: {image: 27}
    seconds:
      description: Seconds to send the requests at the given rate, without the time that the cloud needs to finish.
      returned: always
      type: float
      sample: 1.2
    quotas:
      description: The quotas that the run counts against, as far as the cloud reports them.
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
          description: The project's limit; -1 for none.
          returned: always
          type: int
          sample: 1000
        used:
          description: How much of it the project uses.
          returned: always
          type: int
          sample: 990
        needed:
          description: How much the run would add.
          returned: always
          type: int
          sample: 12
        suffices:
          description: Whether the run stays within the limit.
          returned: always
          type: bool
          sample: false
requests:
  description: How many requests this call sent to each service, including those that the cloud refused.
  returned: when the images could be listed
  type: dict
  sample: {image: 27}
report:
  description: Paths of the report's files by extension; empty without O(report).
  returned: when the images could be listed
  type: dict
  sample: {json: /var/reports/images.json, csv: /var/reports/images.csv, html: /var/reports/images.html}
# The same in all bulk modules:
summary:
  description: The run in a few lines, for people. Their words may change.
  returned: when the images could be listed
  type: dict
  contains:
    result:
      description: What was done, in a sentence; in check mode, what would be done.
      returned: always
      type: str
      sample: "Run nightly: 11 of 12 images done, 1 failed, in 41 s."
    details:
      description: A line for each outcome and reason, with the names of the images, and one for the requests.
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
  returned: when the images could be listed
  type: int
  sample: 1
seconds:
  description: Seconds that the call took.
  returned: when the images could be listed
  type: float
  sample: 14.2
throttled_seconds:
  description: Seconds for which the cloud's rate limit kept the call from sending requests.
  returned: when the images could be listed
  type: float
  sample: 0.0
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._bulk.actions.image_create.from_sources import ImageFromSource
from ..module_utils._bulk.actions.image_create.from_volumes import ImageFromVolume
from ..module_utils._bulk.actions.image_create.sources import image_sources
from ..module_utils._bulk.module import SELECTION_OPTIONS, VOLUME_OPTIONS, NewAction, run_bulk_module
from ..module_utils._bulk.resources.labels import Labels, check_run, run_of_today
from ..module_utils._bulk.resources.selection import Criteria
from ..module_utils._session.util.errors import ConfigurationError

IMAGE_OPTIONS = {
    "name": {"type": "str", "required": True},
    "file": {"type": "path"},
    # It may have a password in it.
    "url": {"type": "str", "no_log": True},
    "disk_format": {"type": "str"},
    "container_format": {"type": "str", "default": "bare"},
    "min_disk": {"type": "int", "default": 0},
    "min_ram": {"type": "int", "default": 0},
    "visibility": {"type": "str", "choices": ["private", "shared", "community", "public"], "default": "private"},
    "protected": {"type": "bool", "default": False},
    "tags": {"type": "list", "elements": "str", "default": []},
    "properties": {"type": "dict", "default": {}},
    "checksum": {"type": "str"},
}


def prepare(module: AnsibleModule) -> NewAction:
    params = module.params
    run = params["run"] = check_run(params["run"] or run_of_today())
    check_kind(params)
    if params["from_volumes"]:
        labels = Labels(run, "volume", params["image_name"], "image_name", params["properties"])
        criteria = Criteria.of(params, "volumes")
        return lambda client: ImageFromVolume(
            client, criteria, labels, params["queued_timeout"], params["disk_format"], params["force"]
        )
    sources = image_sources(params["images"], params["properties"])
    for image, source in zip(params["images"], sources, strict=True):
        if image["url"]:
            # The options are returned with the answer.
            image["url"] = source.source
    return lambda client: ImageFromSource(client, sources, run, params["queued_timeout"])


def check_kind(params: dict) -> None:
    """Refuse what would select volumes, or name images, for nothing."""
    if (params["images"] is not None) == params["from_volumes"]:
        raise ConfigurationError("Either images or from_volumes must be given, and not both.")
    selecting = [name for name in ("volumes", *SELECTION_OPTIONS) if params[name] not in (None, [], {})]
    if selecting and not params["from_volumes"]:
        raise ConfigurationError(f"{', '.join(selecting)} selects volumes, which needs from_volumes.")


def main() -> None:
    run_bulk_module(
        prepare,
        options={
            **VOLUME_OPTIONS,
            "images": {
                "type": "list",
                "elements": "dict",
                "options": IMAGE_OPTIONS,
                "mutually_exclusive": [["file", "url"]],
                "required_one_of": [["file", "url"]],
            },
            "from_volumes": {"type": "bool", "default": False},
            "image_name": {"type": "str", "default": "{volume}-{run}"},
            "disk_format": {"type": "str", "default": "raw"},
            "force": {"type": "bool", "default": False},
            "run": {"type": "str"},
            "properties": {"type": "dict", "default": {}},
            "queued_timeout": {"type": "int", "default": 3600},
        },
    )


if __name__ == "__main__":
    main()
