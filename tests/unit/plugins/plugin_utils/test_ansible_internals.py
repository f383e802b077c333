# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where this collection takes over a step of Ansible's, and where it stays out."""

from __future__ import annotations

import os
import re
import types

import pytest
from ansible import constants
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import PluginLoader, connection_loader
from ansible_collections.onetoken.openstack.plugins.plugin_utils import ansible_internals

SOMEBODY_S = """
from ansible.plugins.action import ActionBase
class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        return dict(self._execute_module(task_vars=task_vars), whose=1)
"""
#: A connection that derives from Ansible's own, and goes by its name.
OTHER_LOCAL = """
DOCUMENTATION = "{name: other, short_description: o, description: o, options: {pipelining: {type: bool, default: no}}}"
from ansible.plugins.connection.local import Connection as Local
from ansible.utils.display import Display
class Connection(Local):
    def exec_command(self, *args, **options):
        Display().display("by the other connection")
        return super().exec_command(*args, **options)
"""
MODULE = "from ansible.module_utils.basic import AnsibleModule\nAnsibleModule({}).exit_json(answer='done')\n"


@pytest.fixture
def loader(monkeypatch, tmp_path):
    """A loader of actions that nobody has asked for anything yet; what it caches is of its own name."""
    path = [str(tmp_path / "configured")]
    made = PluginLoader(f"ActionOf{tmp_path.name}", "ansible.plugins.action", path, "action_plugins")
    monkeypatch.setattr(ansible_internals, "action_loader", made)
    return made


def overrides(loader) -> bool:
    return os.path.samefile(loader.find_plugin("ansible.legacy.normal"), f"{ansible_internals.OVERRIDE}/normal.py")


class TestTakingOver:
    def test_ansible_s_own_action_is_overridden(self, loader):
        assert ansible_internals.take_over() is None
        assert overrides(loader)
        # Another action stays what it is.
        assert loader.find_plugin("ansible.legacy.command").endswith("/ansible/plugins/action/command.py")

    @pytest.mark.parametrize("release", ["2.16.14", "2.22.0", "2.22.0.dev0", "2.170.1", "3.0.0b1"])
    def test_a_release_that_was_not_checked_is_left_alone(self, loader, monkeypatch, release):
        monkeypatch.setattr(ansible_internals, "__version__", release)
        assert ansible_internals.take_over() == f"ansible-core {release} is not one that it was checked with"
        assert not overrides(loader)

    @pytest.mark.parametrize("release", ["2.17.0", "2.21.0rc1", "2.21.99.post0"])
    def test_all_versions_of_a_checked_release_are_taken_over(self, loader, monkeypatch, release):
        monkeypatch.setattr(ansible_internals, "__version__", release)
        assert ansible_internals.take_over() is None

    def test_tests_can_take_over_a_new_release(self, loader, monkeypatch):
        monkeypatch.setattr(ansible_internals, "__version__", "2.99.0")
        monkeypatch.setenv(ansible_internals.ANY_RELEASE, "1")
        assert ansible_internals.take_over() is None

    @pytest.mark.parametrize("place", ["configured", "beside the playbook"])
    def test_somebody_else_s_action_stays(self, loader, tmp_path, place):
        folder = tmp_path / place
        folder.mkdir()
        (folder / "normal.py").write_text(SOMEBODY_S)
        if place != "configured":
            loader.add_directory(str(folder))
        assert ansible_internals.take_over() == "somebody else's ansible.legacy.normal is there"
        assert loader.find_plugin("ansible.legacy.normal") == str(folder / "normal.py")

    def test_a_missing_action_is_not_overridden(self, loader, monkeypatch):
        monkeypatch.setattr(loader, "find_plugin", lambda _name: None)
        assert ansible_internals.take_over() == "somebody else's ansible.legacy.normal is there"

    def test_another_action_that_comes_first_is_reported(self, loader, monkeypatch):
        """Where a loader, of a release to come, puts a directory that is added behind the others."""
        monkeypatch.setattr(loader, "add_directory", lambda _directory: None)
        assert ansible_internals.take_over() == "another ansible.legacy.normal comes first"


