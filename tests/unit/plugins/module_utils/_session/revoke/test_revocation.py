# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import os
import threading

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.revoke import revocation
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import (
    REQUESTS,
    Session,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.tokens import StoredTokens
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import (
    SessionError,
)
from ansible_collections.onetoken.openstack.tests.helpers.token_age import let_it_age
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.processes import (
    wait_until,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import (
    IDENTITY,
    sign_in,
)

EXPIRED = 25 * 3600


class TestDuringASignIn:
    """A process that asks Keystone for a token has the session's lock with others who do, until it is on the list."""

    @pytest.fixture
    def revoking(self, issued):
        """The revoke, which waits for a sign-in, and the handle that lets it go on."""
        signing_in = issued.signing_in(10)
        results = []
        thread = threading.Thread(target=lambda: results.append(revocation.revoke(issued, 30)), daemon=True)
        thread.start()
        wait_until(lambda: issued.closed)
        yield thread, results, signing_in
        thread.join(30)

    def test_a_token_that_arrives_meanwhile_is_revoked(self, issued, keystone, revoking):
        thread, results, signing_in = revoking
        assert keystone.revoked == []

        sign_in(issued, keystone)
        os.close(signing_in)
        thread.join(30)

        assert results[0].revoked == 2
        assert keystone.alive == {}
        assert not issued.has_tokens

    def test_the_next_sign_in_sees_that_the_session_is_closed(self, issued, revoking):
        """Who waits for a busy Keystone looks at this, and gives up."""
        _thread, _results, signing_in = revoking

        assert issued.closed
        os.close(signing_in)

    def test_a_sign_in_that_does_not_end_is_reported(self, issued, keystone):
        signing_in = issued.signing_in(10)
        with pytest.raises(SessionError, match="still locked by another process"):
            revocation.revoke(issued, 0.1)
        os.close(signing_in)

        assert revocation.revoke(issued, 10).revoked == 1


class TestRevoking:
    def test_every_token_that_it_ever_held_is_revoked_newest_first(self, issued, second, keystone):
        sign_in(issued, keystone)
        expected = [one.id.reveal() for name in issued.names() for one in issued.read_tokens(name).newest_first]
        assert len(expected) == 3

        result = revocation.revoke(issued, 10)

        assert keystone.revoked == expected
        assert keystone.alive == {}
        assert (result.revoked, result.already_dead, result.tokens_issued) == (3, 0, 3)

    def test_its_requests_are_added_to_those_before(self, issued, second):
        issued.count(REQUESTS, 7)

        assert revocation.revoke(issued, 10).keystone_requests == 9
        assert issued.counted(REQUESTS) == 9
        assert revocation.revoke(issued, 10).keystone_requests == 9

    def test_the_session_stays_closed_and_without_tokens(self, issued):
        revocation.revoke(issued, 10)

        assert issued.closed
        assert issued.names() == []
        assert issued.read_record()

    def test_it_is_safe_to_repeat(self, issued, keystone):
        revocation.revoke(issued, 10)
        keystone.requests.clear()

        result = revocation.revoke(issued, 10)

        assert (result.revoked, result.already_dead) == (0, 0)
        assert keystone.requests == []

    def test_a_token_that_was_dead_already_is_removed(self, issued, keystone):
        keystone.alive.clear()

        result = revocation.revoke(issued, 10)

        assert (result.revoked, result.already_dead) == (0, 1)
        assert issued.names() == []

    def test_keystone_is_asked_even_about_an_expired_token(self, issued, keystone):
        """The clock of this machine may have been set forward, and the token be alive."""
        let_it_age(issued, IDENTITY, EXPIRED)

        result = revocation.revoke(issued, 10)

        assert (result.revoked, result.already_dead) == (1, 0)
        assert len(keystone.asked("DELETE")) == 1

    def test_a_session_that_does_not_exist_is_an_error(self, tmp_path):
        with pytest.raises(SessionError, match="nothing was revoked"):
            revocation.revoke(Session(str(tmp_path / "nowhere")), 10)

    def test_a_token_without_a_known_expiry_is_revoked(self, issued, keystone):
        stored = issued.read_tokens(IDENTITY).current
        body = {**stored.body, "expires_at": "some day"}
        issued.write_tokens(IDENTITY, StoredTokens(dataclasses.replace(stored, body=body)))

        assert revocation.revoke(issued, 10).revoked == 1

    def test_a_session_that_is_gone_is_reported(self, session):
        with pytest.raises(SessionError, match="There is no session"):
            revocation.revoke(session, 10)
