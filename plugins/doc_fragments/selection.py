# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options by which modules select servers and volumes."""

    DOCUMENTATION = r"""
options:
  name_pattern:
    description:
      - Select those whose name matches this shell wildcard, such as V(web-*). Case matters.
      - V(**) matches every name, and so selects all of the project.
    type: str
  metadata:
    description:
      - Select those with all of this metadata. Values are compared as text, V(true) and V(false) in lowercase.
    type: dict
    default: {}
  status:
    description: Select those in one of these statuses, such as V(ACTIVE). All statuses by default.
    type: list
    elements: str
    default: []
  availability_zone:
    description: Select those in one of these availability zones. All zones by default.
    type: list
    elements: str
    default: []
  older_than:
    description: Select those that were created at least this many seconds ago.
    type: int
  newer_than:
    description: Select those that were created at most this many seconds ago.
    type: int
"""

    SERVERS = r"""
options:
  servers:
    description:
      - Names or ids of the servers, taken literally.
      - A name that no server has, or that several of the selected servers share, counts as a failed item.
      - Servers must match O(servers) and all other criteria. At least one criterion is required; O(name_pattern=**)
        selects every server of the project.
      - An empty list selects nothing.
    type: list
    elements: str
  tags:
    description: Select servers with all of these tags.
    type: list
    elements: str
    default: []
"""

    VOLUMES = r"""
options:
  volumes:
    description:
      - Names or ids of the volumes, taken literally.
      - A name that no volume has, or that several of the selected volumes share, counts as a failed item.
      - Volumes must match O(volumes) and all other criteria. At least one criterion is required; O(name_pattern=**)
        selects every volume of the project.
      - An empty list selects nothing.
    type: list
    elements: str
"""
