# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import threading

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.shared_file import SharedFile


def lock_in_thread(file):
    """Another thread that waits for the lock; an event that says that it has it."""
    locked = threading.Event()

    def wait():
        with file.locked():
            locked.set()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return locked


@contextlib.contextmanager
def renumbered(file, number):
    """The file under another number, whatever that stood for."""
    os.dup2(file, number)
    try:
        yield number
    finally:
        os.close(number)


def test_what_was_written_is_read_by_all(environ):
    one, other = SharedFile(environ, "x"), SharedFile(environ, "x")
    with one.locked():
        assert one.read() == b""
        one.write(b"long")
    with other.locked():
        assert other.read() == b"long"
        other.write(b"s")
    with one.locked():
        assert one.read() == b"s"


@pytest.mark.parametrize("name", ["x", "no/such/folder"], ids=["shared", "alone"])
def test_threads_of_one_process_wait_for_each_other(environ, name):
    file = SharedFile(environ, name)
    with file.locked():
        locked = lock_in_thread(file)
        assert not locked.wait(0.2)

    assert locked.wait(30)


def test_two_of_one_name_wait_for_each_other(environ):
    one, other = SharedFile(environ, "x"), SharedFile(environ, "x")
    with one.locked():
        locked = lock_in_thread(other)
        assert not locked.wait(0.2)

    assert locked.wait(30)


def test_an_error_under_the_lock_releases_it(environ):
    one, other = SharedFile(environ, "x"), SharedFile(environ, "x")
    with pytest.raises(ZeroDivisionError), one.locked():
        raise ZeroDivisionError

    assert lock_in_thread(one).wait(30)
    with other.locked():
        other.write(b"shared still")
    with one.locked():
        assert one.read() == b"shared still"


def test_a_link_is_not_followed(environ, tmp_path):
    with SharedFile(environ, "x").locked():
        pass
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    (tmp_path / "state" / "onetoken" / ".rate-limits" / "y").symlink_to(victim)
    file = SharedFile(environ, "y")
    with file.locked():
        assert file.read() == b""
        file.write(b"yours")

    assert victim.read_bytes() == b"mine"


@pytest.mark.parametrize("call", ["pread", "pwrite"])
def test_without_a_file_that_fails_it_works_alone(environ, monkeypatch, call):
    def refuse(*_arguments):
        raise OSError(errno.EIO, "Input/output error")

    file = SharedFile(environ, "x")
    monkeypatch.setattr(os, call, refuse)
    with file.locked():
        assert file.read() == b""
        file.write(b"mine")
        assert file.read() == b"mine"
    assert lock_in_thread(SharedFile(environ, "x")).wait(30)


def test_without_a_lock_on_its_file_it_works_alone(environ, monkeypatch):
    """As on some network file systems."""

    def refuse(file, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    file = SharedFile(environ, "x")
    monkeypatch.setattr(fcntl, "flock", refuse)
    with file.locked():
        file.write(b"mine")
        assert file.read() == b"mine"


def test_a_file_of_the_program_with_its_descriptor_is_not_touched(environ, tmp_path):
    """As in a daemon, which closes all files that it finds open."""
    file, other = SharedFile(environ, "x"), SharedFile(environ, "x")
    with file.locked():
        file.write(b"before")
    with (tmp_path / "mine").open("wb", buffering=0) as mine:
        mine.write(b"mine")
        with renumbered(mine.fileno(), file.number) as number:
            assert file.read() == b"before"
            with file.locked():
                file.write(b"after")
            del file
            assert os.fstat(number).st_size == len(b"mine")
    assert (tmp_path / "mine").read_bytes() == b"mine"
    assert other.read() == b"after"


@pytest.mark.parametrize("is_locked", [True, False])
def test_a_file_that_the_program_closed_is_opened_again(environ, is_locked):
    file, other = SharedFile(environ, "x"), SharedFile(environ, "x")
    with file.locked():
        if is_locked:
            os.close(file.number)
        file.write(b"shared")
    if not is_locked:
        os.close(file.number)
    assert file.read() == other.read() == b"shared"
