# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real ansible-playbook runs against the sandbox, judged by Keystone's own access log."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import typing as t

import pytest
import yaml
from ansible_collections.onetoken.openstack.tests.helpers.terminal import Terminal
from ansible_collections.onetoken.openstack.tests.helpers.waiting import wait_for
from ansible_collections.onetoken.openstack.tests.integration.issued_tokens import AGENT, IssuedTokens
from ansible_collections.onetoken.openstack.tests.sandbox.control.layout import Layout
from ansible_collections.onetoken.openstack.tests.sandbox.control.limits import DEFAULTS, write_limits
from openstack.config import OpenStackConfig
from openstack.connection import Connection

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
FIRST_SANDBOX = REPOSITORY / ".sandbox"
#: Tests count requests, so each process of them has a cloud of its own: pytest-xdist calls them gw0, gw1 and so on.
NUMBER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
SANDBOX = REPOSITORY / f".sandbox-{NUMBER + 1}" if NUMBER else FIRST_SANDBOX
#: Where ansible-playbook is, so that the same tests run on every supported ansible-core.
ANSIBLE_BIN = pathlib.Path(os.environ.get("ONETOKEN_ANSIBLE_BIN", REPOSITORY / ".venv" / "bin"))
#: A play that hangs must not hang the tests; long enough for a machine that is busy with other things.
PLAYBOOK_TIMEOUT = 400
#: What of the caller's environment a play may see; no OS_*, ANSIBLE_* or XDG_* of the developer's own.
KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "TERM", "PYENV_ROOT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


@dataclasses.dataclass(frozen=True)
class Request:
    """A line of an access log."""

    method: str
    path: str
    status: int
    agent: str


class AccessLog:
    """The requests of clients that a service got since a moment; those between the services are not among them."""

    _LINE = re.compile(r'"(?P<method>[A-Z]+) (?P<path>\S+) [^"]*" (?P<status>\d+) \S+ "[^"]*" "(?P<agent>[^"]*)"')

    def __init__(self, service: str) -> None:
        self.path = SANDBOX / "logs" / f"{service}.access.log"
        self.restart()

    def restart(self) -> None:
        self._start = self.path.stat().st_size

    def requests(self, start: int | None = None, end: int | None = None) -> list[Request]:
        """All since the start, or those between two sizes of the log."""
        content = self.path.read_bytes()[self._start if start is None else start : end]
        lines = [self._LINE.search(line) for line in content.decode().splitlines()]
        found = [Request(m["method"], m["path"], int(m["status"]), m["agent"]) for m in lines if m]
        # A test's own may be logged only when the next test has begun.
        return [request for request in found if not request.path.startswith("/internal") and request.agent != AGENT]

    def count(self, method: str, path: str = "/v3/auth/tokens") -> int:
        return sum(1 for request in self.requests() if request.method == method and request.path.split("?")[0] == path)


@dataclasses.dataclass(frozen=True)
class Run:
    """What an ansible-playbook run came to."""

    status: int
    output: str

    @property
    def ok(self) -> bool:
        return self.status == 0


