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
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import owners, usage
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import (
    BROKEN,
    ISSUED,
    UNRECORDED,
    VARIABLE,
    Session,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import (
    ConfigurationError,
    OneTokenError,
)
from ansible_collections.onetoken.openstack.plugins.plugin_utils import run as runs
from ansible_collections.onetoken.openstack.plugins.plugin_utils.run import Run, Settings
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session import tokens
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.processes import (
    clear_away,
    close_pipes,
    kill,
    wait_until,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import Answer

pytestmark = pytest.mark.processes


@pytest.fixture
def settings(tmp_path):
    return Settings("33%", None, str(tmp_path / "sessions"), False, 30, 30, fork_server=False)


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
        clear_away(run.watcher.process)


@pytest.fixture
def sign_in(keystone):
    """Put a token into a session, as a process does that signs in."""
    return lambda session, **body: tokens.sign_in(session, keystone, **body)


class TestBeginning:
    def test_it_begins_without_a_token_a_request_or_a_cloud(self, begin, no_cloud, settings, keystone):
        run, variables = begin()

        assert os.path.dirname(run.session.path) == settings.directory
        assert run.session.names() == []
        assert keystone.requests == []
        assert {owner.pid for owner in owners.known(run.session).values()} == {os.getpid()}
        assert set(variables) == {"PYTHONPATH", VARIABLE}
        assert variables["PYTHONPATH"].split(os.pathsep)[0] == run.session.site
        assert variables[VARIABLE] == run.session.path

    def test_an_existing_search_path_comes_behind(self, begin, no_cloud, monkeypatch):
        monkeypatch.setenv("PYTHONPATH", "/own")
        run, variables = begin()

        assert variables["PYTHONPATH"] == f"{run.session.site}{os.pathsep}/own"

    def test_within_a_session_there_is_no_other(self, begin, no_cloud, monkeypatch, settings):
        _run, variables = begin()
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

        assert begin() is None
        assert len(os.listdir(settings.directory)) == 1

    def test_after_a_session_that_is_gone_there_is_another(self, begin, no_cloud, monkeypatch):
        monkeypatch.setenv(VARIABLE, "/nowhere/at/all")

        assert begin() is not None

    def test_the_user_s_options_are_on_record(self, begin, no_cloud):
        run, _variables = begin(renew_after="600")

        record = run.session.read_record()
        assert (record.policy.renew_after, record.of_runs) == ("600", True)

    def test_a_named_session_is_shared(self, begin, no_cloud, tmp_path):
        first, _variables = begin(session=str(tmp_path / "shared"))
        second, _variables = begin(session=str(tmp_path / "shared"))

        assert first.session.path == second.session.path == str(tmp_path / "shared")
        assert len(owners.known(first.session)) == 2

    @pytest.mark.parametrize("name", ["drain_timeout", "revoke_timeout"])
    @pytest.mark.parametrize("seconds", [-1, 604801])
    def test_a_timeout_out_of_range_is_reported(self, settings, name, seconds):
        with pytest.raises(
            ConfigurationError, match=f"{name} is {seconds}, but it takes a number of seconds from 0 to"
        ):
            dataclasses.replace(settings, **{name: seconds})

    def test_an_invalid_policy_is_reported_before_anything_is_made(self, begin, no_cloud, settings):
        with pytest.raises(ConfigurationError, match="renew_after is 'sometimes'"):
            begin(renew_after="sometimes")
        assert not os.path.exists(settings.directory)


class TestTheProcessOfTheRun:
    @pytest.fixture(autouse=True)
    def at_exit(self, no_cloud, monkeypatch):
        """What entering leaves behind in a process is taken away again; what would be called at its exit."""
        registered = []
        monkeypatch.setattr(usage, "run_process", None)
        monkeypatch.setattr(runs, "_current", None)
        monkeypatch.setattr(runs.atexit, "register", registered.append)
        monkeypatch.delenv(VARIABLE, raising=False)
        monkeypatch.delenv("PYTHONPATH", raising=False)
        return registered

    def test_it_is_on_the_session_until_the_run_ends_but_does_not_hold_it(self, begin):
        run, variables = begin()
        run.enter(variables)
        assert {name: os.environ[name] for name in variables} == variables
        usage.hold(run.session)
        assert run.idle

        run.end(drain=False)
        assert VARIABLE not in os.environ
        assert "PYTHONPATH" not in os.environ

    def test_its_own_variables_are_restored(self, begin, monkeypatch):
        monkeypatch.setenv("PYTHONPATH", "/own")
        run, variables = begin()
        run.enter(variables)

        run.end(drain=False)
        assert os.environ["PYTHONPATH"] == "/own"

    def test_the_next_call_joins_it(self, settings):
        run = runs.begin_or_join(settings)
        try:
            assert runs.begin_or_join(settings) is run
            assert len(os.listdir(settings.directory)) == 1
        finally:
            run.end(drain=False)

    def test_a_run_that_nothing_else_ended_ends_with_the_process(self, settings, sign_in, keystone, at_exit):
        run = runs.begin_or_join(settings)
        sign_in(run.session)
        (end_at_exit,) = at_exit

        end_at_exit()

        assert keystone.alive == {}
        assert run.ended
        end_at_exit()

    def test_within_another_session_there_is_none(self, settings, begin, monkeypatch):
        _run, variables = begin()
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

        assert runs.begin_or_join(settings) is None


@contextlib.contextmanager
def watcher_killed(run):
    process = run.watcher.process
    kill(process)
    yield
    close_pipes(process)


def stop(run):
    run.watcher.process.send_signal(signal.SIGSTOP)
    wait_until(lambda: run.watcher.stopped)


@contextlib.contextmanager
def watcher_let_go(run):
    """Close what is left of a watcher that another one takes the place of."""
    process = run.watcher.process
    yield
    close_pipes(process)


class TestEnding:
    def test_its_token_is_revoked(self, begin, sign_in, keystone):
        run, _variables = begin()
        sign_in(run.session)

        report = run.end(drain=False)

        assert (report["revoked"], report["tokens_issued"], report["left"]) == (1, 1, False)
        assert keystone.alive == {}
        assert run.watcher.gone

    def test_a_session_that_nothing_used_leaves_nothing_behind(self, begin, sign_in, keystone, settings):
        run, _variables = begin()

        assert run.end(drain=True)["tokens_issued"] == 0
        assert os.listdir(settings.directory) == []
        assert keystone.requests == []

    def test_after_its_watcher_was_killed_another_one_revokes(self, begin, sign_in, keystone):
        run, _variables = begin()
        sign_in(run.session)

        with watcher_killed(run):
            report = run.end(drain=True)

        assert report["revoked"] == 1
        assert keystone.alive == {}

    def test_after_its_watcher_was_stopped_another_one_revokes_and_reports_that(self, begin, sign_in, keystone):
        run, _variables = begin(drain_timeout=600, revoke_timeout=600)
        sign_in(run.session)
        stop(run)

        with watcher_let_go(run):
            report = run.end(drain=True)

        assert (report["revoked"], report["alive"]) == (1, 0)
        assert "The watcher of this run was stopped by a signal" in report["problem"]
        assert keystone.alive == {}

    def test_leaving_it_to_a_stopped_watcher_starts_another_one(self, begin, sign_in, keystone):
        run, _variables = begin()
        sign_in(run.session)
        stop(run)

        with watcher_let_go(run):
            run.leave()

        wait_until(lambda: keystone.alive == {})

    def test_a_watcher_that_cannot_run_is_reported_as_such(self, begin, sign_in, keystone):
        run, _variables = begin()
        sign_in(run.session)
        os.unlink(os.path.join(run.session.site, "onetoken_session", "revoke", "watcher.py"))

        with watcher_killed(run):
            report = run.end(drain=True)

        assert report["problem"] == (
            f"The session {run.session.path} was not revoked, because its watcher was killed, or cannot run: run "
            f"os_token_revoke with session={run.session.path}."
        )

    def test_a_session_that_is_gone_with_its_watcher_is_reported(self, begin, sign_in, keystone):
        run, _variables = begin()
        sign_in(run.session)

        with watcher_killed(run):
            os.rename(run.session.path, f"{run.session.path}.elsewhere")
            report = run.end(drain=True)

        assert f"run os_token_revoke with session={run.session.path}" in report["problem"]
        assert len(keystone.alive) == 1

    def test_until_keystone_confirms_there_is_no_report(self, begin, sign_in, keystone):
        run, _variables = begin(revoke_timeout=1)
        sign_in(run.session)
        keystone.stuck["DELETE"] = Answer(503)

        assert run.end(drain=False) is None
        assert not run.watcher.gone

    def test_the_wait_for_others_is_as_long_as_chosen(self, begin, sign_in, python_that_works_on):
        run, _variables = begin(drain_timeout=600)
        sign_in(run.session)
        python_that_works_on(run.session)

        assert run.end(drain=False)["drained"] is False

    @pytest.fixture
    def python_that_works_on(self):
        """Start a process that holds a session until the end of the test."""
        started = []

        def start(session: Session) -> None:
            code = (
                "import sys\n"
                "from onetoken_session.store import session, usage\n"
                "usage.hold(session.Session(sys.argv[1]))\n"
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
    def run_with_token(self, begin, sign_in):
        run, _variables = begin()
        sign_in(run.session)
        return run

    def test_a_good_token_causes_none(self, run_with_token):
        assert run_with_token.new_warnings() == []

    @pytest.mark.parametrize(
        ("trouble", "message"),
        [
            (BROKEN, "A process could not use the session {}, so it signed in separately"),
            (UNRECORDED, "A token could not be saved in the session {}, so it stays valid until it expires"),
        ],
    )
    def test_a_reported_problem_is_shown_once(self, run_with_token, trouble, message):
        session = run_with_token.session
        session.report_problem(trouble)

        (text,) = run_with_token.new_warnings()
        assert text.startswith(message.format(session.path))
        session.report_problem(trouble)
        assert run_with_token.new_warnings() == []

    def test_missing_code_is_shown_once_as_processes_cannot_report_it(self, run_with_token):
        os.remove(os.path.join(run_with_token.session.site, "sitecustomize.py"))

        (text,) = run_with_token.new_warnings()
        assert text.startswith("A process could not use the session")
        assert run_with_token.new_warnings() == []

    def test_a_warning_about_a_token_is_shown_once_with_its_user(self, begin, sign_in):
        run, _variables = begin()
        sign_in(run.session, **{"OS-TRUST:trust": {"id": "t1"}})

        assert run.new_warnings() == [
            "The token of user 'demo' for project 'demo': This token comes from a trust, which may allow only so many "
            "tokens: renew it rarely."
        ]
        run.session.count(ISSUED)
        assert run.new_warnings() == []

    def test_without_new_sign_ins_and_problems_no_file_is_read(self, run_with_token, monkeypatch):
        run_with_token.new_warnings()
        monkeypatch.setattr(type(run_with_token.session), "read_record", lambda self: pytest.fail("it is read"))

        assert run_with_token.new_warnings() == []

    def test_a_closed_or_missing_session_causes_none(self, run_with_token):
        run_with_token.session.report_problem(BROKEN)
        run_with_token.session.close()
        assert run_with_token.new_warnings() == []

        run_with_token.session.discard()
        # The callback takes it for no news.
        with contextlib.suppress(OneTokenError):
            assert run_with_token.new_warnings() == []
