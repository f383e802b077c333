# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import os
import stat

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import (
    PROBLEM_FILES,
    VARIABLE,
    Session,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import (
    SessionClosedError,
    SessionError,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.store.session_files import (
    files_of,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import (
    IDENTITY,
    SECRET,
)


class TestNaming:
    def test_a_plain_name_is_in_the_default_directory(self, no_cloud, tmp_path):
        environ = {"XDG_STATE_HOME": str(tmp_path / "state")}

        assert Session.named("nightly", environ).path == str(tmp_path / "state" / "onetoken" / "nightly")

    def test_a_path_is_taken_as_it_is(self, no_cloud):
        assert Session.named("/run/mine//", {}).path == "/run/mine"
        assert Session.named("~/mine", {}).path == str(no_cloud / "mine")

    def test_it_has_one_path_and_one_key_by_whatever_links_it_is_named(self, full, tmp_path):
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere" / "link").symlink_to(tmp_path)
        path = str(tmp_path / "elsewhere" / "link" / "session")
        named = [Session(path), Session.named(path, {}), Session.of_environment({VARIABLE: path})]

        assert {one.path for one in named} == {full.path}
        assert {one.key() for one in named} == {full.key()}
        assert os.path.dirname(Session.new({}, os.path.dirname(path)).path) == str(tmp_path)

    def test_naming_a_path_makes_nothing(self, no_cloud, tmp_path):
        Session.named(str(tmp_path / "mine"), {})

        assert not (tmp_path / "mine").exists()
        assert os.listdir(no_cloud) == []

    @pytest.mark.parametrize("name", ["a/b", "../a", ".", "..", "./a"])
    def test_a_relative_path_is_refused(self, no_cloud, name):
        with pytest.raises(SessionError, match="give a plain name, or an absolute path"):
            Session.named(name, {})

    @pytest.mark.parametrize("name", ["night:ly", "/tmp/night:ly", "night\nly"])
    def test_a_name_that_would_break_a_search_path_is_refused(self, no_cloud, name):
        """PYTHONPATH would get the part behind the colon, relative to any working directory."""
        with pytest.raises(SessionError):
            Session.named(name, {})

    def test_without_a_name_it_is_a_new_one_each_time(self, no_cloud):
        assert Session.named(None, {}).path != Session.named("", {}).path

    def test_without_a_name_it_is_that_of_the_environment(self, full):
        environ = {VARIABLE: full.path}

        assert Session.named(None, environ).path == full.path
        assert Session.of_environment(environ).path == full.path

    @pytest.mark.parametrize("path", [None, "", "session", ".", "/no/such/session"])
    def test_without_an_absolute_path_to_a_session_there_is_none(self, no_cloud, path):
        assert Session.of_environment({} if path is None else {VARIABLE: path}) is None

    def test_a_directory_without_a_record_is_no_session(self, made):
        assert Session.of_environment({VARIABLE: made.path}) is None


class TestNew:
    def test_each_is_a_new_one_in_the_default_directory(self, no_cloud, tmp_path):
        environ = {"XDG_STATE_HOME": str(tmp_path / "state")}
        first, second = Session.new(environ), Session.new(environ)

        assert first.path != second.path
        assert os.path.dirname(first.path) == str(tmp_path / "state" / "onetoken")
        assert first.is_of_one_run
        assert not os.path.lexists(first.path)

    def test_it_may_be_in_a_chosen_directory(self, tmp_path):
        session = Session.new({}, str(tmp_path / "mine"))

        assert os.path.dirname(session.path) == str(tmp_path / "mine")
        assert not (tmp_path / "mine").exists()

    def test_a_directory_that_would_break_a_search_path_is_refused(self, tmp_path):
        with pytest.raises(SessionError, match="cannot have sessions: PYTHONPATH"):
            Session.new({}, str(tmp_path / "a:b"))

    def test_a_named_session_is_not_of_one_run(self, tmp_path):
        assert not Session(str(tmp_path / "run-1" / "nightly")).is_of_one_run


class TestMaking:
    def test_a_new_directory_and_an_empty_one_are_fine(self, tmp_path):
        Session(str(tmp_path / "new")).make()
        Session(str(tmp_path / "new")).make()

        assert stat.S_IMODE(os.stat(tmp_path / "new").st_mode) == 0o700

    def test_a_session_can_be_made_again(self, full):
        before = files_of(full)
        full.make()

        assert files_of(full) == before | set(PROBLEM_FILES.values())

    def test_a_directory_with_other_files_is_left_alone(self, tmp_path):
        path = tmp_path / "photos"
        path.mkdir(mode=0o700)
        (path / "cat.jpg").touch()

        with pytest.raises(SessionError, match="is not a session but has files in it"):
            Session(str(path)).make()
        assert os.listdir(path) == ["cat.jpg"]

    def test_a_session_that_another_process_is_just_making_is_accepted(self, session):
        """It has a lock before it has anything else."""
        session.make()
        with session.locked():
            Session(session.path).make()

    def test_a_directory_that_cannot_be_made_is_reported(self, tmp_path):
        (tmp_path / "file").touch()

        with pytest.raises(SessionError, match="cannot be made"):
            Session(str(tmp_path / "file" / "session")).make()


class TestClosing:
    def test_a_closed_session_refuses_until_it_is_opened_again(self, made):
        made.refuse_closed()
        made.close()

        assert made.closed
        with pytest.raises(SessionClosedError, match="was revoked, so this task has no token"):
            made.refuse_closed()

        made.reopen()
        assert not made.closed
        made.refuse_closed()


def test_its_repr_shows_the_path_and_no_token(full):
    assert repr(full) == f"Session({full.path!r})"
    assert SECRET not in repr(full.read_tokens(IDENTITY))
    assert dataclasses.is_dataclass(full.read_record())
