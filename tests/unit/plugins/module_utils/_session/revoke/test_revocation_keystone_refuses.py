# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Revoking a session whose tokens Keystone refuses to revoke, or does not answer for."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.revoke import revocation
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import (
    LivingToken,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.token import TokenId
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.tokens import StoredTokens
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util import clock
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import (
    SessionError,
)
from ansible_collections.onetoken.openstack.tests.helpers.token_age import let_it_age
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    Answer,
    keystones_answer,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import (
    IDENTITY,
    sign_in,
)

EXPIRED = 25 * 3600


class TestRefused:
    RESTRICTED = {
        "trust": (
            {"OS-TRUST:trust": {"id": "t1", "impersonation": True}},
            403,
            "as it does with tokens of a trust that impersonates: delete the trust to end it now.",
        ),
        "access rules": (
            {"application_credential": {"access_rules": [{"id": "r1", "method": "GET"}]}},
            401,
            "as it does with tokens of an application credential that has access rules: delete the application "
            "credential to end it now.",
        ),
    }

    @pytest.fixture(params=list(RESTRICTED.values()), ids=list(RESTRICTED))
    def restricted(self, request, issued, keystone):
        """A session whose token Keystone refuses to revoke: the HTTP status, and what is said of it."""
        body, status, sentence = request.param
        stored = issued.read_tokens(IDENTITY)
        keystone.alive[stored.current.id.reveal()].update(body)
        token = dataclasses.replace(stored.current, body={**stored.current.body, **body})
        issued.write_tokens(IDENTITY, StoredTokens(token))
        return status, sentence

    def test_a_token_that_keystone_refuses_to_revoke_is_reported_with_its_expiry_and_removed(
        self, issued, keystone, restricted
    ):
        status, sentence = restricted
        end = clock.show(issued.read_tokens(IDENTITY).current.expires_at)

        result = revocation.revoke(issued, 60)

        assert (result.revoked, result.already_dead) == (0, 0)
        (living,) = result.living
        assert living.reason == (
            f"The token of user 'demo' for project 'demo' lives until {end}, because Keystone at "
            f"{keystone.auth_url} refuses to revoke it (HTTP {status}), {sentence}"
        )
        assert len(keystone.alive) == 1
        assert issued.names() == []
        assert issued.closed

    def test_it_is_not_revoked_again_but_still_reported(self, issued, keystone, restricted):
        first = revocation.revoke(issued, 60)
        keystone.requests.clear()

        assert revocation.revoke(issued, 60).living == revocation.preview(issued).living == first.living
        assert keystone.requests == []

    def test_it_is_not_reported_after_its_expiry(self, issued, keystone, restricted):
        revocation.revoke(issued, 60)
        record = issued.read_record()
        record.living = [dataclasses.replace(token, until="2026-01-01T00:00:00Z") for token in record.living]
        issued.write_record(record)

        assert revocation.revoke(issued, 60).living == []

    def test_it_does_not_protect_the_tokens_that_it_replaced(self, issued, keystone, restricted):
        stored = issued.read_tokens(IDENTITY)
        older_text = keystone.issue()
        before = dataclasses.replace(stored.current, id=TokenId(older_text), body=keystone.alive[older_text])
        issued.write_tokens(IDENTITY, StoredTokens(stored.current, (before,)))

        result = revocation.revoke(issued, 60)

        assert (result.revoked, len(result.living)) == (1, 1)
        assert list(keystone.alive) == [stored.current.id.reveal()]

    def test_a_token_that_keystone_accepts_does_not_count_as_expired(self, issued, keystone):
        """The clock of this machine was behind when the token was issued, and was set right since."""
        stored = issued.read_tokens(IDENTITY).current
        body = {"OS-TRUST:trust": {"id": "t1", "impersonation": True}}
        keystone.alive[stored.id.reveal()].update(body)
        issued.write_tokens(IDENTITY, StoredTokens(dataclasses.replace(stored, body={**stored.body, **body})))
        let_it_age(issued, IDENTITY, 25 * 3600)

        result = revocation.revoke(issued, 10)

        assert (result.already_dead, len(result.living)) == (0, 1)

    def test_a_keystone_whose_members_disagree_is_asked_again(self, issued, keystone):
        """One that lacks the newest key does not know the token which another one knows."""
        keystone.answers["DELETE"] = [keystones_answer(401)]

        with pytest.raises(SessionError, match="may still have a valid token"):
            revocation.revoke(issued, 10)

        result = revocation.revoke(issued, 10)
        assert (result.revoked, result.living) == (1, [])


class TestUnconfirmed:
    @pytest.mark.parametrize("status", [500, 503])
    def test_until_keystone_confirms_the_token_stays_on_the_list_and_the_session_is_closed(
        self, issued, keystone, status
    ):
        token = issued.read_tokens(IDENTITY).current
        keystone.stuck["DELETE"] = Answer(status)

        with pytest.raises(SessionError, match="may still have a valid token.*'demo'.*run os_token_revoke again"):
            revocation.revoke(issued, 0.1)

        assert issued.read_tokens(IDENTITY).current.id == token.id
        assert issued.closed

        keystone.stuck.clear()
        assert revocation.revoke(issued, 10).revoked == 1
        assert keystone.alive == {}
        assert issued.names() == []

    @pytest.mark.parametrize("status", [401, 404])
    def test_if_something_else_answers_the_token_stays_on_the_list_and_counts_as_alive(self, issued, keystone, status):
        token = issued.read_tokens(IDENTITY).current
        page = Answer(status, body="<html>Not Found</html>")
        keystone.stuck = {"DELETE": page, "GET": page}

        result = revocation.revoke(issued, 60)

        assert (result.revoked, result.already_dead) == (0, 0)
        end = clock.show(token.expires_at)
        assert result.living == [
            LivingToken(
                end,
                f"The token of user 'demo' for project 'demo' may live until {end}, because what answers at "
                f"{keystone.auth_url} is not Keystone (HTTP {status}): run os_token_revoke with "
                f"session={issued.path} once Keystone answers there.",
            )
        ]
        assert issued.read_tokens(IDENTITY).current.id == token.id

        keystone.stuck.clear()
        assert revocation.revoke(issued, 10).revoked == 1

    def test_the_new_address_of_keystone_is_reported_and_not_asked(self, issued, keystone):
        keystone.stuck["DELETE"] = Answer(307, {"Location": "https://elsewhere/v3/auth/tokens"})

        (living,) = revocation.revoke(issued, 60).living

        assert "redirects to https://elsewhere, where its tokens are not sent: set auth_url to" in living.reason
        assert issued.names() == [IDENTITY]

    def test_revoked_tokens_leave_the_list_even_if_others_are_not_revoked(self, issued, keystone):
        """Else they would count as dead before, the next time."""
        sign_in(issued, keystone)
        keystone.answers["DELETE"] = [Answer(503, {"Retry-After": "3600"})]

        with pytest.raises(SessionError, match="may still have a valid token"):
            revocation.revoke(issued, 10)
        assert len(issued.read_tokens(IDENTITY).newest_first) == 1

        result = revocation.revoke(issued, 10)
        assert (result.revoked, result.already_dead) == (1, 0)

    def test_without_a_keystone_the_token_stays_on_the_list(self, issued, keystone):
        keystone.stop()

        with pytest.raises(SessionError, match="may still have a valid token.*cannot be reached"):
            revocation.revoke(issued, 0.1)
        assert issued.names() == [IDENTITY]

    def test_a_problem_with_one_identity_does_not_protect_the_others(self, issued, second, keystone):
        keystone.answers["DELETE"] = [Answer(503, {"Retry-After": "3600"})]

        with pytest.raises(SessionError, match="user 'demo' for project 'demo': Keystone .* HTTP 503"):
            revocation.revoke(issued, 10)
        assert issued.names() == [IDENTITY]
        assert keystone.revoked == [second.id.reveal()]

    def test_a_token_without_a_known_expiry_that_is_not_revoked_is_reported(self, issued, keystone):
        stored = issued.read_tokens(IDENTITY).current
        issued.write_tokens(IDENTITY, StoredTokens(dataclasses.replace(stored, body={})))
        keystone.stuck["DELETE"] = Answer(404)

        result = revocation.revoke(issued, 10)

        assert result.living[0].until is None
        assert "lives until it expires, because" in result.living[0].reason

    def test_an_expired_token_is_removed_though_keystone_is_out_of_service(self, issued, keystone):
        let_it_age(issued, IDENTITY, EXPIRED)
        keystone.stuck["DELETE"] = Answer(503)

        result = revocation.revoke(issued, 10)

        assert (result.revoked, result.already_dead) == (0, 1)
        assert issued.names() == []
        assert len(keystone.asked("DELETE")) == 1
