# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import signal

import pytest
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.processes import wait_until

pytestmark = pytest.mark.processes

#: Begins a piece of work that goes on until it may end, which it then notes down.
WORK = """
import os, sys, time
from onetoken_session.sign_in import detached

folder = sys.argv[1]

def note(name, text=""):
    with open(os.path.join(folder, name + ".new"), "w") as stream:
        stream.write(text)
    os.rename(os.path.join(folder, name + ".new"), os.path.join(folder, name))

def work():
    note("begun", str(os.getpid()))
    give_up = time.monotonic() + 60
    while not os.path.exists(os.path.join(folder, "may end")) and time.monotonic() < give_up:
        time.sleep(0.01)
    note("done")

print("ready", flush=True)
detached.call(work)
note("returned")
"""


@pytest.fixture
def call(run_python, site_path):
    """Run code that has `detached`; what it wrote."""

    def call(code: str) -> str:
        process = run_python(f"import os\nfrom onetoken_session.sign_in import detached\n{code}", PYTHONPATH=site_path)
        assert process.returncode == 0, process.stderr
        return process.stdout

    return call


def test_the_work_is_done_in_another_process_and_session_before_it_returns(call):
    process, session, parent, here = call(
        "print(*detached.call(lambda: (os.getpid(), os.getsid(0), os.getppid())), os.getpid())"
    ).split()

    assert process == session != here != parent


def test_what_it_raises_is_raised_here(call):
    code = """
from keystoneauth1 import exceptions
def fail(): raise exceptions.ConnectFailure("lost")
try: detached.call(fail)
except exceptions.ConnectFailure as exc: print(exc)
"""
    assert call(code) == "lost\n"


@pytest.mark.parametrize("work", ["os.kill(os.getpid(), 9)", "os._exit(1)"])
def test_killed_work_is_an_error(call, work):
    code = f"""
try: print(detached.call(lambda: {work}))
except detached.NoAnswerError: print('no answer')
"""
    assert call(code) == "no answer\n"


@pytest.mark.parametrize("other", ["2", "lambda: 2"], ids=["not to be read", "not to be written"])
def test_an_error_that_cannot_be_pickled_is_replaced_by_its_name_and_text(call, other):
    code = f"""
class OddError(Exception):
    def __init__(self, one, other):
        super().__init__(one)
        self.other = other
def fail(): raise OddError('odd', {other})
try: detached.call(fail)
except detached.UnreadableError as exc: print(*exc.args)
"""
    assert call(code) == "OddError odd\n"


@pytest.mark.parametrize(("more", "expected"), [(0, "too long"), (30, "7")])
def test_a_timeout_is_an_error_and_can_be_extended(call, more, expected):
    code = f"""
import time
detached.TIMEOUT = 1
def work():
    end = time.monotonic() + 1.5
    while time.monotonic() < end: pass
    return 7
try: print(detached.call(work, more={more}))
except detached.DeadlineError: print('too long')
"""
    assert call(code) == f"{expected}\n"


def test_it_leaves_neither_a_zombie_nor_an_open_file(call):
    code = """
before = os.listdir('/proc/self/fd')
detached.call(lambda: None)
try: detached.call(lambda: os._exit(1))
except detached.NoAnswerError: pass
assert os.listdir('/proc/self/fd') == before
try: os.waitpid(-1, 0)
except ChildProcessError: print('no child')
"""
    assert call(code) == "no child\n"


def test_it_works_in_a_program_that_ignores_the_end_of_children(call):
    code = """
import signal
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print(detached.call(lambda: 7))
"""
    assert call(code) == "7\n"


def test_nothing_of_the_original_process_is_done_twice(call):
    code = """
import atexit
atexit.register(lambda: print('at exit'))
print('buffered')
try: detached.call(lambda: None)
finally: print('finally')
"""
    assert call(code).split("\n") == ["buffered", "finally", "at exit", ""]


def test_only_a_process_with_one_thread_may_be_copied(call):
    code = """
import threading
print(detached.is_possible())
event = threading.Event()
threading.Thread(target=event.wait, daemon=True).start()
print(detached.is_possible())
"""
    assert call(code).split() == ["True", "False"]


@pytest.mark.parametrize("module", ["eventlet", "gevent", "greenlet"])
def test_a_process_with_green_threads_may_not_be_copied(call, module):
    code = f"""
import sys
sys.modules[{module!r}] = object()
print(detached.is_possible())
"""
    assert call(code) == "False\n"


class TestACopyThatIsNotToBeHad:
    """Nothing of the user's program is run in it, and nothing is left of it."""

    def check(self, call, code: str) -> None:
        code = f"""
{code}
before = os.listdir('/proc/self/fd')
try: detached.call(lambda: print('works', flush=True))
except detached.NoAnswerError: print('no answer', flush=True)
finally: print('finally', flush=True)
assert os.listdir('/proc/self/fd') == before
import signal
assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())
"""
        assert call(code) == "no answer\nfinally\n"

    @pytest.mark.parametrize("number", [1, 2])
    @pytest.mark.parametrize("error", ["BlockingIOError(11, 'none left')", "RuntimeError('not here')"])
    def test_a_fork_that_fails(self, call, number, error):
        self.check(
            call,
            f"""
plain, calls = os.fork, []
def fork():
    calls.append(1)
    if len(calls) == {number}: raise {error}
    return plain()
os.fork = fork
""",
        )

    def test_a_system_without_a_free_pipe(self, call):
        self.check(
            call,
            """
def pipe(): raise OSError(24, 'Too many open files')
os.pipe = pipe
""",
        )

    def test_a_fork_that_an_audit_hook_forbids(self, call):
        self.check(
            call,
            """
import sys
def hook(event, arguments):
    if event == 'os.fork': raise RuntimeError('not here')
sys.addaudithook(hook)
""",
        )


