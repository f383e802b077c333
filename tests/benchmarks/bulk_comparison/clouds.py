# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clouds to measure on: the sandbox, and the stand-in for what is too large for it."""

from __future__ import annotations

import abc
import os
import pathlib
import re
import time
import typing as t

import yaml

from ...helpers.sandbox import FIRST_SANDBOX as SANDBOX
from ...helpers.sandbox import REPOSITORY
from ...sandbox.control.layout import Layout
from ...sandbox.control.limits import read_limits, write_limits
from ...stand_in.running import LINE, StandIn

BIN = REPOSITORY / ".venv" / "bin"
SERVICES = ("keystone", "nova", "glance", "cinder")
#: The limits of a public cloud: per project and service, and per user.
REQUESTS_PER_SECOND, TOKEN_REQUESTS_PER_MINUTE = 20, 60


class Sent(t.NamedTuple):
    """One request in an access log."""

    service: str
    method: str
    path: str
    status: int


class Cloud(abc.ABC):
    #: Its name in tables.
    title: str
    name: str
    clouds_file: str
    server_count = 0
    volume_count = 0
    requests_per_second: int

    def __init__(self, home: pathlib.Path) -> None:
        self.home = home
        home.mkdir(parents=True, exist_ok=True)

    @abc.abstractmethod
    def servers(self, count: int) -> list[str]:
        """The names of this many servers."""

    @abc.abstractmethod
    def volumes(self, count: int) -> list[str]:
        """The names of this many volumes."""

    @abc.abstractmethod
    def begin(self) -> None:
        """Count requests from now on, with nothing in progress and unused limits."""

    @abc.abstractmethod
    def requests(self) -> list[Sent]:
        """The requests of clients since then."""

    def environment(self) -> dict[str, str]:
        """The variables for every way: a home of its own, and the checkout's programs."""
        return {
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / ".venv" / "collections"),
        }

    def named(self) -> dict[str, str]:
        """The cloud by its name in clouds.yaml."""
        return {"OS_CLIENT_CONFIG_FILE": self.clouds_file, "OS_CLOUD": self.name}

    def openrc(self) -> dict[str, str]:
        """The cloud by the variables of an openrc file."""
        entry = yaml.safe_load(pathlib.Path(self.clouds_file).read_text())["clouds"][self.name]
        return {
            **{f"OS_{key.upper()}": value for key, value in entry["auth"].items()},
            "OS_REGION_NAME": entry["region_name"],
            "OS_INTERFACE": "public",
            "OS_IDENTITY_API_VERSION": "3",
        }


class StandInCloud(Cloud):
    name = "stand-in"

    def __init__(
        self,
        directory: pathlib.Path,
        servers: int,
        volumes: int = 0,
        requests_per_second: int = REQUESTS_PER_SECOND,
        snapshot_seconds: float = 1.0,
    ) -> None:
        super().__init__(directory / "home")
        self.title = "stand-in"
        self.server_count, self.volume_count = servers, volumes
        self.requests_per_second = requests_per_second
        self.snapshot_seconds = snapshot_seconds
        self.cloud = StandIn(
            directory / "stand-in",
            servers=servers,
            volumes=volumes,
            requests_per_second=requests_per_second,
            token_requests_per_minute=TOKEN_REQUESTS_PER_MINUTE,
            snapshot_seconds=snapshot_seconds,
        )
        self.clouds_file = self.cloud.clouds_file

    def __enter__(self) -> StandInCloud:
        self.cloud.start()
        return self

    def __exit__(self, *_exc_info: object) -> None:
        self.cloud.stop()

    def servers(self, count: int) -> list[str]:
        return [f"web-{number:05}" for number in range(1, count + 1)]

    def volumes(self, count: int) -> list[str]:
        return [f"data-{number:05}" for number in range(1, count + 1)]

    def begin(self) -> None:
        time.sleep(self.snapshot_seconds)
        self.cloud.control(
            requests_per_second=self.requests_per_second, token_requests_per_minute=TOKEN_REQUESTS_PER_MINUTE
        )
        self.cloud.forget_requests()

    def requests(self) -> list[Sent]:
        return [
            Sent(service, request.method, request.target, request.status)
            for service in SERVICES
            for request in self.cloud.requests(service)
        ]


class SandboxCloud(Cloud):
    """A real OpenStack with few servers. What is made is deleted again."""

    title = "sandbox"
    name = "sandbox"
    clouds_file = str(SANDBOX / "clouds.yaml")
    requests_per_second = REQUESTS_PER_SECOND
    #: Servers that tests do not use.
    SERVERS = tuple(f"web-{number:02}" for number in range(4, 10))

    def __init__(self, home: pathlib.Path, prefix: str) -> None:
        super().__init__(home)
        self.prefix = prefix
        self.starts: dict[str, int] = {}

    def __enter__(self) -> SandboxCloud:
        import openstack

        self.set_limits()
        os.environ["OS_CLIENT_CONFIG_FILE"] = self.clouds_file
        self.connection = openstack.connect(cloud=self.name)
        self.server_ids = {server.id for server in self.connection.compute.servers() if server.name in self.SERVERS}
        return self

    def __exit__(self, *_exc_info: object) -> None:
        self.wait_until_idle()
        # List everything first: no page can follow an image that was deleted.
        image, block_storage = self.connection.image, self.connection.block_storage
        made = [(image.delete_image, one) for one in image.images(visibility="private", limit=1000)]
        made += [(block_storage.delete_snapshot, one) for one in block_storage.snapshots()]
        for delete, one in made:
            if self.prefix in (one.name or ""):
                delete(one.id)
                # The limit applies here, too.
                time.sleep(2 / REQUESTS_PER_SECOND)

    def wait_until_idle(self) -> None:
        while any(server.task_state for server in self.connection.compute.servers() if server.id in self.server_ids):
            time.sleep(1)

    def servers(self, count: int) -> list[str]:
        return list(self.SERVERS[:count])

    def volumes(self, count: int) -> list[str]:
        return ["data-02" if number % 2 else "data-03" for number in range(count)]

    def begin(self) -> None:
        self.wait_until_idle()
        self.starts = {service: self.log(service).stat().st_size for service in SERVICES}

    def set_limits(self) -> None:
        limits = {"requests_per_second": REQUESTS_PER_SECOND, "token_requests_per_minute": TOKEN_REQUESTS_PER_MINUTE}
        if not limits.items() <= read_limits(Layout(SANDBOX)).items():
            write_limits(Layout(SANDBOX), limits)

    def log(self, service: str) -> pathlib.Path:
        return SANDBOX / "logs" / f"{service}.access.log"

    def requests(self) -> list[Sent]:
        found = []
        for service, start in self.starts.items():
            for line in self.log(service).read_bytes()[start:].decode(errors="replace").splitlines():
                match = LINE.match(line)
                if match and self.is_ours(match["target"]):
                    found.append(Sent(service, match["method"], match["target"], int(match["status"])))
        return found

    def is_ours(self, path: str) -> bool:
        """Whether a request is neither from another service nor for a server that is not used here."""
        server = re.search(r"/servers/([^/?]+)/action", path)
        return not path.startswith("/internal") and (server is None or server[1] in self.server_ids)


def is_token_request(sent: Sent) -> bool:
    return sent.method == "POST" and bool(re.search(r"/auth/tokens$", sent.path))


def is_accepted_item(sent: Sent) -> bool:
    """Whether Nova or Cinder accepted a snapshot."""
    return sent.method == "POST" and sent.status == 202 and bool(re.search(r"/(action|snapshots)$", sent.path))
