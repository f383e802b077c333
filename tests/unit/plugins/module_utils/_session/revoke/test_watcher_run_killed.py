# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watcher of a run that ends without a report."""

from __future__ import annotations

import os
import resource
import signal
import subprocess

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.revoke.watcher_client import Watcher
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import key, owners, site_code
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.owners import Owner
from ansible_collections.onetoken.openstack.plugins.module_utils._session_setup import site
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.processes import (
    kill,
    wait_until,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.revoke.watching import (
    is_on_watch,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import Answer

pytestmark = pytest.mark.processes


class TestNoEndReported:
    def test_the_end_of_the_run_revokes_its_token(self, issued, run, use, watch, keystone):
        """At once, though a task still works on the session: nobody waits for what it does."""
        use(issued)
        watch(issued, run)
        kill(run)

        wait_until(lambda: keystone.alive == {})
        wait_until(lambda: owners.known(issued) == {})
        assert issued.closed

    def test_a_run_that_ended_before_it_was_watched_is_noticed(self, issued, python, watch, keystone):
        ended = python("print('ready', flush=True)")
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        site_code.write(issued, site.files())
        alive = Owner.of_process(os.getpid())
        name = owners.add(issued, Owner(ended.pid, "1", alive.boot, alive.namespace))
        watcher = Watcher(issued, name, os.environ)

        wait_until(lambda: keystone.alive == {})
        assert watcher.process.wait(30) == 0

    def test_a_session_that_never_had_a_token_stays_closed_for_tasks_that_the_run_left_behind(
        self, empty, run, watch, keystone
    ):
        """A task of it that starts now must not find nothing, and use the password."""
        empty.key()
        watch(empty, run)
        kill(run)

        wait_until(lambda: owners.known(empty) == {})
        assert empty.closed
        assert keystone.requests == []
        # What is left is to name no identity, and nothing is to be left in memory.
        assert not any(map(os.path.exists, key.paths(empty.path)))

    def test_the_process_that_started_it_may_end_if_it_is_not_the_run(self, issued, run, watch, keystone):
        watcher, name = watch(issued, run)
        wait_until(lambda: is_on_watch(issued, name))
        watcher.process.stdin.close()
        with pytest.raises(subprocess.TimeoutExpired):
            watcher.process.wait(0.5)
        assert keystone.revoked == []

        kill(run)
        wait_until(lambda: keystone.alive == {})

    def test_a_keystone_that_is_out_of_service_at_first_is_asked_again(self, issued, run, watch, keystone):
        keystone.answers["DELETE"] = [Answer(503)]
        watch(issued, run)
        kill(run)

        wait_until(lambda: keystone.alive == {})
        assert len(keystone.asked("DELETE")) == 2

    def test_no_signal_ends_it_before_its_work_is_done(self, issued, run, watch, keystone):
        watcher, name = watch(issued, run)
        wait_until(lambda: is_on_watch(issued, name))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
            watcher.process.send_signal(number)
        assert resource.prlimit(watcher.process.pid, resource.RLIMIT_CORE) == (0, 0)
        assert os.getsid(watcher.process.pid) == watcher.process.pid
        assert os.readlink(f"/proc/{watcher.process.pid}/cwd") == "/"

        kill(run)
        wait_until(lambda: keystone.alive == {})
