# Copyright: (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which servers a call is about: all of the project's, narrowed by every criterion that is given."""

from __future__ import annotations

import fnmatch
import typing as t
from dataclasses import dataclass, field

from .patient_requests import PatientRequests
from .session.errors import ConfigurationError


@dataclass(frozen=True)
class Server:
    id: str
    name: str
    status: str
    task_state: str | None
    metadata: dict[str, str]

    @classmethod
    def from_body(cls, body: dict[str, t.Any]) -> Server:
        return cls(
            id=body["id"],
            name=body.get("name") or "",
            status=body["status"],
            task_state=body.get("OS-EXT-STS:task_state"),
            metadata=body.get("metadata") or {},
        )


@dataclass(frozen=True)
class Selection:
    servers: list[Server]
    #: A name that was asked for and leads to no one server, and why.
    unresolved: dict[str, str]


@dataclass(frozen=True)
class Criteria:
    """What a server must be like; what is not given does not narrow."""

    servers: t.Sequence[str] = ()
    name_pattern: str | None = None
    metadata: t.Mapping[str, t.Any] = field(default_factory=dict)
    status: t.Sequence[str] = ()

    def select(self, servers: t.Iterable[Server]) -> Selection:
        everyone = list(servers)
        if not self.servers:
            return Selection([server for server in everyone if self._match(server)], {})
        selected: dict[str, Server] = {}
        unresolved: dict[str, str] = {}
        for wanted in self.servers:
            called = [server for server in everyone if server.id == wanted]
            called = called or [server for server in everyone if server.name == wanted]
            matching = [server for server in called if self._match(server)]
            if not called:
                unresolved[wanted] = "no server of the project has this name or id"
            elif len(matching) > 1:
                ids = ", ".join(server.id for server in matching)
                unresolved[wanted] = f"{len(matching)} servers have this name, give an id: {ids}"
            else:
                selected.update((server.id, server) for server in matching)
        return Selection(list(selected.values()), unresolved)

    def _match(self, server: Server) -> bool:
        if self.name_pattern and not fnmatch.fnmatchcase(server.name, self.name_pattern):
            return False
        if self.status and server.status.upper() not in {status.upper() for status in self.status}:
            return False
        wanted = texts(self.metadata, "metadata")
        return all(server.metadata.get(key) == value for key, value in wanted.items())


def list_servers(requests: PatientRequests) -> list[Server]:
    """Every server of the project."""
    return [Server.from_body(body) for body in requests.listing("compute", "/servers/detail", "servers")]


def texts(values: t.Mapping[str, t.Any], option: str) -> dict[str, str]:
    """Values of an option as OpenStack keeps them: text, with true and false in small letters."""
    converted = {}
    for key, value in values.items():
        if isinstance(value, bool):
            value = str(value).lower()
        elif not isinstance(value, (str, int, float)):
            raise ConfigurationError(f"The value of {key!r} in {option} must be a text or a number, not {value!r}.")
        converted[str(key)] = str(value)
    return converted
