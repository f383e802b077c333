# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a session that tests make, and their record."""

from __future__ import annotations

import os

from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.renewal import RenewalPolicy
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import (
    LivingToken,
    Session,
    SessionRecord,
)


def files_of(session: Session) -> set[str]:
    """The files of a session, by their path in it."""
    return {
        os.path.relpath(os.path.join(folder, name), session.path)
        for folder, _folders, names in os.walk(session.path)
        for name in names
    }


def record() -> SessionRecord:
    """A session's record with a value in each part."""
    return SessionRecord(RenewalPolicy("50%", 60), True, [LivingToken("2026-01-31T14:05:00Z", "because")])
