# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import signal

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.sign_in import detached
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util import errors
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.processes import wait_until

pytestmark = pytest.mark.processes

#: Begins a piece of work that goes on until it may end, which it then notes down.
WORK = """
import os, sys, time
from onetoken_session import detached

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
detached.run(work)
note("returned")
"""
ERRORS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.OneTokenError)]


def fail(exc: BaseException) -> None:
    raise exc


def test_the_work_is_done_in_another_process_and_session_before_it_returns(tmp_path):
    def work():
        (tmp_path / "done").write_text(f"{os.getpid()} {os.getsid(0)} {os.getppid()}")

    assert detached.run(work) is None

    process, session, parent = (tmp_path / "done").read_text().split()
    assert process == session != str(os.getpid())
    assert parent == str(os.getpid())


def test_there_are_errors_to_be_told():
    assert len(ERRORS) >= 8


@pytest.mark.parametrize("kind", ERRORS)
def test_each_error_of_ours_comes_back_as_itself(kind):
    with pytest.raises(kind) as caught:
        detached.run(lambda: fail(kind("What is wrong: ünd what to do.")))

    assert caught.value.__class__ is kind
    assert str(caught.value) == "What is wrong: ünd what to do."


@pytest.mark.parametrize("kind", [ValueError, KeyError, OSError, ZeroDivisionError])
def test_of_an_unexpected_error_only_the_kind_is_told(kind):
    with pytest.raises(errors.OneTokenError) as caught:
        detached.run(lambda: fail(kind("gAAAAABsecret")))

    assert caught.value.__class__ is errors.OneTokenError
    assert kind.__name__ in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize(
    "end", [lambda: os.kill(os.getpid(), signal.SIGKILL), lambda: os._exit(0), lambda: fail(SystemExit())]
)
def test_a_process_that_ends_without_a_word_is_a_sentence(end):
    with pytest.raises(errors.SessionError, match="was killed: run the task again"):
        detached.run(end)


def test_it_leaves_neither_a_zombie_nor_an_open_file(run_python, site_path):
    process = run_python(
        "import os\n"
        "from onetoken_session import detached\n"
        "before = os.listdir('/proc/self/fd')\n"
        "detached.run(lambda: None)\n"
        "try: detached.run(lambda: os._exit(1))\n"
        "except Exception: pass\n"
        "assert os.listdir('/proc/self/fd') == before\n"
        "try: os.waitpid(-1, 0)\n"
        "except ChildProcessError: print('no child')\n",
        PYTHONPATH=site_path,
    )

    assert process.stdout == "no child\n", process.stderr


def test_nothing_of_the_process_that_it_is_a_copy_of_is_done_twice(run_python, site_path):
    process = run_python(
        "import atexit\n"
        "from onetoken_session import detached\n"
        "atexit.register(lambda: print('at exit'))\n"
        "print('buffered')\n"
        "try: detached.run(lambda: None)\n"
        "finally: print('finally')\n",
        PYTHONPATH=site_path,
    )

    assert process.stdout.split("\n") == ["buffered", "finally", "at exit", ""], process.stderr


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

    def test_work_that_is_killed_is_the_end_of_the_waiting(self, begun):
        process, folder = begun
        os.kill(self.worker(folder), signal.SIGKILL)

        assert process.wait(30) == 1
        (folder / "done").touch()


def test_a_signal_that_python_handles_is_not_lost_on_who_waits(python, tmp_path):
    """An interrupt ends the waiting, not the work."""
    process = python("import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n" + WORK, str(tmp_path))
    wait_until((tmp_path / "begun").exists)
    process.send_signal(signal.SIGINT)

    assert process.wait(30) != 0
    (tmp_path / "may end").touch()
    wait_until((tmp_path / "done").exists)