@pytest.mark.parametrize("number", [1, 2])
def test_a_signal_to_a_copy_before_its_work_runs_no_handler_of_the_program(call, number):
    """Such as Ctrl-C, which reaches the whole group."""
    code = f"""
import signal
signal.signal(signal.SIGUSR1, lambda *_: print('handled', flush=True))
plain, calls = os.fork, []
def fork():
    calls.append(1)
    child = plain()
    if child == 0 and len(calls) == {number}:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGUSR1)
    return child
os.fork = fork
try: print(detached.call(lambda: 'works'), flush=True)
finally: print('finally', flush=True)
"""
    assert call(code) == "works\nfinally\n"


def test_a_signal_meanwhile_is_handled_afterwards_by_the_process_itself(call):
    code = """
import signal
plain = os.fork
def fork():
    child = plain()
    if child: os.kill(os.getpid(), signal.SIGINT)
    return child
os.fork = fork
try: detached.call(lambda: None)
except KeyboardInterrupt: print('interrupted')
"""
    assert call(code) == "interrupted\n"


class TestSignals:
    @pytest.fixture
    def begun(self, python, tmp_path):
        """A process in the middle of its work; the folder in which the work notes how far it has come."""
        process = python(WORK, str(tmp_path))
        wait_until((tmp_path / "begun").exists)
        yield process, tmp_path
        (tmp_path / "may end").touch()
        wait_until((tmp_path / "done").exists)

    def worker(self, folder) -> int:
        return int((folder / "begun").read_text())

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
    def test_what_ends_the_process_and_its_whole_group_does_not_stop_its_work(self, begun, number):
        process, folder = begun
        os.killpg(process.pid, number)
        assert process.wait(30) in (-number, 1)
        assert not (folder / "done").exists()

        (folder / "may end").touch()

        wait_until((folder / "done").exists)
        assert not (folder / "returned").exists()

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_the_same_signals_to_the_work_itself_do_not_stop_it(self, begun, number):
        process, folder = begun
        os.kill(self.worker(folder), number)

        (folder / "may end").touch()

        assert process.wait(30) == 0
        assert (folder / "returned").exists()

    def test_waiting_ends_when_the_work_is_killed(self, begun):
        process, folder = begun
        os.kill(self.worker(folder), signal.SIGKILL)

        assert process.wait(30) == 1
        (folder / "done").touch()

    def test_work_that_nobody_waits_for_closes_the_output_of_its_process(self, begun):
        """Who reads the output of the process sees its end, though the work goes on."""
        process, folder = begun
        process.kill()

        assert process.stdout.read() == ""
        assert not (folder / "done").exists()


@pytest.mark.parametrize("waited_for", [True, False])
def test_work_without_an_end_is_ended(python, tmp_path, waited_for):
    limit = "TIMEOUT" if waited_for else "ALONE_TIMEOUT"
    code = WORK.replace("\nfolder =", f"\ndetached.{limit} = 1\nfolder =").replace(
        "detached.call(work)", "detached.call(work)"
    )
    process = python(code, str(tmp_path))
    wait_until((tmp_path / "begun").exists)
    worker = int((tmp_path / "begun").read_text())
    if not waited_for:
        process.kill()

    wait_until(lambda: not os.path.exists(f"/proc/{worker}"))
    assert not (tmp_path / "done").exists()


def test_it_makes_no_core_dump(call):
    code = """
import resource
print(detached.call(lambda: resource.getrlimit(resource.RLIMIT_CORE)))
"""
    assert call(code) == "(0, 0)\n"


def test_it_keeps_only_the_locks_of_the_session(call, tmp_path):
    """Else a lock of a program that is gone would stay until the work is done."""
    code = f"""
import fcntl
def locked(name):
    os.makedirs(os.path.dirname(name), exist_ok=True)
    file = os.open(name, os.O_RDWR | os.O_CREAT)
    fcntl.flock(file, fcntl.LOCK_EX)
    return file
def is_open(file, name):
    return os.path.samestat(os.fstat(file), os.stat(name))
names = [{str(tmp_path)!r} + name for name in ("/session/lock", "/session of another/lock", "/unlocked")]
files = [locked(name) for name in names]
fcntl.flock(files[2], fcntl.LOCK_UN)
print(detached.call(lambda: [is_open(*pair) for pair in zip(files, names)], {str(tmp_path / "session")!r}))
print([is_open(*pair) for pair in zip(files, names)])
try: fcntl.flock(os.open(names[1], os.O_RDWR), fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError: print("still locked here")
"""
    assert call(code) == "[True, False, True]\n[True, True, True]\nstill locked here\n"
