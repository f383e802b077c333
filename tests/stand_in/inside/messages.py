# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests, answers, and errors in the format of each service."""

from __future__ import annotations

import html
import json
import typing as t
from urllib.parse import parse_qsl

Headers = tuple[tuple[str, str], ...]

REASONS = {
    200: "OK",
    201: "Created",
    202: "Accepted",
    204: "No Content",
    300: "Multiple Choices",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    409: "Conflict",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class Request:
    __slots__ = ("method", "path", "query", "headers", "body")

    def __init__(self, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        self.method = method
        self.path, _mark, self.query = target.partition("?")
        self.headers = headers
        self.body = body

    @property
    def target(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path

    def parameters(self) -> dict[str, str]:
        return dict(parse_qsl(self.query, keep_blank_values=True))

    def json(self) -> t.Any:
        """The body's content; a ValueError if it is not JSON."""
        return json.loads(self.body)


class Answer:
    __slots__ = ("status", "body", "headers", "content_type")

    def __init__(
        self, status: int, body: bytes = b"", headers: Headers = (), content_type: str = "application/json"
    ) -> None:
        self.status = status
        self.body = body
        self.headers = headers
        self.content_type = content_type


class RefusalError(Exception):
    """A request that a service refuses, with the answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def json_answer(status: int, content: t.Any, *headers: tuple[str, str]) -> Answer:
    return Answer(status, json.dumps(content).encode(), headers)


#: The names of Nova's and Cinder's errors.
FAULTS = {
    400: "badRequest",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    406: "computeFault",
    409: "conflictingRequest",
    413: "overLimit",
    500: "computeFault",
}


def fault(status: int, message: str) -> RefusalError:
    """An error of Nova's or Cinder's."""
    content: dict[str, t.Any] = {"code": status, "message": message}
    headers: list[tuple[str, str]] = []
    if status == 413:
        # Exceeded quotas are answered as rate limits once were.
        content["retryAfter"] = "0"
        headers.append(("Retry-After", "0"))
    return RefusalError(json_answer(status, {FAULTS[status]: content}, *headers))


def page_error(status: int, message: str, *headers: tuple[str, str]) -> RefusalError:
    """An error of Glance's: a web page."""
    title = f"{status} {REASONS[status]}"
    page = (
        f"<html>\n <head>\n  <title>{title}</title>\n </head>\n <body>\n  <h1>{title}</h1>\n"
        f"  {html.escape(message)}<br /><br />\n\n\n\n </body>\n</html>"
    )
    return RefusalError(Answer(status, page.encode(), headers, "text/html; charset=UTF-8"))


def keystone_error(status: int, message: str, *headers: tuple[str, str]) -> RefusalError:
    content = {"error": {"code": status, "message": message, "title": REASONS[status]}}
    return RefusalError(json_answer(status, content, *headers))
