# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The callback: playbooks that know nothing of a session run on one, whatever else they do."""

from __future__ import annotations

import json
import os
import pathlib
import signal

import pytest
import yaml
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import Session
from ansible_collections.onetoken.openstack.tests.helpers.token_age import let_it_age
from ansible_collections.onetoken.openstack.tests.helpers.waiting import wait_for
from ansible_collections.onetoken.openstack.tests.integration.test_endings import watchers_of

PATIENCE = 120
CALLBACK = {"ANSIBLE_CALLBACKS_ENABLED": "onetoken.openstack.one_token"}
HOSTS = "[all]\nhost[0:{last}]\n[all:vars]\nansible_connection=local\nansible_python_interpreter={python}\n"
FLAVORS = "- openstack.cloud.compute_flavor_info: {cloud: sandbox}\n"
#: As in playbooks that exist: modules, the command, a loop over clouds, a region, and work delegated to the controller.
MIXED = """
- hosts: all
  gather_facts: false
  tasks:
    - openstack.cloud.compute_flavor_info: {cloud: sandbox}
      register: flavors
    - openstack.cloud.networks_info: {cloud: "{{ item }}"}
      loop: [sandbox, sandbox-admin]
      register: networks
    - openstack.cloud.volume_info: {cloud: sandbox, region_name: RegionTwo}
      register: volumes
    - command: openstack --os-cloud sandbox image list -f json
      register: images
      changed_when: false
    - openstack.cloud.project_info: {cloud: sandbox-admin, name: demo}
      delegate_to: localhost
      register: project
    - copy:
        dest: "{{ results }}/{{ inventory_hostname }}.json"
        content: >-
          {{ {'flavors': flavors.flavors, 'networks': networks.results | map(attribute='networks'),
          'volumes': volumes.volumes, 'images': images.stdout | from_json, 'project': project.projects} | to_json }}
"""


def indented(tasks: str) -> str:
    return "".join(f"    {line}\n" for line in tasks.splitlines())


def play_of(tasks: str) -> str:
    return f"- hosts: localhost\n  gather_facts: false\n  tasks:\n{indented(tasks)}"


def hosts(controller, number: int) -> str:
    path = controller.home / "inventory"
    path.write_text(HOSTS.format(last=number - 1, python="{{ ansible_playbook_python }}"))
    return str(path)


def results(controller, name: str) -> pathlib.Path:
    path = controller.home / name
    path.mkdir()
    return path


@pytest.mark.versions
@pytest.mark.repeats
@pytest.mark.parametrize("strategy", ["linear", "free"])
def test_an_unmodified_playbook_has_the_same_results_on_one_token_a_cloud(controller, keystone, limits, strategy):
    limits(token_requests_per_minute=0)
    inventory = hosts(controller, 2)
    found = {}
    for name, variables in (("with", CALLBACK), ("without", {})):
        keystone.restart()
        place = results(controller, name)
        run = controller.play(
            None, "-i", inventory, "-e", f"results={place}", plays=MIXED, ANSIBLE_STRATEGY=strategy, **variables
        )
        assert run.ok, run.output
        found[name] = {path.name: json.loads(path.read_text()) for path in place.iterdir()}
        posts, deletes = keystone.count("POST"), keystone.count("DELETE")
        if variables:
            assert (posts, deletes) == (2, 2)
            assert "one_token: identities: 2, tokens issued: 2, sign-ins served from the session: 10" in run.output, (
                run.output
            )
        else:
            assert (posts, deletes) == (12, 0)
    assert found["with"] == found["without"]
    assert len(found["with"]) == 2


def test_a_playbook_without_an_openstack_task_asks_keystone_for_nothing_and_leaves_nothing(controller, keystone):
    run = controller.play("- command: 'true'\n- debug:\n", **CALLBACK)
    assert run.ok and "one_token:" not in run.output, run.output
    assert keystone.requests() == []
    assert controller.sessions == []


def test_a_machine_without_any_cloud_is_left_alone(controller):
    run = controller.play("- command: 'true'", OS_CLIENT_CONFIG_FILE="", **CALLBACK)
    assert run.ok and "WARNING" not in run.output, run.output
    assert controller.sessions == []


def test_a_sourced_openrc_carries_a_playbook(controller, keystone, sandbox):
    variables = {**sandbox.sourced_openrc(), "OS_CLIENT_CONFIG_FILE": ""}
    run = controller.play(
        "- openstack.cloud.compute_flavor_info:\n- command: openstack flavor list\n", **variables, **CALLBACK
    )
    assert run.ok, run.output
    assert (keystone.count("POST"), keystone.count("DELETE")) == (1, 1)


