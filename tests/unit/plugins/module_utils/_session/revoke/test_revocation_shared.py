# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leaving a session of several runs: the last one revokes it."""

from __future__ import annotations

import os

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.revoke import revocation
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import owners
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.owners import Owner
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.processes import (
    ended_run,
    run_elsewhere,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    Answer,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import (
    IDENTITY,
)


@pytest.mark.processes
class TestLeaving:
    """Of a session of several runs."""

    def test_the_last_run_revokes(self, issued, run, keystone):
        first, second = (owners.add(issued, Owner.of_process(pid)) for pid in (run.pid, os.getpid()))

        assert revocation.leave(issued, first, 10) is None
        assert list(owners.known(issued)) == [second]
        assert not issued.closed
        assert len(keystone.alive) == 1

        assert revocation.leave(issued, second, 10).revoked == 1
        assert owners.known(issued) == {}
        assert issued.closed
        assert keystone.alive == {}

    def test_a_run_that_has_ended_does_not_prevent_the_revoke(self, issued, run, keystone):
        owners.add(issued, ended_run())

        assert revocation.leave(issued, owners.add(issued, Owner.of_process(os.getpid())), 10).revoked == 1

    def test_the_session_is_left_to_a_run_of_another_machine(self, issued, keystone):
        """Nobody here can tell whether it has ended."""
        elsewhere = owners.add(issued, run_elsewhere())

        assert revocation.leave(issued, owners.add(issued, Owner.of_process(os.getpid())), 10) is None
        assert list(owners.known(issued)) == [elsewhere]
        assert not issued.closed
        assert len(keystone.alive) == 1

    def test_the_run_stays_an_owner_until_keystone_confirms(self, issued, keystone):
        """Its name stays, so that the next run finds an orphan."""
        name = owners.add(issued, Owner.of_process(os.getpid()))
        keystone.stuck["DELETE"] = Answer(503)

        (problem,) = revocation.leave(issued, name, 0.1).problems
        assert "HTTP 503 until the timeout" in problem
        assert list(owners.known(issued)) == [name]
        assert issued.names() == [IDENTITY]

        keystone.stuck.clear()
        assert revocation.leave(issued, name, 10).revoked == 1
