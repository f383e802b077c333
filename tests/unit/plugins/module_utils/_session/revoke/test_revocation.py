# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import stat
import threading

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.source import (
    CONFIG,
    EXPLICIT,
    UNNAMED,
    Source,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import owners
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.owners import Owner
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.renewal import RenewalPolicy
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import (
    Failure,
    LivingToken,
    Session,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.token import TokenId
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.tokens import StoredTokens
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util import clock
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import (
    ConfigurationError,
    CredentialsRefusedError,
    KeystoneUnavailableError,
    OneTokenError,
    SessionClosedError,
    SessionError,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session_setup import site
from ansible_collections.onetoken.openstack.plugins.module_utils.session import session_clouds
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.processes import (
    ended_run,
    run_elsewhere,
    wait_until,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    PASSWORD,
    USER,
    Answer,
    keystones_answer,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import let_it_age

pytestmark = pytest.mark.processes

POLICY = RenewalPolicy()
#: Seconds that are past every due age, and not past the expiry, of a token that lives a day.
DUE = 12 * 3600
EXPIRED = 25 * 3600


@pytest.fixture
def impatient(monkeypatch):
    """A process that renews by itself gives up after the first refusal."""
    monkeypatch.setattr(lifecycle, "RENEWAL_TIMEOUT", 0.1)
    monkeypatch.setattr(lifecycle, "EARLY_RENEWAL_TIMEOUT", 0.1)


def posts(keystone) -> int:
    return len(keystone.asked("POST"))


def in_threads(number, work):
    results, problems = [], []
    start = threading.Barrier(number)

    def run():
        start.wait(10)
        try:
            results.append(work())
        except Exception as exc:
            problems.append(exc)

    threads = [threading.Thread(target=run) for _turn in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results, problems


class TestPreparing:
    @pytest.fixture
    def files(self, clouds_yaml):
        return ConfigFiles(clouds_yaml)

    @pytest.fixture
    def owner(self, run):
        return Owner.of_process(run.pid)

    @pytest.fixture
    def openrc(self, keystone, monkeypatch, no_cloud):
        """The source that the variables of an openrc file are."""
        variables = {
            "OS_AUTH_URL": keystone.auth_url,
            "OS_USERNAME": USER,
            "OS_PASSWORD": PASSWORD,
            "OS_PROJECT_NAME": "demo",
            "OS_USER_DOMAIN_NAME": "Default",
            "OS_PROJECT_DOMAIN_NAME": "Default",
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return Source.of_environment(os.environ, ConfigFiles())

    def prepare(self, session, files, owner, policy=POLICY, **options):
        return lifecycle.prepare(session, files, policy, owner, **options)

    def test_it_makes_a_session_without_a_token_and_without_a_request(self, session, files, owner, keystone):
        name = self.prepare(session, files, owner, RenewalPolicy("50%"), clouds=["second"], fallback=True)

        assert owners.known(session) == {name: owner}
        assert session.names() == []
        assert keystone.requests == []
        assert not session.closed
        assert stat.S_IMODE(os.stat(session.path).st_mode) == 0o700
        assert "sandbox" in session.read_clouds()
        assert os.path.exists(os.path.join(session.site, site.PACKAGE, "watcher.py"))
        record = session.read_record()
        assert (record.policy, record.clouds, record.fallback) == (RenewalPolicy("50%"), ["second"], True)

    def test_the_first_use_of_a_cloud_issues_its_token(self, session, files, owner, keystone):
        self.prepare(session, files, owner)

        token = lifecycle.current_token(session, "second")

        assert token.id.reveal() in keystone.alive
        assert session.names() == ["second"]

    def test_the_variables_of_an_openrc_are_one_of_its_clouds(self, session, owner, openrc, keystone):
        self.prepare(session, ConfigFiles(), owner, environment=openrc)

        assert lifecycle.current_token(session, UNNAMED).id.reveal() in keystone.alive

    def test_a_second_run_shares_what_the_first_has(self, issued, files, owner, keystone):
        self.prepare(issued, files, owner)
        keystone.requests.clear()

        self.prepare(issued, files, Owner.of_process(os.getpid()), RenewalPolicy("50%"), clouds=["sandbox"])

        assert len(owners.known(issued)) == 2
        assert issued.names() == ["sandbox"]
        assert issued.read_record().policy == RenewalPolicy("50%")
        assert issued.read_record().clouds == ["sandbox"]
        assert issued.read_record().tokens_issued == 1
        lifecycle.current_token(issued, "sandbox")
        assert keystone.requests == []

    def test_what_stood_in_the_way_of_an_earlier_run_is_tried_again(self, issued, files, owner, keystone):
        record = issued.read_record()
        record.failures["second"] = Failure("refused", "2026-01-31T12:00:00+00:00", final=True)
        issued.write_record(record)

        self.prepare(issued, files, owner)

        assert lifecycle.current_token(issued, "second").id.reveal() in keystone.alive

    def test_a_session_that_was_revoked_is_opened_again(self, issued, files, owner, keystone):
        lifecycle.revoke(issued, 10)

        self.prepare(issued, files, owner)

        assert not issued.closed
        assert lifecycle.current_token(issued, "sandbox").id.reveal() in keystone.alive

    def test_a_session_of_other_files_is_refused_and_stays_as_it_is(self, issued, owner, clouds_yaml):
        before = issued.read_record()
        issued.close()

        with pytest.raises(
            SessionError, match=f"was made from {clouds_yaml}, and this run has /other.*another session"
        ):
            self.prepare(issued, ConfigFiles("/other/clouds.yaml"), owner, RenewalPolicy("1"))

        assert issued.read_record() == before
        assert issued.closed
        assert owners.known(issued) == {}

    def test_a_session_of_other_variables_is_refused(self, session, owner, openrc, monkeypatch):
        self.prepare(session, ConfigFiles(), owner, environment=openrc)
        self.prepare(session, ConfigFiles(), owner, environment=openrc)
        monkeypatch.setenv("OS_USERNAME", "somebody else")

        with pytest.raises(SessionError, match=r"made with other OS_\* variables than this run has"):
            other = Source.of_environment(os.environ, ConfigFiles())
            self.prepare(session, ConfigFiles(), owner, environment=other)
        assert len(owners.known(session)) == 2

    def test_another_password_of_the_same_user_is_no_other_session(self, session, owner, openrc, monkeypatch):
        self.prepare(session, ConfigFiles(), owner, environment=openrc)
        monkeypatch.setenv("OS_PASSWORD", "renewed")

        self.prepare(session, ConfigFiles(), owner, environment=Source.of_environment(os.environ, ConfigFiles()))

        assert len(owners.known(session)) == 2

    def test_a_new_session_that_cannot_be_completed_leaves_nothing_behind(self, session, files, owner, monkeypatch):
        def fails(*args):
            raise SessionError("the disk is full")

        monkeypatch.setattr(owners, "add", fails)

        with pytest.raises(SessionError, match="disk is full"):
            self.prepare(session, files, owner)
        assert not os.path.lexists(session.path)

    def test_a_session_that_cannot_be_completed_keeps_what_it_had(self, issued, files, owner, monkeypatch):
        def fails(*args):
            raise SessionError("the disk is full")

        monkeypatch.setattr(session_clouds, "write", fails)

        with pytest.raises(SessionError, match="disk is full"):
            self.prepare(issued, files, owner)
        assert issued.names() == ["sandbox"]


class TestLeaving:
    """Of a session of several runs."""

    def test_the_last_to_leave_revokes(self, issued, run, keystone):
        first, second = (owners.add(issued, Owner.of_process(pid)) for pid in (run.pid, os.getpid()))

        assert lifecycle.leave(issued, first, 10) is None
        assert list(owners.known(issued)) == [second]
        assert not issued.closed
        assert len(keystone.alive) == 1

        assert lifecycle.leave(issued, second, 10).revoked == 1
        assert owners.known(issued) == {}
        assert issued.closed
        assert keystone.alive == {}

    def test_a_run_that_has_ended_keeps_nobody_from_revoking(self, issued, run, keystone):
        owners.add(issued, ended_run())

        assert lifecycle.leave(issued, owners.add(issued, Owner.of_process(os.getpid())), 10).revoked == 1

    def test_a_run_of_another_machine_is_left_the_session(self, issued, keystone):
        """Nobody here can tell whether it has ended."""
        elsewhere = owners.add(issued, run_elsewhere())

        assert lifecycle.leave(issued, owners.add(issued, Owner.of_process(os.getpid())), 10) is None
        assert list(owners.known(issued)) == [elsewhere]
        assert not issued.closed
        assert len(keystone.alive) == 1

    def test_without_keystone_s_word_it_has_not_left(self, issued, keystone):
        """Its name stays, so that the next run finds an orphan."""
        name = owners.add(issued, Owner.of_process(os.getpid()))
        keystone.stuck["DELETE"] = Answer(503)

        (problem,) = lifecycle.leave(issued, name, 0.1).problems
        assert "HTTP 503 until the timeout" in problem
        assert list(owners.known(issued)) == [name]
        assert issued.names() == ["sandbox"]

        keystone.stuck.clear()
        assert lifecycle.leave(issued, name, 10).revoked == 1


class TestClosingInTheMiddleOfASignIn:
    def test_a_token_that_arrives_then_is_revoked(self, issued, keystone):
        keystone.slowness = 0.5
        using = threading.Thread(target=self.use, args=(issued,), daemon=True)
        using.start()
        wait_until(lambda: keystone.asked("POST"))

        result = lifecycle.revoke(issued, 30)
        using.join(30)

        assert result.revoked == 2
        assert keystone.alive == {}
        assert issued.names() == []

    def test_who_waits_for_keystone_meanwhile_waits_no_longer(self, issued, keystone):
        keystone.stuck["POST"] = Answer(429, {"Retry-After": "100"})
        using = threading.Thread(target=self.use, args=(issued,), daemon=True)
        using.start()
        wait_until(lambda: keystone.asked("POST"))

        # The lock is not to be had before the other one gives up.
        assert lifecycle.revoke(issued, 30).revoked == 1
        using.join(30)
        assert not using.is_alive()
        assert posts(keystone) == 1

    @staticmethod
    def use(session):
        with contextlib.suppress(OneTokenError):
            lifecycle.current_token(session, "second")


class TestKilledInTheMiddleOfASignIn:
    """Keystone's answer must reach the session's list all the same."""

    USE = (
        "import sys\n"
        "import openstack\n"
        "from onetoken_session import lifecycle, store\n"
        "print('ready', flush=True)\n"
        "lifecycle.current_token(store.Session(sys.argv[1]), 'second')\n"
    )

    def test_the_token_is_on_the_list(self, issued, keystone, python):
        keystone.slowness = 1
        process = python(self.USE, issued.path)
        wait_until(lambda: keystone.asked("POST"))
        os.killpg(process.pid, 9)
        process.wait()

        # What still works for that process holds its lock too.
        assert lifecycle.revoke(issued, 30).revoked == 2
        assert keystone.alive == {}

    def test_without_an_owner_nobody_goes_on_asking(self, issued, keystone, python):
        keystone.stuck["POST"] = Answer(429, {"Retry-After": "2"})
        process = python(self.USE, issued.path)
        wait_until(lambda: keystone.asked("POST"))
        (worker,) = self.children(process.pid)
        os.killpg(process.pid, 9)
        process.wait()

        wait_until(lambda: not os.path.exists(f"/proc/{worker}"))
        assert posts(keystone) == 1

    @staticmethod
    def children(pid: int) -> list[int]:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as stream:
            return [int(child) for child in stream.read().split()]


class TestPatience:
    """How long a process goes on asking depends on whether it can work without an answer."""

    @pytest.fixture(autouse=True)
    def limits(self, monkeypatch):
        monkeypatch.setattr(lifecycle, "EARLY_RENEWAL_TIMEOUT", 0.1)
        monkeypatch.setattr(lifecycle, "RENEWAL_TIMEOUT", 20)

    def test_with_a_token_that_is_still_good_it_soon_goes_on(self, issued, keystone):
        let_it_age(issued, "sandbox", DUE)
        keystone.answers["POST"] = [Answer(503)]

        lifecycle.current_token(issued, "sandbox")

        assert posts(keystone) == 1

    @pytest.mark.parametrize(("cloud", "age"), [("sandbox", EXPIRED), ("second", 0)])
    def test_without_one_it_asks_again(self, issued, keystone, cloud, age):
        let_it_age(issued, "sandbox", age)
        keystone.answers["POST"] = [Answer(503)]

        assert lifecycle.current_token(issued, cloud).id.reveal() in keystone.alive
        assert posts(keystone) == 2

    def test_with_one_that_was_refused_it_asks_again(self, issued, keystone):
        refused = issued.read_tokens("sandbox").current
        keystone.alive.clear()
        keystone.answers["POST"] = [Answer(503)]

        assert lifecycle.current_token(issued, "sandbox", refused.id).id != refused.id
        assert posts(keystone) == 2


class TestIssuing:
    def test_a_new_session_gets_a_token_and_everything_that_a_process_needs(self, session, source, keystone):
        issued = lifecycle.issue(session, source, POLICY, 10)

        assert issued.changed
        assert session.read_tokens("sandbox").current.id == issued.token.id
        assert issued.token.id.reveal() in keystone.alive
        assert "sandbox" in session.read_clouds()
        assert os.path.exists(os.path.join(session.site, site.PACKAGE, "plugin.py"))
        assert session.read_record().tokens_issued == 1
        assert session.read_record().keystone_requests == len(keystone.requests)

    def test_a_token_that_is_not_due_is_used_again(self, issued, source, keystone):
        keystone.requests.clear()
        result = lifecycle.issue(issued, source, POLICY, 10)
        token, changed = result.token, result.changed

        assert not changed
        assert token.id == issued.read_tokens("sandbox").current.id
        assert keystone.requests == []

    @pytest.mark.parametrize("age", [DUE, EXPIRED])
    def test_a_token_that_is_due_gets_a_new_one(self, issued, source, keystone, age):
        let_it_age(issued, "sandbox", age)
        assert lifecycle.issue(issued, source, POLICY, 10).changed
        assert posts(keystone) == 1

    def test_a_session_that_another_task_took_away_again_is_made_again(self, session, source, keystone, monkeypatch):
        """That task could not issue: its credentials were wrong, and these are not."""
        make = session.make
        lost = []

        def make_and_lose_once():
            make()
            if not lost:
                lost.append(session.path)
                session.discard()

        monkeypatch.setattr(session, "make", make_and_lose_once)

        assert lifecycle.issue(session, source, POLICY, 10).changed
        assert lost
        assert session.names() == ["sandbox"]

    def test_a_stricter_policy_makes_it_due_and_is_kept(self, issued, source, keystone):
        let_it_age(issued, "sandbox", 600)
        assert lifecycle.issue(issued, source, RenewalPolicy("300"), 10).changed
        assert issued.read_record().policy == RenewalPolicy("300")

    def test_a_laxer_policy_is_kept_and_costs_no_token(self, issued, source, keystone):
        assert not lifecycle.issue(issued, source, RenewalPolicy("90%"), 10).changed
        assert posts(keystone) == 0
        assert issued.read_record().policy == RenewalPolicy("90%")

    def test_another_scope_needs_another_token(self, issued, source, keystone):
        other = dataclasses.replace(source, scope={"project_id": "other"})
        assert lifecycle.issue(issued, other, POLICY, 10).changed
        assert len(issued.read_tokens("sandbox").replaced) == 1

    def test_a_second_cloud_has_a_token_of_its_own(self, issued, source, keystone):
        lifecycle.issue(issued, dataclasses.replace(source, cloud="second"), POLICY, 10)

        assert issued.names() == ["sandbox", "second"]
        assert issued.read_record().tokens_issued == 2

    def test_no_file_of_the_session_holds_the_password(self, session, source):
        lifecycle.issue(session, source, POLICY, 10)

        for folder, _folders, names in os.walk(session.path):
            for name in names:
                with open(os.path.join(folder, name), encoding="utf-8") as stream:
                    assert PASSWORD not in stream.read(), name

    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            (Answer(401), CredentialsRefusedError),
            (Answer(403), ConfigurationError),
            (Answer(429, {"Retry-After": "100"}), KeystoneUnavailableError),
        ],
        ids=["401", "403", "429"],
    )
    def test_a_new_session_that_gets_no_token_leaves_nothing_behind(self, session, source, keystone, answer, error):
        keystone.stuck["POST"] = answer

        with pytest.raises(error):
            lifecycle.issue(session, source, POLICY, 10)
        assert not os.path.lexists(session.path)

    def test_what_cannot_work_makes_no_directory(self, session, source):
        with pytest.raises(ConfigurationError):
            lifecycle.issue(session, dataclasses.replace(source, cloud="unknown"), POLICY, 10)
        assert not os.path.lexists(session.path)

    @pytest.mark.parametrize("status", [401, 503])
    def test_a_session_that_gets_no_new_token_goes_on_with_the_old(self, issued, source, keystone, status):
        old = issued.read_tokens("sandbox").current
        let_it_age(issued, "sandbox", DUE)
        keystone.stuck["POST"] = Answer(status)

        result = lifecycle.issue(issued, source, POLICY, 0.1)

        assert (result.token.id, result.changed) == (old.id, False)
        assert f"HTTP {status}" in result.kept_because

    def test_it_does_not_go_on_with_less_than_the_task_asks_for(self, issued, source, keystone):
        let_it_age(issued, "sandbox", DUE)
        keystone.stuck["POST"] = Answer(401)

        with pytest.raises(CredentialsRefusedError):
            lifecycle.issue(issued, source, RenewalPolicy("33%", DUE + 60), 10)
        assert issued.read_tokens("sandbox") is not None
        assert issued.exists

    def test_it_does_not_go_on_in_the_last_minute(self, issued, source, keystone):
        let_it_age(issued, "sandbox", 24 * 3600 - 30)
        keystone.stuck["POST"] = Answer(503)

        with pytest.raises(KeystoneUnavailableError):
            lifecycle.issue(issued, source, POLICY, 0.1)

    def test_a_token_that_cannot_be_put_on_the_list_is_revoked(self, issued, source, keystone, monkeypatch):
        def fails(*args):
            raise SessionError("the disk is full")

        monkeypatch.setattr(type(issued), "write_tokens", fails)
        let = dataclasses.replace(source, cloud="second")

        with pytest.raises(SessionError, match="disk is full"):
            lifecycle.issue(issued, let, POLICY, 10)
        assert len(keystone.revoked) == 1
        assert len(keystone.alive) == 1

    def test_a_new_session_that_cannot_be_completed_leaves_no_live_token(self, session, source, keystone, monkeypatch):
        def fails():
            raise SessionError("the collection's files cannot be read")

        monkeypatch.setattr(site, "files", fails)

        with pytest.raises(SessionError, match="cannot be read"):
            lifecycle.issue(session, source, POLICY, 10)
        assert not os.path.lexists(session.path)
        assert keystone.alive == {}

    def test_two_tasks_that_make_one_session_at_once_share_one_token(self, session, source, keystone):
        keystone.slowness = 0.3

        results, problems = in_threads(4, lambda: lifecycle.issue(session, source, POLICY, 10))

        assert problems == []
        assert len({result.token.id for result in results}) == 1
        assert sorted(result.changed for result in results) == [False, False, False, True]
        assert posts(keystone) == 1

    def test_to_foresee_it_asks_nothing_and_writes_nothing(self, session, source, keystone):
        assert lifecycle.foresee_issue(session, source, POLICY) == (None, True)
        assert keystone.requests == []
        assert not os.path.lexists(session.path)

        lifecycle.issue(session, source, POLICY, 10)
        keystone.requests.clear()
        token, changed = lifecycle.foresee_issue(session, source, POLICY)
        assert not changed
        assert token.id == session.read_tokens("sandbox").current.id
        assert keystone.requests == []


class TestUsing:
    def test_a_token_that_is_not_due_costs_no_request(self, issued, keystone):
        keystone.requests.clear()

        assert lifecycle.current_token(issued, "sandbox").id == issued.read_tokens("sandbox").current.id
        assert keystone.requests == []

    def test_a_cloud_without_a_token_gets_one_at_its_first_use(self, issued, keystone):
        token = lifecycle.current_token(issued, "second")

        assert token.id.reveal() in keystone.alive
        assert lifecycle.current_token(issued, "second").id == token.id
        assert posts(keystone) == 1

    def test_a_token_that_is_due_is_renewed_and_the_old_one_stays_on_the_list(self, issued, keystone):
        old = issued.read_tokens("sandbox").current
        let_it_age(issued, "sandbox", DUE)

        token = lifecycle.current_token(issued, "sandbox")

        assert token.id != old.id
        assert [one.id for one in issued.read_tokens("sandbox").newest_first] == [token.id, old.id]
        assert set(keystone.alive) == {token.id.reveal(), old.id.reveal()}
        assert posts(keystone) == 1

    def test_a_long_run_keeps_every_token_on_its_list(self, issued):
        """Those as well that this machine's clock takes for expired: Keystone is asked about each of them."""
        ids = [issued.read_tokens("sandbox").current.id]
        for _turn in range(3):
            let_it_age(issued, "sandbox", 8 * 3600)
            ids.insert(0, lifecycle.current_token(issued, "sandbox").id)

        assert [token.id for token in issued.read_tokens("sandbox").newest_first] == ids

    def test_many_threads_that_find_no_token_ask_for_one(self, issued, keystone):
        keystone.slowness = 0.3

        results, problems = in_threads(8, lambda: lifecycle.current_token(issued, "second"))

        assert problems == []
        assert len({token.id for token in results}) == 1
        assert posts(keystone) == 1

    def test_many_processes_that_find_no_token_ask_for_one(self, issued, keystone, run_python):
        keystone.slowness = 0.5
        issued.write_site(site.files())

        process = run_python(
            "import os, sys\n"
            "import openstack, onetoken_session.plugin\n"
            "from onetoken_session import lifecycle, store\n"
            "session = store.Session(sys.argv[1])\n"
            "gate, opener = os.pipe()\n"
            "children = []\n"
            "for _turn in range(8):\n"
            "    child = os.fork()\n"
            "    if not child:\n"
            "        os.close(opener)\n"
            "        os.read(gate, 1)\n"
            "        token = lifecycle.current_token(session, 'second')\n"
            "        os.write(1, (token.audit_id + ' ').encode())\n"
            "        os._exit(0)\n"
            "    children.append(child)\n"
            "os.close(opener)\n"
            "sys.exit(sum(os.waitpid(child, 0)[1] for child in children))\n",
            issued.path,
            PYTHONPATH=issued.site,
        )

        assert process.returncode == 0, process.stderr
        assert process.stdout.split() == ["audit-2"] * 8
        assert posts(keystone) == 1

    def test_a_renewal_that_fails_goes_on_with_what_is_left(self, issued, keystone, impatient):
        old = issued.read_tokens("sandbox").current
        let_it_age(issued, "sandbox", DUE)
        keystone.stuck["POST"] = Answer(429)

        assert lifecycle.current_token(issued, "sandbox").id == old.id

    def test_after_a_renewal_that_failed_not_every_process_asks_again(self, issued, keystone, impatient):
        let_it_age(issued, "sandbox", DUE)
        keystone.stuck["POST"] = Answer(503)
        for _turn in range(3):
            lifecycle.current_token(issued, "sandbox")

        assert posts(keystone) == 1

    def test_after_a_pause_one_process_asks_again(self, issued, keystone, impatient, monkeypatch):
        let_it_age(issued, "sandbox", DUE)
        keystone.answers["POST"] = [Answer(503)]
        old = lifecycle.current_token(issued, "sandbox")

        monkeypatch.setattr(lifecycle, "RENEWAL_PAUSE", 0)
        assert lifecycle.current_token(issued, "sandbox").id != old.id
        assert issued.read_record().failures == {}

    def test_a_failure_with_nothing_left_is_a_sentence(self, issued, keystone, impatient):
        let_it_age(issued, "sandbox", EXPIRED)
        keystone.stuck["POST"] = Answer(429)

        with pytest.raises(SessionError) as caught:
            lifecycle.current_token(issued, "sandbox")
        assert "has a token that expired at 20" in str(caught.value)
        assert "HTTP 429" in str(caught.value)

    def test_credentials_that_were_refused_are_not_tried_by_the_next_process(self, issued, keystone, monkeypatch):
        keystone.stuck["POST"] = Answer(401)
        monkeypatch.setattr(lifecycle, "RENEWAL_PAUSE", 0)
        for _turn in range(3):
            with pytest.raises(SessionError, match="HTTP 401"):
                lifecycle.current_token(issued, "second")

        assert posts(keystone) == 1
        assert issued.read_record().failures["second"].final

    def test_issuing_by_a_task_tries_refused_credentials_again(self, issued, source, keystone):
        keystone.answers["POST"] = [Answer(401)]
        with pytest.raises(SessionError):
            lifecycle.current_token(issued, "second")

        lifecycle.issue(issued, dataclasses.replace(source, cloud="second"), POLICY, 10)

        assert lifecycle.current_token(issued, "second").id.reveal() in keystone.alive
        assert issued.read_record().failures == {}

    def test_a_token_that_was_refused_is_read_again_from_the_file(self, issued, keystone):
        """Another process renewed it meanwhile."""
        refused = issued.read_tokens("sandbox").current
        let_it_age(issued, "sandbox", DUE)
        renewed = lifecycle.current_token(issued, "sandbox")
        keystone.requests.clear()

        assert lifecycle.current_token(issued, "sandbox", refused.id).id == renewed.id
        assert keystone.requests == []

    def test_a_token_that_keystone_does_not_accept_any_more_is_replaced(self, issued, keystone):
        refused = issued.read_tokens("sandbox").current
        del keystone.alive[refused.id.reveal()]

        token = lifecycle.current_token(issued, "sandbox", refused.id)

        assert token.id != refused.id
        assert token.id.reveal() in keystone.alive

    def test_a_token_with_access_rules_is_not_replaced_for_a_service_s_word(self, issued, keystone):
        token = issued.read_tokens("sandbox").current
        keystone.alive[token.id.reveal()]["application_credential"] = {"access_rules": [{"id": "r1"}]}

        for _turn in range(3):
            assert lifecycle.current_token(issued, "sandbox", token.id).id == token.id
        assert posts(keystone) == 0

    def test_where_something_else_answers_whether_it_is_accepted_it_is_replaced(self, issued, keystone):
        token = issued.read_tokens("sandbox").current
        keystone.stuck["GET"] = Answer(404, body="<html></html>")

        assert lifecycle.current_token(issued, "sandbox", token.id).id != token.id
        assert posts(keystone) == 1

    def test_a_token_that_keystone_accepts_after_all_is_not_replaced(self, issued, keystone):
        """The fault is the service's, and a new token for each of its refusals would be a storm."""
        refused = issued.read_tokens("sandbox").current

        assert lifecycle.current_token(issued, "sandbox", refused.id).id == refused.id
        assert posts(keystone) == 0

    def test_a_token_that_was_refused_is_not_what_is_left(self, issued, keystone, impatient):
        refused = issued.read_tokens("sandbox").current
        keystone.alive.clear()
        keystone.stuck["POST"] = Answer(429)

        with pytest.raises(SessionError, match="has a token that Keystone does not accept any more"):
            lifecycle.current_token(issued, "sandbox", refused.id)

    def test_a_token_that_expired_and_was_refused_is_not_asked_about(self, issued, keystone):
        refused = issued.read_tokens("sandbox").current
        let_it_age(issued, "sandbox", EXPIRED)

        assert lifecycle.current_token(issued, "sandbox", refused.id).id != refused.id
        assert keystone.asked("GET") == []

    def test_a_keystone_that_cannot_say_whether_it_accepts_the_token_is_a_sentence(self, issued, keystone, impatient):
        refused = issued.read_tokens("sandbox").current
        keystone.stuck = {"GET": Answer(503), "POST": Answer(503)}

        with pytest.raises(OneTokenError, match="HTTP 503"):
            lifecycle.current_token(issued, "sandbox", refused.id)

    def test_an_explicit_source_is_not_renewed_by_itself_and_says_so(self, session, keystone, no_cloud):
        source = Source(EXPLICIT, "onetoken", explicit=keystone.entry())
        lifecycle.issue(session, source, POLICY, 10)
        let_it_age(session, "onetoken", DUE)
        assert lifecycle.current_token(session, "onetoken").id == session.read_tokens("onetoken").current.id

        let_it_age(session, "onetoken", EXPIRED)
        with pytest.raises(SessionError, match="run os_token_issue again with the same credentials|given to the task"):
            lifecycle.current_token(session, "onetoken")
        assert posts(keystone) == 1

    def test_a_cloud_that_nobody_knows_is_a_sentence_with_those_that_are_known(self, issued):
        with pytest.raises(SessionError, match="sandbox, second"):
            lifecycle.current_token(issued, "unknown")

    def test_without_any_clouds_yaml_another_cloud_is_a_sentence(self, session, keystone, no_cloud):
        lifecycle.issue(session, Source(EXPLICIT, UNNAMED, explicit=keystone.entry()), POLICY, 10)

        with pytest.raises(SessionError, match="cloud 'other' is not one of the session's clouds"):
            lifecycle.current_token(session, "other")

    def test_a_token_that_goes_while_it_is_issued_is_a_sentence(self, issued, keystone, monkeypatch):
        """Somebody deleted the session's files under it."""
        monkeypatch.setattr(lifecycle, "_issue_and_store", lambda *args: None)

        with pytest.raises(SessionError, match="The token of cloud 'second' is gone from the session"):
            lifecycle.current_token(issued, "second")

    def test_a_closed_session_refuses_without_a_request(self, issued, keystone):
        lifecycle.revoke(issued, 10)
        keystone.requests.clear()

        for cloud in ("sandbox", "second"):
            with pytest.raises(SessionClosedError, match="was revoked"):
                lifecycle.current_token(issued, cloud)
        assert keystone.requests == []

    def test_who_waited_for_the_lock_while_it_was_closed_is_refused_too(self, issued, keystone):
        let_it_age(issued, "sandbox", DUE)
        problems = []

        def use():
            try:
                lifecycle.current_token(issued, "sandbox")
            except OneTokenError as exc:
                problems.append(exc)

        with issued.locked():
            thread = threading.Thread(target=use)
            thread.start()
            thread.join(0.2)
            issued.close()
        thread.join(10)

        assert isinstance(problems[0], SessionClosedError)
        assert posts(keystone) == 0

    def test_a_session_that_is_gone_is_a_sentence(self, session):
        with pytest.raises(SessionError, match="There is no session"):
            lifecycle.current_token(session, "sandbox")


class TestRevoking:
    def test_every_token_that_it_ever_held_dies_newest_first(self, issued, source, keystone):
        let_it_age(issued, "sandbox", DUE)
        lifecycle.current_token(issued, "sandbox")
        lifecycle.current_token(issued, "second")
        expected = [t.id.reveal() for c in ("sandbox", "second") for t in issued.read_tokens(c).newest_first]
        assert len(expected) == 3

        result = lifecycle.revoke(issued, 10)

        assert keystone.revoked == expected
        assert keystone.alive == {}
        assert (result.revoked, result.already_dead, result.tokens_issued) == (3, 0, 3)
        assert result.keystone_requests == len(keystone.requests)

    def test_it_closes_the_session_and_leaves_a_tombstone_without_tokens(self, issued):
        lifecycle.revoke(issued, 10)

        assert issued.closed
        assert issued.names() == []
        assert os.path.exists(issued.clouds_file)

    def test_it_is_safe_to_repeat(self, issued, keystone):
        lifecycle.revoke(issued, 10)
        keystone.requests.clear()

        result = lifecycle.revoke(issued, 10)

        assert (result.revoked, result.already_dead) == (0, 0)
        assert keystone.requests == []

    def test_issuing_opens_it_again(self, issued, source, keystone):
        lifecycle.revoke(issued, 10)

        result = lifecycle.issue(issued, source, POLICY, 10)

        assert result.changed
        assert lifecycle.current_token(issued, "sandbox").id == result.token.id

    def test_an_issue_that_fails_leaves_it_closed(self, issued, source, keystone):
        lifecycle.revoke(issued, 10)
        keystone.stuck["POST"] = Answer(401)

        with pytest.raises(CredentialsRefusedError):
            lifecycle.issue(issued, source, POLICY, 10)
        assert issued.closed

    def test_a_token_that_was_dead_already_is_confirmed_and_goes(self, issued, keystone):
        keystone.alive.clear()

        result = lifecycle.revoke(issued, 10)

        assert (result.revoked, result.already_dead) == (0, 1)
        assert issued.names() == []

    def test_of_an_expired_token_keystone_is_asked_all_the_same(self, issued, keystone):
        """The clock of this machine may have been set forward, and the token be alive."""
        let_it_age(issued, "sandbox", EXPIRED)

        result = lifecycle.revoke(issued, 10)

        assert (result.revoked, result.already_dead) == (1, 0)
        assert len(keystone.asked("DELETE")) == 1

    def test_an_expired_token_goes_though_keystone_is_out_of_service(self, issued, keystone):
        let_it_age(issued, "sandbox", EXPIRED)
        keystone.stuck["DELETE"] = Answer(503)

        result = lifecycle.revoke(issued, 10)

        assert (result.revoked, result.already_dead) == (0, 1)
        assert issued.names() == []
        assert len(keystone.asked("DELETE")) == 1

    def test_tokens_of_a_session_that_lost_its_record_are_revoked(self, issued, keystone):
        os.unlink(os.path.join(issued.path, "source.json"))

        assert lifecycle.revoke(issued, 10).revoked == 1
        assert issued.names() == []

    def test_a_failing_issue_leaves_tokens_without_a_record_on_the_list(self, issued, keystone):
        os.unlink(os.path.join(issued.path, "source.json"))
        keystone.stuck["POST"] = Answer(401)

        with pytest.raises(OneTokenError):
            lifecycle.issue(issued, Source(EXPLICIT, "sandbox", explicit=keystone.entry()), POLICY, 10)
        assert issued.names() == ["sandbox"]

    def test_what_was_never_issued_is_not_called_revoked(self, tmp_path):
        with pytest.raises(SessionError, match="nothing was revoked"):
            lifecycle.revoke(Session(str(tmp_path / "nowhere")), 10)

    @pytest.mark.parametrize("status", [500, 503])
    def test_without_keystone_s_word_the_token_stays_on_the_list_and_the_session_is_closed(
        self, issued, keystone, status
    ):
        token = issued.read_tokens("sandbox").current
        keystone.stuck["DELETE"] = Answer(status)

        with pytest.raises(SessionError, match="may still have a live token.*'sandbox'.*run os_token_revoke again"):
            lifecycle.revoke(issued, 0.1)

        assert issued.read_tokens("sandbox").current.id == token.id
        assert issued.closed

        keystone.stuck.clear()
        assert lifecycle.revoke(issued, 10).revoked == 1
        assert keystone.alive == {}
        assert issued.names() == []

    @pytest.mark.parametrize("status", [401, 404])
    def test_where_something_else_answers_the_token_stays_on_the_list_and_counts_as_alive(
        self, issued, keystone, status
    ):
        token = issued.read_tokens("sandbox").current
        page = Answer(status, body="<html>Not Found</html>")
        keystone.stuck = {"DELETE": page, "GET": page}

        result = lifecycle.revoke(issued, 60)

        assert (result.revoked, result.already_dead) == (0, 0)
        end = clock.show(token.expires_at)
        assert result.living == [
            LivingToken(
                end,
                f"The token of cloud 'sandbox' may live until {end}, because what answers at {keystone.auth_url} is "
                f"not Keystone (HTTP {status}): run os_token_revoke with session={issued.path} once Keystone answers "
                "there.",
            )
        ]
        assert issued.read_tokens("sandbox").current.id == token.id

        keystone.stuck.clear()
        assert lifecycle.revoke(issued, 10).revoked == 1

    def test_where_keystone_has_moved_to_is_said_and_not_asked(self, issued, keystone):
        keystone.stuck["DELETE"] = Answer(307, {"Location": "https://elsewhere/v3/auth/tokens"})

        (living,) = lifecycle.revoke(issued, 60).living

        assert "sends requests on to https://elsewhere, where no token of it is sent: set auth_url to" in living.reason
        assert issued.names() == ["sandbox"]

    RESTRICTED = {
        "trust": (
            {"OS-TRUST:trust": {"id": "t1", "impersonation": True}},
            403,
            "as it does with tokens of a trust that impersonates: delete the trust to end it now.",
        ),
        "access rules": (
            {"application_credential": {"access_rules": [{"id": "r1", "method": "GET"}]}},
            401,
            "as it does with tokens of an application credential that has access rules: delete the application "
            "credential to end it now.",
        ),
    }

    @pytest.fixture(params=list(RESTRICTED.values()), ids=list(RESTRICTED))
    def restricted(self, request, issued, keystone):
        """A session whose token Keystone refuses to revoke: the HTTP status, and what is said of it."""
        body, status, sentence = request.param
        stored = issued.read_tokens("sandbox")
        keystone.alive[stored.current.id.reveal()].update(body)
        token = dataclasses.replace(stored.current, body={**stored.current.body, **body})
        issued.write_tokens("sandbox", StoredTokens(token))
        return status, sentence

    def test_what_keystone_refuses_to_revoke_is_said_with_its_end_and_forgotten(self, issued, keystone, restricted):
        status, sentence = restricted
        end = clock.show(issued.read_tokens("sandbox").current.expires_at)

        result = lifecycle.revoke(issued, 60)

        assert (result.revoked, result.already_dead) == (0, 0)
        (living,) = result.living
        assert living.reason == (
            f"The token of cloud 'sandbox' lives until {end}, because Keystone at {keystone.auth_url} refuses to "
            f"revoke it (HTTP {status}), {sentence}"
        )
        assert len(keystone.alive) == 1
        assert issued.names() == []
        assert issued.closed

    def test_it_is_not_asked_for_again_and_still_counts(self, issued, keystone, restricted):
        first = lifecycle.revoke(issued, 60)
        keystone.requests.clear()

        assert lifecycle.revoke(issued, 60).living == lifecycle.foresee_revoke(issued).living == first.living
        assert keystone.requests == []

    def test_until_it_has_ended(self, issued, keystone, restricted):
        lifecycle.revoke(issued, 60)
        record = issued.read_record()
        record.living = [dataclasses.replace(token, until="2026-01-01T00:00:00Z") for token in record.living]
        issued.write_record(record)

        assert lifecycle.revoke(issued, 60).living == []

    def test_it_does_not_save_those_before_it(self, issued, keystone, restricted):
        stored = issued.read_tokens("sandbox")
        older_text = keystone.issue()
        before = dataclasses.replace(stored.current, id=TokenId(older_text), body=keystone.alive[older_text])
        issued.write_tokens("sandbox", StoredTokens(stored.current, (before,)))

        result = lifecycle.revoke(issued, 60)

        assert (result.revoked, len(result.living)) == (1, 1)
        assert list(keystone.alive) == [stored.current.id.reveal()]

    def test_a_keystone_whose_members_disagree_is_asked_again(self, issued, keystone):
        """One that lacks the newest key does not know the token which another one knows."""
        keystone.answers["DELETE"] = [keystones_answer(401)]

        with pytest.raises(SessionError, match="may still have a live token"):
            lifecycle.revoke(issued, 10)

        result = lifecycle.revoke(issued, 10)
        assert (result.revoked, result.living) == (1, [])

    def test_one_that_lives_by_keystone_s_word_has_not_expired(self, issued, keystone):
        """The clock of this machine was behind when the token was issued, and was set right since."""
        stored = issued.read_tokens("sandbox").current
        body = {"OS-TRUST:trust": {"id": "t1", "impersonation": True}}
        keystone.alive[stored.id.reveal()].update(body)
        issued.write_tokens("sandbox", StoredTokens(dataclasses.replace(stored, body={**stored.body, **body})))
        let_it_age(issued, "sandbox", 25 * 3600)

        result = lifecycle.revoke(issued, 10)

        assert (result.already_dead, len(result.living)) == (0, 1)

    def test_tokens_that_are_revoked_leave_the_list_when_others_are_not(self, issued, keystone):
        """Else they would count as dead before, the next time."""
        let_it_age(issued, "sandbox", DUE)
        lifecycle.current_token(issued, "sandbox")
        keystone.answers["DELETE"] = [Answer(503, {"Retry-After": "3600"})]

        with pytest.raises(SessionError, match="may still have a live token"):
            lifecycle.revoke(issued, 10)
        assert len(issued.read_tokens("sandbox").newest_first) == 1

        result = lifecycle.revoke(issued, 10)
        assert (result.revoked, result.already_dead) == (1, 0)

    def test_without_a_record_that_can_be_read_its_tokens_are_revoked(self, issued, keystone):
        with open(os.path.join(issued.path, "source.json"), "w", encoding="utf-8") as stream:
            stream.write("{")

        assert lifecycle.revoke(issued, 10).revoked == 1
        assert keystone.alive == {}

    def test_a_token_of_whose_expiry_nobody_knows_is_revoked(self, issued, keystone):
        stored = issued.read_tokens("sandbox").current
        body = {**stored.body, "expires_at": "some day"}
        issued.write_tokens("sandbox", StoredTokens(dataclasses.replace(stored, body=body)))

        assert lifecycle.revoke(issued, 10).revoked == 1

    def test_if_it_cannot_be_its_end_is_not_known(self, issued, keystone):
        stored = issued.read_tokens("sandbox").current
        issued.write_tokens("sandbox", StoredTokens(dataclasses.replace(stored, body={})))
        keystone.stuck["DELETE"] = Answer(404)

        result = lifecycle.revoke(issued, 10)

        assert result.living[0].until is None
        assert "lives until it expires, because" in result.living[0].reason

    def test_without_a_keystone_the_token_stays_on_the_list(self, issued, keystone):
        keystone.stop()

        with pytest.raises(SessionError, match="may still have a live token.*cannot be reached"):
            lifecycle.revoke(issued, 0.1)
        assert issued.names() == ["sandbox"]

    def test_the_trouble_with_one_cloud_does_not_save_the_others(self, issued, keystone):
        lifecycle.current_token(issued, "second")
        keystone.answers["DELETE"] = [Answer(503, {"Retry-After": "3600"})]

        with pytest.raises(SessionError, match="'sandbox'"):
            lifecycle.revoke(issued, 10)
        assert issued.names() == ["sandbox"]
        assert len(keystone.revoked) == 1

    def test_a_damaged_file_of_one_cloud_does_not_save_the_others(self, issued, keystone):
        second = lifecycle.current_token(issued, "second")
        with open(os.path.join(issued.path, "tokens", "sandbox.json"), "w", encoding="utf-8") as stream:
            stream.write("{")

        with pytest.raises(SessionError):
            lifecycle.revoke(issued, 10)
        assert keystone.revoked == [second.id.reveal()]

    def test_it_needs_no_password(self, issued, keystone, clouds_yaml):
        os.unlink(clouds_yaml)

        assert lifecycle.revoke(issued, 10).revoked == 1

    def test_the_token_goes_to_the_keystone_that_issued_it(self, issued, keystone, write_clouds):
        """Whatever the user's clouds.yaml and the session's say by now."""
        elsewhere = {"clouds": {"sandbox": {"auth": {"auth_url": "http://127.0.0.1:1/v3"}}}}
        write_clouds(elsewhere)
        issued.write_clouds(json.dumps(elsewhere))

        assert lifecycle.revoke(issued, 10).revoked == 1

    def test_a_disk_that_is_full_lets_no_token_live_and_is_told(self, issued, keystone, monkeypatch):
        def fails(*args):
            raise SessionError("the disk is full")

        monkeypatch.setattr(type(issued), "close", fails)
        monkeypatch.setattr(type(issued), "write_record", fails)

        with pytest.raises(SessionError, match="disk is full"):
            lifecycle.revoke(issued, 10)
        assert keystone.alive == {}
        assert issued.names() == []

    def test_to_foresee_it_an_expired_token_counts_as_dead(self, issued):
        let_it_age(issued, "sandbox", EXPIRED)

        result = lifecycle.foresee_revoke(issued)

        assert (result.revoked, result.already_dead) == (0, 1)

    def test_to_foresee_it_counts_without_asking(self, issued, keystone):
        let_it_age(issued, "sandbox", DUE)
        lifecycle.current_token(issued, "sandbox")
        stored = issued.read_tokens("sandbox")
        issued.write_tokens("sandbox", StoredTokens(stored.current, stored.replaced))
        keystone.requests.clear()

        result = lifecycle.foresee_revoke(issued)

        assert (result.revoked, result.already_dead) == (2, 0)
        assert keystone.requests == []
        assert not issued.closed

    def test_a_session_that_is_gone_is_a_sentence(self, session):
        with pytest.raises(SessionError, match="There is no session"):
            lifecycle.revoke(session, 10)


class TestStatus:
    def state(self, session, validate=False, cloud="sandbox"):
        return lifecycle.status(session, cloud, validate, 10).state

    def test_absent_before_anything_is_issued(self, session):
        assert self.state(session) == "absent"

    def test_absent_for_a_cloud_without_a_token(self, issued):
        assert self.state(issued, cloud="second") == "absent"

    @pytest.mark.parametrize(("age", "state"), [(0, "valid"), (DUE, "due"), (EXPIRED, "expired")])
    def test_the_session_alone_tells_the_age(self, issued, keystone, age, state):
        let_it_age(issued, "sandbox", age)
        keystone.requests.clear()

        assert self.state(issued) == state
        assert keystone.requests == []

    def test_renews_in_counts_down(self, issued):
        let_it_age(issued, "sandbox", 20_000)
        assert lifecycle.status(issued, "sandbox", False, 10).renews_in == pytest.approx(28_512 - 20_000, abs=5)

        let_it_age(issued, "sandbox", DUE)
        assert lifecycle.status(issued, "sandbox", False, 10).renews_in == 0

    def test_closed_after_revoking(self, issued):
        lifecycle.revoke(issued, 10)

        assert self.state(issued) == "closed"

    def test_keystone_s_word_costs_one_request_and_no_token(self, issued, keystone):
        keystone.requests.clear()
        status = lifecycle.status(issued, "sandbox", True, 10)

        assert (status.state, status.validated) == ("valid", True)
        assert [request.method for request in keystone.requests] == ["GET"]

    def test_refused_when_keystone_says_so(self, issued, keystone):
        keystone.alive.clear()

        assert self.state(issued) == "valid"
        assert self.state(issued, validate=True) == "refused"

    def test_the_only_cloud_needs_no_name(self, issued):
        assert lifecycle.status(issued, None, False, 10).cloud == "sandbox"

    def test_of_several_clouds_one_must_be_named(self, issued):
        lifecycle.current_token(issued, "second")

        with pytest.raises(SessionError, match=r"several clouds \(sandbox, second\)"):
            lifecycle.status(issued, None, False, 10)

    def test_looking_changes_nothing(self, issued):
        def snapshot():
            return {
                os.path.join(folder, name): os.stat(os.path.join(folder, name)).st_mtime_ns
                for folder, _folders, names in os.walk(issued.path)
                for name in names
            }

        before = snapshot()
        lifecycle.status(issued, "sandbox", False, 10)
        assert snapshot() == before

    def test_asking_keystone_goes_on_the_session_s_account(self, issued):
        before = issued.read_record().keystone_requests
        lifecycle.status(issued, "sandbox", True, 10)

        assert issued.read_record().keystone_requests == before + 1


def test_a_cloud_s_name_may_be_anything(session, write_clouds, keystone):
    name = "../ü x"
    source = Source(CONFIG, name, ConfigFiles(write_clouds({"clouds": {name: keystone.entry()}})))
    lifecycle.issue(session, source, POLICY, 10)

    assert lifecycle.current_token(session, name).id.reveal() in keystone.alive
    assert lifecycle.revoke(session, 10).revoked == 1
