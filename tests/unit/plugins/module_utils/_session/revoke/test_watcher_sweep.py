# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A watcher sweeps the sessions of earlier runs."""

from __future__ import annotations

import os
import shutil
import signal

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import owners, site_code
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import Session
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.processes import (
    ended_run,
    kill,
    wait_until,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.revoke.watching import (
    is_on_watch,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.superuser import needs_root
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import IDENTITY

pytestmark = pytest.mark.processes


def test_a_run_that_needs_no_token_revokes_the_tokens_of_earlier_ones(issued, own, run, watch, keystone):
    """Its own session is gone before the process that sweeps has started."""
    owners.add(issued, ended_run())
    watcher, _name = watch(own, run)

    assert watcher.end(drain_timeout=0, revoke_timeout=30)["tokens_issued"] == 0

    wait_until(lambda: issued.names() == [])
    assert keystone.alive == {}
    assert not os.path.lexists(own.path)


def test_a_session_that_cannot_be_used_does_not_protect_the_other_orphans(issued, own, run, watch, keystone, tmp_path):
    shutil.copytree(issued.path, tmp_path / "broken")
    broken = Session(str(tmp_path / "broken"))
    (tmp_path / "broken" / "site").write_text("no directory")
    for orphan in (issued, broken):
        owners.add(orphan, ended_run())
    watch(own, run)

    wait_until(lambda: issued.names() == broken.names() == [])


def test_a_run_that_was_killed_with_a_stopped_watcher_leaves_an_orphan(issued, own, run, python, watch, keystone):
    stopped, name = watch(issued, run)
    wait_until(lambda: is_on_watch(issued, name))
    stopped.process.send_signal(signal.SIGSTOP)
    kill(run)
    another_run = python("import sys; print('ready', flush=True); sys.stdin.read()")
    watch(own, another_run)

    wait_until(lambda: issued.names() == [])
    assert keystone.alive == {}


def test_it_revokes_the_tokens_of_earlier_runs(issued, own, run, watch, keystone):
    """The session of the fixture is the one that was left behind; another one is watched."""
    orphan = issued
    owners.add(orphan, ended_run())
    watch(own, run)

    wait_until(lambda: orphan.names() == [])
    assert keystone.alive == {}
    assert not own.closed


@needs_root
def test_the_superuser_runs_no_code_that_another_user_left_behind(issued, own, run, watch, keystone, tmp_path):
    """In a directory of everybody's, each user can put down what looks like the session of a run that ended."""
    trap = Session(str(tmp_path / "a-trap"))
    shutil.copytree(issued.path, trap.path)
    sprung = tmp_path / "sprung"
    site_code.write(trap, {"contextlib.py": f"open({str(sprung)!r}, 'w').close()"})
    for orphan in (trap, issued):
        owners.add(orphan, ended_run())
    for folder, _folders, files in os.walk(trap.path):
        for path in (folder, *(os.path.join(folder, name) for name in files)):
            os.chown(path, 65534, -1)
    tmp_path.chmod(0o1777)
    watch(own, run)

    wait_until(lambda: issued.names() == [])
    assert not sprung.exists()
    assert trap.names() == [IDENTITY]
