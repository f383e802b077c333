# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.config_files import ConfigFiles
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import usage
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.renewal import RenewalPolicy
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import SessionRecord
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import SessionError
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.waiting import Waiter
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.fake_time import FakeTime
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.processes import let_end

pytestmark = pytest.mark.processes


@pytest.fixture
def made(session):
    session.make()
    session.write_record(SessionRecord(ConfigFiles(), {}, RenewalPolicy()))
    return session


def test_a_session_that_nobody_works_on_is_idle(made):
    assert usage.is_idle(made)
    assert usage.wait_until_idle(made, Waiter(0))


def test_one_that_is_not_there_is_idle_and_is_not_made(session):
    assert usage.is_idle(session)
    assert not os.path.lexists(session.path)


def test_it_is_idle_when_the_last_process_that_works_on_it_has_ended(made, use):
    first, second = use(made), use(made)
    assert not usage.is_idle(made)

    let_end(first)
    assert not usage.is_idle(made)

    let_end(second)
    assert usage.is_idle(made)


def test_what_is_seen_through_is_told_from_mere_use(made, use, finish):
    use(made)
    assert usage.is_finished(made)
    process = finish(made)
    assert not usage.is_finished(made)
    let_end(process)
    assert usage.is_finished(made)


def test_without_a_session_nothing_is_held():
    with usage.finishing(None):
        pass


def test_a_process_that_was_killed_works_on_nothing(made, use):
    process = use(made)
    process.kill()
    process.wait()

    assert usage.is_idle(made)


def test_a_program_that_a_process_started_does_not_work_on_its_session(made, python):
    process = python(
        "import subprocess, sys\n"
        "from onetoken_session import store, usage\n"
        "usage.hold(store.Session(sys.argv[1]))\n"
        "print(subprocess.Popen([sys.executable, '-c', 'import sys; sys.stdin.read()']).pid, flush=True)\n",
        made.path,
    )
    process.wait(30)

    assert usage.is_idle(made)


def test_a_process_holds_one_lock_however_often_it_signs_in(made, python):
    process = python(
        "import os, sys\n"
        "from onetoken_session import store, usage\n"
        "for _turn in range(3): usage.hold(store.Session(sys.argv[1]))\n"
        "print('ready', flush=True)\n"
        "files = [os.path.realpath(f'/proc/self/fd/{file}') for file in os.listdir('/proc/self/fd')]\n"
        "print(files.count(os.path.realpath(os.path.join(sys.argv[1], 'in-use'))))\n",
        made.path,
    )

    assert process.stdout.read() == "1\n"


def test_to_wait_ends_when_they_have_ended(made, use):
    """Time passes only while it waits, so it is the process's end that it waits for."""
    process = use(made)
    fake = FakeTime()

    def sleep(seconds):
        fake.sleep(seconds)
        if len(fake.naps) == 3:
            let_end(process)

    assert usage.wait_until_idle(made, Waiter(60, fake.clock, fake.wall_clock, sleep))
    assert len(fake.naps) == 3


def test_to_wait_ends_when_the_time_is_up(made, use):
    use(made)
    fake = FakeTime()

    assert not usage.wait_until_idle(made, fake.waiter(10))
    assert sum(fake.naps) == pytest.approx(10, abs=1)


def test_to_wait_ends_when_it_is_given_up(made, use):
    use(made)
    fake = FakeTime()
    waiter = Waiter(10, fake.clock, fake.wall_clock, fake.sleep, given_up=lambda: len(fake.naps) >= 3)

    assert not usage.wait_until_idle(made, waiter)
    assert len(fake.naps) == 3


def test_who_looked_keeps_nobody_from_working(made, use):
    usage.is_idle(made)
    process = use(made)

    assert not usage.is_idle(made)
    assert process.poll() is None


def test_the_sign_ins_of_processes_at_once_are_all_counted(made, python):
    assert usage.authentications(made) == 0
    code = (
        "import sys\n"
        "from onetoken_session import store, usage\n"
        "print('ready', flush=True)\n"
        "sys.stdin.read()\n"
        "for _turn in range(50): usage.count_authentication(store.Session(sys.argv[1]))\n"
    )
    processes = [python(code, made.path) for _number in range(3)]
    for process in processes:
        process.stdin.close()
    for process in processes:
        process.wait(30)

    assert usage.authentications(made) == 150


def test_to_look_at_the_count_makes_nothing(made):
    before = os.listdir(made.path)
    usage.authentications(made)

    assert os.listdir(made.path) == before


@pytest.mark.parametrize(
    ("name", "work"),
    [("in-use", usage.is_idle), ("authentications", usage.count_authentication)],
    ids=["idle", "count"],
)
def test_a_file_that_cannot_be_opened_is_a_sentence(made, name, work):
    os.mkdir(os.path.join(made.path, name))

    with pytest.raises(SessionError, match=f"The file {name} of the session .* cannot be opened"):
        work(made)


def test_a_session_that_is_gone_is_a_sentence(session):
    with pytest.raises(SessionError, match="There is no session"):
        usage.hold(session)
