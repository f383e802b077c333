# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""However a run ends, Keystone refuses each of its tokens afterwards; Keystone's own list says which these are."""

from __future__ import annotations

import http
import json
import os
import pathlib
import signal
import sys
import urllib.request

import pytest
from ansible_collections.onetoken.openstack.tests.helpers.controller import CALLBACK, play_of
from ansible_collections.onetoken.openstack.tests.helpers.http_server import QuietHandler, serving
from ansible_collections.onetoken.openstack.tests.helpers.waiting import TIMEOUT, wait_for
from ansible_collections.onetoken.openstack.tests.integration.session_processes import (
    DEADLINE,
    assert_no_process_is_left,
    watchers_of,
)

ISSUE = "- openstack.cloud.compute_flavor_info: {cloud: sandbox}\n"
WORK = "- shell: 'touch {{ playbook_dir }}/working; exec sleep {{ seconds | default(300) }}'\n"
UNREACHABLE = "- hosts: nowhere\n  gather_facts: false\n  tasks: [ping: ]\n"
#: Exit codes and playbooks.
ENDS = {
    "success": (0, play_of(ISSUE)),
    "a failed task": (2, play_of(ISSUE + "- command: 'false'\n")),
    "an unreachable host": (4, play_of(ISSUE) + UNREACHABLE),
    "any_errors_fatal": (2, play_of(ISSUE + "- fail: {msg: stop}\n- debug:\n", any_errors_fatal=True)),
    "a Jinja error in a play": (None, play_of(ISSUE) + "- hosts: '{{ no_such_variable }}'\n  tasks: []\n"),
}
INVENTORY = """
[all]
localhost ansible_connection=local ansible_python_interpreter="{{ ansible_playbook_python }}"
nowhere ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=1
"""


def on_all_versions(values, chosen, name=lambda value: value):
    """Run the chosen ones on every supported ansible-core, the others on one."""
    return [
        pytest.param(value, id=name(value), marks=[pytest.mark.versions] if value in chosen else []) for value in values
    ]


def assert_refused(issued) -> None:
    assert len(issued.all()) == 1
    wait_for(lambda: not issued.living(), DEADLINE, "the token of the run is refused")


@pytest.mark.parametrize("end", on_all_versions(ENDS, ("success", "a Jinja error in a play")))
def test_a_run_that_ends_by_itself_leaves_no_token(controller, issued, end):
    status, plays = ENDS[end]
    (controller.home / "inventory").write_text(INVENTORY)
    run = controller.play(None, "-i", "inventory", plays=plays, **CALLBACK)
    assert run.status == status if status is not None else run.status != 0, run.output
    assert "revoked: 1" in run.output, run.output
    assert "Traceback" not in run.output
    # The run reported it, so it is done already.
    assert (len(issued.all()), issued.living()) == (1, [])


def interrupt(terminal) -> None:
    terminal.press_control_c()


def interrupt_twice(terminal) -> None:
    terminal.press_control_c()
    wait_for(lambda: "interrupted" in terminal.output or terminal.ended, TIMEOUT, "the first interrupt is noticed")
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
def test_a_run_stopped_from_outside_leaves_no_token(controller, issued, end):
    stop_while_it_works(controller, issued, ISSUE + WORK, end, **CALLBACK)


@pytest.mark.parametrize(
    "end", [pytest.param(interrupt, id="interrupt", marks=pytest.mark.repeats), pytest.param(kill, id="kill")]
)
def test_a_run_with_the_role_stopped_from_outside_leaves_no_token(controller, issued, end):
    role = "- include_role: {name: onetoken.openstack.os_token}\n"
    stop_while_it_works(controller, issued, role + WORK, end, OS_CLOUD="sandbox")


def stop_while_it_works(controller, issued, tasks: str, end, **variables: str) -> None:
    with controller.started("ansible-playbook", controller.write_playbook(play_of(tasks)), **variables) as terminal:
        at_work = controller.home / "working"
        wait_for(lambda: at_work.exists() or terminal.ended, TIMEOUT, "the play is at work")
        assert at_work.exists(), terminal.output
        assert len(issued.living()) == 1
        end(terminal)
        wait_for(lambda: terminal.process.poll() is not None, TIMEOUT, "the play has ended")
        assert_refused(issued)
        assert "Traceback" not in terminal.output
    assert_no_process_is_left(controller)


def test_a_run_killed_during_a_renewal_leaves_no_token(controller, issued, limits):
    """All of its processes are killed when Keystone has issued a token but not yet answered."""
    playbook = controller.write_playbook(play_of(f"{ISSUE}- pause: {{seconds: 1}}\n{ISSUE}{WORK}"))
    with controller.started("ansible-playbook", playbook, ONETOKEN_RENEW_AFTER="1", **CALLBACK) as terminal:
        wait_for(lambda: len(issued.all()) == 1 or terminal.ended, TIMEOUT, "the first token is issued")
        limits(keystone_seconds=8)
        wait_for(lambda: len(issued.all()) == 2 or terminal.ended, TIMEOUT, "the second token is issued")
        assert len(issued.living()) == 2, terminal.output
        for process in workers_of(terminal.process.pid):
            os.kill(process, signal.SIGKILL)
        terminal.process.kill()
        wait_for(lambda: not issued.living(), 8 + DEADLINE, "both tokens are refused")
    assert len(issued.all()) == 2
    assert_no_process_is_left(controller)


def workers_of(run: int) -> list[int]:
    """The descendants of a run, except those that outlive it: the watcher, and the process that signs in."""
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


