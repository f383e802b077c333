# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""With the tasks of real plays, as Ansible's own iterator hands them to a callback."""

from __future__ import annotations

import inspect
import os
import sys
import textwrap
import typing as t

import pytest
from ansible import context
from ansible.executor.play_iterator import PlayIterator
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.common.collections import ImmutableDict
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play import Play
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar
from ansible.utils.collection_loader import AnsibleCollectionConfig
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager
from ansible_collections.onetoken.openstack.plugins.plugin_utils.playbook_task import PlaybookTask

#: As Ansible reads playbooks, from ansible-core 2.19 on.
TRUSTED = (
    {"trusted_as_template": True}
    if "trusted_as_template" in inspect.signature(DataLoader.load_from_file).parameters
    else {}
)
SITE = "/session/site"
PACKAGE = "ansible_collections.openstack"
CLOUD_TASK = "openstack.cloud.server_info: {cloud: sandbox}"


@pytest.fixture(scope="module", autouse=True)
def collections():
    """Ansible finds the modules of collections, as in ansible-playbook."""
    before = list(sys.meta_path), list(sys.path_hooks)
    # What other tests imported came without what Ansible's own import notes down of a collection.
    imported = {name: sys.modules.pop(name) for name in list(sys.modules) if name.startswith(PACKAGE)}
    init_plugin_loader()
    yield
    AnsibleCollectionConfig._collection_finder = None
    sys.meta_path[:], sys.path_hooks[:] = before
    for name in [name for name in sys.modules if name.startswith(PACKAGE)]:
        del sys.modules[name]
    sys.modules.update(imported)


@pytest.fixture(autouse=True)
def command_line(monkeypatch):
    monkeypatch.setattr(
        context, "CLIARGS", ImmutableDict(tags=["all"], skip_tags=[], connection="ssh", start_at_task=None)
    )


@pytest.fixture
def tasks_of(tmp_path, no_cloud):
    """The tasks of a play, each a function of its name; the play's lines, and an inventory."""

    def load(play: str, inventory: str = "localhost ansible_connection=local", become: bool = False):
        (tmp_path / "hosts").write_text(inventory + "\n")
        path = tmp_path / "play.yml"
        path.write_text("- hosts: all\n  gather_facts: false\n" + textwrap.indent(textwrap.dedent(play).strip(), "  "))
        loader = DataLoader()
        hosts = InventoryManager(loader=loader, sources=[str(tmp_path / "hosts")])
        manager = VariableManager(loader=loader, inventory=hosts)
        HostVars(hosts, manager, loader)
        loaded = Play.load(loader.load_from_file(str(path), **TRUSTED)[0], variable_manager=manager, loader=loader)
        iterator = PlayIterator(hosts, loaded, PlayContext(loaded), manager, manager.get_vars(play=loaded))
        tasks = [task for task in (*iterator.all_tasks, *iterator.handlers) if task.action != "meta"]
        named = {task.get_name(): task for task in tasks if not task.implicit}
        return lambda name="it": PlaybookTask(named[name], loaded, become)

    return load


@pytest.fixture
def task(tasks_of):
    """A play of one task, which is called it."""

    def load(lines: str, **more):
        lines = textwrap.dedent(lines).strip()
        return tasks_of("tasks:\n- name: it\n" + textwrap.indent(lines, "  "), **more)()

    return load


def environment(task: PlaybookTask, **variables: t.Any) -> dict[str, str]:
    """What Ansible makes of the task's environment, as its action plugins do."""
    merged: dict[str, str] = {}
    for part in task._task.environment:
        merged.update(Templar(loader=DataLoader(), variables=variables).template(part))
    return merged


