# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command onetoken, as scripts/onetoken starts it."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import textwrap

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import VARIABLE
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import ConfigurationError
from ansible_collections.onetoken.openstack.plugins.plugin_utils import shell
from ansible_collections.onetoken.openstack.tests.helpers.terminal import Terminal
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.processes import wait_until
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    PASSWORD,
    Answer,
)

ONETOKEN = pathlib.Path(__file__).resolve().parents[4] / "scripts" / "onetoken"
#: A program that signs in.
SIGN_IN = (sys.executable, "-c", "import openstack; openstack.connect().authorize()")
#: A script that leaves a process behind, which signs in and works on for the seconds that are its argument.
BEHIND = f"""
{sys.executable} -c '
import openstack, pathlib, sys, time
openstack.connect().authorize()
pathlib.Path("at-work").touch()
time.sleep(float(sys.argv[1]))
' "$1" > /dev/null 2>&1 &
until test -e at-work; do sleep 0.05; done
exit 3
"""
TIMEOUT = 60


@pytest.fixture
def environ(no_cloud, monkeypatch):
    """The user's environment; what a test sets in os.environ is in it, too."""
    monkeypatch.delenv(VARIABLE)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    # The first python3 on it is the one of the tests.
    monkeypatch.setenv("PATH", f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}")
    return os.environ