def test_revocation_is_retried_until_keystone_is_back(controller, issued, keystone, limits):
    command = ("ansible-playbook", controller.write_playbook(play_of(ISSUE + WORK)), "-e", "seconds=2")
    with controller.started(*command, ONETOKEN_REVOKE_TIMEOUT="2", **CALLBACK) as terminal:
        wait_for((controller.home / "working").exists, TIMEOUT, "the play is at work")
        limits(keystone_status=503)
        wait_for(lambda: terminal.ended, TIMEOUT, "the play has ended")
        assert "a background process keeps asking" in " ".join(terminal.output.split())
    wait_for(lambda: keystone.count("DELETE") > 8, TIMEOUT, "the watcher has retried")
    assert len(issued.living()) == 1
    limits(keystone_status=None)
    assert_refused(issued)
    assert_no_process_is_left(controller)


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
    # Ansible cannot run asynchronous tasks if the interpreter's path has a space, as a checkout's may.
    interpreter = pathlib.Path(sys.executable).resolve()
    task = {
        "command": "{{ ansible_playbook_python | quote }} {{ playbook_dir }}/worker.py {{ playbook_dir }}",
        "async": 100,
        "poll": 0,
        "vars": {"ansible_python_interpreter": str(interpreter)},
    }
    return play_of([task, {"wait_for": {"path": "{{ playbook_dir }}/working", "timeout": 100}}])


@pytest.mark.versions
def test_the_end_waits_for_asynchronous_tasks_in_progress(controller, issued):
    playbook = controller.write_playbook(async_play(controller))
    with controller.started("ansible-playbook", playbook, **CALLBACK) as terminal:
        wait_for(lambda: "PLAY RECAP" in terminal.output or terminal.ended, TIMEOUT, "the tasks are done")
        assert len(issued.living()) == 1, terminal.output
        (controller.home / "recapped").touch()
        wait_for(lambda: terminal.ended, TIMEOUT, "the play has ended")
        assert "revoked: 1" in terminal.output
    assert (controller.home / "done").exists()
    assert issued.living() == []


def test_the_end_does_not_wait_without_draining(controller, issued):
    run = controller.play(plays=async_play(controller), ONETOKEN_DRAIN="false", **CALLBACK)
    assert run.ok and "A process was still using the session" in run.output, run.output
    assert not (controller.home / "done").exists()
    assert issued.living() == []
    (controller.home / "recapped").touch()


class Gateway(QuietHandler):
    """A gateway in front of Keystone: it redirects, or has Keystone at the path in its list of versions."""

    keystone = ""
    redirects = False

    def handle_request(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if self.redirects:
            self._answer(307, b"", Location=self.keystone + self.path.removeprefix("/v3"))
        elif self.path == "/":
            link = f"http://{self.headers['Host']}/identity/v3/"
            version = {"id": "v3.14", "status": "stable", "links": [{"rel": "self", "href": link}]}
            self._answer(300, json.dumps({"versions": {"values": [version]}}).encode())
        elif self.path.startswith("/identity/v3/"):
            self._forward(body)
        else:
            self._answer(404, b"<html><h1>Not Found</h1></html>")

    do_GET = do_POST = do_DELETE = handle_request

    def _forward(self, body: bytes) -> None:
        request = urllib.request.Request(
            self.keystone + self.path.removeprefix("/identity/v3"),
            data=body or None,
            headers={name: value for name, value in self.headers.items() if name.startswith(("X-", "Content-Type"))},
            method=self.command,
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            token = answer.headers.get("X-Subject-Token")
            self._answer(answer.status, answer.read(), **({"X-Subject-Token": token} if token else {}))

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        if status != http.HTTPStatus.NO_CONTENT:
            headers["Content-Length"] = str(len(body))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@pytest.mark.parametrize("redirects", [True, False], ids=["redirect", "list of versions"])
def test_a_token_is_revoked_where_it_was_issued(controller, issued, sandbox, redirects):
    auth = sandbox.clouds["sandbox"]["auth"]
    handler = type("Handler", (Gateway,), {"keystone": auth["auth_url"], "redirects": redirects})
    with serving(handler) as gateway:
        address = f"http://127.0.0.1:{gateway.server_port}" + ("/v3" if redirects else "")
        controller.write_clouds({"sandbox": {**sandbox.clouds["sandbox"], "auth": {**auth, "auth_url": address}}})
        run = controller.play(ISSUE, **CALLBACK)

    assert run.ok and "revoked: 1" in run.output, run.output
    assert (len(issued.all()), issued.living()) == (1, [])


def test_a_stopped_watcher_is_noticed_and_replaced(controller, issued):
    command = ("ansible-playbook", controller.write_playbook(play_of(ISSUE + WORK)), "-e", "seconds=5")
    with controller.started(*command, ONETOKEN_REVOKE_TIMEOUT="300", **CALLBACK) as terminal:
        at_work = controller.home / "working"
        wait_for(lambda: at_work.exists() or terminal.ended, TIMEOUT, "the play is at work")
        (watcher,) = watchers_of(controller)
        os.kill(watcher, signal.SIGSTOP)
        wait_for(lambda: terminal.ended, TIMEOUT, "the play has ended")

    words = " ".join(terminal.output.split())
    assert "The watcher of this run was stopped by a signal, so another one took its place." in words, words
    assert "revoked: 1" in words
    assert (len(issued.all()), issued.living()) == (1, [])
    assert_no_process_is_left(controller)
