# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import json
import os
import pathlib

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.revoke import sweep as sweep_module
from ansible_collections.onetoken.openstack.plugins.module_utils._session.revoke.sweep import (
    KEPT,
    KEPT_ELSEWHERE,
    Sweep,
    clear,
    orphans,
    sweep,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import owners, usage
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.owners import Owner
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.renewal import RenewalPolicy
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import (
    AUTHENTICATIONS,
    Session,
    SessionRecord,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.tokens import StoredTokens
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.old_session import make_old
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.processes import (
    ended_run,
    run_elsewhere,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.superuser import needs_root
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import (
    IDENTITY,
    make_token,
    sign_in,
)

DAY = 24 * 3600
NOBODY = 65534
DEAD = 25 * 3600
ENDED = ended_run()


@pytest.fixture
def base(tmp_path):
    path = tmp_path / "onetoken"
    path.mkdir(mode=0o700)
    return path


def left_behind(base: pathlib.Path, name: str, token_age: float | None = DEAD, untouched: float = KEPT + 60) -> Session:
    session = Session(str(base / name))
    session.make()
    session.write_record(SessionRecord(RenewalPolicy()))
    if token_age is not None:
        session.write_tokens(IDENTITY, StoredTokens(make_token(age=token_age)))
    touched = os.stat(base).st_mtime - untouched
    os.utime(session.path, (touched, touched))
    return session


@pytest.mark.parametrize("token_age", [DEAD, None], ids=["expired", "none"])
def test_a_run_s_session_without_a_live_token_is_removed_after_a_day(base, token_age):
    left_behind(base, "run-1", token_age)
    clear(str(base))

    assert os.listdir(base) == []


def test_one_of_an_earlier_version_is_removed_too(base):
    session = left_behind(base, "run-1")
    make_old(session)
    os.utime(session.path, (0, 0))
    clear(str(base))

    assert os.listdir(base) == []


def test_a_live_token_stays_to_be_revoked(base):
    left_behind(base, "run-1", token_age=3600)
    clear(str(base))

    assert os.listdir(base) == ["run-1"]


def test_a_live_token_in_a_temporary_file_stays_too(base):
    tokens = pathlib.Path(left_behind(base, "run-1", token_age=3600).path) / "tokens"
    (tokens / f"{IDENTITY}.json").rename(tokens / f".{IDENTITY}.json.0123abcd")
    os.utime(tokens.parent, (0, os.stat(base).st_mtime - KEPT - 60))
    clear(str(base))

    assert os.listdir(base) == ["run-1"]


def test_a_live_token_that_was_replaced_stays_too(base):
    session = left_behind(base, "run-1")
    session.write_tokens(IDENTITY, StoredTokens(make_token(age=DEAD), (make_token(age=3600),)))
    clear(str(base))

    assert os.listdir(base) == ["run-1"]


def test_a_session_that_changed_lately_stays_for_a_late_task(base):
    left_behind(base, "run-1", untouched=KEPT - 60)
    clear(str(base))

    assert os.listdir(base) == ["run-1"]


def test_a_session_that_a_user_named_stays(base):
    left_behind(base, "nightly")
    clear(str(base))

    assert os.listdir(base) == ["nightly"]


class TestANamedSession:
    """It lives for days, and the identities of its tasks come and go."""

    @pytest.fixture
    def tokens_left(self, base):
        """The ages of the tokens that are left of these, the one in use first."""

        def left(*ages: float) -> list[float]:
            session = left_behind(base, "nightly", None)
            current, *replaced = [make_token(age=age) for age in ages]
            session.write_tokens(IDENTITY, StoredTokens(current, tuple(replaced)))
            clear(str(base))
            # The machine may take its time.
            return [60 * round(token.age / 60) for token in session.readable_tokens(IDENTITY)[0]]

        return left

    @pytest.mark.parametrize(
        ("ages", "left"),
        [
            ([2 * DAY + 60], []),
            ([3 * DAY, 4 * DAY], []),
            ([60, 2 * DAY - 60, 2 * DAY + 60], [60, 2 * DAY - 60]),
            # Whoever renewed it came to an older answer; it may live.
            ([3 * DAY, 60], [60]),
            ([2 * DAY - 60], [2 * DAY - 60]),
            ([60], [60]),
        ],
    )
    def test_tokens_that_expired_a_lifetime_ago_are_removed(self, tokens_left, ages, left):
        assert tokens_left(*ages) == left

    @pytest.mark.parametrize(("age", "left"), [(DAY + 3540, [IDENTITY]), (DAY + 3660, [])])
    def test_the_clock_may_be_off_by_hours_for_short_lived_tokens(self, base, age, left):
        session = left_behind(base, "nightly", None)
        session.write_tokens(IDENTITY, StoredTokens(make_token(lifetime=3600, age=age)))
        clear(str(base))

        assert session.names() == left

    def test_the_session_and_its_record_stay(self, base):
        session = left_behind(base, "nightly", 3 * DAY)
        record = session.read_record()
        clear(str(base))

        assert session.names() == []
        assert session.read_record() == record

    def test_a_damaged_file_stays(self, base):
        session = left_behind(base, "nightly", 3 * DAY)
        file = pathlib.Path(session.path, "tokens", f"{IDENTITY}.json")
        data = json.loads(file.read_text())
        file.write_text(json.dumps({**data, "replaced": [{"token": "damaged"}]}))
        clear(str(base))

        assert session.names() == [IDENTITY]

    def test_a_token_without_a_known_expiry_stays(self, base):
        session = left_behind(base, "nightly", None)
        token = make_token(age=9 * DAY)
        token.body["expires_at"] = "soon"
        session.write_tokens(IDENTITY, StoredTokens(token))
        clear(str(base))

        assert session.names() == [IDENTITY]

    def test_nothing_is_removed_during_a_sign_in(self, base):
        session = left_behind(base, "nightly", 3 * DAY)
        signing_in = session.signing_in(0)
        clear(str(base))
        os.close(signing_in)
        assert session.names() == [IDENTITY]

        clear(str(base))
        assert session.names() == []


@pytest.mark.parametrize(("untouched", "left"), [(KEPT_ELSEWHERE - 60, ["run-1"]), (KEPT_ELSEWHERE + 60, [])])
def test_a_session_of_another_machine_is_kept_for_longer(base, untouched, left):
    session = left_behind(base, "run-1")
    owners.add(session, run_elsewhere())
    touched = os.stat(base).st_mtime - untouched
    os.utime(session.path, (touched, touched))
    clear(str(base))

    assert os.listdir(base) == left


@pytest.mark.parametrize(("untouched", "left"), [(KEPT_ELSEWHERE - 60, ["run-1"]), (KEPT_ELSEWHERE + 60, [])])
def test_tokens_that_cannot_be_read_are_kept_until_they_have_expired(base, untouched, left):
    session = left_behind(base, "run-1")
    with open(os.path.join(session.path, "tokens", f"{IDENTITY}.json"), "w", encoding="utf-8") as stream:
        stream.write("{")
    touched = os.stat(base).st_mtime - untouched
    os.utime(session.path, (touched, touched))
    clear(str(base))

    assert os.listdir(base) == left


def test_a_session_that_a_process_works_on_stays(base):
    session = left_behind(base, "run-1")
    with session.locked():
        os.utime(session.path, (0, 0))
        clear(str(base))

    assert os.listdir(base) == ["run-1"]


def give_away(session: Session) -> None:
    """Make it a session that another user put there, in a directory to which everybody can write."""
    path = pathlib.Path(session.path)
    for file in (path, *path.rglob("*")):
        os.chown(file, NOBODY, -1)
    path.parent.chmod(0o1777)


@needs_root
def test_the_superuser_leaves_a_session_of_another_user_alone(base):
    give_away(left_behind(base, "run-1"))
    clear(str(base))

    assert os.listdir(base) == ["run-1"]


def test_other_files_stay(base):
    (base / "run-photos").mkdir(mode=0o700)
    (base / "run-photos" / "cat.json").touch()
    (base / "run-file").touch()
    clear(str(base))

    assert sorted(os.listdir(base)) == ["run-file", "run-photos"]
    assert os.listdir(base / "run-photos") == ["cat.json"]


def test_an_unreadable_session_does_not_protect_the_others(base):
    damaged = left_behind(base, "run-1")
    (pathlib.Path(damaged.path) / "tokens" / f"{IDENTITY}.json").write_text("{")
    left_behind(base, "run-2")
    clear(str(base))

    assert os.listdir(base) == ["run-1"]


@pytest.mark.processes
def test_the_session_of_a_running_run_stays_however_old_it_is(base, run):
    session = left_behind(base, "run-1")
    owners.add(session, Owner.of_process(run.pid))
    os.utime(session.path, (0, 0))
    clear(str(base))

    assert os.listdir(base) == ["run-1"]


def test_a_session_is_removed_with_all_its_files(base):
    session = left_behind(base, "run-1")
    owners.add(session, ENDED)
    usage.hold(session)
    session.count(AUTHENTICATIONS)
    session.close()
    os.utime(session.path, (0, 0))
    clear(str(base))

    assert os.listdir(base) == []


def test_a_missing_directory_has_nothing_to_sweep(tmp_path):
    clear(str(tmp_path / "nowhere"))

    assert sweep(str(tmp_path / "nowhere"), 10) == Sweep()


class TestOrphans:
    @pytest.fixture
    def abandoned(self, base, keystone):
        """A session with a live token, and the runs that it belongs to; one that has ended by default."""

        def make(name: str, *runs: Owner) -> Session:
            session = Session(str(base / name))
            session.make()
            session.write_record(SessionRecord(RenewalPolicy()))
            sign_in(session, keystone)
            for run in runs or (ENDED,):
                owners.add(session, run)
            return session

        return make

    def names(self, base):
        return [os.path.basename(session.path) for session in orphans(str(base))]

    def test_its_token_is_revoked(self, base, abandoned, keystone):
        session = abandoned("run-1")
        assert self.names(base) == ["run-1"]

        result = sweep(str(base), 10)

        assert result == Sweep([session.path], revoked=1, keystone_requests=1)
        assert keystone.alive == {}
        assert session.closed
        assert self.names(base) == []

    def test_a_named_session_can_be_an_orphan(self, base, abandoned, keystone):
        abandoned("nightly", ENDED, ENDED)

        assert sweep(str(base), 10).revoked == 1
        assert os.listdir(base) == ["nightly"]

    def test_a_session_with_only_a_temporary_file_can_be_an_orphan(self, base, abandoned, keystone):
        tokens = pathlib.Path(abandoned("run-1").path) / "tokens"
        (tokens / f"{IDENTITY}.json").rename(tokens / f".{IDENTITY}.json.0123abcd")

        assert sweep(str(base), 10).revoked == 1
        assert list(tokens.iterdir()) == []

    def test_a_session_of_an_earlier_version_can_be_an_orphan(self, base, abandoned, keystone):
        make_old(abandoned("run-1"))

        assert sweep(str(base), 10).revoked == 1
        assert keystone.alive == {}

    def test_one_that_could_not_be_revoked_is_revoked_by_the_next_sweep(self, base, abandoned, keystone):
        abandoned("run-1").close()

        assert sweep(str(base), 10).revoked == 1

    @pytest.mark.processes
    def test_a_session_with_a_working_process_is_left_alone(self, base, abandoned, keystone, use):
        use(abandoned("run-1"))

        assert sweep(str(base), 10) == Sweep()
        assert len(keystone.alive) == 1

    @pytest.mark.processes
    def test_a_session_with_a_running_run_is_left_alone(self, base, abandoned, keystone, run):
        abandoned("run-1", ENDED, Owner.of_process(run.pid))

        assert sweep(str(base), 10) == Sweep()
        assert len(keystone.alive) == 1

    def test_a_session_without_owners_is_left_alone(self, base, abandoned, keystone):
        session = abandoned("run-1")
        for name in owners.known(session):
            owners.remove(session, name)

        assert sweep(str(base), 10) == Sweep()
        assert len(keystone.alive) == 1

    @needs_root
    def test_one_of_another_user_is_left_alone_by_the_superuser(self, base, abandoned, keystone):
        """It may be a trap: its files name a Python, and its site/ has code."""
        give_away(abandoned("run-1"))

        assert self.names(base) == []
        assert sweep(str(base), 10) == Sweep()
        assert len(keystone.alive) == 1

    def test_one_without_tokens_needs_no_request(self, base, abandoned, keystone):
        abandoned("run-1").remove_tokens(IDENTITY)

        assert sweep(str(base), 10) == Sweep()
        assert keystone.requests == []

    def test_a_token_that_was_dead_already_is_counted_as_such(self, base, abandoned, keystone):
        abandoned("run-1")
        keystone.alive.clear()

        assert sweep(str(base), 10).already_dead == 1

    def test_one_of_another_machine_is_left_alone(self, base, abandoned, keystone):
        """Two machines with one home and no shared locks do not see each other's runs."""
        abandoned("run-1", run_elsewhere())

        assert sweep(str(base), 10) == Sweep()
        assert len(keystone.alive) == 1

    @pytest.mark.processes
    def test_a_session_that_a_new_run_uses_is_left_alone(self, base, abandoned, keystone, run, monkeypatch):
        """Named, and found to be an orphan just before."""
        found = abandoned("nightly")
        owners.add(found, Owner.of_process(run.pid))
        monkeypatch.setattr(sweep_module, "orphans", lambda base: [found])

        assert sweep(str(base), 10) == Sweep()
        assert len(keystone.alive) == 1
        assert not found.closed

    def test_one_that_keystone_refuses_to_revoke_is_counted_once(self, base, abandoned, keystone):
        session = abandoned("run-1")
        for body in keystone.alive.values():
            body["OS-TRUST:trust"] = {"impersonation": True}

        result = sweep(str(base), 10)

        assert (result.revoked, len(result.living), result.problems) == (0, 1, [])
        assert self.names(base) == []
        assert session.names() == []

    def test_the_problems_of_one_do_not_protect_the_others(self, base, abandoned, keystone):
        """Damaged, of a Keystone that is gone, not private, or a mere file."""
        damaged, lost, public = (abandoned(f"run-{number}") for number in range(3))
        (pathlib.Path(damaged.path) / "tokens" / f"{IDENTITY}.json").write_text("{")
        stored = lost.read_tokens(IDENTITY).current
        lost.write_tokens(IDENTITY, StoredTokens(dataclasses.replace(stored, auth_url="http://127.0.0.1:1/v3")))
        os.chmod(public.path, 0o755)
        (base / "run-3").touch()
        good = abandoned("run-4")

        result = sweep(str(base), 0.1)

        assert (result.sessions, result.revoked) == ([good.path], 1)
        assert len(result.problems) == 2
        assert "run-0" in result.problems[0]
        assert "run-1" in result.problems[1]
        assert lost.names() == [IDENTITY]

    def test_old_sessions_are_cleared_by_the_same_sweep(self, base, abandoned, keystone):
        abandoned("run-1")
        left_behind(base, "run-2")
        sweep(str(base), 10)

        assert os.listdir(base) == ["run-1"]
