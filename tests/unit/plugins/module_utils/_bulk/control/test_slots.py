# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import threading

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.control.slots import Slots
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.project_key import ProjectKey
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.processes import kill

PROJECT = ProjectKey("https://cloud.example/v3", "p1", "RegionOne")
#: Takes as many slots as it can get, and keeps them.
TAKE = """
import os, sys
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.project_key import ProjectKey
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.control.slots import Slots

slots = Slots(ProjectKey("https://cloud.example/v3", "p1", "RegionOne"), int(sys.argv[1]), os.environ)
taken = 0
while taken < 100 and slots.take():
    taken += 1
print(taken, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def slots(environ):
    """Make slots as another process has them."""

    def make(most, key=PROJECT):
        return Slots(key, most, environ)

    return make


def test_no_more_are_in_progress_than_may_be(slots):
    one, other = slots(3), slots(3)

    assert [one.take(), other.take(), one.take()] == [True] * 3
    assert not one.take()
    assert not other.take()
    one.free()
    assert other.take()
    assert not one.take()


def test_0_is_no_limit_but_counts_for_others(slots):
    one, other = slots(0), slots(50)

    assert all(one.take() for _turn in range(100))
    assert not other.take()
    for _turn in range(51):
        one.free()
    assert other.take()


def test_another_project_has_slots_of_its_own(slots):
    assert slots(1).take()
    assert slots(1, ProjectKey("https://cloud.example", "p2", None)).take()


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        b'{"x": 1}',
        b'{"x": {"slots": 5, "process": {"pid": 1}}}',
        b'{"x": {"slots": 5, "process": {"pid": "\\u0000", "started": "", "boot": "", "namespace": ""}}}',
    ],
    ids=lambda content: repr(content[:40]),
)
def test_a_damaged_file_blocks_nobody_and_is_mended(slots, environ, content):
    one, other = slots(2), slots(2)
    assert one.take()
    path = os.path.join(environ["XDG_STATE_HOME"], "onetoken", ".rate-limits", PROJECT.file_name("slots"))
    with open(path, "wb") as stream:
        stream.write(content)

    assert one.take()
    assert not other.take()


def test_threads_of_one_process_share_them_too(slots):
    one = slots(50)
    started = []
    threads = [
        threading.Thread(target=lambda: started.extend(one.take() for _turn in range(10))) for _number in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert started.count(True) == 50


def test_without_the_shared_file_a_process_has_slots_of_its_own(slots, environ):
    base = os.path.join(environ["XDG_STATE_HOME"], "onetoken")
    os.mkdir(base, 0o700)
    open(os.path.join(base, ".rate-limits"), "w").close()
    one, other = slots(1), slots(1)

    assert one.take()
    assert not one.take()
    assert other.take()


def test_a_disk_that_fails_in_the_middle_fails_nothing(slots, monkeypatch):
    one = slots(1)
    assert one.take()

    def fail(*_arguments):
        raise OSError(5, "Input/output error")

    for name in ("pread", "pwrite"):
        monkeypatch.setattr(f"os.{name}", fail)
    assert not one.take()
    one.free()
    assert one.take()


@pytest.mark.processes
def test_the_slots_of_a_process_that_was_killed_are_free_again(start_python, slots):
    process = start_python(TAKE, "5")
    assert process.stdout.readline() == "5\n"
    one = slots(5)
    assert not one.take()

    kill(process)
    assert [one.take() for _turn in range(6)] == [True] * 5 + [False]


@pytest.mark.processes
def test_processes_that_start_together_take_no_more_slots_than_there_are(start_python):
    processes = [start_python(TAKE, "7") for _number in range(3)]

    assert sum(int(process.stdout.readline()) for process in processes) == 7
