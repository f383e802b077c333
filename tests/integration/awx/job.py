# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A job as AWX starts one: its private data directory, its environment, its credential's file, and ansible-runner."""

from __future__ import annotations

import configparser
import json
import os
import pathlib
import shutil
import subprocess
import typing as t

import yaml
from ansible_collections.onetoken.openstack.tests.helpers.waiting import wait_for
from ansible_collections.onetoken.openstack.tests.integration.awx.execution_environment import (
    GROUP,
    IS_ROOT,
    REPOSITORY,
    USER,
    ExecutionEnvironment,
    as_user,
)

#: What AWX's worker does with ansible-runner in the container; a file that appears is the cancel button.
WORKER = """
import json, os, sys
import ansible_runner
private, button, options = sys.argv[1:]
run = ansible_runner.run(
    private_data_dir=private, ident="1", quiet=True, cancel_callback=lambda: os.path.exists(button),
    **json.loads(options)
)
sys.exit(f"{run.status}, exit code {run.rc}" if run.status != "successful" else 0)
"""
#: Seconds for a job, on a machine that is busy with other things.
JOB_TIMEOUT = 400
Inventory = t.Mapping[str, t.Any]
#: The host of AWX's own Demo Inventory.
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}


def inventory_of(*names: str, group: str = "servers", variables: t.Mapping[str, str] | None = None) -> Inventory:
    return {group: {"hosts": names}, "_meta": {"hostvars": {name: dict(variables or {}) for name in names}}}


