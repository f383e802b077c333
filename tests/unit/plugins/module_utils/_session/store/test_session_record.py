# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.renewal import RenewalPolicy
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import (
    LivingToken,
    SessionRecord,
    last_end,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.tokens import StoredTokens
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import (
    SessionDamagedError,
    SessionError,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.store.session_files import (
    record,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import (
    IDENTITY,
    make_token,
)


class TestRecord:
    def test_it_is_read_as_it_was_written(self, made):
        assert not made.exists
        made.write_record(record())

        assert made.exists
        assert made.is_of_this_format
        assert made.read_record() == record()

    def test_a_record_of_defaults_is_read_as_it_was_written(self, made):
        little = SessionRecord(RenewalPolicy())
        made.write_record(little)

        assert made.read_record() == little

    @pytest.mark.parametrize("file", ["source.json", "session.json"])
    def test_the_record_of_another_version_is_found_and_not_read(self, made, file):
        """The name of the record was another one before."""
        with open(os.path.join(made.path, file), "w", encoding="utf-8") as stream:
            json.dump({"format": 1, "sources": {}}, stream)

        assert made.exists
        assert not made.is_of_this_format
        with pytest.raises(SessionError, match="another version of this collection|is not a session"):
            made.read_record()

    def test_a_directory_that_is_no_session_is_reported(self, made):
        assert not made.is_of_this_format
        with pytest.raises(SessionError, match="is not a session"):
            made.read_record()

    @pytest.mark.parametrize(
        "living",
        [{}, {"until": 5, "reason": "r"}, {"until": "some day", "reason": "r"}, {"until": None, "reason": None}],
        ids=str,
    )
    def test_an_invalid_living_token_is_damage(self, full, living):
        path = os.path.join(full.path, "session.json")
        with open(path, encoding="utf-8") as stream:
            data = json.load(stream)
        with open(path, "w", encoding="utf-8") as stream:
            json.dump({**data, "living": [living]}, stream)

        with pytest.raises(SessionDamagedError, match=r"session\.json .* is damaged"):
            full.read_record()


class TestState:
    def test_without_a_record_there_is_none(self, made):
        assert made.state is None

    def test_it_changes_with_the_record_and_with_nothing_else(self, made):
        states = set()
        for _turn in range(5):
            made.write_record(record())
            states.add(made.state)
        assert len(states) == 5

        made.write_tokens(IDENTITY, StoredTokens(make_token()))
        made.read_record()
        assert made.state in states


@pytest.mark.parametrize(
    ("ends", "last"),
    [
        ([], None),
        (["2026-01-31T14:05:00Z"], "2026-01-31T14:05:00Z"),
        (["2026-02-01T00:00:00Z", "2026-01-31T14:05:00Z"], "2026-02-01T00:00:00Z"),
        (["2026-01-31T14:05:00Z", None], None),
    ],
)
def test_the_last_expiry_of_tokens_is_known_if_each_is(ends, last):
    assert last_end([LivingToken(end, "") for end in ends]) == last


@pytest.mark.parametrize(
    ("until", "ended"), [("2026-01-31T14:05:00Z", True), ("9999-01-01T00:00:00Z", False), (None, False)]
)
def test_a_living_token_has_ended_after_its_expiry(until, ended):
    assert LivingToken(until, "because").ended is ended