@pytest.fixture
def start(environ):
    """Start onetoken with these arguments."""
    started = []

    def start(*arguments, **variables):
        process = subprocess.Popen(
            [ONETOKEN, *arguments],
            env={**environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def onetoken(start):
    """Run onetoken: its exit status, output and errors."""

    def run(*arguments, **variables):
        process = start(*arguments, **variables)
        output, errors = process.communicate(timeout=TIMEOUT)
        assert "Traceback" not in output + errors
        return process.returncode, output, errors

    return run


@pytest.fixture
def script(environ):
    """Write a script into the working directory; how to call it."""

    def write(text, mode=0o755):
        path = pathlib.Path("nightly.sh")
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        path.chmod(mode)
        return f"./{path}"

    return write


class TestOptions:
    @pytest.mark.parametrize(
        ("arguments", "cloud", "command"),
        [
            ([], None, []),
            (["--"], None, []),
            (["./a.sh", "-x"], None, ["./a.sh", "-x"]),
            (["--os-cloud", "mycloud", "--", "./a.sh", "--os-cloud", "b"], "mycloud", ["./a.sh", "--os-cloud", "b"]),
            (["--os-cloud=mycloud", "a", "--", "b"], "mycloud", ["a", "--", "b"]),
            (["--", "a", "--", "b"], None, ["a", "--", "b"]),
        ],
    )
    def test_the_command_is_what_follows_the_options(self, arguments, cloud, command):
        options = shell.parsed(arguments)

        assert (options.os_cloud, options.command) == (cloud, command)

    def test_the_variables_of_the_callback_are_its_options(self):
        settings = shell._settings({"ONETOKEN_DRAIN": "no", "ONETOKEN_DRAIN_TIMEOUT": "7", "ONETOKEN_SESSION": "kept"})

        assert (settings.drain, settings.drain_timeout, settings.session) == (False, 7, "kept")
        assert shell._settings({}) == shell._DEFAULTS

    @pytest.mark.parametrize(
        ("name", "value", "kind"),
        [("DRAIN", "perhaps", "true or false"), ("LIMIT_TIMEOUT", "soon", "a number of seconds")],
    )
    def test_a_wrong_variable_is_named(self, name, value, kind):
        with pytest.raises(ConfigurationError, match=f"ONETOKEN_{name} is '{value}', but it takes {kind}"):
            shell._settings({f"ONETOKEN_{name}": value})


@pytest.mark.processes
class TestCommand:
    @pytest.mark.parametrize(("text", "status"), [("exit 0", 0), ("exit 7", 7), ("kill -KILL $$", 137)])
    def test_its_exit_status_is_the_command_s_and_its_token_is_revoked(
        self, onetoken, keystone, clouds_yaml, text, status
    ):
        ended, _output, errors = onetoken("--os-cloud", "sandbox", "--", "sh", "-c", text)

        assert ended == status, errors
        assert errors == "onetoken: tokens issued: 1, sign-ins served from the session: 0, revoked: 1\n"
        assert (len(keystone.asked("POST")), len(keystone.revoked), keystone.alive) == (1, 1, {})

    def test_what_it_runs_signs_in_from_the_session_by_the_cloud_s_name(self, onetoken, keystone, clouds_yaml, script):
        path = script(f'#!/bin/sh -e\n"$@"\n"$@"\necho "$OS_CLOUD {VARIABLE}=${VARIABLE}"\n')
        status, output, errors = onetoken("--os-cloud", "sandbox", "--", path, *SIGN_IN)

        assert status == 0, errors
        assert output.startswith(f"sandbox {VARIABLE}=/")
        assert "tokens issued: 1, sign-ins served from the session: 2, revoked: 1" in errors
        assert len(keystone.asked("POST")) == 1

    def test_the_variables_of_a_sourced_openrc_stay_as_they_are(self, onetoken, keystone):
        auth = keystone.entry()["auth"]
        variables = {f"OS_{name.upper()}": value for name, value in auth.items()}
        status, output, errors = onetoken("sh", "-c", 'echo "${OS_CLOUD-unset}"; "$@"', "sh", *SIGN_IN, **variables)

        assert (status, output) == (0, "unset\n"), errors
        assert len(keystone.asked("POST")) == 1

    def test_a_sourced_openrc_beside_a_named_cloud_is_warned_about(self, onetoken, clouds_yaml):
        status, _output, errors = onetoken("--os-cloud", "sandbox", "true", OS_PASSWORD="another", OS_PROJECT_NAME="x")

        assert status == 0, errors
        mixed = (
            "Commands mix cloud 'sandbox' with the variables of an openrc file (OS_PASSWORD, OS_PROJECT_NAME): unset"
        )
        assert mixed in errors
        assert "another" not in errors

    def test_quiet_it_prints_what_the_command_prints(self, onetoken, clouds_yaml):
        assert onetoken("--os-cloud", "sandbox", "--quiet", "echo", "done") == (0, "done\n", "")

    def test_files_and_ignored_signals_are_passed_on(self, environ, clouds_yaml, tmp_path):
        command = f"trap '' INT; exec 3>{tmp_path}/log; exec {ONETOKEN} --os-cloud sandbox -- sh -c '{{}}'"
        inner = "kill -INT $$; echo alive >&3"
        subprocess.run(["sh", "-c", command.format(inner)], env=environ, timeout=TIMEOUT, check=True)

        assert (tmp_path / "log").read_text() == "alive\n"

    def test_it_needs_neither_ansible_nor_another_collection(self, onetoken, clouds_yaml, tmp_path):
        for package in ("ansible", "ansible_collections"):
            (tmp_path / "none" / package).mkdir(parents=True)
            (tmp_path / "none" / package / "__init__.py").write_text("raise ImportError")

        status, _output, errors = onetoken("--os-cloud", "sandbox", "true", PYTHONPATH=str(tmp_path / "none"))
        assert status == 0, errors

    def test_a_link_in_a_virtual_environment_runs_on_its_python(self, environ, tmp_path):
        (tmp_path / "onetoken").symlink_to(ONETOKEN)
        (tmp_path / "python3").write_text('#!/bin/sh\necho "$@"\n')
        (tmp_path / "python3").chmod(0o755)

        run = subprocess.run([tmp_path / "onetoken", "a b"], stdout=subprocess.PIPE, text=True, check=True)
        script, _space, rest = run.stdout.partition(" ")
        assert os.path.samefile(script, shell.__file__.replace("shell.py", "shell_script.py"))
        assert rest == "a b\n"


@pytest.mark.processes
class TestFailures:
    def test_a_command_that_cannot_be_run_costs_no_token(self, onetoken, keystone, clouds_yaml, script):
        assert onetoken("--os-cloud", "sandbox", "nosuch") == (
            127,
            "",
            "onetoken: There is no command nosuch: check its name, and the PATH.\n",
        )
        path = script("#!/bin/sh", mode=0o644)
        status, _output, errors = onetoken("--os-cloud", "sandbox", path)
        assert status == 126
        assert f"{path} cannot be run: make it a file that you may execute" in errors
        assert keystone.requests == []

    def test_a_script_without_an_interpreter_is_one_for_the_shell(self, onetoken, clouds_yaml, script):
        status, output, _errors = onetoken("--os-cloud", "sandbox", "--", script("echo $1; exit 3"), "given")

        assert (status, output) == (3, "given\n")

    def test_a_script_with_a_missing_interpreter_leaves_no_token(self, onetoken, keystone, clouds_yaml, script):
        status, _output, errors = onetoken("--os-cloud", "sandbox", script("#!/no/such/interpreter"))

        assert status == 126
        assert "cannot be run (No such file or directory): check the interpreter in its first line" in errors
        assert keystone.alive == {}

    def test_a_refused_password_is_a_sentence_without_it(self, onetoken, keystone, clouds_yaml):
        keystone.stuck["POST"] = Answer(401)
        status, output, errors = onetoken("--os-cloud", "sandbox", "echo", "run")

        assert (status, output) == (1, "")
        assert errors.startswith(f"onetoken: Keystone at {keystone.auth_url} refused user 'demo' of cloud 'sandbox'")
        assert PASSWORD not in errors

    def test_without_a_cloud_it_says_how_to_name_one(self, onetoken, environ):
        status, _output, errors = onetoken("true")

        assert status == 1
        assert "onetoken: No cloud is named" in errors

    def test_without_openstacksdk_it_says_where_to_install_it(self, onetoken, environ, tmp_path):
        (tmp_path / "openstack").mkdir()
        (tmp_path / "openstack" / "__init__.py").write_text("raise ImportError")
        status, _output, errors = onetoken("true", PYTHONPATH=str(tmp_path))

        assert status == 1
        assert "cannot import openstacksdk: install it there" in errors


@pytest.mark.processes
def test_the_last_of_two_with_one_session_revokes_its_token(start, onetoken, keystone, clouds_yaml):
    wait = "echo ready; until test -e done; do sleep 0.05; done"
    first = start("--os-cloud", "sandbox", "sh", "-c", wait, ONETOKEN_SESSION="shared")
    assert first.stdout.readline() == "ready\n"
    _status, _output, errors = onetoken("--os-cloud", "sandbox", *SIGN_IN, ONETOKEN_SESSION="shared")

    assert "left to another run" in errors
    assert len(keystone.alive) == 1
    pathlib.Path("done").touch()
    assert "revoked: 1" in first.communicate(timeout=TIMEOUT)[1]
    assert (keystone.alive, len(keystone.revoked)) == ({}, 1)


@pytest.mark.processes
def test_a_fault_of_its_own_at_the_end_does_not_hide_the_commands_status(
    environ, keystone, clouds_yaml, collections_path
):
    """With a mock, as no such fault is known."""
    faulty = (
        "from ansible_collections.onetoken.openstack.plugins.plugin_utils import ending, shell\n"
        "ending.end = lambda *_arguments, **_options: {}['fault']\n"
        "shell.main()"
    )
    arguments = ("--os-cloud", "sandbox", "sh", "-c", "exit 3")
    ended = subprocess.run(
        [sys.executable, "-c", faulty, *arguments],
        env={**environ, "PYTHONPATH": collections_path},
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT,
    )

    assert ended.returncode == 3
    assert "revoked by a background process, because of an unexpected KeyError: please report" in ended.stderr
    assert "Traceback" not in ended.stderr
    wait_until(lambda: keystone.alive == {})


@pytest.mark.processes
class TestProcessesInTheBackground:
    def test_the_token_is_revoked_when_they_have_ended(self, onetoken, keystone, clouds_yaml):
        status, _output, errors = onetoken("--os-cloud", "sandbox", "sh", "-c", BEHIND, "sh", "2")

        assert status == 3
        assert "waiting up to 300 s for processes that use the session" in errors
        assert "A process still worked" not in errors
        assert "sign-ins served from the session: 1, revoked: 1" in errors
        assert keystone.alive == {}

    def test_they_are_not_waited_for_any_longer_than_the_user_wants(self, onetoken, keystone, clouds_yaml):
        status, _output, errors = onetoken(
            "--os-cloud", "sandbox", "sh", "-c", BEHIND, "sh", "6", ONETOKEN_DRAIN_TIMEOUT="1"
        )

        assert status == 3
        assert "A process was still using the session when its token was revoked" in errors
        assert keystone.alive == {}


@pytest.mark.processes
class TestSignals:
    @pytest.mark.parametrize("name", ["TERM", "HUP", "USR1"])
    def test_one_that_is_sent_to_it_is_for_the_command(self, start, keystone, clouds_yaml, name):
        text = f"trap 'echo got it; exit 5' {name}; echo ready; while :; do sleep 0.05; done"
        process = start("--os-cloud", "sandbox", "sh", "-c", text)
        assert process.stdout.readline() == "ready\n"
        process.send_signal(getattr(signal, f"SIG{name}"))

        output, _errors = process.communicate(timeout=TIMEOUT)
        assert (process.returncode, output) == (5, "got it\n")
        assert keystone.alive == {}

    def test_its_token_is_revoked_when_it_is_killed(self, start, keystone, clouds_yaml):
        process = start("--os-cloud", "sandbox", "sh", "-c", "echo $$; exec sleep 60")
        command = int(process.stdout.readline())
        process.kill()

        wait_until(lambda: keystone.alive == {})
        assert len(keystone.revoked) == 1
        os.kill(command, signal.SIGKILL)


@pytest.mark.processes
class TestTerminal:
    @pytest.fixture
    def terminal(self, environ, clouds_yaml, tmp_path):
        opened = []

        def start(*arguments, **variables):
            command = [str(ONETOKEN), "--os-cloud", "sandbox", *arguments]
            opened.append(Terminal(command, tmp_path, {**environ, **variables}))
            return opened[-1]

        yield start
        for terminal in opened:
            terminal.close()

    def test_control_c_reaches_the_command_once(self, terminal, keystone):
        text = "trap 'n=$((n+1))' INT; echo ready; until test $n; do sleep 0.1; done; sleep 0.5; echo $n; exit 9"
        opened = terminal("sh", "-c", text)
        wait_until(lambda: "ready" in opened.output)
        opened.press_control_c()

        wait_until(lambda: opened.ended)
        assert opened.process.returncode == 9
        assert "1\r\nonetoken: tokens issued: 1" in opened.output
        assert keystone.alive == {}

    def test_a_command_that_control_c_ends_is_followed_by_a_new_line(self, terminal, keystone):
        opened = terminal("sh", "-c", "echo ready; exec sleep 60")
        wait_until(lambda: "ready" in opened.output)
        opened.press_control_c()

        wait_until(lambda: opened.ended)
        assert opened.process.returncode == 128 + signal.SIGINT
        assert "^C\r\nonetoken: " in opened.output
        assert keystone.alive == {}

    def test_control_c_ends_the_wait_for_processes_in_the_background(self, terminal, keystone):
        opened = terminal("sh", "-c", f"trap '' INT; {BEHIND}", "sh", "60")
        wait_until(lambda: "waiting up to 300 s" in opened.output)
        opened.press_control_c()

        wait_until(lambda: opened.ended)
        assert opened.process.returncode == 3
        assert "^C\r\nonetoken: interrupted: a background process revokes the token" in opened.output
        wait_until(lambda: keystone.alive == {})

    def test_a_shell_has_job_control(self, terminal, keystone):
        opened = terminal(SHELL="/bin/bash", PS1="> ")
        wait_until(lambda: "this shell works on one token of cloud 'sandbox'" in opened.output)
        opened.type_line("set -m && echo on; sleep 60 & jobs; fg")
        wait_until(lambda: "Running" in opened.output)
        opened.press_control_c()
        opened.type_line("echo interrupted=$?; exit 4")

        wait_until(lambda: opened.ended)
        assert opened.process.returncode == 4
        assert "interrupted=130" in opened.output
        assert "no job control" not in opened.output
        assert opened.output.endswith("revoked: 1\r\n")

    def test_a_terminal_that_hangs_up_ends_it(self, terminal, keystone):
        opened = terminal(SHELL="/bin/bash")
        wait_until(lambda: "this shell works on one token" in opened.output)
        opened.hang_up()

        opened.process.wait(TIMEOUT)
        wait_until(lambda: keystone.alive == {})


@pytest.mark.processes
class TestWithinASession:
    def test_it_uses_that_and_leaves_the_revoke_to_it(self, onetoken, keystone, clouds_yaml):
        text = f'{ONETOKEN} -- "$@"; echo $?; "$@"'
        status, output, errors = onetoken("--os-cloud", "sandbox", "sh", "-c", text, "sh", *SIGN_IN)

        assert (status, output) == (0, "0\n"), errors
        assert "onetoken: uses the session /" in errors
        assert errors.count("revoked: 1") == 1
        assert (len(keystone.asked("POST")), keystone.alive) == (1, {})

    def test_another_cloud_is_signed_in_to_on_the_same_session(self, onetoken, keystone, clouds_yaml):
        text = f"{ONETOKEN} --os-cloud second -- sh -c 'echo $OS_CLOUD'; echo $OS_CLOUD"
        status, output, _errors = onetoken("--os-cloud", "sandbox", "sh", "-c", text)

        assert (status, output, keystone.alive) == (0, "second\nsandbox\n", {})

    def test_a_session_that_was_revoked_is_not_used(self, onetoken, keystone, clouds_yaml, issued_by_task):
        issued_by_task.close()
        status, output, errors = onetoken(
            "--os-cloud", "sandbox", "sh", "-c", f"echo ${VARIABLE}", **{VARIABLE: issued_by_task.path}
        )

        assert status == 0, errors
        assert output.strip() != issued_by_task.path
        assert "revoked: 1" in errors