class Controller:
    """A user's machine: a home of its own, a clouds.yaml, and ansible-playbook."""

    def __init__(self, home: pathlib.Path) -> None:
        self.home = home
        self.directory = home
        self.timeout = PLAYBOOK_TIMEOUT
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
        """Sessions on this machine, by age."""
        base = self.home / ".local" / "state" / "onetoken"
        # What begins with a dot is no session, such as the rate limits.
        found = [path for path in base.iterdir() if not path.name.startswith(".")] if base.is_dir() else []
        return sorted(found, key=lambda path: path.stat().st_mtime)

    def tokens(self) -> list[str]:
        """The ids of all tokens in the sessions on this machine."""
        files = [file for session in self.sessions for file in (session / "tokens").glob("*.json")]
        return [json.loads(file.read_text())["current"]["token"] for file in files]

    def play(
        self,
        tasks: str | list[dict[str, t.Any]] | None = None,
        *arguments: str,
        plays: str | None = None,
        **variables: str,
    ) -> Run:
        """Run tasks on localhost, or whole plays; further arguments and variables are as on the command line."""
        content = plays or yaml.safe_dump(
            [{"hosts": "localhost", "gather_facts": False, "tasks": _tasks(tasks)}], sort_keys=False
        )
        playbook = self.home / "play.yml"
        playbook.write_text(content)
        return self.run(str(playbook), *arguments, **variables)

    def run(self, playbook: str, *arguments: str, **variables: str) -> Run:
        return self.command("ansible-playbook", playbook, *arguments, **variables)

    def command(self, *command: str, **variables: str) -> Run:
        done = subprocess.run(
            [shutil.which(command[0], path=self.environment["PATH"]) or command[0], *command[1:]],
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
        """A command at a terminal of its own, to be watched while it runs."""
        program = shutil.which(command[0], path=self.environment["PATH"]) or command[0]
        terminal = Terminal([program, *command[1:]], self.directory, {**self.environment, **variables})
        try:
            yield terminal
        finally:
            terminal.close()


def _tasks(tasks: str | list[dict[str, t.Any]] | None) -> list[dict[str, t.Any]]:
    return yaml.safe_load(tasks) if isinstance(tasks, str) else tasks or []


class Sandbox:
    """The cloud that the tests run against."""

    clouds_file = SANDBOX / "clouds.yaml"
    openrc = SANDBOX / "openrc.sh"

    def up(self) -> None:
        # The first one has what all of them share, and its ports were chosen.
        if not NUMBER or not self._is_up():
            self._run("up")
        if NUMBER:
            self.command("up")

    def down(self) -> None:
        """Stop what this process alone uses."""
        if NUMBER:
            self.command("down")

    def command(self, *arguments: str) -> None:
        self._run(*arguments, **(self._own() if NUMBER else {}))

    def limit(self, **values: object) -> None:
        """As `sandbox.py limits` does, without a process for it."""
        write_limits(Layout(SANDBOX), values)

    @staticmethod
    def _is_up() -> bool:
        """Whether the first one is, which takes its time to find that everything is there."""
        script = REPOSITORY / "tests" / "sandbox" / "sandbox.py"
        return subprocess.run([sys.executable, script, "status"], check=False, capture_output=True).returncode == 0

    def _own(self) -> dict[str, str]:
        ports = json.loads((FIRST_SANDBOX / "ports.json").read_text())
        return {"SANDBOX_DIRECTORY": str(SANDBOX), "SANDBOX_PORT_BASE": str(min(ports.values()) + 100 * NUMBER)}

    def _run(self, *arguments: str, **variables: str) -> None:
        subprocess.run(
            [sys.executable, str(REPOSITORY / "tests" / "sandbox" / "sandbox.py"), *arguments],
            env={**os.environ, **variables},
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=1800,
        )

    @property
    def clouds(self) -> dict[str, t.Any]:
        return yaml.safe_load(self.clouds_file.read_text())["clouds"]

    def password(self, user: str) -> str:
        return json.loads((SANDBOX / "passwords.json").read_text())[user]

    def sourced_openrc(self) -> dict[str, str]:
        """The variables that a shell has after sourcing the openrc file."""
        script = f"source {shlex.quote(str(self.openrc))}; env -0"
        environment = {"PATH": os.environ["PATH"], "OS_PASSWORD": self.password("demo")}
        done = subprocess.run(["bash", "-c", script], env=environment, check=True, stdout=subprocess.PIPE, text=True)
        pairs = (line.split("=", 1) for line in done.stdout.split("\0") if line.startswith("OS_"))
        return dict(pairs)


@pytest.fixture(scope="session")
def sandbox() -> t.Iterator[Sandbox]:
    cloud = Sandbox()
    cloud.up()
    yield cloud
    cloud.down()


@pytest.fixture(scope="session")
def demo_cloud(sandbox: Sandbox) -> Connection:
    """The user's cloud for what a test prepares and looks at, signed in to before any test counts requests."""
    config = OpenStackConfig(config_files=[str(sandbox.clouds_file)], load_envvars=False)
    cloud = Connection(config=config.get_one("sandbox"))
    log = AccessLog("keystone")
    cloud.authorize()
    # It is logged after its answer, maybe when the first test counts already.
    wait_for(lambda: bool(log.count("POST")), 10, "the sign-in is logged")
    return cloud


@pytest.fixture
def repository() -> pathlib.Path:
    return REPOSITORY


@pytest.fixture
def access_log(sandbox: Sandbox) -> type[AccessLog]:
    """A service's log from when it is asked for, by the service's name."""
    return AccessLog


@pytest.fixture
def keystone(sandbox: Sandbox) -> AccessLog:
    """Keystone's log from the start of the test."""
    return AccessLog("keystone")


@pytest.fixture
def issued(sandbox: Sandbox) -> IssuedTokens:
    """The tokens that Keystone issues from the start of the test."""
    return IssuedTokens(SANDBOX / "issued-tokens", sandbox.clouds["sandbox"]["auth"]["auth_url"])


@pytest.fixture
def gone(issued: IssuedTokens) -> t.Callable[[str], None]:
    """Wait until Keystone refuses a token."""

    def wait(token: str) -> None:
        wait_for(lambda: not issued.lives(token), 10, "the token is refused")

    return wait


@pytest.fixture
def controller(sandbox: Sandbox, tmp_path: pathlib.Path) -> Controller:
    return Controller(tmp_path)


@pytest.fixture
def reader(controller: Controller, sandbox: Sandbox) -> Controller:
    """The machine of a reader of the documentation, with the clouds that its examples name, and an openrc file."""
    clouds = sandbox.clouds
    admin = clouds["sandbox-admin"]
    named = {
        "mycloud": clouds["sandbox"],
        "mycloud-admin": {**admin, "auth": {**admin["auth"], "project_name": "demo"}},
        "othercloud": admin,
    }
    file = controller.home / ".config" / "openstack" / "clouds.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(yaml.safe_dump({"clouds": named}))
    # As if its question for the password were answered.
    password = f"OS_PASSWORD={shlex.quote(sandbox.password('demo'))}\n"
    (controller.home / "openrc.sh").write_text(password + sandbox.openrc.read_text())
    del controller.environment["OS_CLIENT_CONFIG_FILE"]
    controller.environment["SANDBOX"] = str(SANDBOX)
    return controller


@pytest.fixture
def limits(sandbox: Sandbox) -> t.Iterator[t.Callable[..., None]]:
    """Change the cloud's limits for one test."""
    yield sandbox.limit
    sandbox.limit(**DEFAULTS)
