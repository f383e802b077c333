# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's version, as Keystone's log shows it in the user agent."""

from __future__ import annotations

APPLICATION = "onetoken.openstack"
VERSION = "0.1.0"
