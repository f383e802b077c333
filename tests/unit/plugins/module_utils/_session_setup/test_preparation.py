# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import stat
import threading

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.revoke import revocation
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import key, owners, site_code
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.owners import Owner
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.renewal import RenewalPolicy
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import (
    OFF,
    SITE,
    LimitOptions,
    LivingToken,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import (
    SessionDamagedError,
    SessionError,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session_setup import (
    explicit,
    limits,
    preparation,
    site,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.old_session import make_old
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import Answer
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.superuser import needs_root
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import (
    IDENTITY,
    make_token,
    sign_in,
)

POLICY = RenewalPolicy()


@pytest.fixture
def owner():
    return Owner.of_process(os.getpid())


def fails(*args):
    raise SessionError("the disk is full")


class TestOfARun:
    def test_it_is_made_without_a_token_and_without_a_request(self, session, owner, keystone):
        name = preparation.prepare(session, RenewalPolicy("50%"), owner)

        assert owners.known(session) == {name: owner}
        assert session.names() == []
        assert not session.closed
        assert stat.S_IMODE(os.stat(session.path).st_mode) == 0o700
        assert (session.read_record().policy, session.read_record().of_runs) == (RenewalPolicy("50%"), True)
        for file, text in site.files().items():
            assert pathlib.Path(session.path, SITE, file).read_text(encoding="utf-8") == text
        assert keystone.requests == []

    @needs_root
    def test_the_superuser_begins_no_run_on_a_session_of_another_user(self, session, owner):
        """That user could put other code into it during the run."""
        session.make()
        os.chown(session.path, 65534, -1)

        with pytest.raises(SessionError, match="belongs to another user"):
            preparation.prepare(session, POLICY, owner)
        assert owners.known(session) == {}
        assert not os.path.lexists(session.site)

    def test_a_second_run_shares_what_the_first_has(self, session, owner, keystone):
        first = preparation.prepare(session, POLICY, owner)
        sign_in(session, keystone)

        second = preparation.prepare(session, RenewalPolicy("50%"), owner)

        assert set(owners.known(session)) == {first, second}
        assert session.names() == [IDENTITY]
        assert session.read_record().policy == RenewalPolicy("50%")
        assert len(keystone.alive) == 1

    def test_many_runs_at_once_make_one_session(self, session, owner):
        names = []
        start = threading.Barrier(4)

        def prepare():
            start.wait(10)
            names.append(preparation.prepare(session, POLICY, owner))

        threads = [threading.Thread(target=prepare) for _turn in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

        assert len(names) == 4
        assert set(owners.known(session)) == set(names)

    def test_the_tokens_that_keystone_refused_to_revoke_stay_on_record(self, issued, owner):
        record = issued.read_record()
        record.living = [LivingToken(None, "a trust")]
        issued.write_record(record)

        preparation.prepare(issued, POLICY, owner)

        assert issued.read_record().living == record.living

    def test_one_that_was_revoked_is_opened_again(self, issued, owner):
        revocation.revoke(issued, 10)

        preparation.prepare(issued, POLICY, owner)

        assert not issued.closed

    @pytest.mark.parametrize("step", ["code", "record"])
    def test_a_new_session_that_cannot_be_completed_is_removed(self, session, owner, monkeypatch, step):
        steps = {"code": (site_code, "write"), "record": (session, "write_record")}
        monkeypatch.setattr(*steps[step], fails)

        with pytest.raises(SessionError, match="disk is full"):
            preparation.prepare(session, POLICY, owner)
        assert not os.path.lexists(session.path)

    def test_a_new_session_whose_run_cannot_be_recorded_is_removed(self, session, owner, monkeypatch):
        monkeypatch.setattr(owners, "add", fails)

        with pytest.raises(SessionError, match="disk is full"):
            preparation.prepare(session, POLICY, owner)
        assert not os.path.lexists(session.path)

    def test_an_existing_session_stays_if_its_run_cannot_be_recorded(self, issued, owner, monkeypatch):
        monkeypatch.setattr(owners, "add", fails)

        with pytest.raises(SessionError, match="disk is full"):
            preparation.prepare(issued, POLICY, owner)
        assert issued.names() == [IDENTITY]

    def test_tokens_without_a_record_stay_on_the_list(self, issued, owner, monkeypatch):
        os.unlink(os.path.join(issued.path, "session.json"))
        monkeypatch.setattr(owners, "add", fails)

        with pytest.raises(SessionError, match="disk is full"):
            preparation.prepare(issued, POLICY, owner)
        assert issued.names() == [IDENTITY]

    def test_a_directory_with_other_files_is_refused_and_left_alone(self, session, owner):
        path = pathlib.Path(session.path)
        path.mkdir(mode=0o700)
        (path / "cat.jpg").write_text("precious")

        with pytest.raises(SessionError, match="is not a session but has files in it: name another directory"):
            preparation.prepare(session, POLICY, owner)
        assert os.listdir(path) == ["cat.jpg"]

    def test_a_damaged_record_is_reported_and_the_tokens_stay(self, issued, owner):
        pathlib.Path(issued.path, "session.json").write_text("{")

        with pytest.raises(SessionDamagedError, match=r"session\.json .* is damaged"):
            preparation.prepare(issued, POLICY, owner)
        assert issued.names() == [IDENTITY]


class TestOfAVersionBefore:
    def test_it_is_revoked_and_cleared_and_a_new_one_made(self, issued, owner, keystone):
        make_old(issued)

        name = preparation.prepare(issued, POLICY, owner)

        assert keystone.alive == {}
        assert issued.is_of_this_format
        assert not issued.closed
        assert issued.names() == []
        assert list(owners.known(issued)) == [name]
        assert {os.path.join(SITE, file) for file in site.files()} == {
            os.path.relpath(os.path.join(folder, file), issued.path)
            for folder, _folders, files in os.walk(issued.site)
            for file in files
            if file.endswith(".py")
        }

    def test_a_task_clears_it_too(self, issued, keystone):
        make_old(issued)

        with preparation.prepared(issued, POLICY, 10):
            assert issued.is_of_this_format
        assert keystone.alive == {}

    def test_until_keystone_confirms_nothing_is_cleared_and_no_run_begins(self, issued, owner, keystone, monkeypatch):
        make_old(issued)
        keystone.stuck["DELETE"] = Answer(503)
        monkeypatch.setattr(preparation, "REVOKE_TIMEOUT", 0.1)

        with pytest.raises(SessionError, match="may still have a valid token"):
            preparation.prepare(issued, POLICY, owner)
        assert issued.has_tokens
        assert owners.known(issued) == {}

    def test_of_two_runs_at_once_the_second_does_not_clear_what_the_first_made(
        self, issued, owner, keystone, monkeypatch
    ):
        make_old(issued)
        clear = revocation.clear_old

        def after_the_first(*args):
            monkeypatch.setattr(revocation, "clear_old", clear)
            preparation.prepare(issued, POLICY, owner)
            sign_in(issued, keystone)
            clear(*args)

        monkeypatch.setattr(revocation, "clear_old", after_the_first)
        preparation.prepare(issued, POLICY, owner)

        assert len(owners.known(issued)) == 2
        assert issued.names() == [IDENTITY]
        assert len(keystone.alive) == 1

    def test_somebody_else_s_file_in_it_stays_and_no_session_is_made_beside_it(self, issued, owner, keystone):
        make_old(issued)
        path = pathlib.Path(issued.path, "cat.jpg")
        path.write_text("precious")

        with pytest.raises(SessionError, match="is not a session but has files in it"):
            preparation.prepare(issued, POLICY, owner)
        assert keystone.alive == {}
        assert path.read_text() == "precious"


class TestOfATask:
    def test_it_exists_during_the_sign_in_and_stays(self, session, keystone):
        with preparation.prepared(session, RenewalPolicy("50%"), 10):
            assert session.read_record().policy == RenewalPolicy("50%")
            assert not session.read_record().of_runs
            assert os.path.isdir(session.site)
            sign_in(session, keystone)

        assert session.names() == [IDENTITY]

    def test_another_policy_replaces_the_one_before(self, issued):
        with preparation.prepared(issued, RenewalPolicy("300"), 10):
            pass

        assert issued.read_record().policy == RenewalPolicy("300")
        assert issued.names() == [IDENTITY]

    @pytest.mark.parametrize("of_a_run", [False, True])
    def test_its_limits_apply_only_to_its_own_session(self, session, owner, of_a_run):
        if of_a_run:
            preparation.prepare(session, POLICY, owner)

        with preparation.prepared(session, POLICY, 10, limits.options("no", 60)):
            pass
        assert session.read_record().limits == (LimitOptions() if of_a_run else LimitOptions(OFF, 60))

    def test_the_policy_of_a_run_stays_except_min_remaining(self, session, owner):
        preparation.prepare(session, RenewalPolicy("3000"), owner)

        with preparation.prepared(session, RenewalPolicy("33%", 600), 10) as policy:
            assert policy == RenewalPolicy("3000", 600)
        assert session.read_record().policy == policy

    def test_a_sign_in_does_not_delay_a_task_or_a_run(self, issued, owner):
        signs_in = issued.signing_in(0)

        with preparation.prepared(issued, POLICY, 0.1):
            explicit.write(issued, "sandbox", {}, make_token(), "handle")
        assert preparation.prepare(issued, POLICY, owner) in owners.known(issued)
        os.close(signs_in)

    def test_preparations_wait_for_each_other_and_for_a_revoke(self, issued):
        for other in (issued.locked_for_changes, issued.locked):
            with other(), pytest.raises(SessionError, match="still locked"), preparation.prepared(issued, POLICY, 0.1):
                pass
        with issued.locked_for_changes(), pytest.raises(SessionError, match="still locked"), issued.locked(0.1):
            pass

    @pytest.mark.parametrize("error", [SessionError, KeyboardInterrupt])
    def test_a_new_session_without_a_token_is_removed(self, session, error):
        with pytest.raises(error), preparation.prepared(session, POLICY, 10):
            raise error("as the test wants it")

        assert not os.path.lexists(session.path)

    def test_a_session_with_a_token_stays_to_be_revoked(self, session, keystone):
        with pytest.raises(ZeroDivisionError), preparation.prepared(session, POLICY, 10):
            sign_in(session, keystone)
            raise ZeroDivisionError

        assert session.names() == [IDENTITY]

    def test_a_session_that_another_task_uses_stays(self, session):
        """That one may be about to sign in, and its token needs the session's list."""
        with pytest.raises(ZeroDivisionError), preparation.prepared(session, POLICY, 10):
            with preparation.prepared(session, POLICY, 10):
                pass
            raise ZeroDivisionError

        assert session.is_of_this_format
        assert not session.closed

    @pytest.mark.parametrize("was_closed", [True, False])
    def test_an_existing_session_is_closed_again_if_it_was(self, issued, was_closed):
        if was_closed:
            revocation.revoke(issued, 10)
        with pytest.raises(ZeroDivisionError), preparation.prepared(issued, POLICY, 10):
            issued.key()
            assert not issued.closed
            raise ZeroDivisionError

        assert issued.closed is was_closed
        assert any(map(os.path.exists, key.paths(issued.path))) is not was_closed
        assert issued.exists

    def test_tokens_without_a_record_stay_on_the_list(self, issued):
        """A task was killed before, or somebody removed the file."""
        os.unlink(os.path.join(issued.path, "session.json"))

        with pytest.raises(ZeroDivisionError), preparation.prepared(issued, POLICY, 10):
            raise ZeroDivisionError
        assert issued.names() == [IDENTITY]

    def test_tokens_without_a_record_stay_if_the_session_cannot_be_completed(self, issued, monkeypatch):
        os.unlink(os.path.join(issued.path, "session.json"))
        monkeypatch.setattr(site, "files", fails)

        with pytest.raises(SessionError, match="disk is full"), preparation.prepared(issued, POLICY, 10):
            pass
        assert issued.names() == [IDENTITY]

    def test_a_session_that_another_task_removed_is_made_again(self, session, monkeypatch):
        """That task could not sign in: its credentials were wrong, and these are not."""
        make = session.make
        lost = []

        def make_and_lose_once():
            make()
            if not lost:
                lost.append(session.path)
                session.discard()

        monkeypatch.setattr(session, "make", make_and_lose_once)
        with preparation.prepared(session, POLICY, 10):
            assert session.exists

        assert lost

    def test_a_new_session_that_cannot_be_completed_is_removed(self, session, monkeypatch):
        monkeypatch.setattr(site, "files", fails)

        with pytest.raises(SessionError, match="disk is full"), preparation.prepared(session, POLICY, 10):
            pass
        assert not os.path.lexists(session.path)
