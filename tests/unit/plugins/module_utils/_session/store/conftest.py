# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.sign_in import handle
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import (
    documents,
    owners,
    refusals,
    site_code,
    staleness,
    usage,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.owners import Owner
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import (
    AUTHENTICATIONS,
    PACKAGE,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.tokens import StoredTokens
from ansible_collections.onetoken.openstack.plugins.module_utils._session_setup import site
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.store.session_files import (
    record,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import (
    IDENTITY,
    make_token,
)


@pytest.fixture
def made(session):
    """A session's directory, without a record."""
    session.make()
    return session


@pytest.fixture
def full(made):
    """A session that has all the files that a session can have."""
    made.write_record(record())
    made.write_clouds("clouds: {}")
    site_code.write(made, site.files())
    made.write_tokens(IDENTITY, StoredTokens(make_token()))
    os.close(made.lock_for(IDENTITY))
    owners.add(made, Owner(1, "start", "boot", "namespace"))
    handle.grant(made, IDENTITY, None)
    documents.write(made, "document.json", documents.Document(200, {}, "{}", "http://k", 0.0, ""))
    refusals.write(made, IDENTITY, refusals.Refusal(401, {}, "{}", "http://k", 0.0, ""))
    staleness.mark(made, ["u1"])
    made.count(AUTHENTICATIONS)
    made.report_problem("broken")
    made.close()
    usage.is_idle(made)
    usage.is_finished(made)
    with made.locked():
        pass
    pycache = os.path.join(made.site, PACKAGE, "store", "__pycache__")
    with open(os.path.join(pycache, "token.cpython-311.pyc"), "w", encoding="utf-8"):
        pass
    return made
