# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's loader finds an action by the name of its file: it finds this one before Ansible's own."""

from ansible_collections.onetoken.openstack.plugins.plugin_utils.ansible_internals import ActionModule

__all__ = ["ActionModule"]
