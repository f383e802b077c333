# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A job as AWX starts it: with a private data directory, an environment, a credential file, and ansible-runner."""

from __future__ import annotations

import configparser
import json
import os
import pathlib
import shutil
import subprocess
import typing as t

import yaml
from ansible_collections.onetoken.openstack.tests.helpers.controller import LOCAL_HOST
from ansible_collections.onetoken.openstack.tests.helpers.waiting import wait_for
from ansible_collections.onetoken.openstack.tests.integration.awx.execution_environment import (
    GROUP,
    IS_ROOT,
    REPOSITORY,
    USER,
    ExecutionEnvironment,
    as_user,
)

#: What AWX's worker runs in the container; making the file `button` cancels the job.
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
#: Seconds for a job on a busy machine.
JOB_TIMEOUT = 400
Inventory = t.Mapping[str, t.Any]


def inventory_of(*names: str, group: str = "servers", variables: t.Mapping[str, str] | None = None) -> Inventory:
    return {group: {"hosts": names}, "_meta": {"hostvars": {name: dict(variables or {}) for name in names}}}


def devstack(cloud: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The clouds.yaml that AWX's own OpenStack credential generates."""
    auth = cloud["auth"]
    fields = {name: auth[name] for name in ("auth_url", "username", "password", "project_name")}
    domain = auth.get("user_domain_name", "Default")
    entry = {"auth": {**fields, "project_domain_name": domain, "domain_name": domain}, "verify": True}
    return {"clouds": {"devstack": {**entry, "region_name": cloud.get("region_name", "RegionOne")}}}


class Answer(str):
    """The answer to a survey's question, which AWX marks as unsafe to template."""


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
    """The file into which AWX writes a job's variables."""
    return yaml.dump(_answers(dict(variables)), Dumper=AnswersDumper)


class Job:
    """A job in the equivalent of a container: a read-only home, and temporary files of its own."""

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
        # An image has its collections where Ansible looks by default, such as ~/.ansible/collections.
        (self.home / ".ansible").symlink_to(environment.collections.parent)
        self._temporary.mkdir()

    def prepare(
        self,
        clouds: t.Mapping[str, t.Any],
        variables: t.Mapping[str, t.Any],
        inventory: Inventory | None = None,
        project: t.Mapping[str, str] | None = None,
    ) -> Job:
        """Write the job's files; its project is this repository, or these files."""
        if project is None:
            shutil.copytree(REPOSITORY / "playbooks", self.private / "project" / "playbooks")
            shutil.copy(REPOSITORY / "ansible.cfg", self.private / "project")
        for name, content in (project or {}).items():
            (self.private / "project" / name).write_text(content)
        self._credential.write_text(yaml.safe_dump(dict(clouds)))
        # AWX passes the inventory as a script that prints it.
        script = self.private / "inventory" / "hosts"
        inventory = inventory or inventory_of("localhost", variables=LOCAL_HOST)
        script.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(inventory)}\nEND\n")
        (self.private / "env" / "extravars").write_text(extra_variables(variables))
        (self.private / "env" / "settings").write_text(json.dumps({"idle_timeout": 0, "suppress_output_file": True}))
        (self.private / "env" / "envvars").write_text(json.dumps(self._variables()))
        self._set_owner()
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
        """AWX's own, and those of the project's ansible.cfg; this overrides the execution environment's setting."""
        settings = configparser.ConfigParser()
        settings.read(self.private / "project" / "ansible.cfg")
        own = "indirect_instance_count"
        return ",".join([own, *filter(None, [settings.get("defaults", "callbacks_enabled", fallback="")])])

    def _set_owner(self) -> None:
        """Everything belongs to the container's user, who may not write to the project or the home."""
        if IS_ROOT:
            for path in (self.place, *self.place.rglob("*")):
                os.chown(path, USER, GROUP, follow_symlinks=False)
        for path in (self.home, self.private / "project", *(self.private / "project").rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)

    @property
    def _container(self) -> dict[str, str]:
        """The variables that the image and the container set."""
        return {
            "HOME": str(self.home),
            "PATH": f"{self._environment.bin}{os.pathsep}/usr/bin{os.pathsep}/bin",
            "LC_ALL": "C.UTF-8",
            "TMPDIR": str(self._temporary),
            # With a read-only home, Ansible needs other directories.
            "ANSIBLE_HOME": str(self._temporary / "ansible"),
            "ANSIBLE_REMOTE_TEMP": str(self._temporary / "ansible" / "tmp"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def inventory_update(self, source: str) -> dict[str, t.Any]:
        """The inventory that a source in the project yields, in the environment of AWX 24.6.1."""
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
        """Cancel the job; what the worker says after it killed the playbook, which takes it some seconds."""
        self._button.touch()
        return self.wait()

    def wait(self) -> str:
        """Wait for the job to end: "" if it succeeded, else what the worker says."""
        assert self._process is not None
        output, _nothing = self._process.communicate(timeout=JOB_TIMEOUT)
        return "" if self._process.returncode == 0 else output.strip() or str(self._process.returncode)

    def end(self) -> None:
        """Cancel the job if it still runs, as after a failed test."""
        if self._process is not None and self._process.poll() is None:
            self.cancel()

    def run(self, playbook: str, *arguments: str) -> str:
        return self.start(playbook, *arguments).wait()

    @property
    def output(self) -> str:
        """What AWX shows: the output of the job's events."""
        files = sorted((self.private / "artifacts" / "1" / "job_events").glob("[0-9]*-*[!l].json"), key=_number)
        return "\n".join(json.loads(file.read_text()).get("stdout", "") for file in files)

    def processes(self) -> list[str]:
        """The commands of all processes of the job that are alive, including the watcher."""
        found = []
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if f"HOME={self.home}".encode() in (process / "environ").read_bytes().split(b"\0"):
                    command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    # AWX's worker goes on, to report the job's status.
                    found += [] if WORKER in command else [command]
            except OSError:
                continue
        return found

    def wait_until_dead(self, seconds: float) -> None:
        wait_for(lambda: not self.processes(), seconds, lambda: f"all processes have ended: {self.processes()}")

    def kept(self) -> dict[str, bytes]:
        """The files that the job leaves, except the credential file and the project, which AWX wrote."""
        own = (self.private / "env", self.private / "project")
        files = [path for path in self.place.rglob("*") if path.is_file() and not set(own) & set(path.parents)]
        return {str(path.relative_to(self.place)): path.read_bytes() for path in files}


def _number(path: pathlib.Path) -> int:
    return int(path.name.partition("-")[0])