class TestWhatItIs:
    def test_its_label_has_its_name_and_its_place(self, task, tmp_path):
        one = task(CLOUD_TASK)

        assert one.label == f"'it' ({tmp_path}/play.yml:4)"
        assert one.key == f"{tmp_path}/play.yml:4"

    @pytest.mark.parametrize(
        ("lines", "openstack"),
        [
            (CLOUD_TASK, True),
            ("command: openstack server list", True),
            ("ansible.builtin.shell: /usr/bin/openstack server list | wc -l", True),
            ("command: {argv: [openstack, server, list]}", True),
            ("command: {cmd: openstack server list}", True),
            ("command: openstackish", False),
            ("command: echo openstack", False),
            ("debug: {msg: openstack}", False),
            ("copy: {content: openstack, dest: /tmp/x}", False),
            ("command: ''\nargs: {stdin: x}", False),
        ],
    )
    def test_modules_on_openstacksdk_and_the_openstack_command_are_openstack(self, task, lines, openstack):
        assert task(lines).is_openstack is openstack

    def test_a_module_that_is_named_without_its_collection_is_known_by_its_whole_name(self, tasks_of):
        play = """
            collections: [openstack.cloud]
            tasks:
            - {name: it, server_info: {cloud: sandbox}}
        """

        assert tasks_of(play)().action == "openstack.cloud.server_info"
        assert tasks_of(play)().is_openstack


class TestDeclining:
    @pytest.mark.parametrize("value", ["false", "no", "off", "'0'", "'False'", "0"])
    def test_a_task_declines_with_a_variable(self, task, value):
        assert task(f"{CLOUD_TASK}\nvars: {{one_token: {value}}}").declines

    @pytest.mark.parametrize("value", ["true", "yes", "1", "'{{ maybe }}'", "''"])
    def test_other_values_do_not_decline(self, task, value):
        assert not task(f"{CLOUD_TASK}\nvars: {{one_token: {value}}}").declines

    def test_a_task_without_the_variable_does_not_decline(self, task):
        assert not task(CLOUD_TASK).declines

    def test_a_block_and_a_play_decline_for_their_tasks_and_the_inner_one_wins(self, tasks_of):
        find = tasks_of("""
            vars: {one_token: false}
            tasks:
            - {name: of the play, command: a}
            - {name: not this, command: a, vars: {one_token: true}}
            - vars: {one_token: true}
              block:
              - {name: of the block, command: a}
              - block:
                - {name: deeper, command: a}
                - {name: but this, command: a, vars: {one_token: false}}
            handlers:
            - {name: a handler, command: a}
        """)

        declining = {"of the play", "but this", "a handler"}
        accepting = {"not this", "of the block", "deeper"}
        assert {name for name in declining | accepting if find(name).declines} == declining


class TestBecoming:
    @pytest.mark.parametrize(
        ("lines", "user"),
        [
            ("", None),
            ("become: true", "root"),
            ("become: false", None),
            ("become: true\nbecome_user: cloud", "cloud"),
            ("become_user: cloud", None),
            ("become: true\nbecome_user: '{{ who }}'", "{{ who }}"),
        ],
    )
    def test_the_user_that_it_becomes(self, task, lines, user):
        assert task(f"{CLOUD_TASK}\n{lines}").becomes == user

    def test_the_command_line_makes_every_task_become(self, task):
        assert task(CLOUD_TASK, become=True).becomes == "root"
        assert task(f"{CLOUD_TASK}\nbecome_user: cloud", become=True).becomes == "cloud"

    def test_a_play_makes_its_tasks_become_and_a_task_may_override_it(self, tasks_of):
        find = tasks_of("""
            become: true
            become_user: cloud
            tasks:
            - {name: becomes, command: a}
            - {name: stays, command: a, become: false}
        """)

        assert find("becomes").becomes == "cloud"
        assert find("stays").becomes is None


