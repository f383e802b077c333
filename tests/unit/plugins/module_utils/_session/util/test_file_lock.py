# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util import file_lock
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.file_lock import EXCLUSIVE, SHARED
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.waiting import Waiter
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.fake_time import FakeTime


@pytest.fixture
def files(tmp_path):
    """The same file, opened twice, as by two processes."""
    opened = [os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT) for _opener in range(2)]
    yield opened
    for file in opened:
        os.close(file)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [(EXCLUSIVE, EXCLUSIVE, False), (EXCLUSIVE, SHARED, False), (SHARED, EXCLUSIVE, False), (SHARED, SHARED, True)],
)
def test_only_shared_locks_go_together(files, first, second, expected):
    file_lock.lock(files[0], first)

    assert file_lock.try_lock(files[1], second) is expected


def test_a_lock_that_was_released_is_free(files):
    file_lock.lock(files[0])
    file_lock.unlock(files[0])

    assert file_lock.try_lock(files[1])


def test_waiting_ends_with_the_lock(files):
    fake = FakeTime()
    file_lock.lock(files[0])

    def sleep(seconds):
        fake.sleep(seconds)
        file_lock.unlock(files[0])

    assert file_lock.wait_for_lock(files[1], Waiter(10, fake.clock, fake.wall_clock, sleep), 1)
    assert fake.naps == [1]


def test_waiting_ends_when_the_time_is_up(files):
    fake = FakeTime()
    file_lock.lock(files[0])

    assert not file_lock.wait_for_lock(files[1], fake.waiter(10), 1)
    assert sum(fake.naps) == 10


def test_a_copy_of_the_file_does_not_keep_a_lock_that_was_released(tmp_path, files):
    file = os.open(tmp_path / "lock", os.O_RDWR)
    copy = os.dup(file)
    file_lock.lock(file)
    file_lock.unlock_and_close(file)

    assert file_lock.try_lock(files[0])
    os.close(copy)
