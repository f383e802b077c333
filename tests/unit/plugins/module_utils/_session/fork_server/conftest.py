# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine with a session, and a program called openstack on it that a fork server runs."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import subprocess
import sys
import textwrap
import typing as t

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.owners import Owner
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.renewal import RenewalPolicy
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import (
    FORK_SERVER,
    SERVED,
    VARIABLE,
    Session,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session_setup import preparation

#: No program of these tests takes that long, in seconds.
TIMEOUT = 60


@dataclasses.dataclass
class Machine:
    home: pathlib.Path
    session: Session

    @property
    def program(self) -> pathlib.Path:
        return self.home / "bin" / "openstack"

    @property
    def environment(self) -> dict[str, str]:
        path = os.pathsep.join([self.session.site, str(self.home / "packages")])
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "LC_ALL")}
        return {**kept, "HOME": str(self.home), "PYTHONPATH": path, VARIABLE: self.session.path}

    def write(self, script: str) -> None:
        self.program.write_text(textwrap.dedent(script), encoding="utf-8")

    def start(self, *arguments: str, **options: t.Any) -> subprocess.Popen[str]:
        """The program, in a fork of the server unless that declines."""
        environment = {**self.environment, **options.pop("variables", {})}
        interpreter = options.pop("interpreter", sys.executable)
        command = [*options.pop("through", []), interpreter, str(self.program), *(arguments or ("list",))]
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.Popen(command, env=environment, cwd=self.home, text=True, **options)

    def run(self, *arguments: str, given: str = "", **options: t.Any) -> tuple[int, str, str]:
        """Its exit status, output and errors."""
        with self.start(*arguments, stdin=subprocess.PIPE, **options) as process:
            output, errors = process.communicate(given, timeout=TIMEOUT)
        return process.returncode, output, errors

    def run_without(self, *arguments: str, **options: t.Any) -> tuple[int, str, str]:
        """The same without the session, and so without a server."""
        return self.run(*arguments, variables={**options.pop("variables", {}), VARIABLE: ""}, **options)

    @property
    def served(self) -> int:
        return self.session.counted(SERVED)

    def servers(self) -> list[int]:
        """The process ids of the servers and their forks."""
        found = []
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes()
            except OSError:
                continue
            if b"fork_server/main.py" in words and self.session.path.encode() in words:
                found.append(int(process.name))
        return sorted(found)

    @property
    def folder(self) -> pathlib.Path:
        return pathlib.Path(self.session.path, FORK_SERVER)


def make_machine(home: pathlib.Path, run: int) -> Machine:
    """The process that is the run has this id."""
    (home / "bin").mkdir()
    package = home / "packages" / "openstackclient"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "shell.py").write_text("PREPARED = True\n", encoding="utf-8")
    session = Session(str(home / "sessions" / "run"))
    owner = Owner.of_process(run)
    assert owner is not None
    preparation.prepare(session, RenewalPolicy(), owner)
    return Machine(home, session)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Machine]:
    """One for all tests of a file: a server takes half a second to start."""
    made = make_machine(tmp_path_factory.mktemp("machine"), os.getpid())
    yield made
    made.session.close()


@pytest.fixture
def make_own_machine(tmp_path: pathlib.Path) -> t.Iterator[t.Callable[..., Machine]]:
    """One for a test that ends the server, or that begins without one; with the process that is the run."""
    machines = []

    def make(run: int, home: pathlib.Path = tmp_path) -> Machine:
        home.mkdir(exist_ok=True)
        machines.append(make_machine(home, run))
        return machines[-1]

    yield make
    for machine in machines:
        if machine.session.exists:
            machine.session.close()


@pytest.fixture
def own_machine(make_own_machine: t.Callable[..., Machine]) -> Machine:
    return make_own_machine(os.getpid())
