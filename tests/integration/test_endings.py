# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""However a run ends, Keystone refuses every token of it; Keystone's own list says which these are."""

from __future__ import annotations

import os
import pathlib
import signal
import sys

import pytest
from ansible_collections.onetoken.openstack.tests.helpers.waiting import wait_for

#: Seconds after the end of a run, or of Keystone's absence, within which no token of it may live.
DEADLINE = 10
#: Seconds for a play to come to a certain point on a busy machine.
PATIENCE = 120
CALLBACK = {"ANSIBLE_CALLBACKS_ENABLED": "onetoken.openstack.one_token"}
ISSUE = "openstack.cloud.compute_flavor_info: {cloud: sandbox}"
WORK = "shell: 'touch {{ playbook_dir }}/working; exec sleep 300'"


def play(*tasks: str, head: str = "") -> str:
    lines = "".join(f"    - {task}\n" for task in tasks)
    return f"- hosts: localhost\n  gather_facts: false\n{head}  tasks:\n{lines}"


def assert_all_refused(issued, expected: int = 1) -> None:
    assert len(issued.all()) == expected
    wait_for(lambda: not issued.living(), DEADLINE, "every token of the run is refused")


ENDS = {
    "success": (0, play(ISSUE), ()),
    "a failed task": (2, play(ISSUE, "command: 'false'"), ()),
    "an unreachable host": (4, play(ISSUE) + "- hosts: nowhere\n  gather_facts: false\n  tasks: [ping: ]\n", ()),
    "any_errors_fatal": (2, play(ISSUE, "fail: {msg: stop}", "debug: ", head="  any_errors_fatal: true\n"), ()),
    "a Jinja error in a play": (None, play(ISSUE) + "- hosts: '{{ nothing_of_this_name }}'\n  tasks: []\n", ()),
}
INVENTORY = """
[all]
localhost ansible_connection=local ansible_python_interpreter="{{ ansible_playbook_python }}"
nowhere ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=1
"""


def on_all_versions(values, chosen, name=lambda value: value):
    """The chosen ones on every supported ansible-core, the others on one."""
    return [
        pytest.param(value, id=name(value), marks=[pytest.mark.versions] if value in chosen else []) for value in values
    ]


@pytest.mark.parametrize("end", on_all_versions(ENDS, ("success", "a Jinja error in a play")))
def test_a_run_that_comes_to_its_end_leaves_no_token(controller, issued, end):
    status, plays, arguments = ENDS[end]
    (controller.home / "inventory").write_text(INVENTORY)
    run = controller.play(None, "-i", "inventory", *arguments, plays=plays, **CALLBACK)
    assert run.status == status if status is not None else run.status != 0, run.output
    assert "revoked: 1" in run.output, run.output
    assert "Traceback" not in run.output
    # Told at the end of the play, so it is so already.
    assert (len(issued.all()), issued.living()) == (1, [])


def interrupt(terminal) -> None:
    terminal.press_control_c()


def interrupt_twice(terminal) -> None:
    terminal.press_control_c()
    wait_for(lambda: "interrupted" in terminal.output or terminal.ended, PATIENCE, "the first one is noticed")
    terminal.press_control_c()


def cancel(terminal) -> None:
    terminal.process.send_signal(signal.SIGTERM)


def hang_up(terminal) -> None:
    terminal.hang_up()


def kill(terminal) -> None:
    terminal.process.send_signal(signal.SIGKILL)


def kill_the_group(terminal) -> None:
    os.killpg(terminal.process.pid, signal.SIGKILL)


SIGNALS = [interrupt, interrupt_twice, cancel, hang_up, kill, kill_the_group]


@pytest.mark.parametrize("end", on_all_versions(SIGNALS, (interrupt, cancel, kill), lambda end: end.__name__))
def test_a_run_that_is_stopped_from_outside_leaves_no_token(controller, issued, end):
    stop_while_it_works(controller, issued, play(ISSUE, WORK), end, **CALLBACK)


@pytest.mark.parametrize(
    "end", [pytest.param(interrupt, id="interrupt", marks=pytest.mark.repeats), pytest.param(kill, id="kill")]
)
def test_a_run_with_the_role_that_is_stopped_from_outside_leaves_no_token(controller, issued, end):
    role = "include_role: {name: onetoken.openstack.os_token}"
    stop_while_it_works(controller, issued, play(role, WORK), end, OS_CLOUD="sandbox")


def stop_while_it_works(controller, issued, plays: str, end, **variables: str) -> None:
    (controller.home / "play.yml").write_text(plays)
    with controller.started("ansible-playbook", "play.yml", **variables) as terminal:
        at_work = controller.home / "working"
        wait_for(lambda: at_work.exists() or terminal.ended, PATIENCE, "the play is at work")
        assert at_work.exists(), terminal.output
        assert len(issued.living()) == 1
        end(terminal)
        wait_for(lambda: terminal.process.poll() is not None, PATIENCE, "the play has ended")
        assert_all_refused(issued)
        assert "Traceback" not in terminal.output
    no_process_is_left(controller)


def no_process_is_left(controller) -> None:
    wait_for(lambda: not processes_of(controller), DEADLINE, "no process of the session is left, not even a zombie")


