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


def enter(file):
    """Another thread that wants its turn."""
    entered = threading.Event()

    def wait():
        with file.turn():
            entered.set()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return entered


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
    with one.turn():
        assert one.read() == b""
        one.write(b"long")
    with other.turn():
        assert other.read() == b"long"
        other.write(b"s")
    with one.turn():
        assert one.read() == b"s"


@pytest.mark.parametrize("name", ["x", "no/such/folder"], ids=["shared", "alone"])
def test_threads_of_one_process_take_turns(environ, name):
    file = SharedFile(environ, name)
    with file.turn():
        entered = enter(file)
        assert not entered.wait(0.2)

    assert entered.wait(30)


def test_two_of_one_name_take_turns(environ):
    one, other = SharedFile(environ, "x"), SharedFile(environ, "x")
    with one.turn():
        entered = enter(other)
        assert not entered.wait(0.2)

    assert entered.wait(30)


def test_a_turn_ends_with_an_error_in_it(environ):
    one, other = SharedFile(environ, "x"), SharedFile(environ, "x")
    with pytest.raises(ZeroDivisionError), one.turn():
        raise ZeroDivisionError

    assert enter(one).wait(30)
    with other.turn():
        other.write(b"shared still")
    with one.turn():
        assert one.read() == b"shared still"


def test_a_link_is_not_followed(environ, tmp_path):
    with SharedFile(environ, "x").turn():
        pass
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    (tmp_path / "state" / "onetoken" / ".rate-limits" / "y").symlink_to(victim)
    file = SharedFile(environ, "y")
    with file.turn():
        assert file.read() == b""
        file.write(b"yours")

    assert victim.read_bytes() == b"mine"


@pytest.mark.parametrize("call", ["pread", "pwrite"])
def test_a_file_that_fails_is_done_without(environ, monkeypatch, call):
    def refuse(*_arguments):
        raise OSError(errno.EIO, "Input/output error")

    file = SharedFile(environ, "x")
    monkeypatch.setattr(os, call, refuse)
    with file.turn():
        assert file.read() == b""
        file.write(b"mine")
        assert file.read() == b"mine"
    assert enter(SharedFile(environ, "x")).wait(30)


def test_a_file_that_cannot_be_locked_is_done_without(environ, monkeypatch):
    """As on some network file systems."""

    def refuse(file, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    file = SharedFile(environ, "x")
    monkeypatch.setattr(fcntl, "flock", refuse)
    with file.turn():
        file.write(b"mine")
        assert file.read() == b"mine"


def test_a_file_of_the_program_s_that_has_its_number_stays_as_it_is(environ, tmp_path):
    """As in a daemon, which closes all files that it finds open."""
    file, other = SharedFile(environ, "x"), SharedFile(environ, "x")
    with file.turn():
        file.write(b"before")
    with (tmp_path / "mine").open("wb", buffering=0) as mine:
        mine.write(b"mine")
        with renumbered(mine.fileno(), file._file.number) as number:
            assert file.read() == b"before"
            with file.turn():
                file.write(b"after")
            del file
            assert os.fstat(number).st_size == len(b"mine")
    assert (tmp_path / "mine").read_bytes() == b"mine"
    assert other.read() == b"after"


@pytest.mark.parametrize("is_in_turn", [True, False])
def test_a_file_that_the_program_closed_is_opened_again(environ, is_in_turn):
    file, other = SharedFile(environ, "x"), SharedFile(environ, "x")
    with file.turn():
        if is_in_turn:
            os.close(file._file.number)
        file.write(b"shared")
    if not is_in_turn:
        os.close(file._file.number)
    assert file.read() == other.read() == b"shared"