class TestWhereItRuns:
    LOCAL = "ansible_connection=local"

    @pytest.mark.parametrize(
        ("inventory", "here"),
        [
            ("localhost ansible_connection=local", True),
            ("localhost ansible_connection=ansible.builtin.local", True),
            ("localhost ansible_connection=ssh", False),
            ("localhost", False),
            ("web1", False),
            ("web1 ansible_connection=local", True),
            ("web[1:3] ansible_connection=local", True),
            ("web1 ansible_connection=local\nweb2", False),
            ("[web]\nweb1\nweb2\n[web:vars]\nansible_connection=local", True),
            ("[web]\nweb1\nweb2 ansible_connection=ssh\n[web:vars]\nansible_connection=local", False),
            ("[all:vars]\nansible_connection=local", False),
        ],
    )
    def test_the_connections_of_all_hosts_decide(self, task, inventory, here):
        assert task(CLOUD_TASK, inventory=inventory).runs_here is here

    @pytest.mark.parametrize(
        ("inventory", "here"), [("", True), ("web1", True), ("localhost ansible_connection=ssh", False)]
    )
    def test_a_localhost_without_an_inventory_is_local(self, tasks_of, inventory, here):
        play = f"hosts: localhost\ntasks:\n- {{name: it, {CLOUD_TASK}}}"

        assert tasks_of(play, inventory=inventory)().runs_here is here

    @pytest.mark.parametrize(
        ("lines", "here"),
        [
            ("delegate_to: localhost", True),
            ("delegate_to: 127.0.0.1", True),
            ("delegate_to: '::1'", True),
            ("delegate_to: web2", False),
            ("delegate_to: '{{ somewhere }}'", False),
            ("connection: local", True),
            ("connection: ssh", False),
            ("connection: local\ndelegate_to: web2", False),
        ],
    )
    def test_a_task_may_run_elsewhere_than_its_play(self, task, lines, here):
        assert task(f"{CLOUD_TASK}\n{lines}", inventory="web1\nweb2").runs_here is here

    def test_a_task_that_is_delegated_elsewhere_is_not_local(self, task):
        assert not task(f"{CLOUD_TASK}\ndelegate_to: web2").runs_here

    def test_a_play_with_a_local_connection_is_local(self, tasks_of):
        play = f"connection: local\ntasks:\n- {{name: it, {CLOUD_TASK}}}"

        assert tasks_of(play, inventory="web1\nweb2")().runs_here

    def test_a_play_without_hosts_is_not_local(self, task):
        assert not task(CLOUD_TASK, inventory="").runs_here


class TestEnvironment:
    def test_variables_are_added(self, task):
        one = task(CLOUD_TASK)
        one.add_environment({"OS_CLOUD": "sandbox"})

        assert environment(one) == {"OS_CLOUD": "sandbox"}

    def test_variables_of_the_playbook_stay(self, tasks_of):
        one = tasks_of(f"""
            environment: {{OS_CLOUD: of the play, A: of the play, B: of the play}}
            tasks:
            - environment: {{B: of the block}}
              block:
              - {{name: it, {CLOUD_TASK}, environment: {{A: of the task}}}}
        """)()
        one.add_environment({"OS_CLOUD": "sandbox", "A": "ours", "B": "ours", "C": "ours"})

        assert environment(one) == {"OS_CLOUD": "of the play", "A": "of the task", "B": "of the block", "C": "ours"}

    def test_a_template_of_the_task_overrides_the_added_variables(self, task):
        """Nobody can tell what is in it, and it is the nearest to the task."""
        one = task(f"{CLOUD_TASK}\nenvironment: '{{{{ mine }}}}'")
        one.add_environment({"OS_CLOUD": "sandbox"})

        assert one._task.environment == [{"OS_CLOUD": "sandbox"}, "{{ mine }}"]

    def test_a_task_with_a_list_keeps_it(self, task):
        one = task(f"{CLOUD_TASK}\nenvironment: [{{A: b, B: c}}, {{B: d}}]")
        one.add_environment({"OS_CLOUD": "sandbox", "B": "ours"})

        assert environment(one) == {"A": "b", "B": "d", "OS_CLOUD": "sandbox"}

    def test_a_handler_is_a_task_too(self, tasks_of):
        handler = tasks_of("handlers:\n- {name: it, command: a}")()
        handler.add_environment({"OS_CLOUD": "sandbox"})

        assert environment(handler) == {"OS_CLOUD": "sandbox"}

    def test_other_tasks_are_not_touched(self, tasks_of):
        find = tasks_of("""
            environment: {A: b}
            tasks:
            - {name: it, command: a}
            - {name: another, command: a}
        """)
        find().add_environment({"OS_CLOUD": "sandbox"})

        assert environment(find("another")) == {"A": "b"}


