# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.revoke.watcher_client import Watcher
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import owners, site_code
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.owners import Owner
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.renewal import RenewalPolicy
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import (
    Session,
    SessionRecord,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session_setup import site
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.processes import (
    clear_away,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import (
    sign_in,
)


@pytest.fixture
def second(issued, keystone):
    """The token of another identity in the same session, which comes after the first one."""
    return sign_in(issued, keystone, "fedcba9876543210")


@pytest.fixture
def watch(no_cloud):
    """Have a session watched for a process: the watcher, and the run's name in the session."""
    started = []

    def start(session: Session, run: subprocess.Popen, **environ: str) -> tuple[Watcher, str]:
        site_code.write(session, site.files())
        owner = Owner.of_process(run.pid)
        assert owner is not None
        name = owners.add(session, owner)
        watcher = Watcher(session, name, {**os.environ, **environ})
        started.append(watcher.process)
        return watcher, name

    yield start
    for process in started:
        clear_away(process)


@pytest.fixture
def own(tmp_path):
    """The session of another run, beside the one that was issued."""
    session = Session(str(tmp_path / "own"))
    session.make()
    session.write_record(SessionRecord(RenewalPolicy()))
    return session
