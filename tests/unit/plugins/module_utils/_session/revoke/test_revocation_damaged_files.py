# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Revoking a session with files that are damaged, or cannot be written."""

from __future__ import annotations

import errno
import json
import os

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.revoke import revocation
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import directory
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import (
    REQUESTS,
    Session,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import (
    SessionDamagedError,
    SessionError,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    Answer,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import (
    IDENTITY,
    sign_in,
)


def leave_temporary_file(session: Session) -> str:
    """Rename the file of the tokens as a writer leaves it that was killed; its path."""
    path = os.path.join(session.path, "tokens", f".{IDENTITY}.json.0123abcd")
    os.rename(os.path.join(session.path, "tokens", f"{IDENTITY}.json"), path)
    return path


class TestDamaged:
    def test_a_damaged_file_of_one_identity_does_not_protect_the_others(self, issued, second, keystone):
        with open(os.path.join(issued.path, "tokens", f"{IDENTITY}.json"), "w", encoding="utf-8") as stream:
            stream.write("{")

        with pytest.raises(SessionDamagedError, match=f"The file {IDENTITY}.json of the session .* is damaged"):
            revocation.revoke(issued, 10)
        assert keystone.revoked == [second.id.reveal()]

    def test_the_good_tokens_in_a_damaged_file_are_revoked(self, issued, keystone):
        sign_in(issued, keystone)
        path = os.path.join(issued.path, "tokens", f"{IDENTITY}.json")
        with open(path, encoding="utf-8") as stream:
            data = json.load(stream)
        data["current"]["token"] = None
        with open(path, "w", encoding="utf-8") as stream:
            json.dump(data, stream)

        with pytest.raises(SessionDamagedError, match="so a token in it may live until it expires"):
            revocation.revoke(issued, 10)
        assert keystone.revoked == [data["replaced"][0]["token"]]
        assert issued.names() == [IDENTITY]

    def test_tokens_of_a_session_that_lost_its_record_are_revoked(self, issued, keystone):
        os.unlink(os.path.join(issued.path, "session.json"))

        assert revocation.revoke(issued, 10).revoked == 1
        assert issued.names() == []

    def test_tokens_of_a_session_with_a_damaged_record_are_revoked(self, issued, keystone):
        with open(os.path.join(issued.path, "session.json"), "w", encoding="utf-8") as stream:
            stream.write("{")

        assert revocation.revoke(issued, 10).revoked == 1
        assert keystone.alive == {}


class TestTemporary:
    def test_a_token_in_the_temporary_file_of_a_killed_writer_is_revoked(self, issued, keystone):
        sign_in(issued, keystone)
        leave_temporary_file(issued)
        assert issued.names() == []
        assert issued.has_tokens

        assert revocation.revoke(issued, 10).revoked == 2
        assert keystone.alive == {}
        assert not issued.has_tokens

    def test_an_incomplete_one_is_reported_and_removed(self, issued, second, keystone):
        with open(leave_temporary_file(issued), "r+", encoding="utf-8") as stream:
            stream.truncate(40)

        with pytest.raises(SessionDamagedError, match="was not written to its end, so a token in it may live"):
            revocation.revoke(issued, 10)
        assert keystone.revoked == [second.id.reveal()]
        assert not issued.has_tokens

    def test_a_token_in_it_that_cannot_be_revoked_yet_stays_on_the_list(self, issued, keystone):
        leave_temporary_file(issued)
        keystone.answers["DELETE"] = [Answer(503, {"Retry-After": "3600"})]
        with pytest.raises(SessionError, match="HTTP 503"):
            revocation.revoke(issued, 10)

        assert revocation.revoke(issued, 10).revoked == 1
        assert not issued.has_tokens


class TestUnwritable:
    def test_a_full_disk_does_not_prevent_the_revoke_and_is_reported(self, issued, keystone, monkeypatch):
        def fails(*args):
            raise SessionError("the disk is full")

        monkeypatch.setattr(type(issued), "close", fails)
        monkeypatch.setattr(type(issued), "write_record", fails)

        with pytest.raises(SessionError, match="disk is full"):
            revocation.revoke(issued, 10)
        assert keystone.alive == {}
        assert issued.names() == []

    def test_a_file_that_cannot_be_removed_does_not_protect_the_others_and_is_reported(
        self, issued, second, keystone, monkeypatch
    ):
        """Somebody took the right to write from the directory."""

        def fails(*args):
            raise PermissionError(errno.EACCES, "Permission denied")

        monkeypatch.setattr(directory, "remove", fails)
        monkeypatch.setattr(
            directory,
            "open_file",
            lambda handle, name, flags=0, plain=directory.open_file: (
                fails() if name == REQUESTS else plain(handle, name, flags)
            ),
        )

        with pytest.raises(SessionDamagedError, match=rf"{IDENTITY}\.json of the session .* cannot be changed"):
            revocation.revoke(issued, 10)
        assert keystone.alive == {}
