# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbook runs with a bulk module that acts on nothing: what they show of it, and what becomes of it at a Ctrl-C."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest
from ansible_collections.onetoken.openstack.tests.helpers.terminal import Terminal
from ansible_collections.onetoken.openstack.tests.helpers.waiting import wait_for

pytestmark = pytest.mark.processes

PLUGINS = pathlib.Path(__file__).resolve().parents[4] / "plugins"
PLAYBOOK = pathlib.Path(sys.executable).parent / "ansible-playbook"
PATIENCE = 60
ROUTING = "plugin_routing: {modules: {os_other: {action_plugin: scratch.bulk.os_server_snapshot}}}\n"
MODULE = """
import os, pathlib, time
from ansible.module_utils.basic import AnsibleModule
from ..module_utils._bulk.control.interruption import Interruption
from ..module_utils._bulk.engine.progress import VARIABLE, Progress

module = AnsibleModule({"until": {"type": "path"}, "fail": {"type": "bool", "default": False}})
until, heard = pathlib.Path(module.params["until"]), os.environ.get(VARIABLE)
progress = Progress.of_environment(os.environ)
with Interruption(lambda: progress.listener_gone) as interruption:
    progress.begin("snapshot", "servers")
    while not until.exists():
        stopped = f"the run was {interruption.reason}" if interruption.requested else ""
        progress.update(10, {"done": 4}, in_progress=2, waiting=4, stopped=stopped)
        if stopped:
            # Whoever sees it is to see all of it.
            until.with_name("stopping").write_text(stopped)
            until.with_name("stopping").replace(until.with_name("stopped"))
        time.sleep(0.05)
    progress.update(10, {"done": 10}, in_progress=0, waiting=0)
until.with_name("ended").touch()
module.exit_json(failed=module.params["fail"], heard=heard)
"""
PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - {module}: {{until: "{{{{ playbook_dir }}}}/until", fail: {fail}}}
      {more}
