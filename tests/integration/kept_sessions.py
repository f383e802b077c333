# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Named sessions, which outlive the run that issued them."""

from __future__ import annotations

import pathlib

from ansible_collections.onetoken.openstack.plugins.module_utils._session.revoke import revocation
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import Session
from ansible_collections.onetoken.openstack.plugins.module_utils._session_setup import environment, issued


def variables_of(path: pathlib.Path) -> dict[str, str]:
    """The environment that os_token_issue returned, for a session with one cloud."""
    session = Session(str(path))
    (one,) = issued.read(session)
    return environment.of_issued(session, {}, one.cloud, one.is_plain, one.region_name)


def end(path: pathlib.Path) -> None:
    """Revoke the tokens of a session, after a test that is not about revoking."""
    assert revocation.revoke(Session(str(path)), timeout=10).living == []
