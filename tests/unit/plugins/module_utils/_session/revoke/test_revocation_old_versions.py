# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.revoke import revocation
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import (
    SessionError,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.old_session import TOKENS, make_old
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    Answer,
)


class TestOldVersion:
    def test_it_is_revoked_and_removed(self, issued, keystone):
        make_old(issued)
        assert os.listdir(os.path.join(issued.path, "tokens")) == [TOKENS]

        revocation.clear_old(issued, 10)

        assert keystone.alive == {}
        assert not os.path.lexists(issued.path)

    def test_one_without_tokens_is_removed_without_a_request(self, empty, keystone):
        make_old(empty)

        revocation.clear_old(empty, 10)

        assert keystone.requests == []
        assert not os.path.lexists(empty.path)

    def test_it_stays_until_keystone_confirms(self, issued, keystone):
        make_old(issued)
        keystone.stuck["DELETE"] = Answer(503)

        with pytest.raises(SessionError, match="may still have a valid token"):
            revocation.clear_old(issued, 0.1)
        assert issued.has_tokens
        assert issued.exists

    def test_one_that_another_run_has_cleared_and_made_again_meanwhile_is_left_alone(self, issued, keystone):
        revocation.clear_old(issued, 10)

        assert len(keystone.alive) == 1
        assert not issued.closed

    def test_one_that_another_run_has_cleared_meanwhile_is_no_error(self, session):
        revocation.clear_old(session, 10)

    def test_os_token_revoke_revokes_it_too(self, issued, keystone):
        make_old(issued)

        assert revocation.revoke(issued, 10).revoked == 1
        assert keystone.alive == {}
