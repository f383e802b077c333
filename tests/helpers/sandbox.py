# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox that tests run against: a real OpenStack, see tests/sandbox/README.md."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import typing as t

import yaml
from ansible_collections.onetoken.openstack.tests.sandbox.control.layout import FIRST as FIRST_SANDBOX
from ansible_collections.onetoken.openstack.tests.sandbox.control.layout import REPOSITORY, Layout
from ansible_collections.onetoken.openstack.tests.sandbox.control.limits import write_limits
from openstack.config import OpenStackConfig
from openstack.connection import Connection

#: Tests count requests, so each worker of pytest-xdist (gw0, gw1, ...) has a sandbox of its own.
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
SANDBOX = REPOSITORY / f".sandbox-{WORKER + 1}" if WORKER else FIRST_SANDBOX
SCRIPT = REPOSITORY / "tests" / "sandbox" / "sandbox.py"


class Sandbox:
    """The sandbox of this worker."""

    clouds_file = SANDBOX / "clouds.yaml"
    openrc = SANDBOX / "openrc.sh"

    def up(self) -> None:
        # The first sandbox has what all of them share, and its ports were chosen.
        if not WORKER or not self._first_is_up():
            self._run("up")
        if WORKER:
            self.command("up")

    def down(self) -> None:
        """Stop the sandbox, unless it is the first one."""
        if WORKER:
            self.command("down")

    def command(self, *arguments: str) -> None:
        self._run(*arguments, **(self._own() if WORKER else {}))

    def limit(self, **values: object) -> None:
        """Change the limits, as `sandbox.py limits` does, without starting a process."""
        write_limits(Layout(SANDBOX), values)

    @staticmethod
    def _first_is_up() -> bool:
        """Quicker than `up`, which checks everything."""
        return subprocess.run([sys.executable, SCRIPT, "status"], check=False, capture_output=True).returncode == 0

    def _own(self) -> dict[str, str]:
        ports = json.loads((FIRST_SANDBOX / "ports.json").read_text())
        return {"SANDBOX_DIRECTORY": str(SANDBOX), "SANDBOX_PORT_BASE": str(min(ports.values()) + 100 * WORKER)}

    def _run(self, *arguments: str, **variables: str) -> None:
        subprocess.run(
            [sys.executable, SCRIPT, *arguments],
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

    def connect(self, cloud: str, **options: t.Any) -> Connection:
        """A connection of openstacksdk, independent of the environment."""
        config = OpenStackConfig(config_files=[str(self.clouds_file)], secure_files=[], load_envvars=False)
        return Connection(config=config.get_one(cloud, **options))

    def administrator(self) -> Connection:
        """An administrator in the user's project, whose throttled requests are repeated."""
        cloud = self.connect("sandbox-admin", project_name="demo")
        for proxy in (cloud.compute, cloud.image, cloud.block_storage):
            proxy.retriable_status_codes, proxy.status_code_retries = [429], 10
        return cloud

    def password(self, user: str) -> str:
        return json.loads((SANDBOX / "passwords.json").read_text())[user]

    def sourced_openrc(self) -> dict[str, str]:
        """The OS_* variables of a shell that sourced the openrc file."""
        script = f"source {shlex.quote(str(self.openrc))}; env -0"
        environment = {"PATH": os.environ["PATH"], "OS_PASSWORD": self.password("demo")}
        done = subprocess.run(["bash", "-c", script], env=environment, check=True, stdout=subprocess.PIPE, text=True)
        pairs = (line.split("=", 1) for line in done.stdout.split("\0") if line.startswith("OS_"))
        return dict(pairs)
