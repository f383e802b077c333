# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: one_token
short_description: Begin the session of a run before its inventories are read
version_added: "0.1.0"
author: onetoken.openstack contributors (@onetoken)
description:
  - Callbacks start after the inventories have been read, so inventories such as C(openstack.cloud.openstack) sign in by
    themselves. Listed before them, this inventory begins the run's session, and one token serves inventories and tasks.
  - It adds no host.
  - The callback P(onetoken.openstack.one_token#callback) takes over the session and ends it. Without the callback, as
    in C(ansible-inventory), the session ends with the process.
options:
  plugin:
    description: Names this plugin.
    type: str
    required: true
    choices: [onetoken.openstack.one_token]
extends_documentation_fragment:
  - onetoken.openstack.playbook_run
"""

EXAMPLES = r"""
# 0_one_token.yml: beside openstack.yml in the directory of inventories, which Ansible reads by name
plugin: onetoken.openstack.one_token
"""

import typing as t

from ansible.plugins.inventory import BaseInventoryPlugin

from ..module_utils._session.util.errors import OneTokenError
from ..plugin_utils.run import begin_or_join, settings_of


class InventoryModule(BaseInventoryPlugin):
    NAME = "onetoken.openstack.one_token"

    def verify_file(self, path: str) -> bool:
        return super().verify_file(path) and path.endswith((".yml", ".yaml"))

    def parse(self, inventory: t.Any, loader: t.Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        try:
            begin_or_join(settings_of(self.get_option))
        except (OneTokenError, OSError) as exc:
            self.display.warning(f"one_token: the run has no session, and its inventories sign in by themselves: {exc}")
