# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import Session


def files_of(session: Session) -> set[str]:
    """The files of a session, by their path in it."""
    return {
        os.path.relpath(os.path.join(folder, name), session.path)
        for folder, _folders, names in os.walk(session.path)
        for name in names
    }
