# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials that Keystone refuses: all processes get its answer, and it is not asked too often."""

from __future__ import annotations

import contextlib
import json
import os

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.sign_in import cache
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import (
    refusals,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.sign_in.sign_ins import (
    at_once,
    counts,
    texts_of,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    Answer,
    keystones_answer,
)
from keystoneauth1 import exceptions


class TestRefusal:
    def test_it_is_keystone_s_own_answer_and_no_token_is_counted(self, on_session, sign_in, keystone):
        with pytest.raises(exceptions.Unauthorized, match="requires authentication"):
            sign_in(password="wrong")

        assert counts(on_session) == (1, 0, 0, 0)
        assert on_session.names() == []

    def test_the_reason_and_the_headers_reach_the_program(self, on_session, sign_in, keystone):
        ends = "2026-01-31T12:00:00.000000Z"
        receipt = {
            "receipt": {"methods": ["password"], "expires_at": ends},
            "required_auth_methods": [["password", "totp"]],
        }
        keystone.answers["POST"] = [Answer(401, {"openstack-auth-receipt": "secret-receipt"}, json.dumps(receipt))]

        with pytest.raises(exceptions.MissingAuthMethods) as caught:
            sign_in()
        assert caught.value.required_auth_methods == [["password", "totp"]]
        assert caught.value.receipt == "secret-receipt"
        # keystoneauth needs the receipt to tell the reason, and it is as good as a password.
        assert "required_auth_methods" not in texts_of(on_session)
        assert "secret-receipt" not in texts_of(on_session)

    def test_only_the_headers_that_programs_read_are_kept(self, on_session, sign_in, keystone, monkeypatch):
        monkeypatch.setattr(refusals, "PAUSE", 0)
        wanted = {"X-Openstack-Request-Id": "req-1", "Retry-After": "7"}
        secret = {"Set-Cookie": "id=secret-cookie", "X-Auth-Token": "secret-token", "Authorization": "secret-word"}
        keystone.answers["POST"] = [Answer(403, {**wanted, **secret})]

        with pytest.raises(exceptions.Forbidden):
            sign_in()

        texts = texts_of(on_session)
        assert "req-1" in texts and '"7"' in texts and "application/json" in texts
        assert "secret-" not in texts

    def test_keystone_is_asked_at_most_once_in_so_many_seconds(self, on_session, sign_in, keystone, monkeypatch):
        monkeypatch.setattr(refusals, "PAUSE", 0.5)
        for _turn in range(3):
            with pytest.raises(exceptions.Unauthorized):
                sign_in(password="wrong")

        assert len(keystone.asked("POST")) == 3
        assert len(os.listdir(os.path.join(on_session.path, "refusals"))) == 1

    def test_a_process_that_comes_during_the_pause_waits_for_its_rest(self, on_session, sign_in, monkeypatch):
        naps: list[float] = []
        monkeypatch.setattr(cache.Waiter, "pause", lambda self, seconds: naps.append(seconds) or True)
        for _turn in range(2):
            with pytest.raises(exceptions.Unauthorized):
                sign_in(password="wrong")

        assert [nap for nap in naps if nap > 1] == [pytest.approx(refusals.PAUSE, abs=1)]

    def test_another_identity_does_not_wait(self, on_session, sign_in, monkeypatch):
        monkeypatch.setattr(cache.Waiter, "pause", lambda self, seconds: pytest.fail("it waits"))
        with pytest.raises(exceptions.Unauthorized):
            sign_in(password="wrong")

        assert sign_in()

    def test_all_processes_that_wait_get_the_same_answer(self, on_session, sign_in, keystone):
        keystone.slowness = 0.5

        found = at_once(5, lambda: sign_in(password="wrong"))

        assert [error.http_status for error in found] == [401] * 5
        assert len(keystone.asked("POST")) == 1

    def test_a_task_that_tries_again_until_the_user_exists_succeeds(self, on_session, sign_in, keystone, monkeypatch):
        monkeypatch.setattr(refusals, "PAUSE", 0.1)
        keystone.answers["POST"] = [keystones_answer(401), keystones_answer(401)]
        tries = 0
        while True:
            tries += 1
            with contextlib.suppress(exceptions.Unauthorized):
                token = sign_in()
                break

        assert tries == 3
        assert token in keystone.alive
        assert os.listdir(os.path.join(on_session.path, "refusals")) == []