class TestReasons:
    @pytest.fixture
    def reason(self, monkeypatch):
        """The reason against a task that goes directly but for this."""

        def of(connection="local", become=None, async_val=0, keep=False, shell="/bin/sh", default="/bin/sh"):
            action = ansible_internals.ActionModule.__new__(ansible_internals.ActionModule)
            action._connection = connection_loader.get(connection, PlayContext())
            action._connection.set_become_plugin(become)
            action._task = types.SimpleNamespace(async_val=async_val)
            action._play_context = types.SimpleNamespace(executable=shell)
            monkeypatch.setattr(constants, "DEFAULT_KEEP_REMOTE_FILES", keep)
            monkeypatch.setattr(constants, "DEFAULT_EXECUTABLE", default)
            return action._reason_against()

        return of

    def test_a_task_on_this_machine_has_none(self, reason):
        assert reason() is None

    def test_another_connection_is_one(self, reason):
        assert reason("ssh") == "it runs over another connection than local"

    def test_each_other_reason_has_a_text(self, reason):
        assert reason(become=object()) == "it uses become"
        assert reason(async_val=60) == "it is asynchronous"
        assert reason(keep=True) == "its files are to be kept"

    @pytest.mark.parametrize("shell", ["/bin/bash", "/usr/bin/sh", None, ""])
    def test_a_shell_that_only_runs_the_command_is_left_out(self, reason, shell):
        assert reason(shell=shell) is None

    @pytest.mark.parametrize("shell", ["/opt/wrapper", "/bin/bash -l", "/bin/zsh", "sh"])
    @pytest.mark.parametrize("place", ["shell", "default"])
    def test_a_shell_that_may_do_more_is_not(self, reason, shell, place):
        assert reason(**{place: shell}) == "its shell may do more than run it"

    def test_a_shell_that_reads_a_file_first_is_not_left_out(self, reason, monkeypatch):
        monkeypatch.setenv("BASH_ENV", "/etc/variables")
        assert reason() is None
        assert reason(shell="/bin/bash") == "its shell may do more than run it"


@pytest.fixture
def run(run_playbook, no_cloud, collections_path):
    """Run tasks of an openstack.cloud that has one module, on a session; what is told of their ways, and all."""
    collection = no_cloud / "collections" / "ansible_collections" / "openstack" / "cloud"
    modules = collection / "plugins" / "modules"
    modules.mkdir(parents=True)
    (modules / "odd.py").write_text(MODULE)
    (collection / "galaxy.yml").write_text("namespace: openstack\nname: cloud\nversion: 2.5.0\n")
    (no_cloud / "ansible.cfg").write_text("[defaults]\ncallbacks_enabled = onetoken.openstack.one_token\n")
    # By default these are in the home that the user database has.
    directories = {"ANSIBLE_ASYNC_DIR": str(no_cloud / "jobs"), "ANSIBLE_REMOTE_TEMP": str(no_cloud / "temporary")}
    path = f"{no_cloud / 'collections'}:{collections_path}"

    def run(tasks):
        done = run_playbook(tasks, ANSIBLE_VERBOSITY="3", ANSIBLE_COLLECTIONS_PATH=path, **directories)
        assert done.returncode == 0, done.stdout + done.stderr
        return re.findall(r"one_token: (.*)", done.stdout), done.stdout

    return run


def odd(**more):
    return {"openstack.cloud.odd": {}, "register": "result", "failed_when": "result.answer != 'done'", **more}


@pytest.mark.processes
def test_a_task_logs_how_it_runs_and_succeeds(run, no_cloud):
    plugins = no_cloud / "connection_plugins"
    plugins.mkdir()
    (plugins / "other.py").write_text(OTHER_LOCAL)
    other, named = {"ansible_connection": "other"}, {"ansible_connection": "ansible.builtin.local"}
    lines, output = run([odd(), odd(vars=other), odd(**{"async": 30}, poll=1), odd(vars=named)])
    assert "by the other connection" in output
    ways = [line for line in lines if line.startswith("openstack.cloud.odd ")]
    assert ways == [
        "openstack.cloud.odd runs in a fork of the server",
        "openstack.cloud.odd does not run directly: it runs over another connection than local",
        "openstack.cloud.odd does not run directly: it is asynchronous",
        "openstack.cloud.odd runs in a fork of the server",
    ], output


@pytest.mark.processes
def test_somebody_else_s_action_runs_the_modules_of_a_playbook(run, no_cloud):
    plugins = no_cloud / "action_plugins"
    plugins.mkdir()
    (plugins / "normal.py").write_text(SOMEBODY_S)
    lines, output = run([odd(), {"assert": {"that": "result.whose == 1"}}])
    assert "modules are processes of their own, because somebody else's ansible.legacy.normal is there" in lines, output
    # They still start as quickly, by the other door.
    assert re.findall("AnsiballZ_odd.py runs in a fork of the server", output), output
