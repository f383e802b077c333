# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes with the session's environment, which know nothing else of it."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import typing as t

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import usage
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import (
    AUTHENTICATIONS,
    IDENTITIES,
    ISSUED,
    REQUESTS,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import SessionError
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.processes import wait_until
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.sign_in.sign_ins import (
    SIGN_IN,
    current,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import Answer

pytestmark = pytest.mark.processes

#: Gives every sign-in a second.
SHORT = "from onetoken_session.sign_in import detached\ndetached.TIMEOUT = 1\n"
CONNECT = """
import openstack

connection = openstack.connect(cloud="sandbox")
print(connection.session.get_token(), connection.current_project_id)
"""


def test_the_second_process_sends_keystone_no_request_not_even_for_versions(prepared, run, keystone, write_clouds):
    write_clouds({"clouds": {"sandbox": keystone.entry()}})

    first = run(prepared, CONNECT)
    asked = list(keystone.requests)
    second = run(prepared, CONNECT)

    assert first == second and first[2] == 0, first
    assert first[0].split()[0] == current(prepared).id.reveal()
    assert len(keystone.asked("POST")) == 1
    assert keystone.requests == asked


@pytest.mark.parametrize("number", [8, pytest.param(20, marks=pytest.mark.repeats)])
def test_many_processes_at_once_sign_in_once(prepared, start, keystone, number):
    keystone.slowness = 0.5
    processes = [start(prepared, SIGN_IN, keystone.auth_url) for _one in range(number)]

    outputs = [process.communicate(timeout=120) for process in processes]

    assert {output for output, _errors in outputs} == {f"{current(prepared).id.reveal()}\n"}, outputs
    assert len(keystone.asked("POST")) == 1
    counted = [prepared.counted(name) for name in (REQUESTS, ISSUED, IDENTITIES, AUTHENTICATIONS)]
    assert counted == [1, 1, 1, number - 1]


def test_many_refused_processes_at_once_send_one_request(prepared, start, keystone):
    keystone.slowness = 0.5
    code = SIGN_IN.replace("correct horse", "wrong")
    processes = [start(prepared, code, keystone.auth_url) for _number in range(5)]

    for process in processes:
        _output, errors = process.communicate(timeout=120)
        assert "HTTP 401" in errors

    # Who comes when the answer is there already has to wait, and asks again.
    assert len(keystone.asked("POST")) <= 2


def test_a_process_with_several_threads_signs_in_too(prepared, run, keystone):
    code = "import threading\nthreading.Thread(target=input, daemon=True).start()\n" + SIGN_IN

    output, errors, _code = run(prepared, code, keystone.auth_url)

    assert output == f"{current(prepared).id.reveal()}\n", errors


def test_a_process_that_signed_in_holds_the_session_until_it_ends(prepared, start, keystone):
    process = start(prepared, SIGN_IN + "sys.stdin.read()\n", keystone.auth_url)
    assert process.stdout.readline()
    assert not usage.is_idle(prepared)

    process.communicate()
    assert usage.is_idle(prepared)


class TestAnAnswerThatIsLost:
    """Keystone may have issued a token: it is not asked for another, and the program hears what it would without."""

    def test_an_answer_that_breaks_off(self, prepared, run, keystone):
        keystone.stuck["POST"] = Answer(201, {"X-Subject-Token": "t", "Transfer-Encoding": "chunked"}, "no chunk")

        _output, errors, code = run(prepared, SIGN_IN, keystone.auth_url)

        assert "ConnectionError: Unexpected exception for " in errors.splitlines()[-1]
        assert (code, len(keystone.asked("POST"))) == (1, 1)

    def test_an_answer_after_the_timeout(self, prepared, run, keystone):
        keystone.slowness = 2

        _output, errors, _code = run(prepared, SHORT + SIGN_IN, keystone.auth_url)

        message = f"ConnectTimeout: Request to {keystone.auth_url}/auth/tokens timed out"
        assert errors.splitlines()[-1].endswith(message)
        assert len(keystone.asked("POST")) == 1

    @pytest.mark.parametrize("limit", ["the program's own", "the time for a busy Keystone"])
    def test_the_timeout_is_not_before_the_program_s_own(self, prepared, run, keystone, limit):
        keystone.slowness = 2
        code = SHORT + SIGN_IN
        if limit == "the program's own":
            code = code.replace("session.Session()", "session.Session(timeout=20)")
        else:
            code = "from onetoken_session.sign_in import cache\ncache.busy_timeout = cache.BUSY_TIMEOUT + 20\n" + code

        output, errors, _code = run(prepared, code, keystone.auth_url)

        assert output == f"{current(prepared).id.reveal()}\n", errors
        assert len(keystone.asked("POST")) == 1


class TestAProcessThatEndsMeanwhile:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
    def test_its_token_is_on_record(self, prepared, start, keystone, number):
        keystone.slowness = 1
        process = start(prepared, SIGN_IN, keystone.auth_url)
        wait_until(lambda: keystone.asked("POST"))

        os.killpg(process.pid, number)
        assert process.wait(30) != 0

        wait_until(prepared.names)
        assert current(prepared).id.reveal() in keystone.alive
        with contextlib.closing(_Lock(prepared.signing_in(30))):
            pass

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
    def test_nobody_revokes_the_session_before_that(self, prepared, start, keystone, monkeypatch, number):
        may_answer = threading.Event()
        plain = keystone._answer
        monkeypatch.setattr(keystone, "_answer", lambda request: (may_answer.wait(60), plain(request))[1])
        process = start(prepared, SIGN_IN, keystone.auth_url)
        wait_until(lambda: keystone.asked("POST"))
        os.killpg(process.pid, number)
        process.wait(30)

        with pytest.raises(SessionError, match="still locked"), prepared.locked(0):
            pass
        may_answer.set()
        with prepared.locked(30):
            assert current(prepared).id.reveal() in keystone.alive

    def test_the_request_ends_when_nobody_waits(self, prepared, start, keystone, site_path):
        """It is brief then, instead of as patient as it is while somebody does."""
        code = "from onetoken_session.sign_in import detached\ndetached.ALONE_TIMEOUT = 1\n" + SIGN_IN
        keystone.stuck["POST"] = Answer(503, {"Retry-After": "100"})
        process = start(prepared, code, keystone.auth_url)
        wait_until(lambda: keystone.asked("POST"))

        process.kill()
        process.communicate()

        # Nobody signs in any more: the lock of a whole revoke is to be had.
        with prepared.locked(30):
            assert prepared.names() == []


class _Lock:
    def __init__(self, handle: int) -> None:
        self._handle = handle

    def close(self) -> None:
        os.close(self._handle)


class TestFailingOpen:
    """A session that cannot be used changes neither what a process writes nor how it ends."""

    #: How each code ends without a session, which no session changes.
    without: t.ClassVar[dict[str, tuple[str, str, int]]] = {}

    @pytest.fixture(params=["first", "second"])
    def used(self, request, prepared, run, keystone):
        """A session that nobody, or somebody, has signed in with."""
        if request.param == "second":
            run(prepared, SIGN_IN, keystone.auth_url)
        return prepared

    def check(self, session, run, keystone) -> None:
        for code, begins in ((SIGN_IN, "gAAAAA"), (SIGN_IN.replace("correct horse", "wrong"), "")):
            with_it = run(session, code, keystone.auth_url)
            if code not in self.without:
                self.without[code] = run(None, code, keystone.auth_url)
            without = self.without[code]

            assert with_it[0].startswith(begins) and without[0].startswith(begins), with_it
            assert with_it[2] == without[2]
            # All but the lines of the traceback that are of wrapped methods.
            assert with_it[1].splitlines()[-1:] == without[1].splitlines()[-1:] or "HTTP 401" in with_it[1]

    def test_one_that_was_removed(self, used, run, keystone):
        os.rename(used.path, f"{used.path}.elsewhere")
        self.check(used, run, keystone)

    @pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can become another user")
    def test_one_of_another_user(self, used, start, keystone):
        code = SIGN_IN.replace("auth = ", "import os\nos.setuid(65534)\nauth = ")
        process = start(used, code, keystone.auth_url)

        output, errors = process.communicate(timeout=60)

        assert output.strip() in keystone.alive
        assert errors == ""

    @pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to the superuser")
    def test_one_that_is_closed_to_its_user(self, used, run, keystone):
        os.chmod(used.path, 0)
        self.check(used, run, keystone)
        os.chmod(used.path, 0o700)

    def test_one_that_is_open_to_others(self, used, run, keystone):
        os.chmod(used.path, 0o755)
        self.check(used, run, keystone)

    @pytest.mark.parametrize("name", ["session.json", "lock"])
    def test_one_with_a_damaged_file(self, used, run, keystone, name):
        with open(os.path.join(used.path, name), "wb") as stream:
            stream.write(b"\xff\x00{")
        self.check(used, run, keystone)

    @pytest.mark.parametrize("module", ["cache", "signing", "request", "discovery", "detached", "response"])
    def test_one_that_lost_a_part_of_its_code(self, used, run, keystone, module):
        with open(os.path.join(used.site, "onetoken_session", "sign_in", f"{module}.py"), "w") as stream:
            stream.write("raise RuntimeError('damaged')")
        self.check(used, run, keystone)

    def test_one_that_is_removed_before_the_process_signs_in_a_second_time(self, prepared, start, keystone):
        code = SIGN_IN + "sys.stdin.readline()\nauth.invalidate()\nprint(auth.get_token(session.Session()))\n"
        process = start(prepared, code, keystone.auth_url)
        assert process.stdout.readline()

        os.rename(prepared.path, f"{prepared.path}.elsewhere")
        output, errors = process.communicate("\n", timeout=60)

        assert output.strip() in keystone.alive, errors
        assert process.returncode == 0


def test_a_revoked_session_ends_the_process_with_an_error(prepared, run, keystone):
    prepared.close()

    output, errors, code = run(prepared, SIGN_IN, keystone.auth_url)

    assert (output, code) == ("", 1)
    assert f"The session {prepared.path} was revoked" in errors.splitlines()[-1]
    assert keystone.requests == []


def test_what_a_process_writes_has_no_secret(prepared, run, keystone):
    code = "import logging\nlogging.basicConfig(level=0)\n" + SIGN_IN
    for _turn in range(2):
        output, errors, _code = run(prepared, code, keystone.auth_url)
        assert output.strip() not in errors
        assert "correct horse" not in errors


def test_no_file_of_the_session_has_the_password(prepared, run, keystone):
    run(prepared, SIGN_IN, keystone.auth_url)

    for folder, _folders, names in os.walk(prepared.path):
        for name in names:
            with open(os.path.join(folder, name), "rb") as stream:
                assert b"correct horse" not in stream.read(), name
            status = os.stat(os.path.join(folder, name))
            assert not status.st_mode & 0o077, name
