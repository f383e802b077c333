# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures for real ansible-playbook runs against the sandbox, judged by Keystone's access log."""

from __future__ import annotations

import json
import pathlib
import secrets
import shlex
import typing as t

import pytest
from ansible_collections.onetoken.openstack.tests.helpers.access_log import AccessLog
from ansible_collections.onetoken.openstack.tests.helpers.controller import Controller, Run, clouds_yaml
from ansible_collections.onetoken.openstack.tests.helpers.sandbox import REPOSITORY, SANDBOX, Sandbox
from ansible_collections.onetoken.openstack.tests.helpers.waiting import wait_for
from ansible_collections.onetoken.openstack.tests.integration.bulk_results import Result
from ansible_collections.onetoken.openstack.tests.integration.issued_tokens import IssuedTokens
from ansible_collections.onetoken.openstack.tests.sandbox.control.limits import DEFAULTS
from openstack.connection import Connection

#: Connections to these hosts would fail: a bulk playbook makes none.
STATIC_INVENTORY = """
[targets]
{hosts}
[targets:vars]
ansible_connection=ssh
ansible_host=192.0.2.1
ansible_python_interpreter=/nonexistent
"""


@pytest.fixture(scope="session")
def sandbox() -> t.Iterator[Sandbox]:
    cloud = Sandbox()
    cloud.up()
    yield cloud
    cloud.down()


@pytest.fixture(scope="session")
def demo_cloud(sandbox: Sandbox) -> Connection:
    """The user's cloud, for what tests prepare and check; signed in before any test counts requests."""
    cloud = sandbox.connect("sandbox")
    log = AccessLog("keystone")
    cloud.authorize()
    # A request is logged after its answer, perhaps when the first test counts already.
    wait_for(lambda: bool(log.count("POST")), 10, "the sign-in is logged")
    return cloud


@pytest.fixture
def repository() -> pathlib.Path:
    return REPOSITORY


@pytest.fixture
def access_log(sandbox: Sandbox) -> type[AccessLog]:
    """Call it with a service's name for the requests to that service from then on."""
    return AccessLog


@pytest.fixture
def keystone(sandbox: Sandbox) -> AccessLog:
    """The requests to Keystone since the test began."""
    return AccessLog("keystone")


@pytest.fixture
def issued(sandbox: Sandbox) -> IssuedTokens:
    """The tokens that Keystone issued since the test began."""
    return IssuedTokens(SANDBOX / "issued-tokens", sandbox.clouds["sandbox"]["auth"]["auth_url"])


@pytest.fixture
def run_name() -> str:
    """A name for bulk runs of this test only: the sandbox keeps what earlier ones made."""
    return f"test-{secrets.token_hex(4)}"


@pytest.fixture
def controller(sandbox: Sandbox, tmp_path: pathlib.Path) -> Controller:
    return Controller(tmp_path)


@pytest.fixture
def bulk(controller: Controller) -> t.Callable[..., Result]:
    """Run a bulk module; what it returned."""

    def run(module: str, *arguments: str, **options: t.Any) -> Result:
        options = {"cloud": "sandbox", "timeout": 120, "ignore_failures": True, **options}
        _run, (result,) = controller.results([{f"onetoken.openstack.{module}": options}], *arguments)
        return result

    return run


@pytest.fixture
def bulk_playbook(controller: Controller) -> t.Callable[..., Run]:
    """Run a bulk playbook with variables; further arguments are those of the command line."""

    def run(name: str, *arguments: str, **variables: object) -> Run:
        path = REPOSITORY / "playbooks" / f"{name}.yml"
        return controller.run(str(path), "-e", json.dumps({"cloud": "sandbox", **variables}), *arguments)

    return run


@pytest.fixture
def static_inventory(controller: Controller) -> t.Callable[..., tuple[str, ...]]:
    """The arguments that run a bulk playbook on an inventory of these hosts."""

    def arguments(*hosts: str) -> tuple[str, ...]:
        path = controller.home / f"hosts-{secrets.token_hex(2)}.ini"
        path.write_text(STATIC_INVENTORY.format(hosts="\n".join(hosts)))
        return "-i", str(path), "-e", "target=targets"

    return arguments


@pytest.fixture
def reader(controller: Controller, sandbox: Sandbox) -> Controller:
    """The machine of a reader of the documentation, with the clouds of its examples and an openrc file."""
    clouds = sandbox.clouds
    admin = clouds["sandbox-admin"]
    named = {
        "mycloud": clouds["sandbox"],
        "mycloud-admin": {**admin, "auth": {**admin["auth"], "project_name": "demo"}},
        "othercloud": admin,
    }
    file = controller.home / ".config" / "openstack" / "clouds.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(clouds_yaml(named))
    # As if the reader had answered its question for the password.
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
