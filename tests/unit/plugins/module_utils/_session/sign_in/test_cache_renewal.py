# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the sign-in cache replaces a token: because it is due, or a service refused it."""

from __future__ import annotations

import os
import types

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.sign_in import cache
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import (
    renewal,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.renewal import RenewalPolicy
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import (
    SessionRecord,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.sign_in.sign_ins import (
    counts,
    current_list,
    let_age,
    password_plugin,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    Answer,
    keystones_answer,
)
from keystoneauth1 import exceptions
from keystoneauth1 import session as keystone_session

HOURS = 3600


class TestRenewal:
    def test_a_due_token_is_renewed_and_the_old_one_stays_on_the_list(self, on_session, sign_in, keystone):
        old = sign_in()
        let_age(on_session, 9 * HOURS)

        new = sign_in()

        assert new != old
        (name,) = on_session.names()
        stored = on_session.read_tokens(name)
        assert [token.id.reveal() for token in stored.newest_first] == [new, old]
        assert old in keystone.alive
        assert sign_in() == new
        assert counts(on_session) == (2, 2, 1, 1)

    def test_a_token_that_is_not_due_is_not_renewed(self, on_session, sign_in):
        old = sign_in()
        let_age(on_session, 7 * HOURS)

        assert sign_in() == old

    def test_it_is_renewed_at_the_chosen_age(self, make_session, monkeypatch, on_session, sign_in):
        on_session.write_record(SessionRecord(RenewalPolicy("600")))
        old = sign_in()
        let_age(on_session, 601)

        assert sign_in() != old

    @pytest.mark.parametrize("answer", [Answer(503), Answer(500), Answer(404)], ids=str)
    def test_if_renewal_fails_the_old_token_is_served(self, on_session, sign_in, keystone, monkeypatch, answer):
        monkeypatch.setattr(cache, "BUSY_TIMEOUT_WITH_TOKEN", 0)
        old = sign_in()
        let_age(on_session, 9 * HOURS)
        keystone.stuck["POST"] = answer

        assert sign_in() == old
        asked = len(keystone.asked("POST"))
        assert sign_in() == old
        # For a while, nobody asks again.
        assert len(keystone.asked("POST")) == asked

    def test_if_keystone_cannot_be_reached_the_old_token_is_served(self, on_session, sign_in, keystone, monkeypatch):
        monkeypatch.setattr(cache, "UNREACHABLE_TIMEOUT", 0)
        old = sign_in()
        let_age(on_session, 9 * HOURS)
        keystone.stop()

        assert sign_in() == old

    def test_credentials_that_are_refused_now_are_refused(self, on_session, sign_in, keystone):
        sign_in()
        let_age(on_session, 9 * HOURS)
        keystone.answers["POST"] = [keystones_answer(401, "The password is expired.")]

        with pytest.raises(exceptions.Unauthorized, match="The password is expired"):
            sign_in()

    def test_while_another_process_renews_it_the_old_token_is_served(self, on_session, sign_in, keystone):
        old = sign_in()
        let_age(on_session, 9 * HOURS)
        (name,) = on_session.names()
        lock = on_session.lock_for(name)

        assert sign_in() == old
        os.close(lock)

    def test_a_token_with_too_little_time_left_is_not_served(self, on_session, sign_in, monkeypatch):
        on_session.write_record(SessionRecord(RenewalPolicy("100%")))
        old = sign_in()
        let_age(on_session, 24 * HOURS - renewal.LEAST + 1)

        assert sign_in() != old


class TestARefusedToken:
    @pytest.mark.parametrize("status", [429, 503])
    def test_if_keystone_cannot_validate_it_it_is_replaced(self, on_session, sign_in, keystone, monkeypatch, status):
        monkeypatch.setattr(cache, "TOKEN_TIMEOUT", 0)
        first = sign_in()
        cache.refuse(first)
        keystone.stuck["GET"] = Answer(status)

        second = sign_in()

        assert second != first
        assert {token.id.reveal() for token in current_list(on_session)} == {first, second}
        assert on_session.problems() == set()

    def test_a_token_that_keystone_still_accepts_is_served_again(self, on_session, sign_in, keystone):
        token = sign_in()
        cache.refuse(token)

        assert sign_in() == token
        assert (len(keystone.asked("POST")), len(keystone.asked("GET"))) == (1, 1)

    def test_a_token_that_keystone_does_not_accept_is_replaced_once_for_all(self, on_session, sign_in, keystone):
        token = sign_in()
        cache.refuse(token)
        del keystone.alive[token]

        new = sign_in()

        assert new != token
        cache.refused.clear()
        assert sign_in() == new
        assert len(keystone.asked("POST")) == 2

    def test_a_service_s_401_leads_to_a_new_sign_in(self, on_session, keystone):
        sessions = [keystone_session.Session(auth=password_plugin(keystone)) for _number in range(2)]
        for one in sessions:
            assert one.get(f"{keystone.url}/compute/servers").status_code == 200
        keystone.alive.clear()

        for one in sessions:
            assert one.get(f"{keystone.url}/compute/servers").status_code == 200
        assert len(keystone.asked("POST")) == 2

    def test_if_keystone_fails_to_validate_it_it_is_replaced(self, on_session, sign_in, keystone, monkeypatch):
        monkeypatch.setattr(cache, "TOKEN_TIMEOUT", 0)
        token = sign_in()
        cache.refuse(token)
        keystone.stuck["GET"] = Answer(500)

        assert sign_in() != token


@pytest.mark.parametrize("ref", [object(), types.SimpleNamespace(auth_token=None)], ids=["none", "no text"])
def test_a_plugin_without_a_keystone_token_is_invalidated_as_without_a_session(on_session, keystone, ref):
    plugin = password_plugin(keystone)
    plugin.auth_ref = ref

    assert plugin.invalidate() is True
    assert plugin.auth_ref is None
