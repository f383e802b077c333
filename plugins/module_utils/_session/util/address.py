# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses as they may be stored and shown."""

from __future__ import annotations

import re

_USER_INFO = re.compile(r"(?<=://)[^/?#\s]*@")


def public(text: str) -> str:
    """An address, or a text that quotes some, without the user and the password that may stand in front of a host."""
    return _USER_INFO.sub("", text)