class TestEnvironmentByUser:
    """Whom it becomes is known when a host's variables are."""

    INSIDE: t.ClassVar = {"PYTHONPATH": f"{SITE}{os.pathsep}/outer", "SESSION": "it"}
    OUTSIDE: t.ClassVar = {"PYTHONPATH": "/outer", "SESSION": ""}
    BY_TEMPLATE = "become: true\nbecome_user: '{{ who }}'"

    def environment_of(self, one, **variables):
        one.add_environment_of({"root", "me"}, self.INSIDE, self.OUTSIDE)
        return environment(one, **variables)

    @pytest.mark.parametrize(
        ("lines", "variables", "is_inside"),
        [
            (BY_TEMPLATE, {"who": "root"}, True),
            (BY_TEMPLATE, {"who": "me"}, True),
            (BY_TEMPLATE, {"who": "nobody"}, False),
            (BY_TEMPLATE, {"who": "nobody", "ansible_become": False}, True),
            (BY_TEMPLATE, {"who": "nobody", "ansible_become_user": "root"}, True),
            ("", {"ansible_become": True, "ansible_become_user": "nobody"}, False),
            ("", {"ansible_become": "yes", "ansible_become_user": "nobody"}, False),
            ("", {"ansible_become": True}, True),
            ("", {"ansible_become_user": "nobody"}, True),
            ("become: true", {"ansible_become_user": "nobody"}, False),
        ],
    )
    def test_it_is_on_the_session_if_it_can_read_it(self, task, lines, variables, is_inside):
        found = self.environment_of(task(f"{CLOUD_TASK}\n{lines}"), **variables)

        assert {name: text or "" for name, text in found.items()} == (self.INSIDE if is_inside else self.OUTSIDE)

    @pytest.mark.parametrize(("who", "path"), [("root", f"{SITE}{os.pathsep}/opt/lib"), ("nobody", "/opt/lib")])
    def test_the_playbook_s_own_search_path_stays(self, task, who, path):
        one = task(f"{CLOUD_TASK}\n{self.BY_TEMPLATE}\nenvironment: {{PYTHONPATH: '{{{{ mine }}}}/lib'}}")

        assert self.environment_of(one, who=who, mine="/opt")["PYTHONPATH"] == path

    def test_it_is_safe_to_repeat(self, task):
        one = task(f"{CLOUD_TASK}\n{self.BY_TEMPLATE}")
        self.environment_of(one, who="root")
        before = list(one.own_environment)
        self.environment_of(one, who="root")

        assert one.own_environment == before

    @pytest.mark.parametrize(
        ("lines", "inventory", "by_host"),
        [
            ("", "web1", False),
            ("become: true", "web1", False),
            ("become: true\nbecome_user: cloud", "web1", False),
            (BY_TEMPLATE, "web1", True),
            ("vars: {ansible_become_user: cloud}", "web1", True),
            ("", "web1\nweb2 ansible_become=true", True),
        ],
    )
    def test_whether_a_host_s_variables_decide(self, task, lines, inventory, by_host):
        assert task(f"{CLOUD_TASK}\n{lines}", inventory=inventory).becomes_by_host is by_host


ODD = "/x{{ nope }}/{% if %}/{# y/'\"\\/\N{ROCKET}"


class TestTextsThatLookLikeTemplates:
    """In the path of a session, a variable of the run's, or marked by the playbook, they are no templates."""

    @pytest.mark.parametrize("who", ["root", "nobody"])
    def test_of_the_session_and_of_the_run_s_environment(self, task, who):
        one = task(f"{CLOUD_TASK}\nbecome: true\nbecome_user: '{{{{ who }}}}'")
        inside = {"PYTHONPATH": f"{ODD}{os.pathsep}{ODD}", "SESSION": ODD}
        one.add_environment_of({"root"}, inside, {"PYTHONPATH": ODD, "SESSION": "-"})

        expected = inside if who == "root" else {"PYTHONPATH": ODD, "SESSION": "-"}
        assert environment(one, who=who) == expected

    def test_of_a_task_that_becomes_nobody_else(self, task):
        one = task(CLOUD_TASK)
        one.add_environment({"SESSION": ODD})

        assert environment(one) == {"SESSION": ODD}

    @pytest.mark.parametrize("inventory", ["localhost ansible_connection=local", "web ansible_connection=ssh"])
    def test_in_front_of_a_search_path_of_the_playbook_s_and_within_it(self, task, inventory):
        lines = f"{CLOUD_TASK}\nenvironment: {{PYTHONPATH: !unsafe '/own{{{{ nope }}}}'}}"
        one = task(lines, inventory=inventory)
        for _turn in range(2):
            one.prepend_python_path(ODD)

        assert environment(one, ansible_connection="local") == {"PYTHONPATH": f"{ODD}{os.pathsep}/own{{{{ nope }}}}"}


