# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows the progress of a bulk module. meta/runtime.yml leads all of these modules here."""

from __future__ import annotations

from ..plugin_utils.progress_action import ProgressAction


class ActionModule(ProgressAction):
    """The action of every bulk module."""