"""


@pytest.fixture
def bulk(tmp_path):
    """A collection with the action plugin, and a module that is led to it as the bulk modules are."""
    root = tmp_path / "collections" / "ansible_collections" / "scratch" / "bulk"
    for name in ("meta", "plugins/action", "plugins/modules"):
        (root / name).mkdir(parents=True)
    (root / "meta" / "runtime.yml").write_text(ROUTING)
    (root / "plugins" / "modules" / "os_other.py").write_text(MODULE)
    (root / "plugins" / "modules" / "os_server_snapshot.py").write_text(MODULE)
    for name in ("action/os_server_snapshot.py", "module_utils", "plugin_utils"):
        (root / "plugins" / name).symlink_to(PLUGINS / name)
    return tmp_path


def environment(home, **variables):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "CI", "AWX_"))}
    kept.pop("PYTHONUNBUFFERED", None)
    return {
        **kept,
        "TERM": "xterm",
        "ANSIBLE_COLLECTIONS_PATH": str(home / "collections"),
        "ANSIBLE_HOME": str(home / "ansible"),
        "ANSIBLE_REMOTE_TEMP": str(home / "ansible" / "tmp"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        **variables,
    }


def write_play(home, module="os_other", fail=False, more=""):
    (home / "play.yml").write_text(PLAY.format(module=f"scratch.bulk.{module}", fail=fail, more=more))


@pytest.fixture
def at_terminal(bulk):
    opened = []

    def start(**variables):
        opened.append(Terminal([str(PLAYBOOK), "play.yml"], bulk, environment(bulk, **variables)))
        return opened[-1]

    yield start
    (bulk / "until").touch()
    for terminal in opened:
        terminal.close()


def in_pipes(bulk, **variables):
    (bulk / "until").touch()
    command = [str(PLAYBOOK), "play.yml", "-v"]
    return subprocess.run(
        command,
        cwd=bulk,
        env=environment(bulk, **variables),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def nothing_is_left(bulk):
    # Unlike glob, this passes by what is being removed.
    return not [name for _path, folders, _files in os.walk(bulk) for name in folders if "onetoken-progress-" in name]


WORKING = "snapshot of 10 servers: 4 done, 2 in progress"


@pytest.mark.parametrize(
    ("module", "fail"), [("os_other", False), ("os_server_snapshot", True)], ids=["succeeds", "fails"]
)
def test_a_terminal_shows_one_line_that_is_gone_at_the_end(bulk, at_terminal, module, fail):
    write_play(bulk, module, fail)
    terminal = at_terminal(ANSIBLE_LOG_PATH=str(bulk / "log"))
    wait_for(lambda: f"\n{WORKING}\x1b[K\r\x1b[A" in terminal.output or terminal.ended, PATIENCE, "the line is shown")
    (bulk / "until").touch()
    wait_for(lambda: terminal.ended, PATIENCE, "the run ends")
    _before, _erased, after = terminal.output.rpartition("\r\x1b[J")
    assert _erased, terminal.output
    assert "snapshot of" not in after
    assert ("fatal: [localhost]" if fail else "ok: [localhost]") in after
    log = (bulk / "log").read_text()
    assert f"| {WORKING}\n" in log
    assert "\x1b[K" not in log
    assert nothing_is_left(bulk)


def test_at_a_control_c_the_terminal_says_what_goes_on_and_the_module_sees_it_through(bulk, at_terminal):
    write_play(bulk)
    terminal = at_terminal()
    wait_for(lambda: WORKING in terminal.output or terminal.ended, PATIENCE, "the module works")
    terminal.press_control_c()
    wait_for(lambda: terminal.ended, PATIENCE, "the run ends")
    assert terminal.process.returncode == 99
    farewell = "snapshot of 10 servers: interrupted at 4 done, nothing new is sent, the 2 in progress continue"
    assert f"\r\x1b[J{farewell}" in terminal.output
    wait_for((bulk / "stopped").exists, PATIENCE, "the module sends nothing more")
    assert (bulk / "stopped").read_text() == "the run was interrupted by SIGINT"
    assert not (bulk / "ended").exists()
    (bulk / "until").touch()
    wait_for((bulk / "ended").exists, PATIENCE, "the module ends by itself")
    assert nothing_is_left(bulk)


def test_a_module_whose_run_is_killed_notices(bulk, at_terminal):
    write_play(bulk)
    terminal = at_terminal()
    wait_for(lambda: WORKING in terminal.output or terminal.ended, PATIENCE, "the module works")
    terminal.process.kill()
    wait_for((bulk / "stopped").exists, PATIENCE, "the module sends nothing more")
    (bulk / "until").touch()
    wait_for((bulk / "ended").exists, PATIENCE, "the module ends by itself")
    assert nothing_is_left(bulk)


@pytest.mark.parametrize("variable", [{"TERM": "dumb"}, {"CI": "true"}, {"AWX_ISOLATED_DATA_DIR": "/nowhere"}])
def test_a_terminal_that_is_a_log_gets_whole_lines(bulk, at_terminal, variable):
    write_play(bulk)
    (bulk / "until").touch()
    terminal = at_terminal(ANSIBLE_NOCOLOR="true", **variable)
    wait_for(lambda: terminal.ended, PATIENCE, "the run ends")
    assert "snapshot of 10 servers: 10 done, in 0 s\r\n" in terminal.output
    assert "\x1b" not in terminal.output


def test_a_pipe_gets_the_lines_where_python_does_not_hold_them_back(bulk):
    write_play(bulk)
    run = in_pipes(bulk)
    assert "snapshot of 10 servers: 10 done, in 0 s\n" in run.stderr
    assert "snapshot" not in run.stdout
    run = in_pipes(bulk, PYTHONUNBUFFERED="1")
    assert "snapshot of 10 servers: 10 done, in 0 s\n" in run.stdout


def test_a_task_that_goes_on_by_itself_tells_nobody(bulk):
    # Ansible cannot go on by itself where paths have a space in them, as those of a checkout and of a home may have.
    interpreter = pathlib.Path(sys.executable).resolve()
    write_play(bulk, more=f"async: 60\n      poll: 1\n      vars: {{ansible_python_interpreter: {interpreter}}}")
    run = in_pipes(bulk, ANSIBLE_ASYNC_DIR=str(bulk / "jobs"))
    assert run.returncode == 0, run.stdout
    assert "snapshot of" not in run.stdout + run.stderr
    assert '"heard": null' in run.stdout
