# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cloud behind a real socket, which says or does to a request whatever a test wants: for what goes over the wire.

Its Keystone is the stand-in of the session's tests. Nova and Glance beside it have versions to discover, and answer
with what is told to them; without that, they know a token that is alive from any other, and do nothing else.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import json
import threading
import typing as t

from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    Answer,
    Request,
    StandInKeystone,
)

#: Instead of an answer: the connection is cut before it, or in the middle of it.
CUT, CUT_IN_THE_MIDDLE = "cut", "cut in the middle"
#: No answer comes as long as the cloud is there, or one that never ends, a byte at a time.
SILENT, DRIPPING, DRIPPING_HEADERS = "silent", "dripping", "dripping headers"
Reaction: t.TypeAlias = "Answer | str | None"


def answer(status: int, body: t.Any = None, **headers: str) -> Answer:
    """An answer with JSON in it, or with this text."""
    text = body if isinstance(body, str) else json.dumps(body or {})
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, text)


@dataclasses.dataclass
class Exchange:
    """A request to a service, and its place among all of them."""

    number: int
    request: Request

    @property
    def token(self) -> str:
        return self.request.headers.get("X-Auth-Token", "")


class WireCloud(StandInKeystone):
    """Keystone, Nova and Glance on one port of 127.0.0.1."""

    def __init__(self) -> None:
        super().__init__()
        self.services = {"identity": "/v3", "compute": "/compute/v2.1", "image": "/image"}
        #: What becomes of a request to a service that brings a token which is alive; None is an empty success.
        self.react: t.Callable[[Exchange], Reaction] = lambda exchange: None
        #: What becomes of a request for a service's versions.
        self.react_to_discovery: t.Callable[[Request], Reaction] = lambda request: None
        #: Whether what is sent with PUT is never read.
        self.deaf = False
        self.exchanges: list[Exchange] = []
        self._counting = threading.Lock()

    def sent(self, method: str, part: str = "") -> list[Request]:
        """What was really sent, oldest first."""
        return [one for one in self.requests if one.method == method and part in one.path]

    def _token_body(self) -> dict[str, t.Any]:
        body = super()._token_body()
        body["catalog"] = [
            {
                "id": kind,
                "type": kind,
                "name": kind,
                "endpoints": [
                    {"id": f"e-{kind}", "interface": "public", "region": "RegionOne", "region_id": "RegionOne",
                     "url": self.url + path}
                ],
            }
            for kind, path in self.services.items()
        ]  # fmt: skip
        return body

    def reaction(self, request: Request) -> Reaction:
        path = request.path.partition("?")[0]
        if path.rstrip("/") == "/compute/v2.1":
            return self.react_to_discovery(request) or answer(200, {"version": self._version("v2.1", path, "2.96")})
        if path.rstrip("/") == "/image":
            return self.react_to_discovery(request) or answer(300, {"versions": [self._version("v2.9", "/image/v2/")]})
        if not path.startswith(("/compute/", "/image/")):
            return Answer(*self._answer(request))
        with self._counting:
            self.exchanges.append(exchange := Exchange(len(self.exchanges), request))
        if exchange.token not in self.alive:
            return answer(401, {"error": {"message": "The request you have made requires authentication."}})
        return self.react(exchange) or answer(200)

    def _version(self, name: str, path: str, newest: str = "") -> dict[str, t.Any]:
        links = [{"rel": "self", "href": self.url + path}]
        return {"id": name, "status": "CURRENT", "version": newest, "min_version": newest and "2.1", "links": links}

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        class Handler(_Handler):
            cloud = self

        return Handler


class _Handler(http.server.BaseHTTPRequestHandler):
    cloud: WireCloud
    protocol_version = "HTTP/1.1"

    def handle_request(self) -> None:
        if self.cloud.deaf and self.command == "PUT":
            self.cloud._stopped.wait()
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("utf-8")
        request = Request(self.command, self.path, dict(self.headers.items()), body)
        self.cloud.requests.append(request)
        reaction = self.cloud.reaction(request)
        if reaction is None or reaction == CUT:
            self.close_connection = True
            return
        if reaction in (SILENT, DRIPPING, DRIPPING_HEADERS):
            self._withhold(reaction)
            return
        with contextlib.suppress(ConnectionError):
            self._send(answer(200, {"a": "b"}) if isinstance(reaction, str) else reaction, reaction)

    def _send(self, told: Answer, reaction: Reaction) -> None:
        content = b"" if told.status in (204, 304) else told.body.encode()
        self.send_response(told.status)
        for name, value in {"Content-Type": "application/json", **told.headers}.items():
            self.send_header(name, value)
        if content or told.status not in (204, 304):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if reaction == CUT_IN_THE_MIDDLE:
            content = content[: len(content) // 2]
            self.close_connection = True
        self.wfile.write(content)

    def _withhold(self, reaction: Reaction) -> None:
        self.close_connection = True
        with contextlib.suppress(ConnectionError):
            if reaction == DRIPPING:
                self.send_response(200)
                self.send_header("Content-Length", "1000000")
                self.end_headers()
            elif reaction == DRIPPING_HEADERS:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Never-Ends: ")
            while not self.cloud._stopped.wait(0.1):
                if reaction != SILENT:
                    self.wfile.write(b" ")

    do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = handle_request

    def log_message(self, *args: t.Any) -> None:
        pass

    def handle(self) -> None:
        # Who was not waited for has hung up.
        with contextlib.suppress(ConnectionError):
            super().handle()
