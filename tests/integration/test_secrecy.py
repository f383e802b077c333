# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens and passwords are only in the session's tokens/ and where the user put them.

Each run writes to all places at once. Then all of them are searched for every token that Keystone issued to the run.
"""

from __future__ import annotations

import base64
import contextlib
import fnmatch
import json
import pathlib
import stat
import tempfile
import typing as t
import urllib.parse

import pytest
import yaml
from ansible_collections.onetoken.openstack.tests.helpers.controller import CALLBACK, play_of
from ansible_collections.onetoken.openstack.tests.helpers.waiting import TIMEOUT, wait_for
from ansible_collections.onetoken.openstack.tests.integration.leaks import Evidence, Secrets, files_below
from ansible_collections.onetoken.openstack.tests.integration.observation import syslog, watched_processes

#: The only files that may have a secret: the session's tokens, and the user's own.
EXCEPTIONS = (".local/state/onetoken/*/tokens", "clouds.yaml")
#: Is written differently in a URL and in JSON; Keystone refuses it.
WRONG_PASSWORD = 'not/the "password" of & demo%, but 20 long'

#: Signs in and then dies, with the token in its memory.
DYING_MODULE = """
import os
import openstack
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule({"signal": {"type": "int"}})
connection = openstack.connect(cloud="sandbox")
token = connection.auth_token
if module.params["signal"]:
    os.kill(os.getpid(), module.params["signal"])
raise RuntimeError("died while it was at work")
"""
#: Writes the environment into the fact cache, and requests into a log.
WORKS = """
- setup: {gather_subset: [min, env]}
- openstack.cloud.compute_flavor_info:
    cloud: sandbox
    sdk_log_path: "{{ home }}/sdk.log"
    sdk_log_level: DEBUG
  register: flavors
- debug: {var: hostvars}
"""
#: Shows and writes everything else.
SHOWS = """
- command: openstack --debug --os-cloud sandbox flavor list
  register: listed
# Only processes of this run: other tests may have a password in their environment.
- shell: ps auxwwwe | grep -F '{{ home }}'
  register: ps
- shell: cp -r "$ONETOKEN_SESSION_DIRECTORY" "{{ home }}/kept" && rm -r "{{ home }}/kept/tokens"
- copy: {content: "{{ [flavors, listed] | to_nice_json }}", dest: "{{ home }}/copied"}
- debug: {var: hostvars}
"""
DIES = """
- dying:
  ignore_errors: true
- dying: {signal: 9}
  ignore_errors: true
"""
FAILS = """
- openstack.cloud.compute_flavor_info: {cloud: wrong}
  ignore_errors: true
- onetoken.openstack.os_token_issue: {cloud: wrong}
  ignore_errors: true
