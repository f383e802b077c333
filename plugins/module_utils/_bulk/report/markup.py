# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the report's page writes texts and numbers."""

from __future__ import annotations

import html

#: Pictures of characters that a browser would not show, and a mark for those that turn the text around them.
_VISIBLE = {code: 0x2400 + code for code in range(32)} | {127: 0x2421}
_VISIBLE |= dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), 0xFFFD)


def text(value: str) -> str:
    return html.escape(value.translate(_VISIBLE))


def number(value: float) -> str:
    return f"{value:,}"
