# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watchers of several runs on one session."""

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import owners
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.processes import (
    kill,
    wait_until,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.revoke.watching import (
    is_on_watch,
)

pytestmark = pytest.mark.processes


class TestSharing:
    def test_the_last_of_two_runs_revokes(self, issued, python, watch, keystone):
        first_run, second_run = (python("import sys; print('ready', flush=True); sys.stdin.read()") for _turn in "12")
        first, _name = watch(issued, first_run)
        second, name = watch(issued, second_run)

        report = first.end(drain_timeout=60, revoke_timeout=30)
        assert (report["left"], report["revoked"], report["drained"]) == (True, 0, True)
        assert len(keystone.alive) == 1
        assert not issued.closed
        assert list(owners.known(issued)) == [name]

        report = second.end(drain_timeout=60, revoke_timeout=30)
        assert (report["left"], report["revoked"]) == (False, 1)
        assert keystone.alive == {}

    def test_a_run_that_is_killed_leaves_the_session_to_the_other(self, issued, python, watch, keystone):
        first_run, second_run = (python("import sys; print('ready', flush=True); sys.stdin.read()") for _turn in "12")
        first, first_name = watch(issued, first_run)
        second, second_name = watch(issued, second_run)
        wait_until(lambda: is_on_watch(issued, second_name))
        kill(first_run)

        wait_until(lambda: list(owners.known(issued)) == [second_name])
        assert len(keystone.alive) == 1
        assert second.end(drain_timeout=0, revoke_timeout=30)["revoked"] == 1

    def test_a_run_that_leaves_a_session_to_others_does_not_wait(self, issued, python, use, watch):
        first_run, second_run = (python("import sys; print('ready', flush=True); sys.stdin.read()") for _turn in "12")
        first, _name = watch(issued, first_run)
        watch(issued, second_run)
        use(issued)

        assert first.end(drain_timeout=600, revoke_timeout=30)["left"] is True
