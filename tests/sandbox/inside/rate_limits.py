# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rate limits, answered as by public clouds."""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import threading
import time
import typing as t
from collections import deque

from access_log import Application, Environ, StartResponse
from endpoints import is_internal

MINUTE = 60.0
SECOND = 1.0
TOKENS = "/v3/auth/tokens"


class Limits:
    """limits.json, read again after each change, which resets all counts."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.values: dict[str, t.Any] = {}
        self.version: tuple[int, ...] | None = None
        self.lock = threading.Lock()

    def current(self) -> tuple[dict[str, t.Any], tuple[int, ...] | None]:
        """The values, and a version that changes with the file."""
        with self.lock:
            try:
                stat = os.stat(self.path)
                version = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
                if version != self.version:
                    with open(self.path, encoding="utf-8") as stream:
                        self.values, self.version = json.load(stream), version
            except (OSError, ValueError):
                # Somebody is editing it: keep the last values.
                pass
            return self.values, self.version

    def seconds(self, name: str) -> float:
        """How long something takes."""
        return self.current()[0].get(name) or 0


class Windows:
    """Sliding windows: the requests of each user or project in the last seconds."""

    def __init__(self) -> None:
        self.allowed: dict[str, deque[float]] = {}
        self.version: t.Any = None
        self.lock = threading.Lock()

    def wait_for(self, key: str, limit: int, seconds: float, version: t.Any) -> float:
        """Count the request and return 0, or the seconds until one is allowed again."""
        now = time.monotonic()
        with self.lock:
            if version != self.version:
                self.allowed.clear()
                self.version = version
            window = self.allowed.setdefault(key, deque())
            while window and window[0] <= now - seconds:
                window.popleft()
            if len(window) < limit:
                window.append(now)
                return 0.0
            return window[0] + seconds - now

    def merge(self, key: str, into: str) -> None:
        """Count what was counted for one key for another one."""
        with self.lock:
            moved = self.allowed.pop(key, None)
            if moved:
                self.allowed[into] = deque(sorted([*self.allowed.get(into, ()), *moved]))


def throttle(start_response: StartResponse, dialect: str, wait: float, limit: int, unit: str) -> list[bytes]:
    """Answer a request over the limit, in the dialect of a public cloud."""
    seconds = str(max(1, math.ceil(wait)))
    status, headers = "429 Too Many Requests", []
    body: dict[str, t.Any] = {"error": {"status": status, "message": "Too Many Requests"}}
    if dialect == "retry-after":
        headers = [("Retry-After", seconds)]
    elif dialect == "x-ratelimit-reset":
        headers = [("x-ratelimit-limit", str(limit)), ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", seconds)]
    elif dialect == "x-retry-after":
        headers = [
            ("X-RateLimit-Limit", f"{limit}r/{unit}"),
            ("X-RateLimit-Remaining", "0"),
            ("X-RateLimit-Reset", seconds),
            ("X-Retry-After", seconds),
        ]
    elif dialect == "413":
        status, headers = "413 Request Entity Too Large", [("Retry-After", seconds)]
        body = {"overLimit": {"code": 413, "message": "This request was rate-limited.", "retryAfter": int(seconds)}}
    return answer(start_response, status, body, headers)


def answer(
    start_response: StartResponse, status: str, body: dict[str, t.Any], headers: t.Sequence[tuple[str, str]] = ()
) -> list[bytes]:
    content = json.dumps(body).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(content))), *headers])
    return [content]


class TokenRequestLimit:
    """Middleware in front of Keystone: limits the tokens per minute of each user, with any credentials.

    A password names its user, a token or an application credential does not. The first answer to such a credential
    shows whose it is; from then on it counts for that user.
    """

    def __init__(self, application: Application, limits: Limits) -> None:
        self.application = application
        self.limits = limits
        self.windows = Windows()
        self.users: dict[str, str] = {}

    def __call__(self, environ: Environ, start_response: StartResponse) -> t.Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "").rstrip("/")
        if is_internal(environ) or path != TOKENS or method not in ("POST", "DELETE"):
            return self.application(environ, start_response)
        values, version = self.limits.current()
        storm = values.get("keystone_status")
        if storm:
            return answer(start_response, f"{storm} Storm", {"error": {"code": storm, "message": "A storm of errors"}})
        limit = values.get("token_requests_per_minute") or 0
        if method != "POST" or not limit:
            return self.application(environ, start_response)
        credential = claimed_by(read_body(environ))
        user = self.users.get(credential, credential)
        wait = self.windows.wait_for(user, limit, MINUTE, version)
        if wait:
            return throttle(start_response, values.get("dialect", "none"), wait, limit, "m")
        return self.learn(credential, environ, start_response)

    def learn(self, credential: str, environ: Environ, start_response: StartResponse) -> t.Iterable[bytes]:
        """Pass the request on, and learn from the answer whose the credential and the new token are."""
        issued: list[str] = []

        def start(status: str, headers: list[tuple[str, str]], *more: t.Any) -> t.Any:
            issued.extend(value for name, value in headers if name.lower() == "x-subject-token")
            return start_response(status, headers, *more)

        response = self.application(environ, start)
        try:
            body = b"".join(response)
        finally:
            if hasattr(response, "close"):
                response.close()
        if issued:
            user = f"user {json.loads(body)['token']['user']['id']}"
            if self.users.get(credential) != user:
                self.users[credential] = user
                self.windows.merge(credential, into=user)
            self.users[f"token {digest(issued[0])}"] = user
        return [body]


class ProjectLimit:
    """Middleware behind a service's token check, which determines the project: limits its requests per second."""

    def __init__(self, application: Application, limits: Limits) -> None:
        self.application = application
        self.limits = limits
        self.windows = Windows()

    def __call__(self, environ: Environ, start_response: StartResponse) -> t.Iterable[bytes]:
        project = environ.get("HTTP_X_PROJECT_ID")
        values, version = self.limits.current()
        limit = values.get("requests_per_second") or 0
        if not project or not limit or is_internal(environ):
            return self.application(environ, start_response)
        wait = self.windows.wait_for(project, limit, SECOND, version)
        if wait:
            return throttle(start_response, values.get("dialect", "none"), wait, limit, "s")
        return self.application(environ, start_response)


def read_body(environ: Environ) -> bytes:
    """The request's body, which Keystone can read again."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def claimed_by(body: bytes) -> str:
    """A name for the credential in a token request, without the secret."""
    try:
        identity = json.loads(body)["auth"]["identity"]
        method = identity["methods"][0]
        claim = identity[method]
        if method == "token":
            return f"token {digest(claim['id'])}"
        if method == "application_credential" and "id" in claim:
            return f"application credential {claim['id']}"
        user = claim["user"]
        if "id" in user:
            return f"user {user['id']}"
        domain = user.get("domain", {})
        return f"named {domain.get('id') or domain.get('name')} {user['name']} {claim.get('name', '')}"
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return "unreadable"
