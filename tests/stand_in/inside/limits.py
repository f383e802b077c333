# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rate limits, answered as by public clouds."""

from __future__ import annotations

import math
import time
import typing as t
from collections import deque
from email.utils import formatdate

from .messages import Answer, Headers, json_answer


class Windows:
    """Sliding windows: the requests of each user or project in the last seconds."""

    def __init__(self, clock: t.Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.allowed: dict[t.Hashable, deque[float]] = {}

    def wait_for(self, key: t.Hashable, limit: int, seconds: float) -> float:
        """Count the request and return 0, or the seconds until one is allowed again."""
        now = self.clock()
        window = self.allowed.setdefault(key, deque())
        while window and window[0] <= now - seconds:
            window.popleft()
        if len(window) < limit:
            window.append(now)
            return 0.0
        return window[0] + seconds - now

    def left(self, key: t.Hashable, limit: int, seconds: float) -> tuple[int, float]:
        """How many more requests are allowed now, and the seconds until the window moves on."""
        window = self.allowed.get(key) or (self.clock(),)
        return max(0, limit - len(window)), max(0.0, window[0] + seconds - self.clock())

    def clear(self) -> None:
        self.allowed.clear()


def throttled(dialect: str, wait: float, limit: int, unit: str) -> Answer:
    """The answer to a request over the limit, in the dialect of a public cloud."""
    seconds = str(max(1, math.ceil(wait)))
    if dialect == "413":
        content = {"code": 413, "message": "This request was rate-limited.", "retryAfter": int(seconds)}
        return json_answer(413, {"overLimit": content}, ("Retry-After", seconds))
    headers: Headers = ()
    if dialect == "retry-after":
        headers = (("Retry-After", seconds),)
    elif dialect == "retry-after-date":
        headers = (("Retry-After", formatdate(math.ceil(time.time() + wait), usegmt=True)),)
    elif dialect == "x-ratelimit-reset":
        headers = (("x-ratelimit-limit", str(limit)), ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", seconds))
    elif dialect == "x-retry-after":
        headers = (
            ("X-RateLimit-Limit", f"{limit}r/{unit}"),
            ("X-RateLimit-Remaining", "0"),
            ("X-RateLimit-Reset", seconds),
            ("X-Retry-After", seconds),
        )
    content = {"status": "429 Too Many Requests", "message": "Too Many Requests"}
    return json_answer(429, {"error": content}, *headers)


def rate_headers(limit: int, left: int, seconds: float) -> Headers:
    """The headers of a request within the limit."""
    return (
        ("X-RateLimit-Limit", str(limit)),
        ("X-RateLimit-Remaining", str(left)),
        ("X-RateLimit-Reset", str(math.ceil(seconds))),
    )
