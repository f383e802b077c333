# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server serves its user alone, keeps nothing of those it served, and stands whatever is sent to it."""

from __future__ import annotations

import os
import pathlib
import re
import socket
import struct
import sys
import threading

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.fork_server import protocol
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.fork_server.conftest import TIMEOUT
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.processes import state, wait_until
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.superuser import needs_root
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.processes

SECRET = "Pa55-of-the-client"


@pytest.fixture
def server(machine):
    """The process id of the only server, which has imported all that it imports while nothing else is to be done."""
    machine.write("print('done')")
    assert machine.run() == (0, "done\n", "")
    wait_until(lambda: len(machine.servers()) == 1)
    (process,) = machine.servers()
    # It sleeps only when there is nothing left to import.
    wait_until(lambda: state(process) == "S")
    return process


def connect(machine):
    (file,) = machine.folder.glob("*.sock")
    with protocol.Folder(machine.session.path) as folder:
        connection = protocol.connect(folder.handle, file.stem)
    assert connection is not None
    return connection


def memory_of(process: int) -> bytes:
    """All that can be read of a process's memory."""
    content = b""
    with open(f"/proc/{process}/mem", "rb", buffering=0) as memory:
        for line in pathlib.Path(f"/proc/{process}/maps").read_text().splitlines():
            begin, end = (int(part, 16) for part in line.split()[0].split("-"))
            if "rw" in line.split()[1] and "[v" not in line:
                memory.seek(begin)
                content += memory.read(end - begin)
    return content


def test_nothing_of_a_client_is_in_the_server(machine, server):
    machine.write("import os, sys; print(sys.argv[1], os.environ['OS_PASSWORD'], input())")
    variables = {"OS_PASSWORD": f"{SECRET}-in-the-environment"}
    status, output, _errors = machine.run(f"{SECRET}-as-argument", given=f"{SECRET}-as-input", variables=variables)
    assert (status, output.count(SECRET)) == (0, 3)
    memory = memory_of(server)
    # Else this would find nothing in any case.
    assert machine.session.path.encode() in memory
    assert SECRET.encode() not in memory
    assert SECRET.encode() not in pathlib.Path(f"/proc/{server}/environ").read_bytes()
    assert b"OS_" not in pathlib.Path(f"/proc/{server}/environ").read_bytes()


@settings(max_examples=15)
@given(sent=st.binary(max_size=200))
def test_garbage_costs_a_server_nothing(machine, sent):
    machine.write("print('done')")
    assert machine.run() == (0, "done\n", "")
    connection = connect(machine)
    connection.sendall(sent)
    connection.close()
    served = machine.served
    assert machine.run() == (0, "done\n", "")
    assert machine.served == served + 1


def test_a_request_that_lacks_something_is_declined(machine, server):
    connection = connect(machine)
    with open(os.devnull, "rb") as nothing:
        protocol.send_request(connection, {"files": [0]}, [nothing.fileno()])
        assert protocol.receive(connection)[:1] == protocol.DECLINED
    connection.close()


def test_a_client_that_says_nothing_keeps_nobody_else_waiting(machine, server):
    silent = connect(machine)
    served = machine.served
    assert machine.run() == (0, "done\n", "")
    assert machine.served == served + 1
    silent.close()
    wait_until(lambda: machine.servers() == [server])


def test_a_program_does_not_begin_before_its_client_says_so(machine, server):
    machine.write("open('begun', 'w')")
    connection = connect(machine)
    with open(os.devnull, "r+b") as nothing:
        request = {
            "files": [0, 1, 2],
            "interpreter": sys.executable,
            "command": ["python", str(machine.program), "list"],
            "environment": machine.environment,
            "directory": str(machine.home),
            "umask": 0o022,
            "limits": [],
            "ignored": [],
            "blocked": [],
        }
        protocol.send_request(connection, request, [nothing.fileno()] * 3)
        assert protocol.receive(connection)[:1] == protocol.READY
    connection.close()
    wait_until(lambda: machine.servers() == [server])
    assert not (machine.home / "begun").exists()


def test_fifty_programs_at_once_are_all_served(machine, server):
    served, results = machine.served, []
    threads = [threading.Thread(target=lambda: results.append(machine.run())) for _number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == [(0, "done\n", "")] * 50
    assert machine.served == served + 50


def test_a_server_keeps_no_file_and_no_memory_of_what_it_served(machine, server):
    def size() -> int:
        found = re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{server}/status").read_text())
        assert found is not None
        return int(found[1])

    def serve(number: int) -> None:
        """Clients that disconnect before anything runs: the server does not care, and it takes no time."""
        for _number in range(number):
            connection = connect(machine)
            connection.sendall(struct.pack("!I", 0))
            connection.close()
        # It accepts them in turn: the others still wait until the last one is answered.
        last = connect(machine)
        last.shutdown(socket.SHUT_WR)
        last.settimeout(TIMEOUT)
        while last.recv(1024):
            pass
        last.close()
        wait_until(lambda: machine.servers() == [server])

    def files() -> int:
        return len(os.listdir(f"/proc/{server}/fd"))

    serve(100)
    wait_until(lambda: files() <= 8)
    open_files, used = files(), size()
    serve(1000)
    wait_until(lambda: files() == open_files)
    assert size() < used + 1024


@needs_root
def test_another_user_is_not_served(machine, server):
    """Who gets as far as the socket, which the session's directory is in the way of."""
    served = machine.served
    (file,) = machine.folder.glob("*.sock")
    machine.folder.chmod(0o711)
    file.chmod(0o777)
    child = os.fork()
    if child == 0:
        try:
            os.chdir(machine.folder)
            os.setresuid(65534, 65534, 65534)
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(20)
            connection.connect(file.name)
            os._exit(0 if connection.recv(1) == b"" else 3)
        finally:
            os._exit(4)
    assert os.waitpid(child, 0)[1] == 0
    machine.folder.chmod(0o700)
    assert machine.run() == (0, "done\n", "")
    assert machine.served == served + 1