- openstack.cloud.server: {cloud: sandbox, name: leak, image: nothing, flavor: nothing, network: nothing}
"""
WAIT = "- shell: 'touch {{ home }}/working; exec sleep 300'\n"


def with_the_callback(tasks: str) -> str:
    return play_of(tasks)


def with_the_role(tasks: str) -> str:
    role = {"name": "onetoken.openstack.os_token"}
    info = {"session": "{{ os_token_issued.session }}", "validate": True}
    issue = [
        {"include_role": role},
        {"onetoken.openstack.os_token_info": info, "register": "info"},
    ]
    revoke = [{"include_role": {**role, "tasks_from": "revoke"}}]
    block = {"block": [*issue, *yaml.safe_load(tasks)], "always": revoke}
    return play_of([block], environment="{{ os_token_environment | default({}) }}")


WAYS = {"callback": (with_the_callback, CALLBACK), "role": (with_the_role, {})}
ways = pytest.mark.parametrize("way", WAYS)
#: For what is the same in both ways.
mostly_callback = pytest.mark.parametrize("way", ["callback", pytest.param("role", marks=pytest.mark.repeats)])

#: Makes a run write to all places at once.
EVERYWHERE = {
    "ANSIBLE_LOG_PATH": "{home}/ansible.log",
    "ANSIBLE_GATHERING": "explicit",
    "ANSIBLE_CACHE_PLUGIN": "jsonfile",
    "ANSIBLE_CACHE_PLUGIN_CONNECTION": "{home}/facts",
    "ANSIBLE_RETRY_FILES_ENABLED": "true",
    "ANSIBLE_RETRY_FILES_SAVE_PATH": "{home}/retry",
    "ANSIBLE_REMOTE_TEMP": "{home}/remote",
    "ANSIBLE_KEEP_REMOTE_FILES": "true",
    "ANSIBLE_DISPLAY_TRACEBACK": "always",
    "TMPDIR": "{temporary}",
    "OS_CLIENT_CONFIG_FILE": "{home}/clouds.yaml",
    "OS_CLOUD": "sandbox",
}
#: Where each run must have written something, or the search would prove nothing. Files are named by patterns.
ALWAYS_WRITTEN = ("output", "arguments", "environments", "ansible.log", "*fact*/*localhost", "remote/*AnsiballZ_*")
#: A copy of the session, made while it is in use.
KEPT = tuple(f"kept/{name}" for name in ("session.json", "owners/*", "site/onetoken_session/*.py"))
#: What ansible-runner keeps of a run.
ARTIFACTS = tuple(f"runner/artifacts/it/{name}" for name in ("stdout", "command", "job_events/*.json"))


class Observer:
    """Starts runs that write to all places, and collects what they wrote."""

    def __init__(self, controller: t.Any, sandbox: t.Any, issued: t.Any, temporary: str) -> None:
        self.controller = controller
        self.home = controller.home
        self.issued = issued
        self.temporary = pathlib.Path(temporary)
        places = {"home": self.home, "temporary": self.temporary}
        self.variables = {name: value.format(**places) for name, value in EVERYWHERE.items()}
        (self.home / "library").mkdir()
        (self.home / "library" / "dying.py").write_text(DYING_MODULE)
        good = sandbox.clouds["sandbox"]
        wrong = {**good, "auth": {**good["auth"], "password": WRONG_PASSWORD}}
        (self.home / "clouds.yaml").write_text(yaml.safe_dump({"clouds": {"sandbox": good, "wrong": wrong}}))
        self.passwords = (sandbox.password("demo"), WRONG_PASSWORD)

    def write_play(self, way: str, tasks: str) -> dict[str, str]:
        """Write play.yml; the variables to run it with."""
        play, variables = WAYS[way]
        (self.home / "play.yml").write_text(play(tasks))
        return {**self.variables, **variables}

    def arguments(self) -> tuple[str, ...]:
        return ("play.yml", "-vvvv", "--diff", "-e", f"home={self.home}")

    @contextlib.contextmanager
    def observed(self) -> t.Iterator[dict[str, bytes]]:
        """What processes and syslog show meanwhile, and all files afterwards; the caller adds the output."""
        evidence: dict[str, bytes] = {}
        with syslog() as received, watched_processes(self.home) as processes:
            yield evidence
        if received is not None:
            evidence["syslog"] = b"\n".join(received)
        evidence.update(arguments=processes.arguments, environments=processes.environments())
        evidence.update(files_below(self.home, EXCEPTIONS) | files_below(self.temporary))

    def assert_secret(self, evidence: Evidence, *written: str) -> None:
        for place in (*ALWAYS_WRITTEN, *written, *(["syslog"] if "syslog" in evidence else [])):
            contents = [text for name, text in evidence.items() if fnmatch.fnmatch(name, place)]
            assert any(contents), f"nothing was written to {place}, so the test proves nothing: {sorted(evidence)}"
        assert self.issued.all()
        assert Secrets(*self.issued.all(), *self.passwords).places(evidence) == []


@pytest.fixture
def observer(controller, sandbox, issued) -> t.Iterator[Observer]:
    # ansible-core 2.21 makes a socket there, whose path may have at most 107 characters.
    with tempfile.TemporaryDirectory() as temporary:
        yield Observer(controller, sandbox, issued, temporary)


@pytest.mark.versions
@ways
def test_a_successful_run_leaks_nothing(observer, way):
    variables = observer.write_play(way, WORKS + SHOWS)
    with observer.observed() as evidence:
        run = observer.controller.command(
            "ansible-playbook", *observer.arguments(), **variables, ANSIBLE_CALLBACK_RESULT_FORMAT="yaml"
        )
        evidence["output"] = run.output.encode()
        assert run.ok and "EXEC" in run.output and "X-Auth-Token: {SHA256}" in run.output, run.output
    observer.assert_secret(evidence, "sdk.log", "copied", *KEPT)


@ways
def test_a_failing_run_leaks_nothing(observer, way):
    """Tasks end with a traceback, are killed, are refused by Keystone, and fail."""
    variables = observer.write_play(way, WORKS + DIES + FAILS)
    with observer.observed() as evidence:
        run = observer.controller.command(
            "ansible-playbook", *observer.arguments(), **variables, ANSIBLE_STDOUT_CALLBACK="ansible.posix.json"
        )
        evidence["output"] = run.output.encode()
        assert run.status == 2 and '"custom_stats"' in run.output, run.output
        assert "died while it was at work" in run.output and "(HTTP 401)" in run.output, run.output
    observer.assert_secret(evidence, "sdk.log", "retry/play.retry")


@mostly_callback
def test_a_killed_run_leaks_nothing(observer, way):
    variables = observer.write_play(way, WORKS + WAIT)
    working = observer.home / "working"
    command = ("ansible-playbook", *observer.arguments())
    with observer.observed() as evidence, observer.controller.started(*command, **variables) as terminal:
        wait_for(lambda: working.exists() or terminal.ended, TIMEOUT, "the play is at work")
        assert working.exists(), terminal.output
        terminal.process.kill()
        wait_for(lambda: not observer.issued.living(), TIMEOUT, "the token is refused")
        evidence["output"] = terminal.output.encode()
    assert b"onetoken_session.revoke.watcher" in evidence["arguments"]
    observer.assert_secret(evidence, "sdk.log")


@mostly_callback
def test_the_artifacts_of_ansible_runner_have_no_secret(observer, way):
    variables = observer.write_play(way, WORKS + DIES)
    with observer.observed() as evidence:
        run = run_with_ansible_runner(observer, variables)
        evidence["output"] = run.output.encode()
        assert run.ok and "died while it was at work" in run.output, run.output
        # Files are kept, so the direct door is not used.
        assert way != "callback" or "runs in a fork of the server" in run.output, run.output
    observer.assert_secret(evidence, "sdk.log", *ARTIFACTS)


def run_with_ansible_runner(observer, variables: dict[str, str]):
    private = observer.home / "runner"
    for folder in ("project", "inventory"):
        (private / folder).mkdir(parents=True)
    for name in ("play.yml", "library"):
        (observer.home / name).rename(private / "project" / name)
    (private / "inventory" / "hosts").write_text(
        "localhost ansible_connection=local ansible_python_interpreter='{{ ansible_playbook_python }}'\n"
    )
    arguments = ("-p", "play.yml", "--ident", "it", "--cmdline", f"--diff -e home={observer.home}", "-vvvv")
    return observer.controller.command("ansible-runner", "run", str(private), *arguments, **variables)


#: Shows what it knows of the cloud, but not its environment.
DISCREET = """
- setup: {gather_subset: [min, "!env"]}
- openstack.cloud.compute_flavor_info:
  register: flavors
