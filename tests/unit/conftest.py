# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of unit tests: an environment without a cloud, and a cloud to put into it."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._modules import connection, signing_in
from ansible_collections.onetoken.openstack.plugins.module_utils._modules.task_cloud import TaskCloud
from ansible_collections.onetoken.openstack.plugins.module_utils._session.sign_in import cache, detached
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import key
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.renewal import RenewalPolicy
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import VARIABLE, Session
from ansible_collections.onetoken.openstack.tests.unit import module_process
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    StandInKeystone,
)
from hypothesis import settings

UNIT = pathlib.Path(__file__).resolve().parent
REPOSITORY = UNIT.parents[1]
#: The audit events of Python for the start of a process.
PROCESS_STARTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system"}

# The same examples each time, and nothing stored, so that results do not depend on earlier runs.
settings.register_profile("default", derandomize=True, max_examples=15, deadline=None, database=None)
settings.register_profile("many", derandomize=True, max_examples=100, deadline=None, database=None)
settings.register_profile("long", max_examples=1000, deadline=None, database=None, print_blob=True)
settings.load_profile("default")


class ProcessGuard:
    """Fails tests that start a process without the mark ``processes``, as they would slow down ``make check``."""

    def __init__(self) -> None:
        self._guards = False
        # Python cannot remove audit hooks.
        sys.addaudithook(self._audit)

    def _audit(self, event: str, _arguments: tuple[object, ...]) -> None:
        if self._guards and event in PROCESS_STARTS:
            pytest.fail("This test starts a process: mark it with pytest.mark.processes.")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> t.Generator[None, object, object]:
        self._guards = item.get_closest_marker("processes") is None and item.path.is_relative_to(UNIT)
        try:
            return (yield)
        finally:
            self._guards = False


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(ProcessGuard())


@pytest.fixture
def no_cloud(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> pathlib.Path:
    """Leave no cloud in the environment, the home or the working directory; the home."""
    for name in list(os.environ):
        if name.startswith(("OS_", "XDG_", "ANSIBLE_")):
            monkeypatch.delenv(name)
    # openstacksdk sets its default files on import, and before 4.14 each lookup added to them.
    import openstack.config.loader

    for name in ("CONFIG_FILES", "SECURE_FILES", "VENDOR_FILES"):
        monkeypatch.setattr(openstack.config.loader, name, [])
    # Signing in from a session sets this variable.
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.setattr(cache, "refused", set())
    if request.node.get_closest_marker("processes") is None:
        # The number of threads depends on how the tests are run.
        monkeypatch.setattr(detached, "is_possible", lambda: False)
    monkeypatch.setattr(cache, "latest", None)
    monkeypatch.setattr(cache, "busy_timeout", cache.BUSY_TIMEOUT)
    home = tmp_path / "home"
    work = tmp_path / "work"
    home.mkdir(mode=0o700)
    work.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(work)
    return home


@pytest.fixture
def keystone() -> t.Iterator[StandInKeystone]:
    with StandInKeystone() as running:
        yield running


@pytest.fixture
def write_clouds(no_cloud: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Any:
    """Write a clouds.yaml, which openstacksdk finds by its variable."""

    def write(content: t.Any) -> str:
        path = tmp_path / "config" / "clouds.yaml"
        path.parent.mkdir(exist_ok=True)
        # Every JSON text is a YAML text.
        path.write_text(json.dumps(content), encoding="utf-8")
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))
        return str(path)

    return write


@pytest.fixture
def clouds_yaml(write_clouds: t.Any, keystone: StandInKeystone) -> str:
    """A clouds.yaml with two clouds of one Keystone."""
    return write_clouds({"clouds": {"sandbox": keystone.entry(), "second": keystone.entry()}})


def task_options(**options: t.Any) -> dict[str, t.Any]:
    """The options of os_token_issue in a task that sets these."""
    defaults = {name: spec.get("default") for name, spec in connection.argument_spec().items()}
    return {
        **defaults,
        **dict.fromkeys(("session", "project", "project_domain", "domain", "system", "unscoped")),
        **options,
    }


@pytest.fixture
def task_cloud(no_cloud: pathlib.Path) -> t.Callable[..., TaskCloud]:
    """The cloud of a task with these options."""
    return lambda **options: TaskCloud.of_params(task_options(**options), os.environ)


@pytest.fixture
def sandbox(clouds_yaml: str, task_cloud: t.Callable[..., TaskCloud]) -> TaskCloud:
    """The first cloud of clouds_yaml."""
    return task_cloud(cloud="sandbox")


@pytest.fixture
def session(tmp_path: pathlib.Path) -> t.Iterator[Session]:
    """A session that does not exist yet."""
    made = Session(str(tmp_path / "session"))
    yield made
    # It is in /dev/shm, which pytest does not clean up.
    key.remove(made.path)


@pytest.fixture
def issued_by_task(session: Session, sandbox: TaskCloud, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session with a token for the cloud sandbox; the cloud second was not issued yet."""
    signing_in.issue(session, sandbox, RenewalPolicy(), timeout=10)
    # Issuing puts this process on the session.
    monkeypatch.setenv(VARIABLE, "")
    return session


@pytest.fixture
def run_python(no_cloud: pathlib.Path, tmp_path: pathlib.Path) -> t.Any:
    """Run Python code in a new process, with Ansible's packages only if PYTHONPATH has them."""

    def run(code: str, *arguments: str, give_up_after: float = 60, **environ: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.run(
            [sys.executable, "-c", code, *arguments],
            env={**inherited, **environ},
            cwd=tmp_path / "work",
            capture_output=True,
            text=True,
            timeout=give_up_after,
            check=False,
        )

    return run


@pytest.fixture
def run_playbook(no_cloud: pathlib.Path, collections_path: str) -> t.Any:
    """Run tasks on localhost, in the home, with only the cloud that the environment names."""

    def run(tasks: list[t.Any], **environ: str) -> subprocess.CompletedProcess[str]:
        play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
        (no_cloud / "play.yml").write_text(json.dumps([play]), encoding="utf-8")
        path = os.pathsep.join([collections_path, *(entry for entry in sys.path if entry)])
        return subprocess.run(
            [sys.executable, "-m", "ansible", "playbook", "play.yml"],
            env={
                **os.environ,
                "ANSIBLE_COLLECTIONS_PATH": path,
                "ANSIBLE_HOME": str(no_cloud / ".ansible"),
                "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
                "ANSIBLE_LOCALHOST_WARNING": "False",
                "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
                "PYTHONPATH": path,
                **environ,
            },
            cwd=no_cloud,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def module_processes(
    collections_path: str, tmp_path_factory: pytest.TempPathFactory
) -> t.Iterator[module_process.ModuleProcesses]:
    """Runs modules in processes of their own."""
    path = [collections_path, *(entry for entry in sys.path if entry)]
    processes = module_process.ModuleProcesses(tmp_path_factory.mktemp("nobody"), path)
    yield processes
    processes.end()


@pytest.fixture(scope="session")
def collections_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A collection path with this checkout, for processes that tests start."""
    root = tmp_path_factory.mktemp("collections")
    parent = root / "ansible_collections" / "onetoken"
    parent.mkdir(parents=True)
    (parent / "openstack").symlink_to(REPOSITORY)
    return str(root)
