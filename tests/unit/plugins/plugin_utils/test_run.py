# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs with the watcher that is really started; the run is the process of the tests."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import owners
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import (
    Failure,
    Session,
    StoredTokens,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.token import Token, TokenId
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util import clock
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import ConfigurationError
from ansible_collections.onetoken.openstack.plugins.module_utils.run import Run, Settings
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.processes import wait_until
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    PASSWORD,
    USER,
    Answer,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import let_it_age

pytestmark = pytest.mark.processes


@pytest.fixture
def settings(tmp_path):
    return Settings(None, "33%", None, str(tmp_path / "sessions"), False, 30, 30)


@pytest.fixture
def begin(settings):
    """Begin a run; what watches it is gone at the end of the test."""
    started = []

    def begin(**changed):
        begun = Run.begin(dataclasses.replace(settings, **changed), os.environ)
        if begun is not None:
            started.append(begun[0])
        return begun

    yield begin
    for run in started:
        process = run._watcher._process
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


@pytest.fixture
def openrc(keystone, monkeypatch, no_cloud):
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


class TestBeginning:
    def test_without_a_cloud_there_is_no_run(self, begin, no_cloud, settings):
        assert begin() is None
        assert not os.path.exists(settings.directory)

    def test_it_begins_without_a_token_and_without_a_request(self, begin, clouds_yaml, settings, keystone):
        run, variables = begin()

        assert os.path.dirname(run.session.path) == settings.directory
        assert run.session.clouds_with_tokens() == []
        assert keystone.requests == []
        assert {owner.pid for owner in owners.known(run.session).values()} == {os.getpid()}
        assert set(variables) == {"OS_CLIENT_CONFIG_FILE", "PYTHONPATH"}
        assert variables["OS_CLIENT_CONFIG_FILE"] == run.session.clouds_file

    def test_os_cloud_names_the_cloud_of_its_tasks(self, begin, clouds_yaml, monkeypatch):
        monkeypatch.setenv("OS_CLOUD", "second")

        assert begin()[1]["OS_CLOUD"] == "second"

    def test_the_variables_of_an_openrc_are_a_cloud(self, begin, openrc, keystone):
        run, variables = begin()

        assert (variables["OS_CLOUD"], variables["OS_AUTH_TYPE"]) == ("onetoken", "onetoken")
        assert PASSWORD not in repr(variables)
        assert lifecycle.current_token(run.session, "onetoken").id.reveal() in keystone.alive

    def test_os_cloud_goes_before_an_openrc(self, begin, clouds_yaml, openrc, monkeypatch):
        monkeypatch.setenv("OS_CLOUD", "second")
        run, variables = begin()

        assert variables["OS_CLOUD"] == "second"
        assert run.session.read_record().sources == {}

    def test_within_a_session_there_is_no_other(self, begin, clouds_yaml, monkeypatch, settings):
        _run, variables = begin()
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

        assert begin() is None
        assert len(os.listdir(settings.directory)) == 1

    def test_what_its_user_chose_is_on_record(self, begin, clouds_yaml):
        run, _variables = begin(clouds=["second"], renew_after="600", fallback=True)

        record = run.session.read_record()
        assert (record.clouds, record.fallback, record.policy.renew_after) == (["second"], True, "600")

    def test_a_session_that_is_named_is_shared(self, begin, clouds_yaml, tmp_path):
        first, _variables = begin(session=str(tmp_path / "shared"))
        second, _variables = begin(session=str(tmp_path / "shared"))

        assert first.session.path == second.session.path == str(tmp_path / "shared")
        assert len(owners.known(first.session)) == 2

    def test_a_cloud_that_is_not_configured_is_told_before_anything_is_made(self, begin, clouds_yaml, settings):
        with pytest.raises(ConfigurationError, match=f"names 'sandbocks', which is not in {clouds_yaml}"):
            begin(clouds=["sandbox", "sandbocks"])
        assert not os.path.exists(settings.directory)

    @pytest.mark.parametrize("clouds", [["onetoken"], ["onetoken", "sandbox"]])
    def test_the_variables_of_an_openrc_can_be_chosen_by_their_name(self, begin, clouds_yaml, openrc, clouds):
        assert begin(clouds=clouds) is not None

    @pytest.mark.parametrize("name", ["drain_timeout", "revoke_timeout"])
    @pytest.mark.parametrize("seconds", [-1, 604801])
    def test_a_timeout_out_of_range_is_told(self, settings, name, seconds):
        with pytest.raises(
            ConfigurationError, match=f"{name} is {seconds}, but it takes a number of seconds from 0 to"
        ):
            dataclasses.replace(settings, **{name: seconds})

    def test_a_bad_policy_is_told_before_anything_is_made(self, begin, clouds_yaml, settings):
        with pytest.raises(ConfigurationError, match="renew_after is 'sometimes'"):
            begin(renew_after="sometimes")
        assert not os.path.exists(settings.directory)


@contextlib.contextmanager
def watcher_killed(run):
    process = run._watcher._process
    process.kill()
    process.wait()
    yield
    process.stdin.close()
    process.stdout.close()


def stop(run):
    run._watcher._process.send_signal(signal.SIGSTOP)
    wait_until(lambda: run._watcher.stopped)


@contextlib.contextmanager
def watcher_let_go(run):
    """Close what is left of a watcher that another one takes the place of."""
    process = run._watcher._process
    yield
    process.stdin.close()
    process.stdout.close()


class TestEnding:
    def test_its_token_is_revoked(self, begin, clouds_yaml, keystone):
        run, _variables = begin()
        lifecycle.current_token(run.session, "sandbox")

        report = run.end(drain=False)

        assert (report["revoked"], report["tokens_issued"], report["left"]) == (1, 1, False)
        assert keystone.alive == {}
        assert run._watcher.gone

    def test_a_session_that_nothing_used_leaves_nothing_behind(self, begin, clouds_yaml, keystone, settings):
        run, _variables = begin()

        assert run.end(drain=True)["tokens_issued"] == 0
        assert os.listdir(settings.directory) == []
        assert keystone.requests == []

    def test_after_its_watcher_was_killed_another_one_revokes(self, begin, clouds_yaml, keystone):
        run, _variables = begin()
        lifecycle.current_token(run.session, "sandbox")

        with watcher_killed(run):
            report = run.end(drain=True)

        assert report["revoked"] == 1
        assert keystone.alive == {}

    def test_after_its_watcher_was_stopped_another_one_revokes_and_that_is_told(self, begin, clouds_yaml, keystone):
        run, _variables = begin(drain_timeout=600, revoke_timeout=600)
        lifecycle.current_token(run.session, "sandbox")
        stop(run)

        with watcher_let_go(run):
            report = run.end(drain=True)

        assert (report["revoked"], report["alive"]) == (1, 0)
        assert "The watcher of this run was stopped by a signal" in report["problem"]
        assert keystone.alive == {}

    def test_to_leave_it_to_a_watcher_that_was_stopped_is_to_have_another_one(self, begin, clouds_yaml, keystone):
        run, _variables = begin()
        lifecycle.current_token(run.session, "sandbox")
        stop(run)

        with watcher_let_go(run):
            run.leave()

        wait_until(lambda: keystone.alive == {})

    def test_a_watcher_that_cannot_run_is_not_called_a_session_that_is_gone(self, begin, clouds_yaml, keystone):
        run, _variables = begin()
        lifecycle.current_token(run.session, "sandbox")
        os.unlink(os.path.join(run.session.site, "onetoken_session", "watcher.py"))

        with watcher_killed(run):
            report = run.end(drain=True)

        assert report["problem"] == (
            f"The session {run.session.path} was not revoked, because its watcher was killed, or cannot run: run "
            f"os_token_revoke with session={run.session.path}."
        )

    def test_of_a_session_that_is_gone_with_its_watcher_it_says_what_may_live(self, begin, clouds_yaml, keystone):
        run, _variables = begin()
        lifecycle.current_token(run.session, "sandbox")

        with watcher_killed(run):
            os.rename(run.session.path, f"{run.session.path}.elsewhere")
            report = run.end(drain=True)

        assert f"run os_token_revoke with session={run.session.path}" in report["problem"]
        assert len(keystone.alive) == 1

    def test_while_keystone_does_not_confirm_it_knows_nothing(self, begin, clouds_yaml, keystone):
        run, _variables = begin(revoke_timeout=1)
        lifecycle.current_token(run.session, "sandbox")
        keystone.stuck["DELETE"] = Answer(503)

        assert run.end(drain=False) is None
        assert not run._watcher.gone

    def test_the_wait_for_others_is_as_long_as_was_chosen(self, begin, clouds_yaml, python_that_works_on):
        run, _variables = begin(drain_timeout=600)
        lifecycle.current_token(run.session, "sandbox")
        python_that_works_on(run.session)

        assert run.end(drain=False)["drained"] is False

    @pytest.fixture
    def python_that_works_on(self):
        """Start a process that holds a session until the end of the test."""
        started = []

        def start(session: Session) -> None:
            code = (
                "import sys\n"
                "from onetoken_session import store, usage\n"
                "usage.hold(store.Session(sys.argv[1]))\n"
                "print('ready', flush=True)\n"
                "sys.stdin.read()\n"
            )
            process = subprocess.Popen(
                [sys.executable, "-c", code, session.path],
                env={**os.environ, "PYTHONPATH": session.site},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            started.append(process)
            assert process.stdout and process.stdout.readline() == b"ready\n"

        yield start
        for process in started:
            process.communicate()


class TestNews:
    @pytest.fixture
    def run_with_token(self, begin, clouds_yaml):
        run, _variables = begin()
        lifecycle.current_token(run.session, "sandbox")
        return run

    def fail(self, session, cloud="sandbox"):
        record = session.read_record()
        record.failures[cloud] = Failure("Keystone is out of service.", clock.now().isoformat(), final=False)
        session.write_record(record)

    def test_of_a_good_token_there_is_none(self, run_with_token):
        assert run_with_token.news() == []

    def test_a_token_that_could_not_be_renewed_is_told_once(self, run_with_token):
        self.fail(run_with_token.session)

        (text,) = run_with_token.news()
        assert "The token of cloud 'sandbox' is not renewed" in text
        assert "Keystone is out of service." in text
        assert run_with_token.news() == []

        self.fail(run_with_token.session)
        assert run_with_token.news() == []

    def test_the_next_token_that_could_not_be_renewed_is_told_again(self, run_with_token):
        session = run_with_token.session
        self.fail(session)
        run_with_token.news()
        let_it_age(session, "sandbox", 12 * 3600)
        record = session.read_record()
        record.failures.clear()
        session.write_record(record)
        lifecycle.current_token(session, "sandbox")
        self.fail(session)

        assert len(run_with_token.news()) == 1

    def test_what_a_task_has_said_itself_is_no_news(self, run_with_token):
        """Without a token that is left, the task failed with that sentence."""
        let_it_age(run_with_token.session, "sandbox", 25 * 3600)
        self.fail(run_with_token.session)
        self.fail(run_with_token.session, "second")

        assert not [text for text in run_with_token.news() if "is not renewed" in text]

    def test_something_odd_of_a_token_is_told_once_with_its_cloud(self, begin, clouds_yaml, keystone):
        run, _variables = begin()
        text = keystone.issue()
        keystone.alive[text]["OS-TRUST:trust"] = {"id": "t1"}
        token = Token(TokenId(text), keystone.alive[text], keystone.auth_url, clock.now())
        run.session.write_tokens("second", StoredTokens(token))

        assert run.news() == [
            "Cloud 'second': This token comes from a trust, which may allow only so many tokens: renew it rarely."
        ]
        run.session.write_record(run.session.read_record())
        assert run.news() == []

    def test_of_a_session_that_is_closed_or_gone_there_is_none(self, run_with_token):
        self.fail(run_with_token.session)
        run_with_token.session.close()
        assert run_with_token.news() == []

        run_with_token.session.discard()
        assert run_with_token.news() == []