def processes_of(controller) -> dict[int, str]:
    """The watchers and fork servers of this test's sessions, with their command lines."""
    found = {}
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if "onetoken_session" in words and str(controller.home) in words:
            found[int(process.name)] = words
    return found


def watchers_of(controller) -> list[int]:
    return [process for process, words in processes_of(controller).items() if "revoke.watcher" in words]


def test_a_run_that_is_killed_in_the_middle_of_a_renewal_leaves_no_token(controller, issued, limits):
    """All processes of the run are killed while Keystone has issued a token and not yet answered."""
    (controller.home / "play.yml").write_text(play(ISSUE, "pause: {seconds: 1}", ISSUE, WORK))
    with controller.started("ansible-playbook", "play.yml", ONETOKEN_RENEW_AFTER="1", **CALLBACK) as terminal:
        wait_for(lambda: len(issued.all()) == 1 or terminal.ended, PATIENCE, "the first token is issued")
        limits(keystone_seconds=8)
        wait_for(lambda: len(issued.all()) == 2 or terminal.ended, PATIENCE, "the second token is issued")
        assert len(issued.living()) == 2, terminal.output
        for process in workers_of(terminal.process.pid):
            os.kill(process, signal.SIGKILL)
        terminal.process.kill()
        wait_for(lambda: not issued.living(), 8 + DEADLINE, "both tokens are refused")
    assert len(issued.all()) == 2
    no_process_is_left(controller)


def workers_of(run: int) -> list[int]:
    """The processes below a run, but for those that are there to outlive it: the watcher, and the one that signs in."""
    below, found = [run], []
    commands = {}
    while below:
        parent = below.pop()
        commands[parent] = pathlib.Path(f"/proc/{parent}/cmdline").read_bytes()
        for child in pathlib.Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
            below.append(int(child))
            command = pathlib.Path(f"/proc/{child}/cmdline").read_bytes()
            copy_of_a_module = b"AnsiballZ" in command and command == commands[parent]
            if b"onetoken_session" not in command and not copy_of_a_module:
                found.append(int(child))
    return found


def test_a_keystone_that_is_away_at_the_end_is_asked_until_it_is_back(controller, issued, keystone, limits):
    (controller.home / "play.yml").write_text(play(ISSUE, WORK.replace("sleep 300", "sleep 2")))
    with controller.started("ansible-playbook", "play.yml", ONETOKEN_REVOKE_TIMEOUT="2", **CALLBACK) as terminal:
        wait_for((controller.home / "working").exists, PATIENCE, "the play is at work")
        limits(keystone_status=503)
        wait_for(lambda: terminal.ended, PATIENCE, "the play has ended")
        assert "a process in the background goes on asking" in " ".join(terminal.output.split())
    wait_for(lambda: keystone.count("DELETE") > 8, PATIENCE, "it asked again and again")
    assert len(issued.living()) == 1
    limits(keystone_status=None)
    assert_all_refused(issued)
    no_process_is_left(controller)


WORKER = """
import os, sys, time
import openstack
connection = openstack.connect(cloud="sandbox")
list(connection.compute.flavors())
open(sys.argv[1] + "/working", "w").close()
deadline = time.monotonic() + 60
while not os.path.exists(sys.argv[1] + "/recapped") and time.monotonic() < deadline:
    time.sleep(0.1)
list(connection.compute.flavors())
open(sys.argv[1] + "/done", "w").close()
"""


def async_play(controller) -> str:
    (controller.home / "worker.py").write_text(WORKER)
    # Ansible cannot run an asynchronous task with an interpreter that has a space in its path, as a checkout may have.
    interpreter = pathlib.Path(sys.executable).resolve()
    return play(
        "command: '{{ ansible_playbook_python | quote }} {{ playbook_dir }}/worker.py {{ playbook_dir }}'\n"
        f"      async: 100\n      poll: 0\n      vars: {{ansible_python_interpreter: {interpreter}}}",
        "wait_for: {path: '{{ playbook_dir }}/working', timeout: 100}",
    )


@pytest.mark.versions
def test_the_end_waits_for_an_asynchronous_task_that_still_works(controller, issued, access_log):
    (controller.home / "play.yml").write_text(async_play(controller))
    with controller.started("ansible-playbook", "play.yml", **CALLBACK) as terminal:
        wait_for(lambda: "PLAY RECAP" in terminal.output or terminal.ended, PATIENCE, "the tasks are done")
        assert len(issued.living()) == 1, terminal.output
        (controller.home / "recapped").touch()
        wait_for(lambda: terminal.ended, PATIENCE, "the play has ended")
        assert "revoked: 1" in terminal.output
    assert (controller.home / "done").exists()
    assert issued.living() == []


def test_the_end_does_not_wait_when_it_is_told_not_to(controller, issued):
    (controller.home / "play.yml").write_text(async_play(controller))
    run = controller.run("play.yml", ONETOKEN_DRAIN="false", **CALLBACK)
    assert run.ok and "A process still worked on the session" in run.output, run.output
    assert not (controller.home / "done").exists()
    assert issued.living() == []
    (controller.home / "recapped").touch()