class TestPythonPath:
    def test_the_session_s_plugin_is_kept_in_front_of_the_playbook_s_path(self, tasks_of):
        one = tasks_of(f"environment: {{PYTHONPATH: /mine}}\ntasks:\n- {{name: it, {CLOUD_TASK}}}")()
        one.prepend_python_path(SITE)

        assert environment(one) == {"PYTHONPATH": f"{SITE}{os.pathsep}/mine"}

    def test_what_else_the_task_sets_stays(self, task):
        one = task(f"{CLOUD_TASK}\nenvironment: {{PYTHONPATH: /mine, A: b}}")
        one.prepend_python_path(SITE)

        assert environment(one)["A"] == "b"

    def test_a_template_stays_one(self, task):
        one = task(f"{CLOUD_TASK}\nenvironment: {{PYTHONPATH: '{{{{ mine }}}}/lib'}}")
        one.prepend_python_path(SITE)

        assert environment(one, mine="/opt") == {"PYTHONPATH": f"{SITE}{os.pathsep}/opt/lib"}

    @pytest.mark.parametrize("lines", ["", "environment: {A: b}", "environment: '{{ x }}'"])
    def test_without_a_path_of_its_own_there_is_nothing_to_keep(self, task, lines):
        one = task(f"{CLOUD_TASK}\n{lines}")
        before = list(one._task.environment)
        one.prepend_python_path(SITE)

        assert one._task.environment == before

    def test_an_empty_path_becomes_the_plugin_s_alone(self, task):
        one = task(f"{CLOUD_TASK}\nenvironment: {{PYTHONPATH: ''}}")
        one.prepend_python_path(SITE)

        assert environment(one) == {"PYTHONPATH": SITE}

    @pytest.mark.parametrize(
        ("connection", "is_here"),
        [("local", True), ("ansible.builtin.local", True), ("ssh", False), ("my.own.localish", False), (None, False)],
    )
    def test_with_local_and_remote_hosts_it_is_kept_only_on_local_ones(self, task, connection, is_here):
        one = task(f"{CLOUD_TASK}\nenvironment: {{PYTHONPATH: /mine}}", inventory="web ansible_connection=ssh")
        one.prepend_python_path(SITE)

        variables = {"ansible_connection": connection} if connection else {}
        expected = f"{SITE}{os.pathsep}/mine" if is_here else "/mine"
        assert environment(one, **variables) == {"PYTHONPATH": expected}

    @pytest.mark.parametrize(
        ("lines", "path"),
        [
            ("environment: {PYTHONPATH: /mine}\ndelegate_to: bastion", "/mine"),
            ("environment: {PYTHONPATH: ''}", ""),
        ],
        ids=["delegated", "empty"],
    )
    def test_if_the_host_is_not_known_it_is_left_alone(self, task, lines, path):
        one = task(f"{CLOUD_TASK}\n{lines}", inventory="web ansible_connection=ssh")
        one.prepend_python_path(SITE)

        assert environment(one, ansible_connection="local") == {"PYTHONPATH": path}

    def test_it_is_safe_to_repeat(self, task):
        """With the strategy free, a task starts once a host."""
        one = task(f"{CLOUD_TASK}\nenvironment: {{PYTHONPATH: /mine}}")
        for _turn in range(3):
            one.prepend_python_path(SITE)

        assert environment(one) == {"PYTHONPATH": f"{SITE}{os.pathsep}/mine"}