def test_credentials_in_a_task_s_environment_are_not_taken_for_the_session_s(controller, keystone, sandbox):
    """The openrc file of one user was sourced, and a task brings the variables of another one."""
    other = sandbox.clouds["sandbox-admin"]["auth"]
    tasks = [
        {"openstack.cloud.compute_flavor_info": None},
        {
            "command": "openstack token issue -f value -c user_id",
            "environment": "{{ other }}",
            "register": "as_other",
        },
        {"command": "openstack user show admin -f value -c id", "environment": "{{ other }}", "register": "admin"},
        {"assert": {"that": "as_other.stdout == admin.stdout"}},
    ]
    variables = {f"OS_{key.upper()}": value for key, value in other.items()}
    (controller.home / "other.json").write_text(json.dumps({"other": variables}))
    run = controller.play(
        tasks, "-e", "@other.json", **{**sandbox.sourced_openrc(), "OS_CLIENT_CONFIG_FILE": ""}, **CALLBACK
    )
    assert run.ok, run.output


def test_a_task_that_declines_keeps_its_own_credentials(controller, keystone):
    run = controller.play(FLAVORS + FLAVORS + "  vars: {one_token: false}\n", **CALLBACK)
    assert run.ok, run.output
    assert (keystone.count("POST"), keystone.count("DELETE")) == (2, 1)


def test_a_search_path_that_a_task_sets_keeps_the_session_s_code(controller, keystone):
    tasks = FLAVORS + "  environment: {PYTHONPATH: /nowhere}\n"
    tasks += FLAVORS + "  environment: {PYTHONPATH: '{{ path }}'}\n  vars: {path: /nowhere}\n"
    run = controller.play(tasks, **CALLBACK)
    assert run.ok, run.output
    assert keystone.count("POST") == 1


#: As sudo does it: the environment is cleared.
@pytest.mark.versions
def test_what_tasks_set_themselves_stays_and_wins(controller):
    own = "{FOO: bar, OS_CLOUD: sandbox-admin}"
    tasks = f"""
- command: sh -c 'echo $FOO $OS_CLOUD'
  environment: {own}
  vars: {{one_token: false}}
- command: sh -c 'echo $FOO $OS_CLOUD'
  environment: "{{{{ own }}}}"
  vars: {{one_token: false, own: {own}}}
- command: sh -c 'echo $FOO $OS_CLOUD'
  environment: [{own}, {{PYTHONPATH: /nowhere}}]
"""
    run = controller.play(tasks, "-v", OS_CLOUD="sandbox", **CALLBACK)
    assert run.ok and run.output.count('"stdout": "bar sandbox-admin"') == 3, run.output


def test_a_session_that_others_could_read_is_revoked_as_soon_as_it_is_mended(controller, issued):
    tasks = FLAVORS + "- file: {path: \"{{ lookup('env', 'PYTHONPATH') | dirname }}\", mode: '0755'}\n"
    run = controller.play(tasks, ONETOKEN_REVOKE_TIMEOUT="1", **CALLBACK)
    output = " ".join(run.output.split())
    assert run.ok and "is open to other users (mode 0755)" in output and "goes on trying" in output, run.output
    assert len(issued.living()) == 1
    (session,) = controller.sessions
    session.chmod(0o700)
    wait_for(lambda: not issued.living(), 15, "the token is refused")


CLEARED = {
    "ANSIBLE_BECOME_METHOD": "su",
    "ANSIBLE_BECOME_EXE": "env -i PATH=/usr/bin:/bin:/usr/sbin su",
    "ANSIBLE_BECOME_ALLOW_SAME_USER": "true",
}
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser becomes another user without a password")


@needs_root
@pytest.mark.versions
def test_a_task_that_becomes_root_is_on_the_session_though_its_environment_is_cleared(controller, keystone, sandbox):
    becomes = f"  become: true\n  environment: {{OS_CLIENT_CONFIG_FILE: '{sandbox.clouds_file}'}}\n"
    run = controller.play(FLAVORS + becomes + FLAVORS, **CLEARED, **CALLBACK)
    assert run.ok, run.output
    assert (keystone.count("POST"), keystone.count("DELETE")) == (1, 1)


