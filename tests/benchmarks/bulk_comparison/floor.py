# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The minimum that snapshots of servers cost a Python client: one token, one listing, and one POST per server.

    OS_AUTH_URL=... python floor.py RUN REQUESTS_PER_SECOND [SERVER...]

It uses only the standard library, resumes nothing, waits for no image, and handles no error but throttling.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import typing as t
from collections import deque
from urllib.parse import urlsplit

CONNECTIONS = 8
TOO_MANY_REQUESTS = 429
#: Seconds to wait after a throttled request.
PAUSE = 0.2


class Answer(t.NamedTuple):
    status: int
    headers: dict[str, str]
    content: t.Any


class Connection:
    """A persistent connection to a service."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host, self.port, self.path = parts.hostname, parts.port or 80, parts.path
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, method: str, path: str, token: str = "", content: t.Any = None) -> Answer:
        if self.streams is None:
            self.streams = await asyncio.open_connection(self.host, self.port)
        reader, writer = self.streams
        body = b"" if content is None else json.dumps(content).encode()
        head = f"{method} {self.path}{path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nUser-Agent: floor\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        head += f"X-Auth-Token: {token}\r\n\r\n" if token else "\r\n"
        writer.write(head.encode() + body)
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
        headers = {name.lower(): value for name, _colon, value in (line.partition(": ") for line in lines if line)}
        received = await reader.readexactly(int(headers.get("content-length", 0)))
        if headers.get("connection", "").lower() == "close":
            writer.close()
            self.streams = None
        return Answer(int(first.split()[1]), headers, json.loads(received) if received else None)


async def sign_in() -> tuple[str, str]:
    """A token, and the URL of Nova."""
    password = {
        "user": {
            "name": os.environ["OS_USERNAME"],
            "password": os.environ["OS_PASSWORD"],
            "domain": {"name": os.environ["OS_USER_DOMAIN_NAME"]},
        }
    }
    domain = {"name": os.environ["OS_PROJECT_DOMAIN_NAME"]}
    scope = {"project": {"name": os.environ["OS_PROJECT_NAME"], "domain": domain}}
    auth = {"identity": {"methods": ["password"], "password": password}, "scope": scope}
    answer = await Connection(os.environ["OS_AUTH_URL"]).send("POST", "/auth/tokens", content={"auth": auth})
    nova = next(
        endpoint["url"]
        for service in answer.content["token"]["catalog"]
        for endpoint in service["endpoints"]
        if service["type"] == "compute"
        and endpoint["interface"] == "public"
        and endpoint["region"] == os.environ["OS_REGION_NAME"]
    )
    return answer.headers["x-subject-token"], nova


async def server_ids(nova: str, token: str, wanted: set[str]) -> dict[str, str]:
    """The ids of these servers by name, or of all servers if none is named."""
    connection, marker = Connection(nova), ""
    found: dict[str, str] = {}
    while True:
        page = (await connection.send("GET", f"/servers?limit=1000{marker}", token)).content["servers"]
        found |= {server["name"]: server["id"] for server in page if not wanted or server["name"] in wanted}
        if len(page) < 1000:
            return found
        marker = f"&marker={page[-1]['id']}"


async def snapshot_all(run: str, rate: float, wanted: set[str]) -> None:
    token, nova = await sign_in()
    waiting = deque((await server_ids(nova, token, wanted)).items())
    loop = asyncio.get_running_loop()
    # The listing counts, too.
    next_slot = loop.time() + 1 / rate

    async def work() -> None:
        nonlocal next_slot
        connection = Connection(nova)
        while waiting:
            name, server_id = waiting.popleft()
            slot = next_slot = max(next_slot, loop.time() - 1 / rate) + 1 / rate
            await asyncio.sleep(slot - 1 / rate - loop.time())
            action = {"createImage": {"name": f"{name}-{run}", "metadata": {}}}
            answer = await connection.send("POST", f"/servers/{server_id}/action", token, action)
            if answer.status == TOO_MANY_REQUESTS:
                waiting.append((name, server_id))
                next_slot = max(next_slot, loop.time() + PAUSE)

    await asyncio.gather(*(work() for _number in range(CONNECTIONS)))


if __name__ == "__main__":
    asyncio.run(snapshot_all(sys.argv[1], float(sys.argv[2]), set(sys.argv[3:])))
