# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import stat

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import (
    PROBLEM_FILES,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.tokens import StoredTokens
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import (
    SessionError,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.store.session_files import (
    files_of,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import (
    IDENTITY,
    SECRET,
    make_token,
)


class TestTokens:
    def test_they_are_read_as_they_were_written(self, made):
        stored = StoredTokens(make_token("new", catalog=[{"type": "compute"}]), (make_token("old"),))
        made.write_tokens(IDENTITY, stored)

        read = made.read_tokens(IDENTITY)
        assert read.current == stored.current
        assert [token.id for token in read.newest_first] == [token.id for token in stored.newest_first]

    def test_checking_for_tokens_makes_nothing(self, made):
        assert not made.has_tokens
        assert set(os.listdir(made.path)) == set(PROBLEM_FILES.values())

        made.write_tokens(IDENTITY, StoredTokens(make_token()))
        assert made.has_tokens

        made.remove_tokens(IDENTITY)
        assert not made.has_tokens

    def test_each_identity_has_its_own(self, made):
        for name in ("b", "a"):
            made.write_tokens(name, StoredTokens(make_token(f"token-of-{name}")))

        assert made.names() == ["a", "b"]
        assert made.read_tokens("a").current.id.reveal() == "token-of-a"
        made.remove_tokens("a")
        assert made.names() == ["b"]

    def test_an_identity_that_never_signed_in_has_none(self, made):
        assert made.read_tokens(IDENTITY) is None
        assert made.readable_tokens(IDENTITY) == ([], True)
        assert made.names() == []

    def test_the_temporary_file_of_a_killed_writer_is_no_identity(self, full):
        with open(os.path.join(full.path, "tokens", f".{IDENTITY}.json.0123abcd"), "w", encoding="utf-8"):
            pass

        assert full.names() == [IDENTITY]

    def test_a_file_that_was_set_aside_stays_on_the_list_beside_the_next_one(self, full):
        full.set_tokens_aside(IDENTITY)
        assert full.read_tokens(IDENTITY) is None
        full.write_tokens(IDENTITY, StoredTokens(make_token("new")))

        aside, current = sorted(full.names(), key=len, reverse=True)
        assert current == IDENTITY
        assert aside.startswith(IDENTITY)
        assert full.read_tokens(aside).current.id.reveal() == SECRET

    def test_setting_a_missing_file_aside_is_no_error(self, full):
        full.remove_tokens(IDENTITY)
        full.set_tokens_aside(IDENTITY)

        assert full.names() == []

    def test_the_file_is_private(self, full):
        path = os.path.join(full.path, "tokens", f"{IDENTITY}.json")

        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700

    def test_the_id_is_in_no_other_file(self, full):
        for file in files_of(full) - {f"tokens/{IDENTITY}.json"}:
            with open(os.path.join(full.path, file), "rb") as stream:
                assert SECRET.encode() not in stream.read()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"{}"], ids=repr)
@pytest.mark.parametrize(
    ("file", "read"),
    [("session.json", lambda s: s.read_record()), (f"tokens/{IDENTITY}.json", lambda s: s.read_tokens(IDENTITY))],
    ids=["session.json", "tokens"],
)
def test_a_damaged_file_is_reported(full, file, read, content):
    with open(os.path.join(full.path, file), "wb") as stream:
        stream.write(content)

    with pytest.raises(SessionError, match=r"issue (it|one|the token|a new one)\b"):
        read(full)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"{}"], ids=repr)
def test_a_damaged_file_has_no_readable_token_and_is_incomplete(full, content):
    with open(os.path.join(full.path, "tokens", f"{IDENTITY}.json"), "wb") as stream:
        stream.write(content)

    assert full.readable_tokens(IDENTITY) == ([], False)
