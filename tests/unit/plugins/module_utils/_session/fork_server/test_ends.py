# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever ends a client, a fork or a server: no program runs twice, and none is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.fork_server import client, protocol
from ansible_collections.onetoken.openstack.plugins.module_utils._session.fork_server.call import Call, DeclinedError
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.processes import (
    close_pipes,
    ended,
    state,
    wait_until,
)

pytestmark = pytest.mark.processes

#: Says that it runs, and how often it began, then waits.
WAITING = """
    import os, pathlib, signal, sys, time
    def handle(number, frame):
        print("handled", number, flush=True)
        sys.exit(9)
    if "handle" in sys.argv:
        signal.signal(signal.SIGTERM, handle)
    with open("begun", "a") as file:
        file.write(f"{os.getpid()} ")
    while not os.path.exists("go on"):
        time.sleep(0.01)
    print("done")
"""


@pytest.fixture
def waiting(own_machine):
    own_machine.write(WAITING)
    started = []

    def start(*arguments, **options):
        process = own_machine.start(*(arguments or ("list",)), **options)
        started.append(process)
        wait_until(lambda: begun(own_machine) or process.poll() is not None)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait(30)
        close_pipes(process)


def begun(machine) -> list[int]:
    """The processes that the program ran in."""
    file = machine.home / "begun"
    return [int(word) for word in file.read_text().split()] if file.exists() else []


def go_on(machine) -> None:
    (machine.home / "go on").touch()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1])
def test_a_signal_to_the_process_reaches_its_program(own_machine, waiting, number):
    process = waiting()
    process.send_signal(number)
    assert process.wait(30) == -number
    (program,) = begun(own_machine)
    wait_until(lambda: ended(program))
    assert own_machine.served == 1


def test_a_program_handles_a_signal_itself(own_machine, waiting):
    process = waiting("handle")
    process.terminate()
    assert process.communicate(timeout=30)[0] == f"handled {int(signal.SIGTERM)}\n"
    assert process.returncode == 9


def test_a_program_is_stopped_and_continued_with_its_process(own_machine, waiting):
    process = waiting()
    process.send_signal(signal.SIGTSTP)
    (program,) = begun(own_machine)
    wait_until(lambda: state(program) == state(process.pid) == "T")
    process.send_signal(signal.SIGCONT)
    wait_until(lambda: state(program) != "T")
    go_on(own_machine)
    assert process.communicate(timeout=30)[0] == "done\n"


def test_a_process_that_is_killed_ends_its_program(own_machine, waiting):
    process = waiting()
    process.kill()
    (program,) = begun(own_machine)
    wait_until(lambda: ended(program))


def test_an_interrupt_while_the_server_starts_ends_the_process_without_a_traceback(own_machine):
    own_machine.write("print('done')")
    shell = own_machine.home / "packages" / "openstackclient" / "shell.py"
    shell.write_text("import time\nopen('starting', 'w')\ntime.sleep(60)\n", encoding="utf-8")
    errors = own_machine.home / "errors"
    with errors.open("w", encoding="utf-8") as file:
        process = own_machine.start(stderr=file)
    wait_until((own_machine.home / "starting").exists)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == -signal.SIGINT
    assert errors.read_text() == ""
    close_pipes(process)


def test_a_program_that_is_killed_ends_its_process(own_machine, waiting):
    process = waiting()
    (program,) = begun(own_machine)
    os.kill(program, signal.SIGKILL)
    assert process.wait(30) == -signal.SIGKILL
    assert begun(own_machine) == [program]


def test_a_program_outlives_its_server_and_the_next_one_gets_another(own_machine, waiting):
    process = waiting()
    (program,) = begun(own_machine)
    (server,) = set(own_machine.servers()) - {program}
    os.kill(server, signal.SIGKILL)
    go_on(own_machine)
    assert process.communicate(timeout=30)[0] == "done\n"
    assert own_machine.run() == (0, "done\n", "")
    assert own_machine.served == 2


def test_a_program_that_is_killed_with_its_server_fails_with_a_message_and_is_not_run_again(own_machine, waiting):
    process = waiting()
    for running in reversed(own_machine.servers()):
        os.kill(running, signal.SIGSTOP)
    for running in own_machine.servers():
        os.kill(running, signal.SIGKILL)
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output) == (1, "")
    assert errors == "The fork server was killed while it ran openstack: run it again.\n"
    assert len(begun(own_machine)) == 1


def test_a_program_is_not_run_again_if_not_even_that_can_be_reported(own_machine, waiting):
    with open("/dev/full", "w", encoding="utf-8") as full:
        process = waiting(stderr=full)
        for running in reversed(own_machine.servers()):
            os.kill(running, signal.SIGSTOP)
        for running in own_machine.servers():
            os.kill(running, signal.SIGKILL)
        assert process.communicate(timeout=30)[0] == ""
    assert process.returncode == 1
    assert len(begun(own_machine)) == 1


def test_a_server_that_is_killed_while_it_starts_costs_no_program_its_result(own_machine):
    own_machine.write("print('done')")
    shell = own_machine.home / "packages" / "openstackclient" / "shell.py"
    shell.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", encoding="utf-8")
    for _number in range(4):
        assert own_machine.run() == (0, "done\n", "")
    assert own_machine.served == 0
    # It is started twice, and no more.
    assert sum(file.stat().st_size for file in own_machine.folder.glob("*.lock")) == 2


