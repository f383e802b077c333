# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A list of every token that Keystone issued to a client, so that tests can check whether it is still valid."""

from __future__ import annotations

import os
import threading
import time
import typing as t

from access_log import Application, Environ, StartResponse
from endpoints import is_internal
from rate_limits import TOKENS, Limits


class IssuedTokens:
    """Middleware around Keystone: records issued tokens, and delays answers by keystone_seconds."""

    def __init__(self, application: Application, limits: Limits, path: str) -> None:
        self.application = application
        self.limits = limits
        self.path = path
        self.lock = threading.Lock()

    def __call__(self, environ: Environ, start_response: StartResponse) -> t.Iterable[bytes]:
        is_token_request = environ["REQUEST_METHOD"] == "POST" and environ.get("PATH_INFO", "").rstrip("/") == TOKENS
        if is_internal(environ) or not is_token_request:
            return self.application(environ, start_response)

        def start(status: str, headers: list[tuple[str, str]], *more: t.Any) -> t.Any:
            for name, value in headers:
                if name.lower() == "x-subject-token":
                    self.write(value)
            return start_response(status, headers, *more)

        body = self.application(environ, start)
        time.sleep(self.limits.seconds("keystone_seconds"))
        return body

    def write(self, token: str) -> None:
        with self.lock:
            file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            with os.fdopen(file, "w", encoding="ascii") as stream:
                stream.write(f"{token}\n")
