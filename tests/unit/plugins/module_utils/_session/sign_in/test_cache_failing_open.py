# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever is wrong with a session costs a sign-in, and is reported if possible."""

from __future__ import annotations

import contextlib
import json
import os
import shutil

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.sign_in import cache
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import (
    directory,
    key,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import (
    AUTHENTICATIONS,
    BROKEN,
    IDENTITIES,
    ISSUED,
    REQUESTS,
    UNRECORDED,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import SessionError
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.sign_in.sign_ins import (
    current,
    let_age,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    Answer,
)

HOURS = 3600


class TestFailingOpen:
    """Whatever is wrong with a session costs a sign-in, and is noted where that can be."""

    def test_one_that_was_removed(self, on_session, sign_in, keystone):
        first = sign_in()
        os.rename(on_session.path, f"{on_session.path}.elsewhere")

        assert sign_in() != first
        assert len(keystone.asked("POST")) == 2
        assert not os.path.exists(on_session.path)

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}', '{"format": 3}', "\0"])
    def test_one_whose_record_is_damaged_or_of_another_version(self, on_session, sign_in, keystone, text):
        with open(os.path.join(on_session.path, "session.json"), "w", encoding="utf-8") as stream:
            stream.write(text)

        assert sign_in() != sign_in()
        assert len(keystone.asked("POST")) == 2

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"current": 1, "replaced": []}'])
    def test_a_damaged_token_file_is_set_aside_for_the_revoke(self, on_session, sign_in, keystone, text):
        first = sign_in()
        (name,) = on_session.names()
        with open(os.path.join(on_session.path, "tokens", f"{name}.json"), "w", encoding="utf-8") as stream:
            stream.write(text)

        second = sign_in()

        assert second != first
        assert sign_in() == second
        assert [one for one in on_session.names() if one.startswith(f"{name}-")]
        assert on_session.problems() == {BROKEN}

    def test_a_missing_key_is_made_again(self, on_session, sign_in, keystone):
        sign_in()
        key.remove(on_session.path)

        assert sign_in() == sign_in()
        assert len(keystone.asked("POST")) == 2

    def test_without_any_room_for_a_key(self, on_session, sign_in, keystone, monkeypatch):
        def no_key(self):
            raise SessionError("no key")

        monkeypatch.setattr(type(on_session), "key", no_key)

        assert sign_in() != sign_in()
        assert on_session.problems() == {BROKEN}

    def test_a_full_disk(self, on_session, sign_in, keystone, monkeypatch):
        def full(handle, name, text):
            raise SessionError(f"The session's file {name} cannot be written (No space left on device).")

        monkeypatch.setattr(directory, "write", full)

        assert sign_in() != sign_in()
        assert len(keystone.asked("POST")) == 2
        assert on_session.problems() == {UNRECORDED}

    def test_counters_that_cannot_be_written_prevent_no_sign_in(self, on_session, sign_in, keystone):
        for name in (AUTHENTICATIONS, IDENTITIES, ISSUED, REQUESTS):
            os.mkdir(os.path.join(on_session.path, name))

        assert sign_in() == sign_in() == current(on_session).id.reveal()
        assert len(keystone.asked("POST")) == 1
        assert on_session.problems() == set()

    def test_if_keystone_cannot_validate_a_token_there_is_a_new_one_for_all(
        self, on_session, sign_in, keystone, monkeypatch
    ):
        monkeypatch.setattr(cache, "TOKEN_TIMEOUT", 0)
        keystone.stuck["GET"] = Answer(503)
        cache.refuse(sign_in())

        assert sign_in() == current(on_session).id.reveal()
        assert on_session.problems() == set()

    def test_a_counter_that_cannot_be_written_does_not_prevent_validation(self, on_session, sign_in, keystone):
        token = sign_in()
        os.remove(os.path.join(on_session.path, REQUESTS))
        os.mkdir(os.path.join(on_session.path, REQUESTS))
        cache.refuse(token)

        assert sign_in() == token
        assert on_session.problems() == set()

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"a": [1]}', '{"format": 99}'])
    def test_a_damaged_record_costs_a_sign_in_on_record_and_is_reported(self, on_session, sign_in, keystone, text):
        first = sign_in()
        with open(os.path.join(on_session.path, "session.json"), "w", encoding="utf-8") as stream:
            stream.write(text)

        second = sign_in()

        assert first != second
        assert {on_session.read_tokens(name).current.id.reveal() for name in on_session.names()} == {first, second}
        assert on_session.problems() == {BROKEN}

    @pytest.mark.parametrize("what", ["refusals", "locks"])
    def test_an_unusable_directory_costs_a_sign_in_on_record_and_is_reported(self, on_session, sign_in, keystone, what):
        first = sign_in()
        let_age(on_session, 9 * HOURS)
        path = os.path.join(on_session.path, what)
        shutil.rmtree(path, ignore_errors=True)
        with open(path, "w", encoding="utf-8"):
            pass

        second = sign_in()

        listed = [token for name in on_session.names() for token in on_session.read_tokens(name).newest_first]
        assert {token.id.reveal() for token in listed} == {first, second}
        assert on_session.problems() == {BROKEN}

    @pytest.mark.parametrize("what", ["tokens", "locks", "refusals", "stale", "lock", "in-use", "key"])
    def test_a_link_in_place_of_one_of_its_files(self, on_session, sign_in, keystone, tmp_path, what):
        sign_in()
        path = os.path.join(on_session.path, what)
        if os.path.lexists(path):
            os.rename(path, tmp_path / "elsewhere")
        os.symlink("/nowhere/at/all", path)

        assert sign_in() in keystone.alive

    def test_a_lock_that_is_not_free_in_time(self, on_session, sign_in, keystone, monkeypatch):
        sign_in()
        let_age(on_session, 25 * HOURS)
        monkeypatch.setattr(cache, "LOCK_TIMEOUT", 0)
        (name,) = on_session.names()
        lock = on_session.lock_for(name)

        assert sign_in() in keystone.alive
        assert len(on_session.read_tokens(name).replaced) == 0
        os.close(lock)

    @pytest.mark.parametrize("is_usable", [True, False])
    def test_a_token_without_the_lock_is_on_record_or_revoked(
        self, on_session, sign_in, keystone, monkeypatch, is_usable
    ):
        sign_in()
        let_age(on_session, 25 * HOURS)
        monkeypatch.setattr(cache, "LOCK_TIMEOUT", 0)
        (name,) = on_session.names()
        lock = on_session.lock_for(name)
        token = keystone.issue()
        body = json.dumps({"token": keystone.alive[token] if is_usable else None})
        keystone.answers["POST"] = [Answer(200, {"X-Subject-Token": token}, body)]

        with contextlib.suppress(Exception):
            sign_in()

        on_record = {on_session.read_tokens(other).current.id.reveal() for other in on_session.names()}
        assert (token in on_record, token in keystone.revoked) == (is_usable, not is_usable)
        os.close(lock)
