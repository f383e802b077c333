# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nova's fake hypervisor, extended to remember its servers and to upload snapshots."""

from __future__ import annotations

import io
import os
import time

import nova.conf
import nova.context
from nova import objects
from nova.compute import manager, power_state, task_states, vm_states
from nova.image import glance
from nova.scheduler.client import report
from nova.virt import fake, node
from rate_limits import Limits

SNAPSHOT_BYTES = 16 * 1024


class SandboxDriver(fake.FakeDriver):
    """FakeDriver keeps its servers in memory, and its snapshot leaves the image `queued` for ever."""

    limits: Limits  # for snapshot_seconds and spawn_seconds

    def init_host(self, host):
        """Restore this host's servers from the database, as if the hypervisor had never stopped."""
        super().init_host(host)
        servers = objects.InstanceList.get_by_host(nova.context.get_admin_context(), host, expected_attrs=["flavor"])
        for server in servers:
            off = server.vm_state in (vm_states.STOPPED, vm_states.SHELVED)
            state = power_state.SHUTDOWN if off else power_state.RUNNING
            self.instances[server.uuid] = fake.FakeInstance(server.name, state, server.uuid)
            self.resources.claim(vcpus=server.flavor.vcpus, mem=server.flavor.memory_mb, disk=server.flavor.root_gb)

    def get_nodenames_by_uuid(self, refresh=False):
        """By Nova's compute_id file, as FakeDriver's node id changes with each start."""
        return {node.get_local_node_uuid(): self._host}

    def get_available_resource(self, nodename):
        return {**super().get_available_resource(nodename), "uuid": node.get_local_node_uuid()}

    def spawn(self, *arguments, **options):
        time.sleep(self.limits.seconds("spawn_seconds"))
        super().spawn(*arguments, **options)

    def snapshot(self, context, instance, image_id, update_task_state):
        """Upload random bytes as the image, through the same states as libvirt's driver."""
        images = glance.API()
        image = images.get(context, image_id)
        update_task_state(task_state=task_states.IMAGE_PENDING_UPLOAD)
        time.sleep(self.limits.seconds("snapshot_seconds"))
        update_task_state(task_state=task_states.IMAGE_UPLOADING, expected_state=task_states.IMAGE_PENDING_UPLOAD)
        metadata = {
            "name": image["name"],
            "status": "active",
            "disk_format": "raw",
            "container_format": "bare",
            "properties": {"image_location": "snapshot", "image_state": "available"},
        }
        images.update(context, image_id, metadata, io.BytesIO(os.urandom(SNAPSHOT_BYTES)), purge_props=False)


def install(limits: Limits) -> None:
    """Put the driver below nova.virt, where Nova looks up compute_driver."""
    SandboxDriver.limits = limits
    fake.SandboxDriver = SandboxDriver
    # At each change of a server, Nova sends a request for each server on the host, for drivers that reshape their
    # resources. Real hosts have a few dozen servers; this one has all of them.
    report.SchedulerReportClient.get_allocations_for_provider_tree = lambda *arguments: {}
    shelve = manager.ComputeManager._shelve_instance

    def shelve_with_offload_time(*arguments, **options):
        nova.conf.CONF.set_override("shelved_offload_time", limits.seconds("shelved_seconds"))
        shelve(*arguments, **options)

    manager.ComputeManager._shelve_instance = shelve_with_offload_time
