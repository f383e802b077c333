# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The requests that the sandbox's services log."""

from __future__ import annotations

import dataclasses
import re

from ansible_collections.onetoken.openstack.tests.helpers.sandbox import SANDBOX

#: The user agent of requests that the tests send themselves: they are not counted.
AGENT = "onetoken-tests"


@dataclasses.dataclass(frozen=True)
class Request:
    """A line of an access log."""

    method: str
    path: str
    status: int
    agent: str


class AccessLog:
    """The requests of clients to a service since a certain moment; those of other services are left out."""

    _LINE = re.compile(r'"(?P<method>[A-Z]+) (?P<path>\S+) [^"]*" (?P<status>\d+) \S+ "[^"]*" "(?P<agent>[^"]*)"')

    def __init__(self, service: str) -> None:
        self.path = SANDBOX / "logs" / f"{service}.access.log"
        self.restart()

    def restart(self) -> None:
        """Count from zero."""
        self._start = self.path.stat().st_size

    def requests(self, start: int | None = None, end: int | None = None) -> list[Request]:
        """All since the start, or those between two sizes of the log."""
        content = self.path.read_bytes()[self._start if start is None else start : end]
        lines = [self._LINE.search(line) for line in content.decode().splitlines()]
        found = [Request(m["method"], m["path"], int(m["status"]), m["agent"]) for m in lines if m]
        # A request of the tests may be logged only after the next test has begun.
        return [request for request in found if not request.path.startswith("/internal") and request.agent != AGENT]

    def count(self, method: str, path: str = "/v3/auth/tokens") -> int:
        return sum(1 for request in self.requests() if request.method == method and request.path.split("?")[0] == path)
