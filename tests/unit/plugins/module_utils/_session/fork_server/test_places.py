# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wherever a session is, and whatever the machine lacks: programs run, in a fork or as without a server."""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import PROGRAM_LOG
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.processes import wait_until

pytestmark = pytest.mark.processes
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser mounts file systems")

#: Says whether it is a fork of a server. Where nothing can be written, nothing is counted.
WHERE = """
    import os
    try:
        with open(f"/proc/{os.getppid()}/cmdline") as file:
            print("fork" if "fork_server/main.py" in file.read() else "process")
    except FileNotFoundError:
        print("process")
"""
FORK, PROCESS = (0, "fork\n", ""), (0, "process\n", "")


def log_of(machine) -> pathlib.Path:
    """Where programs note their ways, once it is there."""
    file = machine.folder / PROGRAM_LOG
    file.touch(mode=0o600)
    return file


@pytest.mark.parametrize("name", ["long" * 50, 'it\'s "here", in $HOME; or * \\ `not` ü'], ids=["long", "odd"])
def test_a_session_with_any_path_has_a_server(make_own_machine, tmp_path, name):
    machine = make_own_machine(os.getpid(), tmp_path / name)
    machine.write(WHERE)
    assert [machine.run(), machine.run()] == [FORK, FORK]
    assert machine.served == 2


@pytest.fixture
def small(make_own_machine, tmp_path):
    """A machine whose sessions are on a small file system of their own."""
    place = tmp_path / "sessions"
    place.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0700,size=8m", "tmpfs", str(place)], check=True)
    machine = make_own_machine(os.getpid())
    machine.write(WHERE)
    yield machine
    machine.session.close()
    wait_until(lambda: machine.servers() == [])
    subprocess.run(["umount", str(place)], check=True)


@contextlib.contextmanager
def full(machine):
    place = pathlib.Path(machine.session.path).parent / "filling"
    with contextlib.suppress(OSError), place.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    yield
    place.unlink()


@contextlib.contextmanager
def read_only(machine):
    place = os.path.dirname(machine.session.path)
    subprocess.run(["mount", "-o", "remount,ro", place], check=True)
    yield
    subprocess.run(["mount", "-o", "remount,rw", place], check=True)


@needs_root
@pytest.mark.parametrize("broken", [full, read_only])
def test_on_a_disk_that_cannot_be_written_only_what_has_a_server_keeps_it(small, broken):
    with broken(small):
        assert small.run() == PROCESS
    assert small.servers() == []
    assert small.run() == FORK
    with broken(small):
        assert [small.run(), small.run()] == [FORK, FORK]


@needs_root
def test_a_folder_that_cannot_be_written_is_a_reason_that_is_noted(small):
    log = log_of(small)
    # So that there is room for the note, but for no other file.
    log.write_text("\n")
    with full(small):
        assert small.run() == PROCESS
    reason = "the server gave no answer ([Errno 28] No space left on device)"
    assert log.read_text() == f"\nopenstack runs without the fork server: {reason}\n"


def without(place):
    """A command that runs another one where this place is empty."""
    return ["unshare", "--mount", "sh", "-ec", f'mount -t tmpfs tmpfs {place}; exec "$@"', "sh"]


@needs_root
@pytest.mark.parametrize(
    ("place", "outcome", "note"),
    [
        ("/dev/shm", FORK, "runs in a fork of the server"),
        # The run is known by what this says of the machine.
        ("/proc/sys", PROCESS, "runs without the fork server: no run on this machine watches the session"),
        ("/proc", PROCESS, "runs without the fork server: "),
    ],
)
def test_a_program_runs_where_the_system_lacks_something(own_machine, place, outcome, note):
    log = log_of(own_machine)
    own_machine.write(WHERE)
    assert own_machine.run(through=without(place)) == outcome
    assert f"openstack {note}" in log.read_text()
