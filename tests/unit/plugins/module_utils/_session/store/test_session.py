# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import stat
import threading

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.sign_in import handle
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import (
    documents,
    owners,
    refusals,
    site_code,
    staleness,
    usage,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.owners import Owner
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.renewal import RenewalPolicy
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import (
    AUTHENTICATIONS,
    PACKAGE,
    PROBLEM_FILES,
    VARIABLE,
    LivingToken,
    Session,
    SessionRecord,
    last_end,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.tokens import StoredTokens
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import (
    SessionClosedError,
    SessionDamagedError,
    SessionError,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session_setup import site
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.processes import copies_of_handles
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.store.session_files import files_of
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import (
    IDENTITY,
    SECRET,
    make_token,
)


def record() -> SessionRecord:
    return SessionRecord(RenewalPolicy("50%", 60), True, [LivingToken("2026-01-31T14:05:00Z", "because")])


@pytest.fixture
def full(made):
    """A session that has all the files that a session can have."""
    made.write_record(record())
    made.write_clouds("clouds: {}")
    site_code.write(made, site.files())
    made.write_tokens(IDENTITY, StoredTokens(make_token()))
    os.close(made.lock_for(IDENTITY))
    owners.add(made, Owner(1, "start", "boot", "namespace"))
    handle.grant(made, IDENTITY, None)
    documents.write(made, "document.json", documents.Document(200, {}, "{}", "http://k", 0.0, ""))
    refusals.write(made, IDENTITY, refusals.Refusal(401, {}, "{}", "http://k", 0.0, ""))
    staleness.mark(made, ["u1"])
    made.count(AUTHENTICATIONS)
    made.report_problem("broken")
    made.close()
    usage.is_idle(made)
    usage.is_finished(made)
    with made.locked():
        pass
    pycache = os.path.join(made.site, PACKAGE, "store", "__pycache__")
    with open(os.path.join(pycache, "token.cpython-311.pyc"), "w", encoding="utf-8"):
        pass
    return made


class TestNaming:
    def test_a_plain_name_is_below_the_default_place(self, no_cloud, tmp_path):
        environ = {"XDG_STATE_HOME": str(tmp_path / "state")}

        assert Session.named("nightly", environ).path == str(tmp_path / "state" / "onetoken" / "nightly")

    def test_a_path_is_taken_as_it_is(self, no_cloud):
        assert Session.named("/run/mine//", {}).path == "/run/mine"
        assert Session.named("~/mine", {}).path == str(no_cloud / "mine")

    def test_by_whatever_links_it_is_named_it_has_one_path_and_one_key(self, full, tmp_path):
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

    def test_without_a_name_it_is_the_injected_one(self, full):
        environ = {VARIABLE: full.path}

        assert Session.named(None, environ).path == full.path
        assert Session.of_environment(environ).path == full.path

    @pytest.mark.parametrize("path", [None, "", "session", ".", "/no/such/session"])
    def test_without_an_absolute_path_to_a_session_there_is_none(self, no_cloud, path):
        assert Session.of_environment({} if path is None else {VARIABLE: path}) is None

    def test_a_directory_without_a_record_is_no_session(self, made):
        assert Session.of_environment({VARIABLE: made.path}) is None


class TestNew:
    def test_each_is_another_one_below_the_default_place(self, no_cloud, tmp_path):
        environ = {"XDG_STATE_HOME": str(tmp_path / "state")}
        first, second = Session.new(environ), Session.new(environ)

        assert first.path != second.path
        assert os.path.dirname(first.path) == str(tmp_path / "state" / "onetoken")
        assert first.is_of_one_run
        assert not os.path.lexists(first.path)

    def test_it_may_be_below_a_place_that_was_chosen(self, tmp_path):
        session = Session.new({}, str(tmp_path / "mine"))

        assert os.path.dirname(session.path) == str(tmp_path / "mine")
        assert not (tmp_path / "mine").exists()

    def test_a_place_that_would_break_a_search_path_is_refused(self, tmp_path):
        with pytest.raises(SessionError, match="cannot have sessions: PYTHONPATH"):
            Session.new({}, str(tmp_path / "a:b"))

    def test_one_that_its_user_named_is_not_of_one_run(self, tmp_path):
        assert not Session(str(tmp_path / "run-1" / "nightly")).is_of_one_run


class TestState:
    def test_without_a_record_there_is_none(self, made):
        assert made.state is None

    def test_it_is_another_after_every_change_of_the_record_and_of_nothing_else(self, made):
        states = set()
        for _turn in range(5):
            made.write_record(record())
            states.add(made.state)
        assert len(states) == 5

        made.write_tokens(IDENTITY, StoredTokens(make_token()))
        made.read_record()
        assert made.state in states


class TestMaking:
    def test_a_new_directory_and_an_empty_one_are_fine(self, tmp_path):
        Session(str(tmp_path / "new")).make()
        Session(str(tmp_path / "new")).make()

        assert stat.S_IMODE(os.stat(tmp_path / "new").st_mode) == 0o700

    def test_a_session_can_be_made_again(self, full):
        before = files_of(full)
        full.make()

        assert files_of(full) == before | set(PROBLEM_FILES.values())

    def test_a_directory_with_something_else_in_it_is_left_alone(self, tmp_path):
        path = tmp_path / "photos"
        path.mkdir(mode=0o700)
        (path / "cat.jpg").touch()

        with pytest.raises(SessionError, match="is not a session but has files in it"):
            Session(str(path)).make()
        assert os.listdir(path) == ["cat.jpg"]

    def test_a_session_that_another_process_is_just_making_is_no_stranger(self, session):
        """It has a lock before it has anything else."""
        session.make()
        with session.locked():
            Session(session.path).make()

    def test_a_place_that_cannot_be_made_is_a_sentence(self, tmp_path):
        (tmp_path / "file").touch()

        with pytest.raises(SessionError, match="cannot be made"):
            Session(str(tmp_path / "file" / "session")).make()


class TestRecord:
    def test_it_comes_back_as_it_was(self, made):
        assert not made.exists
        made.write_record(record())

        assert made.exists
        assert made.is_of_this_format
        assert made.read_record() == record()

    def test_a_record_that_says_little_comes_back_as_it_was(self, made):
        little = SessionRecord(RenewalPolicy())
        made.write_record(little)

        assert made.read_record() == little

    @pytest.mark.parametrize("file", ["source.json", "session.json"])
    def test_a_session_of_another_version_is_seen_and_not_read(self, made, file):
        """The name of the record was another one before."""
        with open(os.path.join(made.path, file), "w", encoding="utf-8") as stream:
            json.dump({"format": 1, "sources": {}}, stream)

        assert made.exists
        assert not made.is_of_this_format
        with pytest.raises(SessionError, match="another version of this collection|is not a session"):
            made.read_record()

    def test_a_directory_that_is_no_session_is_a_sentence(self, made):
        assert not made.is_of_this_format
        with pytest.raises(SessionError, match="is not a session"):
            made.read_record()

    @pytest.mark.parametrize(
        "living",
        [{}, {"until": 5, "reason": "r"}, {"until": "some day", "reason": "r"}, {"until": None, "reason": None}],
        ids=str,
    )
    def test_a_living_token_without_sense_is_damage(self, full, living):
        path = os.path.join(full.path, "session.json")
        with open(path, encoding="utf-8") as stream:
            data = json.load(stream)
        with open(path, "w", encoding="utf-8") as stream:
            json.dump({**data, "living": [living]}, stream)

        with pytest.raises(SessionDamagedError, match=r"session\.json .* is damaged"):
            full.read_record()


class TestTokens:
    def test_they_come_back_as_they_were(self, made):
        stored = StoredTokens(make_token("new", catalog=[{"type": "compute"}]), (make_token("old"),))
        made.write_tokens(IDENTITY, stored)

        read = made.read_tokens(IDENTITY)
        assert read.current == stored.current
        assert [token.id for token in read.newest_first] == [token.id for token in stored.newest_first]

    def test_whether_there_are_any_is_known_without_making_anything(self, made):
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

    def test_what_a_killed_writer_left_is_no_identity(self, full):
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

    def test_to_set_aside_what_is_gone_is_no_error(self, full):
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
def test_a_damaged_file_is_a_sentence(full, file, read, content):
    with open(os.path.join(full.path, file), "wb") as stream:
        stream.write(content)

    with pytest.raises(SessionError, match=r"issue (it|one|the token|a new one)\b"):
        read(full)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"{}"], ids=repr)
def test_of_a_damaged_file_no_token_can_be_read_and_that_is_known(full, content):
    with open(os.path.join(full.path, "tokens", f"{IDENTITY}.json"), "wb") as stream:
        stream.write(content)

    assert full.readable_tokens(IDENTITY) == ([], False)


class TestLock:
    @pytest.mark.processes
    def test_it_keeps_another_process_out_until_it_is_let_go(self, full, run_python):
        code = (
            "import sys\n"
            "from onetoken_session.store.session import Session\n"
            "from onetoken_session.util.errors import SessionError\n"
            "try:\n"
            "    with Session(sys.argv[1]).locked(0.2): print('got it')\n"
            "except SessionError as exc: print(exc)\n"
        )
        with full.locked():
            refused = run_python(code, full.path, PYTHONPATH=full.site)
        allowed = run_python(code, full.path, PYTHONPATH=full.site)

        assert "is still locked by another process after 0 s" in refused.stdout, refused.stderr
        assert allowed.stdout == "got it\n", allowed.stderr

    @pytest.mark.processes
    def test_a_process_that_died_holds_no_lock(self, full, run_python):
        process = run_python(
            "import os, sys\n"
            "from onetoken_session.store.session import Session\n"
            "Session(sys.argv[1]).locked().__enter__()\n"
            "os.kill(os.getpid(), 9)\n",
            full.path,
            PYTHONPATH=full.site,
        )
        assert process.returncode == -9, process.stderr

        with full.locked(0):
            pass

    def test_waiting_for_it_is_over_when_it_is_free(self, made):
        got_it = threading.Event()

        def wait():
            with made.locked(10):
                got_it.set()

        waiting = threading.Thread(target=wait)
        with made.locked():
            waiting.start()
            assert not got_it.wait(0.1)
        waiting.join(10)

        assert got_it.is_set()

    def test_an_error_inside_lets_it_go(self, made):
        with pytest.raises(ZeroDivisionError), made.locked():
            raise ZeroDivisionError
        with made.locked(0):
            pass

    def test_who_waits_for_a_session_that_is_discarded_holds_the_lock_that_others_ask_for(self, made, monkeypatch):
        """A lock on a file that is gone keeps nobody out. To be told that the session is gone is as good."""
        problems = []
        waiting, discarded = threading.Event(), threading.Event()
        flock = fcntl.flock

        def noticed(*args):
            waiting.set()
            flock(*args)

        def wait():
            with contextlib.suppress(SessionError), made.locked(10):
                discarded.wait(10)
                made.make()
                with contextlib.suppress(SessionError), Session(made.path).locked(0):
                    problems.append("two hold the lock")

        thread = threading.Thread(target=wait)
        with made.locked():
            monkeypatch.setattr(fcntl, "flock", noticed)
            thread.start()
            assert waiting.wait(10)
            made.discard()
            discarded.set()
        thread.join(20)

        assert not thread.is_alive()
        assert problems == []

    def test_copies_of_the_handle_that_a_fork_in_another_thread_made_keep_no_lock(self, made):
        with made.locked():
            copied = copies_of_handles(made.path)

        assert copied
        with made.locked(0):
            pass
        for handle_on_it in copied:
            os.close(handle_on_it)


class TestLockOfAnIdentity:
    def test_one_at_a_time_has_it_and_those_of_others_are_free(self, made):
        lock = made.lock_for(IDENTITY)

        assert made.lock_for(IDENTITY) is None
        os.close(made.lock_for("another"))
        os.close(lock)
        os.close(made.lock_for(IDENTITY))

    def test_while_somebody_signs_in_others_sign_in_and_nobody_revokes(self, made):
        first, second = made.signing_in(10), made.signing_in(10)
        for handle_on_it in (first, second):
            with pytest.raises(SessionError, match="still locked"), made.locked(0):
                pass
            os.close(handle_on_it)

        with made.locked(0), pytest.raises(SessionError, match="still locked"):
            made.signing_in(0)


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


class TestCounting:
    def test_what_is_not_there_counts_nothing_and_is_not_made(self, made):
        assert made.counted(AUTHENTICATIONS) == 0
        assert set(os.listdir(made.path)) == set(PROBLEM_FILES.values())

    def test_it_adds_up(self, made):
        made.count(AUTHENTICATIONS)
        made.count(AUTHENTICATIONS, 41)
        made.count(AUTHENTICATIONS, 0)

        assert made.counted(AUTHENTICATIONS) == 42

    def test_a_number_that_cannot_be_written_keeps_nobody_from_his_work(self, made):
        os.mkdir(os.path.join(made.path, AUTHENTICATIONS))

        made.count(AUTHENTICATIONS)
        Session(f"{made.path}-gone").count(AUTHENTICATIONS)

    @pytest.mark.processes
    def test_what_processes_count_at_once_is_all_counted(self, made, python):
        code = (
            "import sys\n"
            "from onetoken_session.store import session\n"
            "print('ready', flush=True)\n"
            "sys.stdin.read()\n"
            "for _turn in range(50): session.Session(sys.argv[1]).count(session.AUTHENTICATIONS)\n"
        )
        processes = [python(code, made.path) for _number in range(3)]
        for process in processes:
            process.stdin.close()
        for process in processes:
            process.wait(30)

        assert made.counted(AUTHENTICATIONS) == 150


class TestTrouble:
    def test_each_is_noted_once(self, made):
        assert made.problems() == set()
        for trouble in ("broken", "unrecorded", "broken"):
            made.report_problem(trouble)

        assert made.problems() == {"broken", "unrecorded"}

    def test_where_it_cannot_be_noted_nothing_fails(self, session, made):
        os.remove(os.path.join(made.path, "usable"))
        os.mkdir(os.path.join(made.path, "usable"))
        made.report_problem("broken")
        assert made.problems() == {"broken"}
        Session("/no/such/session").report_problem("broken")

    def test_the_next_run_on_it_begins_without_any(self, made):
        made.report_problem("broken")
        made.make()

        assert made.problems() == set()


class TestDiscarding:
    def test_nothing_is_left_of_a_session(self, full):
        full.key()
        full.discard()

        assert not os.path.lexists(full.path)

    def test_nothing_is_left_of_a_session_of_a_version_before(self, full):
        os.rename(os.path.join(full.path, "session.json"), os.path.join(full.path, "source.json"))
        old = os.path.join(full.site, f"{PACKAGE}-0.1.0.dist-info")
        os.mkdir(old)
        for name in ("METADATA", "entry_points.txt"):
            with open(os.path.join(old, name), "w", encoding="utf-8"):
                pass
        full.discard()

        assert not os.path.lexists(full.path)

    @pytest.mark.parametrize(
        "folder",
        ["", "tokens", "locks", "stale", "site", f"site/{PACKAGE}", f"site/{PACKAGE}/store/__pycache__"],
    )
    @pytest.mark.parametrize("kind", ["file", "directory"])
    def test_what_is_not_its_own_stays_where_it_is(self, full, folder, kind):
        stranger = os.path.join(full.path, folder, "stranger.txt")
        if kind == "file":
            with open(stranger, "w", encoding="utf-8") as stream:
                stream.write("precious")
        else:
            os.mkdir(stranger)
            with open(os.path.join(stranger, "a.json"), "w", encoding="utf-8") as stream:
                stream.write("precious")
        full.discard()

        expected = "stranger.txt" if kind == "file" else "stranger.txt/a.json"
        assert files_of(full) == {os.path.join(folder, expected)}

    def test_it_does_not_reach_through_a_link(self, full, tmp_path):
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "precious.json").touch()
        full.remove_tokens(IDENTITY)
        os.rmdir(os.path.join(full.path, "tokens"))
        os.symlink(elsewhere, os.path.join(full.path, "tokens"))

        full.discard()

        assert os.listdir(elsewhere) == ["precious.json"]

    def test_a_token_that_a_killed_writer_left_under_a_temporary_name_goes_too(self, full):
        with open(os.path.join(full.path, "tokens", f".{IDENTITY}.json.0123abcd"), "w", encoding="utf-8") as stream:
            stream.write(SECRET)
        full.discard()

        assert not os.path.lexists(full.path)


def test_a_session_shows_its_path_and_its_list_shows_no_token(full):
    assert repr(full) == f"Session({full.path!r})"
    assert SECRET not in repr(full.read_tokens(IDENTITY))
    assert dataclasses.is_dataclass(full.read_record())


@pytest.mark.parametrize(
    ("ends", "last"),
    [
        ([], None),
        (["2026-01-31T14:05:00Z"], "2026-01-31T14:05:00Z"),
        (["2026-02-01T00:00:00Z", "2026-01-31T14:05:00Z"], "2026-02-01T00:00:00Z"),
        (["2026-01-31T14:05:00Z", None], None),
    ],
)
def test_the_last_end_of_tokens_is_known_if_each_is(ends, last):
    assert last_end([LivingToken(end, "") for end in ends]) == last


@pytest.mark.parametrize(
    ("until", "ended"), [("2026-01-31T14:05:00Z", True), ("9999-01-01T00:00:00Z", False), (None, False)]
)
def test_a_living_token_has_ended_when_its_time_is_over(until, ended):
    assert LivingToken(until, "because").ended is ended
