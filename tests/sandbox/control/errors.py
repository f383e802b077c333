# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The error with which sandbox commands fail."""

from __future__ import annotations


class SandboxError(Exception):
    """One sentence for the user: what failed, why, what to do, where the log is."""
