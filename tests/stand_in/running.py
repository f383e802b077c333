# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the stand-in for the duration of a test: `with StandIn(directory, servers=1000) as cloud:`."""

from __future__ import annotations

import contextlib
import itertools
import json
import pathlib
import re
import select
import subprocess
import sys
import typing as t
import urllib.error
import urllib.request

SCRIPT = pathlib.Path(__file__).with_name("stand_in.py")
CLOUD_NAME = "stand-in"
LINE = re.compile(r'\S+ - - \[[^]]*\] "(?P<method>\S+) (?P<target>\S+) [^"]*" (?P<status>\d+) (?P<size>\d+) ')


class StandInError(Exception):
    """The stand-in does not start, or refuses a setting."""


class Logged(t.NamedTuple):
    """One request in an access log."""

    method: str
    target: str
    status: int
    size: int


class StandIn:
    """Starts the stand-in in a process of its own; the options are those of its command line.

    `requests_per_second=20` stands for `--requests-per-second 20`, and True for an option without a value.
    """

    def __init__(self, directory: str | pathlib.Path, start_timeout: float = 60.0, **options: t.Any) -> None:
        self.directory = pathlib.Path(directory)
        self.start_timeout = start_timeout
        self.options = options
        self.urls: dict[str, str] = {}

    @property
    def clouds_file(self) -> str:
        return str(self.directory / "clouds.yaml")

    @property
    def environ(self) -> dict[str, str]:
        """The variables that make a process use it."""
        return {"OS_CLIENT_CONFIG_FILE": self.clouds_file, "OS_CLOUD": CLOUD_NAME}

    def __enter__(self) -> StandIn:
        self.start()
        return self

    def __exit__(self, *_exc_info: object) -> None:
        self.stop()

    def start(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        own = ["--directory", str(self.directory), "--end-with-stdin"]
        command = [sys.executable, str(SCRIPT), *own, *self.arguments()]
        # It ends with its standard input, even if this process is killed.
        pipe = subprocess.PIPE
        with open(self.directory / "stand-in.log", "ab") as log:
            self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=log)
        try:
            self.urls = self.readiness()["urls"]
        except BaseException:
            self.stop()
            raise

    def arguments(self) -> list[str]:
        arguments = []
        for name, value in self.options.items():
            option = f"--{name.replace('_', '-')}"
            if value is True:
                arguments.append(option)
            elif value is not False and value is not None:
                # As one word, because a value may begin with a minus.
                arguments.append(f"{option}={value}")
        return arguments

    def readiness(self) -> dict[str, t.Any]:
        """The line that it prints once it is ready."""
        output = t.cast(t.IO[bytes], self.process.stdout)
        readable, _writable, _exceptional = select.select([output], [], [], self.start_timeout)
        line = output.readline() if readable else b""
        if not line:
            log = (self.directory / "stand-in.log").read_text(encoding="utf-8", errors="replace")
            raise StandInError(f"The stand-in did not start within {self.start_timeout:g} seconds:\n{log[-2000:]}")
        return json.loads(line)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            t.cast(t.IO[bytes], stream).close()

    # Control

    def control(self, **settings: t.Any) -> dict[str, t.Any]:
        """Change settings; all settings afterwards."""
        return self.ask("/control", settings)

    def revoke_tokens(self) -> int:
        """Revoke all tokens; how many were valid."""
        return self.ask("/control/revoke-tokens", {})["revoked"]

    def ask(self, path: str, content: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        body = None if content is None else json.dumps(content).encode()
        try:
            # Not through a proxy that the environment names.
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(urllib.request.Request(self.urls["control"] + path, body), timeout=60) as response:
                return json.load(response)
        except urllib.error.HTTPError as exc:
            raise StandInError(exc.read().decode(errors="replace")) from exc

    # State and requests

    def state(self, only: str | None = None) -> dict[str, t.Any]:
        """All servers, images, volumes, snapshots, backups and tokens, with "deleted" true for deleted ones.

        `only` names one of these, or `storm`: how often each kind of error occurred.
        """
        return self.ask(f"/control/state?only={only}" if only else "/control/state")

    def requests(self, service: str) -> list[Logged]:
        """All requests to keystone, nova, glance or cinder, including throttled ones."""
        if self.process.poll() is None:
            self.ask("/control/flush")
        text = (self.directory / f"{service}.access.log").read_text(encoding="utf-8")
        return [
            Logged(found["method"], found["target"], int(found["status"]), int(found["size"]))
            for found in map(LINE.match, text.splitlines())
            if found
        ]

    def count(
        self, service: str, method: str | None = None, path_regex: str | None = None, status: int | None = None
    ) -> int:
        """The number of requests with this method, this pattern in path and query, and this status."""
        return sum(
            1
            for request in self.requests(service)
            if method in (None, request.method)
            and (path_regex is None or re.search(path_regex, request.target))
            and status in (None, request.status)
        )

    def forget_requests(self) -> None:
        """Count from zero."""
        self.ask("/control/flush")
        for log in self.directory.glob("*.access.log"):
            log.write_bytes(b"")


@contextlib.contextmanager
def stand_ins(directory: pathlib.Path) -> t.Iterator[t.Callable[..., StandIn]]:
    """Start any number of stand-ins, each with options of its own; all end with the block."""
    with contextlib.ExitStack() as stack:
        numbers = itertools.count()
        yield lambda **options: stack.enter_context(StandIn(directory / f"stand-in-{next(numbers)}", **options))
