# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels in the description of a backup, where Cinder keeps no metadata of backups (before microversion 3.43).

onetoken_run=2026-01-31 onetoken_volume_id=0f1e6a52-6b0c-4d53-a3c5-8f6e3c9b7a10 onetoken_volume_name=data 01
"""

from __future__ import annotations

import re
import typing as t

from .labels import RUN, VOLUME_ID, VOLUME_NAME

#: What Cinder takes for a description.
LONGEST = 255
_FORM = re.compile(
    rf"{RUN}=(?P<{RUN}>\S+) {VOLUME_ID}=(?P<{VOLUME_ID}>\S+)(?: {VOLUME_NAME}=(?P<{VOLUME_NAME}>.*))?", re.DOTALL
)


def describe(labels: t.Mapping[str, str]) -> str:
    """A description with these labels; the volume's name only where there is room for it."""
    text = f"{RUN}={labels[RUN]} {VOLUME_ID}={labels[VOLUME_ID]}"
    with_name = f"{text} {VOLUME_NAME}={labels[VOLUME_NAME]}"
    return with_name if len(with_name) <= LONGEST else text


def described(description: str) -> dict[str, str]:
    """The labels in a description; none where somebody else wrote it."""
    found = _FORM.fullmatch(description)
    return {name: value for name, value in found.groupdict().items() if value is not None} if found else {}
