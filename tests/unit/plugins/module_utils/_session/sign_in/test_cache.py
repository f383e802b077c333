# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sign-in cache, in the process of the tests: one sign-in for all, and never a failure of its own."""

from __future__ import annotations

import contextlib
import json
import os
import threading

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.sign_in import cache, response
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import (
    staleness,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.tokens import StoredTokens
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import SessionError
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.sign_in.sign_ins import (
    counts,
    current,
    let_age,
    lost_connections,
    password_plugin,
    texts_of,
)
from keystoneauth1 import exceptions
from keystoneauth1 import session as keystone_session

HOURS = 3600


class TestOneSignIn:
    def test_the_second_one_is_served(self, on_session, sign_in, keystone):
        assert sign_in() == sign_in() == current(on_session).id.reveal()

        assert len(keystone.requests) == 1
        assert counts(on_session) == (1, 1, 1, 1)

    def test_what_is_served_is_keystone_s_own_answer(self, on_session, keystone):
        first, second = (
            password_plugin(keystone).get_access(keystone_session.Session(user_agent=name)) for name in "ab"
        )

        assert first.service_catalog.catalog and first.project_id
        assert json.dumps(first._data, sort_keys=True) == json.dumps(second._data, sort_keys=True)
        assert (first.auth_token, first.expires, first.role_names) == (
            second.auth_token, second.expires, second.role_names,
        )  # fmt: skip

    def test_the_record_has_the_address_and_the_python_of_the_request(self, on_session, sign_in, keystone):
        sign_in()

        token = current(on_session)
        assert (token.auth_url, token.token_url) == (keystone.auth_url, f"{keystone.auth_url}/auth/tokens")
        assert token.renewable and token.boot and token.began > 0 and os.path.isabs(token.python)

    def test_without_the_variable_each_signs_in_by_itself(self, on_session, sign_in, keystone, monkeypatch):
        monkeypatch.setenv("ONETOKEN_SESSION_DIRECTORY", "")

        assert sign_in() != sign_in()
        assert on_session.names() == []

    def test_threads_of_one_process_sign_in_once(self, on_session, sign_in, keystone):
        keystone.slowness = 0.2
        threads = [threading.Thread(target=sign_in) for _number in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(keystone.asked("POST")) == 1

    def test_a_program_s_own_request_without_a_plugin_is_left_alone(self, on_session, keystone):
        session = keystone_session.Session()
        body = {"auth": {"identity": {"methods": ["token"], "token": {"id": keystone.issue()}}}}

        session.post(f"{keystone.auth_url}/auth/tokens", json=body, authenticated=False)

        assert on_session.names() == []


def test_the_copies_of_a_fork_in_another_thread_keep_no_lock(on_session, sign_in, copied):
    """A process of a pool may live longer than the sign-in."""
    for options in ({}, {"password": "wrong"}):
        with contextlib.suppress(exceptions.Unauthorized):
            sign_in(**options)
        assert [os.path.basename(os.readlink(f"/proc/self/fd/{handle}")) for handle in copied].count("lock") == 1
        for name in os.listdir(os.path.join(on_session.path, "locks")):
            os.close(on_session.lock_for(name.partition(".")[0]))
        with on_session.locked(0):
            pass
        while copied:
            os.close(copied.pop())


def test_a_user_and_a_password_in_an_address_are_not_stored(on_session, sign_in, keystone, monkeypatch):
    monkeypatch.setattr(cache, "busy_timeout", 0)
    url = keystone.auth_url.replace("://", "://someone:secret-word@")
    assert sign_in(auth_url=url) == sign_in(auth_url=url)
    assert current(on_session).auth_url == keystone.auth_url
    assert current(on_session).token_url == f"{keystone.auth_url}/auth/tokens"

    with pytest.raises(exceptions.Unauthorized):
        sign_in(auth_url=url, password="wrong")
    with lost_connections(monkeypatch, 1), pytest.raises(exceptions.ConnectFailure, match="secret-word"):
        sign_in(auth_url=url, project_name="other")

    assert len(os.listdir(os.path.join(on_session.path, "refusals"))) == 2
    assert "secret-word" not in texts_of(on_session)


def test_a_revoked_session_is_reported(on_session, sign_in, keystone):
    sign_in()
    on_session.close()

    with pytest.raises(exceptions.AuthorizationFailure) as caught:
        sign_in()

    assert f"The session {on_session.path} was revoked, so this task has no token: issue it again" in str(caught.value)
    assert len(keystone.requests) == 1


def test_it_is_also_an_error_of_openstacksdk(on_session, sign_in):
    import openstack.exceptions

    on_session.close()

    with pytest.raises(openstack.exceptions.SDKException, match="was revoked"):
        sign_in()


def test_a_token_that_was_requested_before_a_change_is_stale(on_session, sign_in):
    first = sign_in()
    staleness.mark(on_session, [current(on_session).subjects[1]])

    second = sign_in()

    assert first != second == sign_in()


def test_nobody_adds_a_token_while_a_session_is_revoked(on_session, sign_in, monkeypatch):
    """Of a file that is not in place yet, who revokes takes the writer to have been killed."""
    sign_in()
    (name,) = on_session.names()
    token = on_session.read_tokens(name).current
    request = cache.latest.request
    found = response.of_token(token, request.url)
    monkeypatch.setattr(cache, "LOCK_TIMEOUT", 0)

    def record():
        cache.record_for_revoke(on_session, found, request, token.began, token.obtained_at)

    with on_session.locked(), pytest.raises(SessionError, match="still locked by another process"):
        record()
    assert on_session.names() == [name]
    record()
    assert len(on_session.names()) == 2


def test_all_tokens_that_were_replaced_stay_on_the_list(on_session, sign_in, keystone):
    sign_in()
    (name,) = on_session.names()
    stored = on_session.read_tokens(name)
    on_session.write_tokens(name, StoredTokens(stored.current, (stored.current,)))
    let_age(on_session, 9 * HOURS)
    sign_in()

    assert len(on_session.read_tokens(name).newest_first) == 3
