# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Snapshots of servers in a cloud without a network."""

from __future__ import annotations

from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.actions.server_snapshot import ServerSnapshot
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.labels import Labels
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.selection import Criteria
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.servers import Server


def new_snapshot(run="r1", volume_backed="image", queued_timeout=3600, **criteria):
    marks = Labels(run, "server", "{server}-{run}", "image_name")
    return lambda requests: ServerSnapshot(requests, Criteria(**criteria), marks, queued_timeout, volume_backed)


def marked(body, run="r1"):
    """The createImage of a run for this server."""
    marks = Labels(run, "server", "{server}-{run}", "image_name")
    server = Server.from_body(body)
    return {"name": marks.name_of(server), "metadata": marks.for_resource(server)}
