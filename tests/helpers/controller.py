# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run Ansible as a user does, on a machine with a home of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import typing as t

import yaml
from ansible_collections.onetoken.openstack.tests.helpers.sandbox import REPOSITORY, SANDBOX
from ansible_collections.onetoken.openstack.tests.helpers.terminal import Terminal

#: The programs of the ansible-core under test, so that the same tests run on every supported one.
ANSIBLE_BIN = pathlib.Path(os.environ.get("ONETOKEN_ANSIBLE_BIN", REPOSITORY / ".venv" / "bin"))
#: A run that hangs must not hang the tests; enough for a machine that is busy with other things.
RUN_TIMEOUT = 400
#: What a run inherits from the developer's environment: no OS_*, ANSIBLE_* or XDG_* variables.
KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "TERM", "PYENV_ROOT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
#: The variable that enables the callback.
CALLBACK = {"ANSIBLE_CALLBACKS_ENABLED": "onetoken.openstack.one_token"}
#: The variables of an inventory host that is this machine.
LOCAL_HOST = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}

Task = dict[str, t.Any]
#: A list of tasks, or its YAML.
Tasks = str | t.Sequence[Task]


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished command, such as ansible-playbook."""

    status: int
    output: str

    @property
    def ok(self) -> bool:
        return self.status == 0


def play_of(tasks: Tasks, **keywords: t.Any) -> str:
    """A playbook of one play, by default on localhost."""
    listed = yaml.safe_load(tasks) if isinstance(tasks, str) else list(tasks)
    play = {"hosts": "localhost", "gather_facts": False, **keywords, "tasks": listed}
    return yaml.safe_dump([play], sort_keys=False)


class Controller:
    """A user's machine: a home, a clouds.yaml, and Ansible."""

    def __init__(self, home: pathlib.Path) -> None:
        self.home = home
        self.directory = home
        self.timeout = RUN_TIMEOUT
        self.environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        self.environment.update(
            HOME=str(home),
            PATH=f"{ANSIBLE_BIN}{os.pathsep}{os.environ['PATH']}",
            ANSIBLE_COLLECTIONS_PATH=str(ANSIBLE_BIN.parent / "collections"),
            ANSIBLE_NOCOLOR="1",
            ANSIBLE_LOCALHOST_WARNING="False",
            ANSIBLE_INVENTORY_UNPARSED_WARNING="False",
            OS_CLIENT_CONFIG_FILE=str(SANDBOX / "clouds.yaml"),
        )

    @property
    def sessions(self) -> list[pathlib.Path]:
        """The sessions in the home, oldest first."""
        base = self.home / ".local" / "state" / "onetoken"
        # A name that begins with a dot is not a session's: the rate limits have one.
        found = [path for path in base.iterdir() if not path.name.startswith(".")] if base.is_dir() else []
        return sorted(found, key=lambda path: path.stat().st_mtime)

    def tokens(self) -> list[str]:
        """The ids of the tokens in these sessions."""
        files = [file for session in self.sessions for file in (session / "tokens").glob("*.json")]
        return [json.loads(file.read_text())["current"]["token"] for file in files]

    # Files

    def write_clouds(self, clouds: t.Mapping[t.Any, t.Any], **sections: t.Any) -> pathlib.Path:
        """Write the user's own clouds.yaml, which later runs read."""
        path = self.home / "clouds.yaml"
        path.write_text(clouds_yaml(clouds, **sections))
        self.environment["OS_CLIENT_CONFIG_FILE"] = str(path)
        return path

    def write_inventory(self, hosts: int) -> str:
        """Write an inventory with host-00, host-01 and so on, each of which is this machine; its path."""
        names = [f"host-{number:02}" for number in range(hosts)]
        path = self.home / "inventory.yml"
        path.write_text(json.dumps({"all": {"hosts": dict.fromkeys(names, LOCAL_HOST)}}))
        return str(path)

    def write_playbook(self, plays: str, name: str = "play.yml") -> str:
        """Write a playbook; its path."""
        path = self.home / name
        path.write_text(plays)
        return str(path)

    # Runs

    def play(self, tasks: Tasks | None = None, *arguments: str, plays: str | None = None, **variables: str) -> Run:
        """Run tasks on localhost, or whole plays; arguments and variables are those of the command line."""
        return self.run(self.write_playbook(plays or play_of(tasks or [])), *arguments, **variables)

    def results(self, tasks: t.Sequence[Task], *arguments: str, **variables: str) -> tuple[Run, list[t.Any]]:
        """Run tasks, which must not end the play; the run, and the result of each (result_0 and so on, for tasks)."""
        names = [f"result_{number}" for number in range(len(tasks))]
        registered = [{**task, "register": name} for task, name in zip(tasks, names, strict=True)]
        file = self.home / "results.json"
        content = f"{{{{ [{', '.join(names)}] | to_json }}}}"
        save = {"ansible.builtin.copy": {"dest": str(file), "content": content}, "check_mode": False}
        run = self.play([*registered, save], *arguments, **variables)
        assert run.ok, run.output[-5000:]
        return run, json.loads(file.read_text())

    def run(self, playbook: str, *arguments: str, **variables: str) -> Run:
        return self.command("ansible-playbook", playbook, *arguments, **variables)

    def command(self, *command: str, **variables: str) -> Run:
        done = subprocess.run(
            self._found(*command),
            cwd=self.directory,
            env={**self.environment, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=self.timeout,
            check=False,
            text=True,
        )
        return Run(done.returncode, done.stdout)

    @contextlib.contextmanager
    def started(self, *command: str, **variables: str) -> t.Iterator[Terminal]:
        """Start a command in a terminal, to watch it while it runs."""
        terminal = Terminal(self._found(*command), self.directory, {**self.environment, **variables})
        try:
            yield terminal
        finally:
            terminal.close()

    def _found(self, program: str, *arguments: str) -> list[str]:
        return [shutil.which(program, path=self.environment["PATH"]) or program, *arguments]


def clouds_yaml(clouds: t.Mapping[t.Any, t.Any], **sections: t.Any) -> str:
    return yaml.safe_dump({"clouds": dict(clouds), **sections}, allow_unicode=True, sort_keys=False)