- command: openstack --debug flavor list
  register: listed
- debug: {var: hostvars}
"""


@mostly_callback
def test_an_exported_password_is_only_in_the_environment_of_the_run(observer, sandbox, way):
    """The watcher does not inherit it."""
    variables = observer.write_play(way, DISCREET)
    del variables["OS_CLOUD"], variables["OS_CLIENT_CONFIG_FILE"]
    (observer.home / "clouds.yaml").unlink()
    with observer.observed() as evidence, watched_processes(observer.home) as processes:
        run = observer.controller.command(
            "ansible-playbook",
            *observer.arguments(),
            **{**variables, **sandbox.sourced_openrc(), "OS_CLIENT_CONFIG_FILE": ""},
        )
        evidence["output"] = run.output.encode()
        assert run.ok, run.output
    evidence["environments"] = processes.environments(of=b"onetoken_session.revoke.watcher")
    observer.assert_secret(evidence)


LEAKS = """
- onetoken.openstack.os_token_issue: {return_token: true}
  register: leaked
- set_fact: {token: "{{ leaked.token }}", cacheable: true}
- command: "sh -c 'sleep 1; echo {{ token }}'"
  environment: "{{ leaked.token_environment }}"
- command: cp -r "{{ leaked.session }}" "{{ home }}/kept"
- copy: {content: "{{ token | b64encode }}", dest: "{{ home }}/copied"}
"""


def test_the_search_finds_what_leaks(observer):
    (observer.home / "play.yml").write_text(with_the_callback(LEAKS))
    with observer.observed() as evidence:
        run = run_with_ansible_runner(observer, observer.variables)
        evidence["output"] = run.output.encode()
        assert run.ok, run.output
    found = Secrets(*observer.issued.all()).places(evidence)
    places = [
        place
        for place in (*ALWAYS_WRITTEN, *ARTIFACTS, "copied", "kept/tokens/*", "syslog")
        if place in evidence or "*" in place
    ]
    # ansible-runner records its command and environment before there is a token.
    assert [place for place in places if not fnmatch.filter(found, place)] == ["runner/artifacts/it/command"]
    assert Secrets(*observer.passwords).places(evidence) == []


@pytest.mark.parametrize("shift", range(3))
def test_the_search_finds_encoded_and_truncated_secrets(shift):
    secret = "gAAAAABn-_x" + '0123456789/+ "?' * 10 + "=="
    is_in = Secrets(secret).in_text
    around = "." * shift
    for cut in (secret, secret[: len(secret) - 60], secret[60:]):
        assert is_in(cut.encode())
        assert is_in(urllib.parse.quote(cut).encode()) and is_in(urllib.parse.quote(cut, safe="").encode())
        assert is_in(json.dumps({"token": cut}).encode())
        assert is_in(base64.b64encode(f"{around}{cut}.".encode()))
        assert is_in(base64.urlsafe_b64encode(f"{around}{cut}.".encode()))
    assert not is_in(secret[::-1].encode())


def test_only_the_user_can_read_the_session(controller):
    assert controller.play("- onetoken.openstack.os_token_issue: {cloud: sandbox, session: kept}").ok
    (session,) = controller.sessions
    for path in (session, *session.rglob("*")):
        mode = stat.S_IMODE(path.lstat().st_mode)
        # Python chooses the mode of compiled files, which the session's 0700 protects.
        if "__pycache__" not in path.parts:
            assert mode in (0o700, 0o600), path
    assert controller.play(f"- onetoken.openstack.os_token_revoke: {{session: {session}}}").ok