@needs_root
def test_a_task_that_becomes_another_user_is_told_why_it_has_no_session(controller):
    task = "- openstack.cloud.compute_flavor_info: {cloud: sandbox}\n  become: true\n  become_user: nobody\n"
    run = controller.play(task + "  ignore_errors: true\n", **CLEARED, **CALLBACK)
    assert "becomes nobody, who must not read the session of" in " ".join(run.output.split()), run.output


def test_credentials_that_keystone_refuses_are_asked_for_by_each_task_and_each_says_why(controller, keystone, sandbox):
    """As without a session: a task may be tried again until its user exists."""
    clouds = wrong_password(controller, sandbox)
    tasks = "- openstack.cloud.compute_flavor_info: {cloud: sandbox}\n  ignore_errors: true\n  loop: [1, 2, 3]\n"
    run = controller.play(tasks, OS_CLIENT_CONFIG_FILE=clouds, **CALLBACK)
    assert run.output.count("The request you have made requires authentication") >= 3, run.output
    assert [request.status for request in keystone.requests() if request.method == "POST"] == [401] * 3


def wrong_password(controller, sandbox) -> str:
    clouds = sandbox.clouds
    clouds["sandbox"]["auth"]["password"] = "wrong"
    path = controller.home / "clouds.yaml"
    path.write_text(yaml.safe_dump({"clouds": clouds}))
    return str(path)


@pytest.mark.parametrize(
    "callback", ["ansible.posix.json", pytest.param("ansible.posix.jsonl", marks=pytest.mark.repeats)]
)
def test_what_a_program_reads_stays_readable(controller, callback):
    (controller.home / "play.yml").write_text(play_of(FLAVORS))
    run = controller.command(
        "sh", "-c", "ansible-playbook play.yml 2> errors", ANSIBLE_STDOUT_CALLBACK=callback, **CALLBACK
    )
    assert run.ok, run.output
    for text in run.output.splitlines() if callback.endswith("jsonl") else [run.output]:
        json.loads(text)
    assert "one_token: identities: 1, tokens issued: 1" in (controller.home / "errors").read_text()


def test_a_run_within_a_session_leaves_it_to_whoever_made_it(controller, keystone):
    inner = controller.home / "inner.yml"
    inner.write_text(play_of(FLAVORS))
    run = controller.play(f"- command: ansible-playbook {inner}\n{FLAVORS}", **CALLBACK)
    assert run.ok, run.output
    assert (keystone.count("POST"), keystone.count("DELETE")) == (1, 1)


def age(controller) -> pathlib.Path:
    """A program that makes the only token of its session one that was issued nine hours ago."""
    program = controller.home / "age.py"
    program.write_text(
        "import json, glob, os, datetime\n"
        "(path,) = glob.glob(os.environ['ONETOKEN_SESSION_DIRECTORY'] + '/tokens/*.json')\n"
        "content = json.load(open(path))\n"
        "moment = datetime.datetime.fromisoformat(content['current']['obtained_at']) - datetime.timedelta(hours=9)\n"
        "content['current'].update(obtained_at=moment.isoformat(), boot='')\n"
        "json.dump(content, open(path, 'w'))\n"
    )
    return program


@pytest.mark.parametrize("forks", [6, pytest.param(20, marks=pytest.mark.repeats)])
def test_forks_that_find_the_token_due_renew_it_once(controller, keystone, forks):
    """They start side by side, on a token that was issued long ago."""
    plays = f"""
- hosts: localhost
  gather_facts: false
  tasks:
    - openstack.cloud.compute_flavor_info: {{cloud: sandbox}}
    - command: python3 {age(controller)}
- hosts: all
  gather_facts: false
  tasks:
{indented(FLAVORS)}"""
    run = controller.play(None, "-i", hosts(controller, forks), "--forks", str(forks), plays=plays, **CALLBACK)
    assert run.ok, run.output
    assert [request.status for request in keystone.requests() if request.method == "POST"] == [201, 201]
    assert keystone.count("DELETE") == 2


def test_a_run_whose_token_cannot_be_renewed_goes_on_with_what_is_left(controller, keystone, issued, limits):
    limits(token_requests_per_minute=1)
    run = controller.play(f"{FLAVORS}- command: python3 {age(controller)}\n{FLAVORS}{FLAVORS}", **CALLBACK)
    assert run.ok, run.output
    statuses = [request.status for request in keystone.requests() if request.method == "POST"]
    assert statuses[0] == 201 and set(statuses[1:]) == {429}
    assert (len(issued.all()), issued.living()) == (1, [])