def test_a_stopped_server_is_replaced(own_machine, monkeypatch):
    own_machine.write("import os; print(os.getppid())")
    assert own_machine.run()[0] == 0
    (stopped,) = own_machine.servers()
    os.kill(stopped, signal.SIGSTOP)
    # As long as it is, this process would wait for it.
    monkeypatch.setattr(client, "READY_TIMEOUT", 0.2)
    call = Call(str(own_machine.program), sys.executable, ["python"], own_machine.environment, str(own_machine.home))
    with open(os.devnull, "r+b") as nothing, pytest.raises(DeclinedError, match=r"no answer \(timed out\)"):
        client.ask(own_machine.session.path, call, {number: nothing.fileno() for number in range(3)})

    # Nobody else waits for it, and all the next ones have the same.
    (first, second) = (int(own_machine.run()[1]) for _number in range(2))
    assert first == second != stopped
    assert own_machine.served == 3
    # Nobody can connect to it any more.
    os.kill(stopped, signal.SIGCONT)
    wait_until(lambda: own_machine.servers() == [first])


def test_a_python_without_the_library_has_no_server(own_machine):
    own_machine.write("print('done')")
    (own_machine.home / "packages" / "openstackclient" / "shell.py").write_text("raise ImportError", encoding="utf-8")
    assert own_machine.run() == (0, "done\n", "")
    wait_until(lambda: own_machine.servers() == [])


class TestTheEndOfTheRun:
    def test_a_server_ends_with_the_run(self, make_own_machine):
        with subprocess.Popen(["sleep", "300"]) as run:
            machine = make_own_machine(run.pid)
            machine.write("print('done')")
            assert machine.run() == (0, "done\n", "")
            assert len(machine.servers()) == 1
            run.kill()
        wait_until(lambda: machine.servers() == [])
        # Nobody would end another one.
        assert (machine.run(), machine.served) == ((0, "done\n", ""), 1)

    def test_a_server_ends_when_its_session_is_revoked(self, own_machine):
        own_machine.write("print('done')")
        own_machine.run()
        own_machine.session.close()
        wait_until(lambda: own_machine.servers() == [])

    def test_a_server_ends_when_its_session_is_removed(self, own_machine):
        own_machine.write("print('done')")
        own_machine.run()
        own_machine.session.discard()
        assert not os.path.exists(own_machine.session.path)
        wait_until(lambda: own_machine.servers() == [])

    def test_a_server_ends_with_the_last_of_its_programs(self, own_machine, waiting):
        process = waiting()
        own_machine.session.close()
        (program,) = begun(own_machine)
        (server,) = set(own_machine.servers()) - {program}
        wait_until(lambda: not listens(own_machine))
        assert server in own_machine.servers()
        go_on(own_machine)
        assert process.communicate(timeout=30)[0] == "done\n"
        wait_until(lambda: own_machine.servers() == [])


def listens(machine) -> bool:
    with protocol.Folder(machine.session.path) as folder:
        connections = [protocol.connect(folder.handle, file.stem) for file in machine.folder.glob("*.sock")]
    return any(connections)


def test_python_does_not_warn_about_a_running_server(own_machine):
    own_machine.write("print('done')")
    assert own_machine.run(variables={"PYTHONWARNINGS": "always::ResourceWarning"}) == (0, "done\n", "")
    assert own_machine.served == 1


def test_python_does_not_warn_about_a_server_that_ends_at_once(own_machine):
    (own_machine.home / "packages" / "openstackclient" / "shell.py").write_text("raise ImportError", encoding="utf-8")
    own_machine.write("print('done')")
    assert own_machine.run(variables={"PYTHONWARNINGS": "always::ResourceWarning"}) == (0, "done\n", "")


def test_a_server_is_replaced_when_packages_are_upgraded(own_machine):
    own_machine.write("import openstackclient.shell; print(openstackclient.shell.PREPARED)")
    assert own_machine.run() == (0, "True\n", "")
    (server,) = own_machine.servers()
    packages = own_machine.home / "packages"
    (packages / "openstackclient" / "shell.py").write_text("PREPARED = 'another way'\n", encoding="utf-8")
    (packages / "python_openstackclient-2.dist-info").mkdir()
    assert own_machine.run() == (0, "another way\n", "")
    wait_until(lambda: server not in own_machine.servers())
    served = own_machine.served
    assert own_machine.run() == (0, "another way\n", "")
    assert own_machine.served == served + 1


def test_processes_that_a_program_started_outlive_it(own_machine):
    own_machine.write("""
        import subprocess
        null = subprocess.DEVNULL
        print(subprocess.Popen(["sleep", "60"], stdin=null, stdout=null, stderr=null).pid)
        # So that its end takes a while.
        memory = b"x" * (200 << 20)
    """)
    for _number in range(10):
        status, output, _errors = own_machine.run()
        time.sleep(0.1)
        assert (status, ended(int(output))) == (0, False)
        os.kill(int(output), signal.SIGKILL)
    assert own_machine.served == 10
