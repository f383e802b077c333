# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for Keystone, to be storms of errors and slow answers that no real Keystone gives on request.

It knows one user and one project, issues tokens for a password or a token, tells whether a token is alive, and revokes;
a token of a trust or of an application credential with access rules, which a test makes of another, it treats as
Keystone does.
Every service of its catalog is at /compute on the same port and answers 200 to a token that is alive, 401 to any other.
A test sets what else it does: see ``answers`` and ``stuck``. The real thing is in tests/sandbox.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import http
import http.server
import json
import secrets
import threading
import typing as t

USER = "demo"
PASSWORD = "correct horse"
PROJECT_ID = "0c5a1b2d3e4f5a6b7c8d9e0f1a2b3c4d"
REGIONS = ("RegionOne", "RegionTwo")
#: What Keystone says of credentials and tokens that it does not accept.
NOT_ACCEPTED = "The request you have made requires authentication."


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a test has it answer instead of the right thing."""

    status: int
    headers: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    body: str = '{"error": {"message": "as the test wants it"}}'


def keystone_error(status: int, message: str) -> str:
    """The body of an error as Keystone itself writes it."""
    title = http.HTTPStatus(status).phrase
    return json.dumps({"error": {"code": status, "title": title, "message": message}})


def keystones_answer(status: int, message: str = NOT_ACCEPTED) -> Answer:
    """An error of Keystone itself; the one by default is what it says of every token that it does not accept."""
    return Answer(status, body=keystone_error(status, message))


@dataclasses.dataclass(frozen=True)
class Request:
    """What it was asked."""

    method: str
    path: str
    headers: t.Mapping[str, str]
    body: str


class StandInKeystone:
    """A small HTTP server on 127.0.0.1 that speaks enough of Keystone's version 3."""

    def __init__(self) -> None:
        self.lifetime = 24 * 3600
        #: By method, for /v3/auth/tokens: answers that are given first, one a request.
        self.answers: dict[str, list[Answer]] = {}
        #: By method, for /v3/auth/tokens: an answer that is given for ever.
        self.stuck: dict[str, Answer] = {}
        #: The methods that it answers a byte at a time, so slowly that no client waits for too long for the next one.
        self.dripping: set[str] = set()
        #: How long it thinks over a token request, in seconds.
        self.slowness = 0.0
        #: The path below which it is; what is elsewhere on its port, it does not know.
        self.path = ""
        #: What it answers there to requests about tokens.
        self.moved = Answer(404, body="<!doctype html><title>404 Not Found</title>")
        self.alive: dict[str, dict[str, t.Any]] = {}
        self.revoked: list[str] = []
        self.requests: list[Request] = []
        self._issued = 0
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> t.Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def stop(self) -> None:
        """From here on nobody listens on its port."""
        if not self._stopped.is_set():
            self._stopped.set()
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def auth_url(self) -> str:
        return f"{self.url}{self.path}/v3"

    def asked(self, method: str) -> list[Request]:
        """The requests about tokens with this method, oldest first."""
        return [one for one in self.requests if one.method == method and "/v3/auth/tokens" in one.path]

    @property
    def keystone_requests(self) -> list[Request]:
        return [one for one in self.requests if not one.path.startswith("/compute")]

    def entry(self, **options: t.Any) -> dict[str, t.Any]:
        """How clouds.yaml describes it."""
        auth = {
            "auth_url": self.auth_url,
            "username": USER,
            "password": PASSWORD,
            "user_domain_name": "Default",
            "project_name": "demo",
            "project_domain_name": "Default",
        }
        return {"auth": auth, "region_name": REGIONS[0], "identity_api_version": 3, **options}

    def issue(self) -> str:
        """A token, as if somebody had signed in."""
        with self._lock:
            self._issued += 1
            token = f"gAAAAABgA2026-{self._issued}-{secrets.token_urlsafe(24)}"
            self.alive[token] = self._token_body()
            return token

    def _token_body(self) -> dict[str, t.Any]:
        now = datetime.datetime.now(datetime.timezone.utc)
        endpoints = [
            {"id": f"e-{region}", "interface": "public", "region": region, "region_id": region, "url": self.url + path}
            for region, path in zip(REGIONS, ("/compute", "/compute/two"), strict=True)
        ]
        return {
            "methods": ["password"],
            "user": {"id": "u1", "name": USER, "domain": {"id": "default", "name": "Default"}},
            "project": {"id": PROJECT_ID, "name": "demo", "domain": {"id": "default", "name": "Default"}},
            "roles": [{"id": "r2", "name": "reader"}, {"id": "r1", "name": "member"}],
            "catalog": [{"id": "s1", "type": "compute", "name": "nova", "endpoints": endpoints}],
            "audit_ids": [f"audit-{self._issued}"],
            "issued_at": _keystone_time(now),
            "expires_at": _keystone_time(now + datetime.timedelta(seconds=self.lifetime)),
        }

    def _answer(self, request: Request) -> tuple[int, t.Mapping[str, str], str]:
        path = request.path.partition("?")[0]
        token = request.headers.get("X-Auth-Token", "")
        if path.startswith("/compute"):
            return (200 if token in self.alive else 401), {}, "{}"
        if path != f"{self.path}/v3/auth/tokens":
            if path.endswith("/auth/tokens"):
                return self.moved.status, self.moved.headers, self.moved.body
            version = {"id": "v3.14", "status": "stable", "links": [{"rel": "self", "href": f"{self.auth_url}/"}]}
            return 200, {}, json.dumps({"version": version} if path == "/v3" else {"versions": {"values": [version]}})
        with self._lock:
            planned = self.answers.get(request.method) or []
            answer = planned.pop(0) if planned else self.stuck.get(request.method)
        if answer:
            return answer.status, answer.headers, answer.body
        return self._right_answer(request, token)

    def _right_answer(self, request: Request, token: str) -> tuple[int, t.Mapping[str, str], str]:
        if request.method == "POST":
            return self._sign_in(request)
        subject = request.headers.get("X-Subject-Token", "")
        refusal = self._refusal(request, token, subject)
        if refusal:
            status, message = refusal
            return status, {}, keystone_error(status, message)
        if request.method == "DELETE":
            del self.alive[subject]
            self.revoked.append(subject)
            return 204, {}, ""
        return 200, {}, json.dumps({"token": self.alive[subject]})

    def _sign_in(self, request: Request) -> tuple[int, t.Mapping[str, str], str]:
        self._stopped.wait(self.slowness)
        if not self._knows(json.loads(request.body)["auth"]["identity"]):
            return 401, {}, keystone_error(401, NOT_ACCEPTED)
        new = self.issue()
        return 201, {"X-Subject-Token": new}, json.dumps({"token": self.alive[new]})

    def _refusal(self, request: Request, token: str, subject: str) -> tuple[int, str] | None:
        """The status and the message for a request about a token that Keystone refuses."""
        if token not in self.alive:
            return 401, NOT_ACCEPTED
        if subject not in self.alive:
            return 404, "Failed to validate token"
        body = self.alive[subject]
        if body.get("OS-TRUST:trust", {}).get("impersonation"):
            return 403, "You are not authorized to perform the requested action."
        if body.get("application_credential", {}).get("access_rules"):
            if request.method == "DELETE":
                return 401, NOT_ACCEPTED
            if request.headers.get("OpenStack-Identity-Access-Rules") != "1.0":
                return 404, "Failed to validate token"
        return None

    def _knows(self, identity: dict[str, t.Any]) -> bool:
        if identity["methods"] == ["token"]:
            return identity["token"]["id"] in self.alive
        user = identity["password"]["user"]
        return user.get("name") == USER and user.get("password") == PASSWORD

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        stand_in = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def handle_request(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("utf-8")
                request = Request(self.command, self.path, dict(self.headers.items()), body)
                stand_in.requests.append(request)
                if self.command in stand_in.dripping:
                    self.drip()
                    return
                status, headers, text = stand_in._answer(request)
                # A client that had no patience is gone by now.
                with contextlib.suppress(ConnectionError):
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    if status != 204:
                        self.send_header("Content-Type", "application/json")
                        self.send_header("Content-Length", str(len(text.encode())))
                    self.end_headers()
                    if status != 204:
                        self.wfile.write(text.encode())

            def drip(self) -> None:
                with contextlib.suppress(ConnectionError):
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Endless: ")
                    while not stand_in._stopped.wait(0.1):
                        self.wfile.write(b".")

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_request

            def log_message(self, *args: t.Any) -> None:
                pass

        return Handler


def _keystone_time(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
