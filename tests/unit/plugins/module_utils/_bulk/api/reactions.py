# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests of a bulk run over a socket."""

from __future__ import annotations

MOMENT = 1_800_000_000


def in_turn(*reactions):
    """These one after the other, then the usual."""
    return lambda exchange: reactions[exchange.number] if exchange.number < len(reactions) else None
