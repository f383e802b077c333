# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Keystone that is busy or unreachable, or whose answers nobody can use."""

from __future__ import annotations

import contextlib
import json
import os
import time

import pytest
import requests.adapters
from ansible_collections.onetoken.openstack.plugins.module_utils._session.sign_in import cache
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import (
    traffic,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.waiting import Waiter
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.sign_in.sign_ins import (
    at_once,
    counts,
    current,
    let_age,
    lost_connections,
    texts_of,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    Answer,
)
from keystoneauth1 import exceptions

HOURS = 3600


class TestTroubleWithKeystone:
    @pytest.fixture(autouse=True)
    def soon(self, monkeypatch):
        """It is waited for, but not for long."""
        plain = time.sleep
        monkeypatch.setattr(cache, "Waiter", lambda seconds, **more: self.waiter(seconds, plain, **more))

    def waiter(self, seconds, sleep, **more):
        return Waiter(seconds, sleep=lambda delay: sleep(min(delay, 0.01)), **more)

    @pytest.mark.parametrize("status", [429, 503])
    def test_a_busy_keystone_is_asked_again(self, on_session, sign_in, keystone, status):
        keystone.answers["POST"] = [Answer(status, {"Retry-After": "1"}), Answer(status)]

        assert sign_in() in keystone.alive
        assert len(keystone.asked("POST")) == 3
        assert counts(on_session) == (3, 1, 1, 0)
        identity = traffic.read(on_session)["identity"]
        # The time is counted where a limit is the reason.
        assert (identity.throttled, identity.seconds > 0) == ((2, True) if status == 429 else (0, False))

    def test_the_program_gets_the_error_of_a_keystone_that_stays_busy(self, on_session, sign_in, keystone, monkeypatch):
        monkeypatch.setattr(cache, "busy_timeout", 0.0)
        keystone.stuck["POST"] = Answer(503)

        with pytest.raises(exceptions.ServiceUnavailable):
            sign_in()

    def test_a_lost_connection_is_tried_again(self, on_session, sign_in, keystone, monkeypatch):
        with lost_connections(monkeypatch, 2) as left:
            assert sign_in() in keystone.alive
        assert left == []

    def test_an_unreachable_keystone_is_the_same_error_as_without_a_session(
        self, on_session, sign_in, keystone, monkeypatch
    ):
        monkeypatch.setattr(cache, "busy_timeout", 0.0)
        keystone.stop()

        with pytest.raises(exceptions.ConnectFailure) as on_it:
            sign_in()
        monkeypatch.setenv("ONETOKEN_SESSION_DIRECTORY", "")
        with pytest.raises(exceptions.ConnectFailure) as without:
            sign_in()
        assert type(on_it.value) is type(without.value)

    @pytest.mark.parametrize("status", [404, 500, 502])
    def test_an_error_that_may_pass_fails_only_one_of_the_waiting_processes(
        self, on_session, sign_in, keystone, status
    ):
        keystone.slowness = 0.3
        keystone.answers["POST"] = [Answer(status)]

        found = at_once(5, sign_in)

        assert sum(isinstance(one, Exception) for one in found) == 1
        assert {one for one in found if isinstance(one, str)} == set(keystone.alive)
        assert len(keystone.asked("POST")) == 2

    def test_if_keystone_cannot_be_reached_all_find_out_at_the_same_time(
        self, on_session, sign_in, keystone, monkeypatch
    ):
        tries = []
        plain = requests.adapters.HTTPAdapter.send
        monkeypatch.setattr(
            requests.adapters.HTTPAdapter, "send", lambda *args, **more: tries.append(1) or plain(*args, **more)
        )
        keystone.stop()

        found = at_once(5, sign_in)

        assert [type(one) for one in found] == [exceptions.ConnectFailure] * 5
        patient = len(tries) - 4
        assert patient > 4, "the first one is to try for a while"
        assert on_session.problems() == set()

    def test_tokens_of_processes_that_did_not_wait_are_on_record(self, on_session, sign_in, keystone, monkeypatch):
        monkeypatch.setattr(cache, "busy_timeout", 0.0)
        with lost_connections(monkeypatch, 1):
            found = at_once(3, sign_in)

        tokens = {one for one in found if isinstance(one, str)}
        assert tokens == set(keystone.alive)
        assert {on_session.read_tokens(name).current.id.reveal() for name in on_session.names()} == tokens


class TestStrangeAnswers:
    @pytest.mark.parametrize("body", ["", "{}", '{"token": []}', "<html>", "[]"])
    def test_a_token_in_a_useless_answer_is_revoked_at_once(self, on_session, sign_in, keystone, body):
        token = keystone.issue()
        keystone.answers["POST"] = [Answer(201, {"X-Subject-Token": token}, body)]

        # What keystoneauth says of it, and when, differs by its version.
        with contextlib.suppress(Exception):
            sign_in()

        assert keystone.revoked == [token]
        assert on_session.names() == []

    @pytest.mark.parametrize("status", [200, 203])
    def test_a_token_counts_with_any_status_of_success(self, on_session, sign_in, keystone, status):
        token = keystone.issue()
        answer = Answer(status, {"X-Subject-Token": token}, json.dumps({"token": keystone.alive[token]}))
        keystone.answers["POST"] = [answer]

        assert sign_in() == sign_in() == token == current(on_session).id.reveal()
        assert counts(on_session) == (1, 1, 1, 1)
        assert not os.path.exists(os.path.join(on_session.path, "refusals"))

    @pytest.mark.parametrize("status", [400, 401, 500, 503])
    def test_a_token_in_an_error_is_revoked_and_not_kept(self, on_session, sign_in, keystone, monkeypatch, status):
        monkeypatch.setattr(cache, "busy_timeout", 0)
        token = keystone.issue()
        answer = Answer(status, {"X-Subject-Token": token}, json.dumps({"token": keystone.alive[token]}))
        keystone.answers["POST"] = [answer]

        with pytest.raises(exceptions.HttpError):
            sign_in()

        assert keystone.revoked == [token]
        assert on_session.names() == []
        assert token not in texts_of(on_session)

    def test_a_new_token_with_any_status_of_success_replaces_the_old_one(self, on_session, sign_in, keystone):
        sign_in()
        let_age(on_session, 9 * HOURS)
        token = keystone.issue()
        answer = Answer(200, {"X-Subject-Token": token}, json.dumps({"token": keystone.alive[token]}))
        keystone.answers["POST"] = [answer]

        assert sign_in() == sign_in() == token

    @pytest.mark.parametrize("expires_at", ["never", None, 7, "1970-01-01T00:00:00Z"], ids=str)
    def test_a_token_with_an_invalid_expiry_is_on_record_and_served_to_nobody(
        self, on_session, sign_in, keystone, expires_at
    ):
        token = keystone.issue()
        body = {**keystone.alive[token], "expires_at": expires_at}
        keystone.answers["POST"] = [Answer(201, {"X-Subject-Token": token}, json.dumps({"token": body}))]

        with contextlib.suppress(Exception):
            sign_in()

        assert current(on_session).id.reveal() == token
        assert sign_in() != token
        (name,) = on_session.names()
        assert token in [one.id.reveal() for one in on_session.read_tokens(name).replaced]

    def test_the_program_gets_a_success_without_a_token(self, on_session, sign_in, keystone):
        keystone.answers["POST"] = [Answer(201, {}, "{}")]

        with contextlib.suppress(Exception):
            sign_in()
        assert on_session.names() == []
