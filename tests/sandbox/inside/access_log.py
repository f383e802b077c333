# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An access log in the combined format, one line per request, each in one write so that lines never mix."""

from __future__ import annotations

import os
import time
import typing as t
from urllib.parse import quote

Environ = dict[str, t.Any]
StartResponse = t.Callable[..., t.Any]
Application = t.Callable[[Environ, StartResponse], t.Iterable[bytes]]


def printable(text: str) -> str:
    """A header's value with nothing in it that could end the field or the line."""
    return "".join(
        character if character.isprintable() and character not in '"\\' else f"\\x{ord(character):02x}"
        for character in text
    )


class AccessLog:
    """The outermost layer, which also sees throttled requests."""

    def __init__(self, application: Application, path: str) -> None:
        self.application = application
        self.path = path

    def __call__(self, environ: Environ, start_response: StartResponse) -> t.Iterable[bytes]:
        # Read first, as the inner layers change the path.
        path = quote(environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", ""), encoding="latin-1")
        query = environ.get("QUERY_STRING")
        request = f"{environ['REQUEST_METHOD']} {path}{f'?{printable(query)}' if query else ''}"
        answer = Answer(lambda status, size: self.write(environ, request, status, size))

        def start(status: str, headers: list[tuple[str, str]], *more: t.Any) -> t.Any:
            answer.status = status.split(" ", 1)[0]
            return start_response(status, headers, *more)

        try:
            answer.body = self.application(environ, start)
        except BaseException:
            answer.status = "500"
            answer.close()
            raise
        return answer

    def write(self, environ: Environ, request: str, status: str, size: int) -> None:
        moment = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
        line = (
            f"{environ.get('REMOTE_ADDR', '-')} - - [{moment}] "
            f'"{request} {environ.get("SERVER_PROTOCOL", "HTTP/1.1")}" {status} {size} '
            f'"{printable(environ.get("HTTP_REFERER", "-"))}" "{printable(environ.get("HTTP_USER_AGENT", "-"))}"\n'
        )
        # Opened for each line, so that a test may move the file away or empty it.
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)


class Answer:
    """The response body: counts its bytes, and reports when all of it is sent."""

    def __init__(self, report: t.Callable[[str, int], None]) -> None:
        self.body: t.Iterable[bytes] = ()
        self.status = "500"
        self.size = 0
        self.report: t.Callable[[str, int], None] | None = report

    def __iter__(self) -> t.Iterator[bytes]:
        for part in self.body:
            self.size += len(part)
            yield part

    def close(self) -> None:
        try:
            if hasattr(self.body, "close"):
                self.body.close()
        finally:
            report, self.report = self.report, None
            if report:
                report(self.status, self.size)
