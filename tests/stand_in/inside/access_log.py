# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The access log in the sandbox's format, written a few times a second."""

from __future__ import annotations

import asyncio
import os
import time

from .messages import Request

#: Seconds that a line may wait to be written.
DELAY = 0.2
#: The status logged for a connection closed without an answer, as in nginx.
CLOSED_WITHOUT_ANSWER = 444


class AccessLog:
    def __init__(self, path: str) -> None:
        self.path = path
        self.lines: list[str] = []
        self.flush()

    def add(self, client: str, request: Request, status: int, size: int) -> None:
        if not self.lines:
            asyncio.get_running_loop().call_later(DELAY, self.flush)
        agent = request.headers.get("user-agent", "-").replace('"', "\\x22")
        self.lines.append(
            f"{client} - - [{time.strftime('%d/%b/%Y:%H:%M:%S +0000', time.gmtime())}] "
            f'"{request.method} {request.target} HTTP/1.1" {status} {size} "-" "{agent}"\n'
        )

    def flush(self) -> None:
        # Opened each time, so that a test may move the file away or empty it.
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(descriptor, "".join(self.lines).encode())
        finally:
            os.close(descriptor)
        self.lines.clear()
