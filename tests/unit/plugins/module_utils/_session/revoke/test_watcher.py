# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import array
import concurrent.futures
import dataclasses
import fcntl
import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import termios
import venv

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.revoke.watcher_client import Watcher
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import key, owners, site_code
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.owners import Owner
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.renewal import RenewalPolicy
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import Session, SessionRecord
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.token import TokenId
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.tokens import StoredTokens
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util import clock
from ansible_collections.onetoken.openstack.plugins.module_utils._session_setup import site
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.processes import (
    clear_away,
    ended_run,
    kill,
    let_end,
    wait_until,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import Answer
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.superuser import needs_root
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import IDENTITY

pytestmark = pytest.mark.processes

SECRET = "s3cret"


@pytest.fixture
def watch(no_cloud):
    """Have a session watched for a process: the watcher, and the run's name in the session."""
    started = []

    def start(session: Session, run: subprocess.Popen, **environ: str) -> tuple[Watcher, str]:
        site_code.write(session, site.files())
        owner = Owner.of_process(run.pid)
        assert owner is not None
        name = owners.add(session, owner)
        watcher = Watcher(session, name, {**os.environ, **environ})
        started.append(watcher.process)
        return watcher, name

    yield start
    for process in started:
        clear_away(process)


def is_on_watch(session: Session, name: str) -> bool:
    """Whether the watcher holds the lock on its run's file, from which on no signal ends it."""
    with open(os.path.join(session.path, "owners", name), encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def has_read_its_order(watcher: Watcher) -> bool:
    assert watcher.process.stdin is not None
    waiting = array.array("i", [0])
    fcntl.ioctl(watcher.process.stdin, termios.FIONREAD, waiting)
    return waiting[0] == 0


class TestAtTheRunsWord:
    def test_it_revokes_and_tells_what_it_did(self, issued, run, watch, keystone):
        watcher, name = watch(issued, run)

        report = watcher.end(drain_timeout=0, revoke_timeout=30)

        assert report == {
            "drained": True,
            "left": False,
            "revoked": 1,
            "already_dead": 0,
            "alive": 0,
            "alive_until": None,
            "tokens_issued": 1,
            "keystone_requests": 1,
            "authentications": 0,
            "identities": 1,
            "documents_served": 0,
            "served": 0,
            "traffic": {},
            "problem": None,
        }
        assert keystone.alive == {}
        assert issued.closed
        assert owners.known(issued) == {}
        watcher.wait()
        assert watcher.gone
        assert watcher.process.returncode == 0

    def test_it_waits_for_who_still_works_on_the_session(self, issued, run, use, watch, keystone):
        watcher, _name = watch(issued, run)
        task = use(issued)

        with concurrent.futures.ThreadPoolExecutor() as pool:
            ending = pool.submit(watcher.end, 60, 30)
            with pytest.raises(concurrent.futures.TimeoutError):
                ending.result(1.5)
            assert keystone.revoked == []
            let_end(task)

            assert ending.result(60)["drained"] is True
        assert keystone.alive == {}

    def test_it_waits_no_longer_than_it_was_told(self, issued, run, use, watch, keystone):
        watcher, _name = watch(issued, run)
        use(issued)

        report = watcher.end(drain_timeout=0, revoke_timeout=30)

        assert (report["drained"], report["revoked"]) == (False, 1)

    def test_it_waits_no_longer_when_the_run_is_killed_meanwhile(self, issued, run, use, watch, keystone):
        watcher, name = watch(issued, run)
        use(issued)
        wait_until(lambda: is_on_watch(issued, name))
        os.write(watcher.process.stdin.fileno(), b'{"drain_timeout": 600}\n')
        wait_until(lambda: has_read_its_order(watcher))
        kill(run)

        assert watcher.receive(30) == {"drained": False}
        assert watcher.receive(30)["revoked"] == 1
        assert keystone.alive == {}

    def test_what_is_seen_through_is_waited_for_even_when_the_run_is_killed(self, issued, run, finish, watch, keystone):
        watcher, name = watch(issued, run)
        wait_until(lambda: is_on_watch(issued, name))
        bulk_run = finish(issued)
        kill(run)

        assert watcher.receive(1.5) is None
        assert keystone.revoked == []
        let_end(bulk_run)
        assert watcher.receive(30) == {"drained": True}
        assert watcher.receive(30)["revoked"] == 1
        assert keystone.alive == {}

    def test_a_run_that_was_interrupted_leaves_it_to_the_watcher(self, issued, run, finish, watch, keystone):
        watcher, _name = watch(issued, run)
        bulk_run = finish(issued)

        assert watcher.end(0, 0, grace=0) is None
        assert keystone.revoked == []
        let_end(bulk_run)
        wait_until(lambda: keystone.alive == {})

    @pytest.mark.parametrize("code", ["", "onetoken_session", "onetoken_session/revoke/revocation.py"])
    def test_it_revokes_though_its_code_is_gone(self, issued, run, watch, keystone, code):
        watcher, name = watch(issued, run)
        wait_until(lambda: is_on_watch(issued, name))
        path = pathlib.Path(issued.site, code)
        path.unlink() if path.is_file() else shutil.rmtree(path)
        for compiled in pathlib.Path(issued.path).rglob("revocation*.pyc"):
            compiled.unlink()

        report = watcher.end(drain_timeout=0, revoke_timeout=30)

        assert report is not None
        assert (report["revoked"], report["problem"]) == (1, None)
        assert keystone.alive == {}

    def test_what_time_alone_does_not_mend_is_told_at_once_and_tried_on(self, issued, run, watch, keystone):
        watcher, name = watch(issued, run)
        wait_until(lambda: is_on_watch(issued, name))
        os.chmod(issued.path, 0o755)

        assert watcher.end(drain_timeout=0, revoke_timeout=30) is None
        assert watcher.pending is not None and issued.path in watcher.pending

        os.chmod(issued.path, 0o700)
        wait_until(lambda: keystone.alive == {})

    def test_a_session_that_never_had_a_token_is_removed_without_a_request(self, empty, run, watch, keystone):
        watcher, _name = watch(empty, run)

        report = watcher.end(drain_timeout=0, revoke_timeout=30)

        assert (report["drained"], report["tokens_issued"], report["problem"]) == (True, 0, None)
        assert not os.path.lexists(empty.path)
        assert keystone.requests == []

    def test_a_session_that_had_one_is_closed_and_stays_for_a_late_task(self, issued, run, watch, keystone):
        issued.remove_tokens(IDENTITY)
        watcher, _name = watch(issued, run)

        assert watcher.end(drain_timeout=0, revoke_timeout=30)["tokens_issued"] == 1
        assert issued.closed
        assert owners.known(issued) == {}
        assert keystone.requests == []

    def test_while_keystone_does_not_answer_it_says_nothing_and_goes_on(self, issued, run, watch, keystone):
        keystone.stuck["DELETE"] = Answer(503)
        watcher, _name = watch(issued, run)

        assert watcher.end(drain_timeout=0, revoke_timeout=0.1) is None
        wait_until(lambda: keystone.asked("DELETE"))
        assert not watcher.gone

        keystone.stuck.clear()
        wait_until(lambda: keystone.alive == {})
        watcher.wait()
        assert watcher.gone

    def test_what_keystone_refuses_to_revoke_is_told_at_once_and_asked_for_once(self, issued, run, watch, keystone):
        (body,) = keystone.alive.values()
        body["OS-TRUST:trust"] = {"id": "t1", "impersonation": True}
        end = clock.show(issued.read_tokens(IDENTITY).current.expires_at)
        watcher, _name = watch(issued, run)

        report = watcher.end(drain_timeout=0, revoke_timeout=30)

        assert (report["revoked"], report["alive"], report["alive_until"]) == (0, 1, end)
        assert "refuses to revoke it (HTTP 403)" in report["problem"]
        watcher.wait()
        assert watcher.gone
        assert len(keystone.asked("DELETE")) == 1

    @pytest.mark.parametrize("status", [401, 404])
    def test_the_word_of_something_else_is_told_at_once_and_no_proof(self, issued, run, watch, keystone, status):
        page = Answer(status, body="<html>Not Found</html>")
        keystone.stuck = {"DELETE": page, "GET": page}
        watcher, name = watch(issued, run)

        report = watcher.end(drain_timeout=0, revoke_timeout=30)

        assert (report["revoked"], report["already_dead"], report["alive"]) == (0, 0, 1)
        assert "is not Keystone" in report["problem"]
        # For a later run, or for os_token_revoke.
        assert issued.names() == [IDENTITY]
        assert list(owners.known(issued)) == [name]

    def test_what_it_revoked_in_several_turns_is_counted_once(self, issued, run, watch, keystone):
        text = keystone.issue()
        current = issued.read_tokens(IDENTITY).current
        issued.write_tokens(IDENTITY, StoredTokens(current, (dataclasses.replace(current, id=TokenId(text)),)))
        keystone.answers["DELETE"] = [Answer(503, {"Retry-After": "3600"})]
        watcher, _name = watch(issued, run)

        report = watcher.end(drain_timeout=0, revoke_timeout=60)

        assert (report["revoked"], report["already_dead"], report["problem"]) == (2, 0, None)

    @pytest.mark.parametrize("expires_at", [None, "some day", "9999-12-31T23:59:59-23:59"])
    def test_a_token_that_ends_at_no_time_is_revoked_once_keystone_is_back(
        self, issued, run, watch, keystone, expires_at
    ):
        current = issued.read_tokens(IDENTITY).current
        body = {**current.body, "expires_at": expires_at}
        issued.write_tokens(IDENTITY, StoredTokens(dataclasses.replace(current, body=body)))
        keystone.answers["DELETE"] = [Answer(503, {"Retry-After": "3600"})]
        watcher, _name = watch(issued, run)

        report = watcher.end(drain_timeout=0, revoke_timeout=60)

        assert (report["revoked"], report["problem"]) == (1, None)

    def test_one_that_was_stopped_is_seen_to_be(self, issued, run, watch, keystone):
        watcher, name = watch(issued, run)
        wait_until(lambda: is_on_watch(issued, name))
        assert not watcher.stopped
        watcher.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: watcher.stopped)

        assert watcher.end(drain_timeout=600, revoke_timeout=600) is None
        assert not watcher.gone

        watcher.process.send_signal(signal.SIGCONT)
        wait_until(lambda: keystone.alive == {})
        assert not watcher.stopped

    def test_of_a_watcher_that_is_gone_there_is_nothing_to_hear(self, issued, run, watch):
        watcher, _name = watch(issued, run)
        kill(watcher.process)

        assert watcher.gone
        assert watcher.end(drain_timeout=0, revoke_timeout=30) is None


class TestWithoutAWord:
    def test_the_end_of_the_run_is_the_end_of_its_token(self, issued, run, use, watch, keystone):
        """At once, though a task still works on the session: nobody waits for what it does."""
        use(issued)
        watch(issued, run)
        kill(run)

        wait_until(lambda: keystone.alive == {})
        wait_until(lambda: owners.known(issued) == {})
        assert issued.closed

    def test_a_run_that_ended_before_it_was_watched_is_noticed(self, issued, python, watch, keystone):
        ended = python("print('ready', flush=True)")
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        site_code.write(issued, site.files())
        alive = Owner.of_process(os.getpid())
        name = owners.add(issued, Owner(ended.pid, "1", alive.boot, alive.namespace))
        watcher = Watcher(issued, name, os.environ)

        wait_until(lambda: keystone.alive == {})
        assert watcher.process.wait(30) == 0

    def test_a_session_that_never_had_a_token_stays_closed_for_what_the_run_left_behind(
        self, empty, run, watch, keystone
    ):
        """A task of it that starts now must not find nothing, and use the password."""
        empty.key()
        watch(empty, run)
        kill(run)

        wait_until(lambda: owners.known(empty) == {})
        assert empty.closed
        assert keystone.requests == []
        # What is left is to name no identity, and nothing is to be left in memory.
        assert not any(map(os.path.exists, key.paths(empty.path)))

    def test_who_started_it_may_leave_when_that_is_not_the_run(self, issued, run, watch, keystone):
        watcher, name = watch(issued, run)
        wait_until(lambda: is_on_watch(issued, name))
        watcher.process.stdin.close()
        with pytest.raises(subprocess.TimeoutExpired):
            watcher.process.wait(0.5)
        assert keystone.revoked == []

        kill(run)
        wait_until(lambda: keystone.alive == {})

    def test_a_keystone_that_is_out_of_service_at_first_is_asked_again(self, issued, run, watch, keystone):
        keystone.answers["DELETE"] = [Answer(503)]
        watch(issued, run)
        kill(run)

        wait_until(lambda: keystone.alive == {})
        assert len(keystone.asked("DELETE")) == 2

    def test_no_signal_ends_it_before_its_work_is_done(self, issued, run, watch, keystone):
        watcher, name = watch(issued, run)
        wait_until(lambda: is_on_watch(issued, name))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
            watcher.process.send_signal(number)
        assert resource.prlimit(watcher.process.pid, resource.RLIMIT_CORE) == (0, 0)
        assert os.getsid(watcher.process.pid) == watcher.process.pid
        assert os.readlink(f"/proc/{watcher.process.pid}/cwd") == "/"

        kill(run)
        wait_until(lambda: keystone.alive == {})


class TestSharing:
    def test_of_two_runs_the_last_to_end_revokes(self, issued, python, watch, keystone):
        first_run, second_run = (python("import sys; print('ready', flush=True); sys.stdin.read()") for _turn in "12")
        first, _name = watch(issued, first_run)
        second, name = watch(issued, second_run)

        report = first.end(drain_timeout=60, revoke_timeout=30)
        assert (report["left"], report["revoked"], report["drained"]) == (True, 0, True)
        assert len(keystone.alive) == 1
        assert not issued.closed
        assert list(owners.known(issued)) == [name]

        report = second.end(drain_timeout=60, revoke_timeout=30)
        assert (report["left"], report["revoked"]) == (False, 1)
        assert keystone.alive == {}

    def test_a_run_that_is_killed_leaves_the_session_to_the_other(self, issued, python, watch, keystone):
        first_run, second_run = (python("import sys; print('ready', flush=True); sys.stdin.read()") for _turn in "12")
        first, first_name = watch(issued, first_run)
        second, second_name = watch(issued, second_run)
        wait_until(lambda: is_on_watch(issued, second_name))
        kill(first_run)

        wait_until(lambda: list(owners.known(issued)) == [second_name])
        assert len(keystone.alive) == 1
        assert second.end(drain_timeout=0, revoke_timeout=30)["revoked"] == 1

    def test_to_leave_a_session_to_others_nothing_is_waited_for(self, issued, python, use, watch):
        first_run, second_run = (python("import sys; print('ready', flush=True); sys.stdin.read()") for _turn in "12")
        first, _name = watch(issued, first_run)
        watch(issued, second_run)
        use(issued)

        assert first.end(drain_timeout=600, revoke_timeout=30)["left"] is True


def test_it_holds_no_secret_and_no_variable_of_the_cloud(issued, run, watch, keystone, tmp_path):
    watcher, name = watch(
        issued,
        run,
        OS_PASSWORD=SECRET,
        OS_AUTH_URL=keystone.auth_url,
        OS_CLOUD="sandbox",
        ANSIBLE_VAULT_PASSWORD=SECRET,
        AWS_SECRET_ACCESS_KEY=SECRET,
        HTTPS_PROXY=f"http://user:{SECRET}@proxy",
        PYTHONPATH=f"relative::{tmp_path}/mine",
    )
    wait_until(lambda: is_on_watch(issued, name))
    with open(f"/proc/{watcher.process.pid}/environ", encoding="utf-8") as stream:
        environ = dict(variable.split("=", 1) for variable in stream.read().split("\0") if variable)
    with open(f"/proc/{watcher.process.pid}/cmdline", encoding="utf-8") as stream:
        command = stream.read()

    assert not [name for name in environ if name.startswith(("OS_", "ANSIBLE_", "AWS_"))]
    assert environ["PATH"] == os.environ["PATH"]
    assert environ["PYTHONPATH"] == f"{issued.site}:{tmp_path}/mine"
    for secret in (SECRET, *keystone.alive):
        assert secret not in json.dumps(environ) + command


def test_where_its_python_has_no_keystoneauth_it_goes_on_with_the_one_that_signed_in(
    issued, run, watch, keystone, tmp_path, monkeypatch
):
    token = issued.read_tokens(IDENTITY).current
    issued.write_tokens(IDENTITY, StoredTokens(dataclasses.replace(token, python=sys.executable)))
    venv.create(tmp_path / "bare", symlinks=True, with_pip=False)
    bare = str(tmp_path / "bare" / "bin" / "python")
    with_it = subprocess.run([bare, "-c", "import keystoneauth1"], stderr=subprocess.DEVNULL, check=False)
    assert with_it.returncode == 1
    monkeypatch.setattr(sys, "executable", bare)
    watcher, _name = watch(issued, run)

    report = watcher.end(drain_timeout=0, revoke_timeout=30)

    assert (report["drained"], report["revoked"]) == (True, 1)
    assert keystone.alive == {}


@pytest.fixture
def own(tmp_path):
    """The session of another run, beside the one that was issued."""
    session = Session(str(tmp_path / "own"))
    session.make()
    session.write_record(SessionRecord(RenewalPolicy()))
    return session


def test_a_run_that_needs_no_token_revokes_what_earlier_ones_left_behind(issued, own, run, watch, keystone):
    """Its own session is gone before the process that sweeps has started."""
    owners.add(issued, ended_run())
    watcher, _name = watch(own, run)

    assert watcher.end(drain_timeout=0, revoke_timeout=30)["tokens_issued"] == 0

    wait_until(lambda: issued.names() == [])
    assert keystone.alive == {}
    assert not os.path.lexists(own.path)


def test_a_session_that_cannot_be_used_does_not_save_the_others_left_behind(
    issued, own, run, watch, keystone, tmp_path
):
    shutil.copytree(issued.path, tmp_path / "broken")
    broken = Session(str(tmp_path / "broken"))
    (tmp_path / "broken" / "site").write_text("no directory")
    for orphan in (issued, broken):
        owners.add(orphan, ended_run())
    watch(own, run)

    wait_until(lambda: issued.names() == broken.names() == [])


def test_a_run_that_was_killed_with_a_stopped_watcher_is_left_behind_as_well(issued, own, run, python, watch, keystone):
    stopped, name = watch(issued, run)
    wait_until(lambda: is_on_watch(issued, name))
    stopped.process.send_signal(signal.SIGSTOP)
    kill(run)
    another_run = python("import sys; print('ready', flush=True); sys.stdin.read()")
    watch(own, another_run)

    wait_until(lambda: issued.names() == [])
    assert keystone.alive == {}


def test_it_revokes_what_earlier_runs_left_behind(issued, own, run, watch, keystone):
    """The session of the fixture is the one that was left behind; another one is watched."""
    orphan = issued
    owners.add(orphan, ended_run())
    watch(own, run)

    wait_until(lambda: orphan.names() == [])
    assert keystone.alive == {}
    assert not own.closed


@needs_root
def test_the_superuser_runs_nothing_that_another_user_left_behind(issued, own, run, watch, keystone, tmp_path):
    """In a directory of everybody's, each user can put down what looks like the session of a run that ended."""
    trap = Session(str(tmp_path / "a-trap"))
    shutil.copytree(issued.path, trap.path)
    sprung = tmp_path / "sprung"
    site_code.write(trap, {"contextlib.py": f"open({str(sprung)!r}, 'w').close()"})
    for orphan in (trap, issued):
        owners.add(orphan, ended_run())
    for folder, _folders, files in os.walk(trap.path):
        for path in (folder, *(os.path.join(folder, name) for name in files)):
            os.chown(path, 65534, -1)
    tmp_path.chmod(0o1777)
    watch(own, run)

    wait_until(lambda: issued.names() == [])
    assert not sprung.exists()
    assert trap.names() == [IDENTITY]
