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
      - Select those with a name that matches this shell wildcard, such as V(web-*). Case matters.
      - V(**) matches every name, and so selects all of the project.
    type: str
  metadata:
    description:
      - Select those that have all of these metadata. Values are compared as text, V(true) and V(false) in small
        letters.
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
    description: Select those that were made at least so many seconds ago.
    type: int
  newer_than:
    description: Select those that were made at most so many seconds ago.
    type: int
"""

    SERVERS = r"""
options:
  servers:
    description:
      - Names or ids of the servers, taken literally.
      - A name that no server has, or that several of the selected servers share, is reported as a failed item.
      - O(servers) and the other criteria narrow each other. At least one of them is needed; O(name_pattern=**) selects
        every server of the project.
      - An empty list selects nothing.
    type: list
    elements: str
  tags:
    description: Select servers that have all of these tags.
    type: list
    elements: str
    default: []
"""

    VOLUMES = r"""
options:
  volumes:
    description:
      - Names or ids of the volumes, taken literally.
      - A name that no volume has, or that several of the selected volumes share, is reported as a failed item.
      - O(volumes) and the other criteria narrow each other. At least one of them is needed; O(name_pattern=**) selects
        every volume of the project.
      - An empty list selects nothing.
    type: list
    elements: str
"""