def test_a_waiting_task_goes_on_when_its_token_is_replaced_and_refused(controller, keystone, issued, limits):
    """The first token is renewed, and then revoked by somebody, while openstack.cloud.server waits."""
    limits(spawn_seconds=12)
    name = f"swap-{os.getpid()}"
    plays = f"""
- hosts: localhost
  gather_facts: false
  tasks:
    - openstack.cloud.server: {{cloud: sandbox, name: {name}, flavor: small, image: cirros, network: private,
                                auto_ip: false, timeout: 300}}
      register: server
    - openstack.cloud.server: {{cloud: sandbox, name: {name}, state: absent}}
    - assert: {{that: server.server.status == 'ACTIVE'}}
"""
    (controller.home / "play.yml").write_text(plays)
    with controller.started("ansible-playbook", "play.yml", **CALLBACK) as terminal:
        wait_for(lambda: issued.all() or terminal.ended, PATIENCE, "the first token is issued")
        (first,) = issued.all()
        (session,) = controller.sessions
        wait_for(lambda: list((session / "tokens").glob("*.json")), PATIENCE, "the token is on the list")
        (identity,) = Session(str(session)).names()
        let_it_age(Session(str(session)), identity, 9 * 3600)
        run = controller.play(f"- onetoken.openstack.os_token_issue: {{session: {session}, cloud: sandbox}}")
        assert run.ok and len(issued.all()) == 2, run.output
        revoke = f"- onetoken.openstack.os_token_revoke: {{cloud: sandbox, token: '{first}'}}\n  no_log: true"
        assert controller.play(revoke).ok
        wait_for(lambda: terminal.ended, 2 * PATIENCE, "the play has ended")
        assert terminal.process.returncode == 0, terminal.output
    assert len(issued.all()) == 2
    assert issued.living() == []


SHARED = {"ONETOKEN_SESSION": "shared", **CALLBACK}
HELD = (
    FLAVORS + "- shell: 'touch {{ playbook_dir }}/working; while [ -e {{ playbook_dir }}/hold ]; do sleep 0.1; done'\n"
)


def test_the_last_run_to_leave_a_shared_session_revokes_it(controller, keystone, issued):
    (controller.home / "hold").touch()
    (controller.home / "held.yml").write_text(play_of(HELD))
    with controller.started("ansible-playbook", "held.yml", **SHARED) as terminal:
        wait_for(lambda: (controller.home / "working").exists() or terminal.ended, PATIENCE, "the first is at work")
        run = controller.play(FLAVORS, **SHARED)
        assert run.ok and "left to another run" in run.output, run.output
        assert len(issued.living()) == 1
        (controller.home / "hold").unlink()
        wait_for(lambda: terminal.ended, PATIENCE, "the first has ended")
        assert "revoked: 1" in terminal.output
    assert keystone.count("POST") == 1
    assert issued.living() == []


@pytest.mark.parametrize("by", [pytest.param("the next run", marks=pytest.mark.repeats), "os_token_revoke"])
def test_what_a_lost_machine_left_behind_is_swept(controller, issued, by):
    """The run and its watcher are killed at once; a session that another run works on is not touched."""
    (controller.home / "hold").touch()
    (controller.home / "held.yml").write_text(play_of(HELD))
    with controller.started("ansible-playbook", "held.yml", **CALLBACK) as lost:
        wait_for(lambda: (controller.home / "working").exists() or lost.ended, PATIENCE, "the first is at work")
        (watcher,) = watchers_of(controller)
        os.kill(watcher, signal.SIGKILL)
        lost.process.kill()
    (orphan,) = issued.living()
    (controller.home / "working").unlink()
    with controller.started("ansible-playbook", "held.yml", **CALLBACK) as other:
        wait_for(lambda: (controller.home / "working").exists() or other.ended, PATIENCE, "the other is at work")
        if by == "os_token_revoke":
            run = controller.play("- onetoken.openstack.os_token_revoke: {state: swept}")
            assert run.ok, run.output
        wait_for(lambda: not issued.lives(orphan), 10, "the orphan is refused")
        assert len(issued.living()) == 1
        (controller.home / "hold").unlink()
        wait_for(lambda: other.ended, PATIENCE, "the other has ended")
        assert other.process.returncode == 0, other.output
    assert issued.living() == []
