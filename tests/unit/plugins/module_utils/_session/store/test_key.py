# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import shutil
import stat
import threading
import time

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.revoke import revocation, sweep
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import key
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import SessionError
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.superuser import needs_root

NOBODY = 65534


@pytest.fixture
def memory(tmp_path, monkeypatch):
    """A directory in the place of the storage in memory."""
    path = tmp_path / "memory"
    path.mkdir()
    monkeypatch.setattr(key, "MEMORY", str(path))
    return path


def place_of(session, memory) -> pathlib.Path:
    """Where the key of a session lies, which is made for that."""
    session.key()
    (place,) = memory.iterdir()
    return place


def test_it_is_in_memory_readable_only_by_its_user_and_away_from_the_records(empty):
    before = os.listdir(empty.path)
    made = empty.key()
    place = pathlib.Path(next(key.paths(empty.path)))
    status = os.lstat(place)

    assert place.parent == pathlib.Path("/dev/shm")
    assert (stat.S_IMODE(status.st_mode), status.st_uid, place.read_bytes()[:32]) == (0o600, os.geteuid(), made)
    assert os.listdir(empty.path) == before

    empty.discard()
    assert not place.exists()


def test_it_is_the_same_each_time_and_another_for_each_session(empty, memory, tmp_path):
    other = tmp_path / "other"
    other.mkdir()

    assert len(empty.key()) == 32
    assert empty.key() == empty.key()
    assert key.read_or_make(str(other)) != empty.key()


def test_a_link_to_the_session_leads_to_the_same_key(empty, memory, tmp_path):
    (tmp_path / "link").symlink_to(empty.path)

    assert key.read_or_make(str(tmp_path / "link")) == empty.key()


def test_without_storage_in_memory_it_is_beside_the_records(empty, monkeypatch):
    monkeypatch.setattr(key, "MEMORY", "/no/such/place")

    made = empty.key()

    place = pathlib.Path(empty.path, "key")
    assert (place.read_bytes()[:32], stat.S_IMODE(place.stat().st_mode)) == (made, 0o600)
    assert empty.key() == made


@needs_root
def test_a_key_of_another_user_is_not_used(empty, memory):
    place = place_of(empty, memory)
    planted = place.read_bytes()
    os.chown(place, NOBODY, -1)

    made = empty.key()

    assert made != planted[:32]
    assert pathlib.Path(empty.path, "key").read_bytes()[:32] == made
    assert place.exists()


@pytest.mark.parametrize("kind", ["open to others", "link", "directory", "pipe", "short", "long"])
def test_a_file_that_is_not_private_or_of_another_length_is_not_used(empty, memory, tmp_path, kind):
    place = place_of(empty, memory)
    planted = place.read_bytes()
    if kind == "open to others":
        place.chmod(0o640)
    else:
        place.unlink()
    if kind == "link":
        (tmp_path / "planted").write_bytes(planted)
        (tmp_path / "planted").chmod(0o600)
        place.symlink_to(tmp_path / "planted")
    elif kind == "directory":
        place.mkdir(0o700)
    elif kind == "pipe":
        os.mkfifo(place, 0o600)
    elif kind in ("short", "long"):
        place.touch(0o600)
        place.write_bytes(planted[:31] if kind == "short" else planted + b"x")

    made = empty.key()

    assert made != planted[:32]
    assert empty.key() == made


def test_a_key_of_an_earlier_version_without_a_path_is_used(empty, memory):
    place = place_of(empty, memory)
    made = empty.key()
    place.write_bytes(made)

    assert empty.key() == made


def test_if_two_processes_make_it_the_faster_one_s_is_used(empty, memory, monkeypatch):
    link = os.link
    faster = []

    def after_another(*args):
        monkeypatch.setattr(os, "link", link)
        faster.append(empty.key())
        link(*args)

    monkeypatch.setattr(os, "link", after_another)

    assert [empty.key()] == faster
    assert len(os.listdir(memory)) == 1


def test_many_processes_that_make_it_get_one_key(empty, memory):
    keys = []
    start = threading.Barrier(8)

    def make():
        start.wait(10)
        keys.append(empty.key())

    threads = [threading.Thread(target=make) for _turn in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert (len(keys), len(set(keys))) == (8, 1)


def test_no_room_for_a_key_is_reported(empty, memory, monkeypatch):
    def fails(*args):
        raise OSError

    monkeypatch.setattr(os, "link", fails)

    with pytest.raises(SessionError, match="has no key: free space in"):
        empty.key()
    assert os.listdir(memory) == []


def test_the_revoke_removes_it(issued, memory):
    place = place_of(issued, memory)

    revocation.revoke(issued, 10)

    assert not place.exists()


def test_it_is_removed_before_keystone_is_asked(issued, memory, keystone):
    """From then on nobody who steals the records can try passwords on their names."""
    place = place_of(issued, memory)
    keystone.stop()

    with pytest.raises(SessionError):
        revocation.revoke(issued, 0.1)
    assert not place.exists()


@needs_root
def test_a_key_of_another_user_is_not_removed(empty, memory):
    place = place_of(empty, memory)
    os.chown(place, NOBODY, -1)

    key.remove(empty.path)

    assert place.exists()


def test_removing_a_missing_key_is_no_error(empty, memory, tmp_path):
    key.remove(empty.path)
    key.remove(str(tmp_path / "nowhere"))


class TestKeyOfAMissingSession:
    """Somebody removed its directory by hand."""

    WEEK = 7 * 24 * 3600

    @pytest.fixture
    def place(self, empty, memory):
        """Where its key lies, which is older than a week."""
        place = place_of(empty, memory)
        old = time.time() - self.WEEK - 60
        os.utime(place, (old, old))
        return place

    def test_it_is_removed(self, empty, place):
        shutil.rmtree(empty.path)

        key.clear(self.WEEK)
        assert not place.exists()

    def test_the_next_run_that_clears_removes_it(self, empty, place, tmp_path):
        shutil.rmtree(empty.path)

        sweep.clear(str(tmp_path / "nowhere"))
        assert not place.exists()

    def test_a_newer_one_stays_as_others_may_see_its_session(self, empty, place):
        shutil.rmtree(empty.path)
        os.utime(place)

        key.clear(self.WEEK)
        assert place.exists()

    def test_the_key_of_an_existing_session_stays(self, empty, place):
        key.clear(self.WEEK)
        assert place.exists()

    @pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 32])
    def test_a_key_without_a_path_stays(self, empty, place, content):
        shutil.rmtree(empty.path)
        status = place.stat()
        place.write_bytes(content)
        os.utime(place, (status.st_atime, status.st_mtime))

        key.clear(self.WEEK)
        assert place.exists()

    def test_a_file_that_others_can_write_stays(self, empty, place):
        shutil.rmtree(empty.path)
        place.chmod(0o640)

        key.clear(self.WEEK)
        assert place.exists()