def devstack(cloud: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The clouds.yaml that AWX's own OpenStack credential makes of its fields."""
    auth = cloud["auth"]
    fields = {name: auth[name] for name in ("auth_url", "username", "password", "project_name")}
    domain = auth.get("user_domain_name", "Default")
    entry = {"auth": {**fields, "project_domain_name": domain, "domain_name": domain}, "verify": True}
    return {"clouds": {"devstack": {**entry, "region_name": cloud.get("region_name", "RegionOne")}}}


class Answer(str):
    """A text that somebody gave to a survey: not a template, AWX says."""


class AnswersDumper(yaml.SafeDumper):
    """Writes variables as AWX does."""


AnswersDumper.add_representer(Answer, lambda dumper, answer: dumper.represent_scalar("!unsafe", answer))


def _answers(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {Answer(key): _answers(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_answers(inner) for inner in value]
    return Answer(value) if isinstance(value, str) else value


def extra_variables(variables: t.Mapping[str, t.Any]) -> str:
    """The file that AWX writes of a job's variables."""
    return yaml.dump(_answers(dict(variables)), Dumper=AnswersDumper)


class Job:
    """One job, in what is its container: a home that it cannot write to, temporary files that no other job sees."""

    def __init__(self, place: pathlib.Path, environment: ExecutionEnvironment) -> None:
        self.place = place
        self.private = place / "runner"
        self.home = place / "home"
        self._temporary = place / "tmp"
        self._button = place / "cancel"
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None
        for folder in ("project", "inventory", "env", "artifacts", "cp"):
            (self.private / folder).mkdir(parents=True)
        self._credential = self.private / "env" / "tmp4f7k2c9x"
        self.home.mkdir()
        # An image has collections where Ansible looks by itself, such as ~/.ansible/collections.
        (self.home / ".ansible").symlink_to(environment.collections.parent)
        self._temporary.mkdir()

    def prepare(
        self,
        clouds: t.Mapping[str, t.Any],
        variables: t.Mapping[str, t.Any],
        inventory: Inventory | None = None,
        project: t.Mapping[str, str] | None = None,
    ) -> Job:
        """The project is this repository, or these files."""
        if project is None:
            shutil.copytree(REPOSITORY / "playbooks", self.private / "project" / "playbooks")
            shutil.copy(REPOSITORY / "ansible.cfg", self.private / "project")
        for name, content in (project or {}).items():
            (self.private / "project" / name).write_text(content)
        self._credential.write_text(yaml.safe_dump(dict(clouds)))
        # AWX's inventory is a script that prints it.
        script = self.private / "inventory" / "hosts"
        inventory = inventory or inventory_of("localhost", variables=LOCAL)
        script.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(inventory)}\nEND\n")
        (self.private / "env" / "extravars").write_text(extra_variables(variables))
        (self.private / "env" / "settings").write_text(json.dumps({"idle_timeout": 0, "suppress_output_file": True}))
        (self.private / "env" / "envvars").write_text(json.dumps(self._variables()))
        self._give_away()
        self._credential.chmod(0o600)
        script.chmod(0o700)
        return self

    def _variables(self) -> dict[str, str]:
        return {
            "JOB_ID": "42",
            "INVENTORY_ID": "1",
            "PROJECT_REVISION": "0" * 40,
            "AWX_PRIVATE_DATA_DIR": str(self.private),
            "AWX_HOST": "https://awx.example.org",
            "MAX_EVENT_RES": "700000",
            "ANSIBLE_FORCE_COLOR": "True",
            "ANSIBLE_HOST_KEY_CHECKING": "False",
            "ANSIBLE_RETRY_FILES_ENABLED": "False",
            "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
            "ANSIBLE_CALLBACKS_ENABLED": self._callbacks(),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.private / "cp"),
            "ANSIBLE_COLLECTIONS_PATH": f"{self.private / 'requirements_collections'}:{self._environment.collections}",
            "OS_CLIENT_CONFIG_FILE": str(self._credential),
        }

    def _callbacks(self) -> str:
        """AWX's own, and what it reads in the project; whatever the execution environment says is lost thereby."""
        settings = configparser.ConfigParser()
        settings.read(self.private / "project" / "ansible.cfg")
        own = "indirect_instance_count"
        return ",".join([own, *filter(None, [settings.get("defaults", "callbacks_enabled", fallback="")])])

    def _give_away(self) -> None:
        """All of it belongs to the container's user, who may not write to the project and to the home."""
        if IS_ROOT:
            for path in (self.place, *self.place.rglob("*")):
                os.chown(path, USER, GROUP, follow_symlinks=False)
        for path in (self.home, self.private / "project", *(self.private / "project").rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)

    @property
    def _container(self) -> dict[str, str]:
        """The variables that the image and the container have by themselves."""
        return {
            "HOME": str(self.home),
            "PATH": f"{self._environment.bin}{os.pathsep}/usr/bin{os.pathsep}/bin",
            "LC_ALL": "C.UTF-8",
            "TMPDIR": str(self._temporary),
            # Without a home that it can write to, Ansible itself wants to be told other places.
            "ANSIBLE_HOME": str(self._temporary / "ansible"),
            "ANSIBLE_REMOTE_TEMP": str(self._temporary / "ansible" / "tmp"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def inventory_update(self, source: str) -> dict[str, t.Any]:
        """What a source of the project gives, in the environment that AWX 24.6.1 has for that."""
        path = [self.private / "requirements_collections", "~/.ansible/collections", "/usr/share/ansible/collections"]
        variables = {
            "ANSIBLE_COLLECTIONS_PATHS": os.pathsep.join(map(str, path)),
            "ANSIBLE_INVENTORY_EXPORT": "True",
            "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
            "ANSIBLE_VERBOSE_TO_STDERR": "True",
            "OS_CLIENT_CONFIG_FILE": str(self._credential),
        }
        project = self.private / "project"
        command = [self._environment.bin / "ansible-inventory", "-i", project / source, "--list", "--export"]
        done = subprocess.run(
            as_user(*command),
            cwd=project,
            env={**self._container, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=JOB_TIMEOUT,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        inventory: dict[str, t.Any] = json.loads(done.stdout)
        return inventory

    def start(self, playbook: str, *arguments: str) -> Job:
        options = json.dumps({"playbook": playbook, "cmdline": " ".join(arguments) or None})
        self._process = subprocess.Popen(
            as_user(self._environment.bin / "python", "-c", WORKER, self.private, self._button, options),
            cwd=self.private,
            env=self._container,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return self

    def cancel(self) -> str:
        """Press the button: what the worker says when it has killed the playbook; it looks every few seconds."""
        self._button.touch()
        return self.wait()

    def wait(self) -> str:
        """Until it is over: "" if it succeeded, else what the worker says."""
        assert self._process is not None
        output, _nothing = self._process.communicate(timeout=JOB_TIMEOUT)
        return "" if self._process.returncode == 0 else output.strip() or str(self._process.returncode)

    def end(self) -> None:
        """Leave nothing running, as when a test fails."""
        if self._process is not None and self._process.poll() is None:
            self.cancel()

    def run(self, playbook: str, *arguments: str) -> str:
        return self.start(playbook, *arguments).wait()

    @property
    def output(self) -> str:
        """What AWX shows: the texts of the job's events."""
        files = sorted((self.private / "artifacts" / "1" / "job_events").glob("[0-9]*-*[!l].json"), key=_number)
        return "\n".join(json.loads(file.read_text()).get("stdout", "") for file in files)

    def processes(self) -> list[str]:
        """The commands of what it started and what lives, the watcher too."""
        found = []
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if f"HOME={self.home}".encode() in (process / "environ").read_bytes().split(b"\0"):
                    command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    # AWX's own end of it goes on, to tell what became of the job.
                    found += [] if WORKER in command else [command]
            except OSError:
                continue
        return found

    def wait_until_nothing_lives(self, deadline: float) -> None:
        wait_for(lambda: not self.processes(), deadline, lambda: f"nothing of the job lives: {self.processes()}")

    def kept(self) -> dict[str, bytes]:
        """What is left of it, but for the credential's file and the project, which are AWX's own."""
        own = (self.private / "env", self.private / "project")
        files = [path for path in self.place.rglob("*") if path.is_file() and not set(own) & set(path.parents)]
        return {str(path.relative_to(self.place)): path.read_bytes() for path in files}


def _number(path: pathlib.Path) -> int:
    return int(path.name.partition("-")[0])
