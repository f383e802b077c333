# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import fcntl

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.control import run_lock
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.control.run_lock import RunLock
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import SessionError


@pytest.fixture
def new_lock(no_cloud, tmp_path):
    environ = {"HOME": str(no_cloud), "XDG_STATE_HOME": str(tmp_path / "state")}
    return lambda name="snapshot r1": RunLock(environ, name)


def give_up():
    return False


def is_free(lock):
    return lock.acquire(lambda seconds: None, give_up)


def test_one_acquires_the_lock_after_the_other(new_lock):
    first, second = new_lock(), new_lock()
    assert is_free(first)
    assert not is_free(second)
    first.release()
    first.release()
    assert is_free(second)


def test_who_waits_tries_again_and_again(new_lock):
    first, second = new_lock(), new_lock()
    assert is_free(first)
    pauses = []

    def pause(seconds):
        pauses.append(seconds)
        if len(pauses) == 3:
            first.release()

    assert second.acquire(pause, lambda: True)
    assert len(pauses) == 3


def test_runs_do_not_wait_for_each_other(new_lock):
    assert is_free(new_lock("snapshot r1")) and is_free(new_lock("snapshot r2")) and is_free(new_lock("backup r1"))


def test_where_there_can_be_no_file_nobody_waits(new_lock, monkeypatch):
    def refuse(environ, name):
        raise SessionError("it is not safe")

    monkeypatch.setattr(run_lock, "open_shared", refuse)
    assert is_free(new_lock()) and is_free(new_lock())


def test_where_the_file_cannot_be_locked_nobody_waits(new_lock, monkeypatch):
    """As on some network file systems."""

    def refuse(file, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    first, second = new_lock(), new_lock()
    monkeypatch.setattr(fcntl, "flock", refuse)
    assert is_free(first) and is_free(second)
