# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import usage
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import SessionError
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.waiting import Waiter
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.fake_time import FakeTime
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.processes import (
    copies_of_handles,
    kill,
    let_end,
)

pytestmark = pytest.mark.processes


def test_a_session_without_processes_is_idle(empty):
    assert usage.is_idle(empty)
    assert usage.wait_until_idle(empty, Waiter(0))


def test_a_missing_session_is_idle_and_is_not_made(session):
    assert usage.is_idle(session)
    assert not os.path.lexists(session.path)


def test_it_is_idle_when_the_last_process_that_works_on_it_has_ended(empty, use):
    first, second = use(empty), use(empty)
    assert not usage.is_idle(empty)

    let_end(first)
    assert not usage.is_idle(empty)

    let_end(second)
    assert usage.is_idle(empty)


def test_finishing_work_is_distinguished_from_mere_use(empty, use, finish):
    use(empty)
    assert usage.is_finished(empty)
    process = finish(empty)
    assert not usage.is_finished(empty)
    let_end(process)
    assert usage.is_finished(empty)


def test_finishing_without_a_session_is_no_error():
    with usage.finishing(None):
        pass


def test_copies_of_a_handle_in_a_fork_of_another_thread_do_not_count_as_finishing(empty):
    with usage.finishing(empty):
        copied = copies_of_handles(empty.path)

    assert copied
    assert usage.is_finished(empty)
    for handle in copied:
        os.close(handle)


def test_a_killed_process_does_not_count(empty, use):
    process = use(empty)
    kill(process)

    assert usage.is_idle(empty)


def test_a_program_that_a_process_started_does_not_count(empty, python):
    process = python(
        "import subprocess, sys\n"
        "from onetoken_session.store import session, usage\n"
        "usage.hold(session.Session(sys.argv[1]))\n"
        "print(subprocess.Popen([sys.executable, '-c', 'import sys; sys.stdin.read()']).pid, flush=True)\n",
        empty.path,
    )
    process.wait(30)

    assert usage.is_idle(empty)


def test_a_process_holds_one_lock_however_often_it_signs_in(empty, python):
    process = python(
        "import os, sys\n"
        "from onetoken_session.store import session, usage\n"
        "for _turn in range(3): usage.hold(session.Session(sys.argv[1]))\n"
        "print('ready', flush=True)\n"
        "files = [os.path.realpath(f'/proc/self/fd/{file}') for file in os.listdir('/proc/self/fd')]\n"
        "print(files.count(os.path.realpath(os.path.join(sys.argv[1], 'in-use'))))\n",
        empty.path,
    )

    assert process.stdout.read() == "1\n"


def test_waiting_ends_when_they_have_ended(empty, use):
    """Time passes only while it waits, so it is the process's end that it waits for."""
    process = use(empty)
    fake = FakeTime()

    def sleep(seconds):
        fake.sleep(seconds)
        if len(fake.naps) == 3:
            let_end(process)

    assert usage.wait_until_idle(empty, Waiter(60, fake.clock, fake.wall_clock, sleep))
    assert len(fake.naps) == 3


def test_waiting_ends_when_the_time_is_up(empty, use):
    use(empty)
    fake = FakeTime()

    assert not usage.wait_until_idle(empty, fake.waiter(10))
    assert sum(fake.naps) == pytest.approx(10, abs=1)


def test_waiting_ends_when_it_is_cancelled(empty, use):
    use(empty)
    fake = FakeTime()
    waiter = Waiter(10, fake.clock, fake.wall_clock, fake.sleep, cancelled=lambda: len(fake.naps) >= 3)

    assert not usage.wait_until_idle(empty, waiter)
    assert len(fake.naps) == 3


def test_checking_prevents_no_work(empty, use):
    usage.is_idle(empty)
    process = use(empty)

    assert not usage.is_idle(empty)
    assert process.poll() is None


def test_a_file_that_cannot_be_opened_is_reported(empty):
    os.mkdir(os.path.join(empty.path, "in-use"))

    with pytest.raises(SessionError, match="The file in-use of the session .* cannot be opened"):
        usage.is_idle(empty)


def test_the_process_of_the_run_does_not_wait_for_itself(empty, monkeypatch):
    monkeypatch.setattr(usage, "run_process", None)
    usage.begin_run()
    usage.hold(empty)

    assert usage.is_idle(empty)


def test_a_fork_of_the_run_holds_the_session(empty, python):
    python(
        "import os, sys\n"
        "from onetoken_session.store import session, usage\n"
        "usage.begin_run()\n"
        "if not os.fork():\n"
        "    usage.hold(session.Session(sys.argv[1]))\n"
        "    print('ready', flush=True)\n"
        "    sys.stdin.read()\n"
        "    os._exit(0)\n"
        "os.wait()\n",
        empty.path,
    )

    assert not usage.is_idle(empty)


def test_a_missing_session_is_an_error(session):
    with pytest.raises(SessionError, match="There is no session"):
        usage.hold(session)
