# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of HTTP/1.1, with persistent connections, as OpenStack clients need."""

from __future__ import annotations

import asyncio
import time
import traceback
import typing as t
from email.utils import formatdate

from .messages import REASONS, Answer, Request

#: Returns the answer, or None to close the connection without one.
Handler = t.Callable[[Request, str], "Answer | None"]


class UnreadableRequestError(ValueError):
    """The received data is not HTTP."""


class Connection(asyncio.Protocol):
    """A client's connection; requests are answered one after the other."""

    def __init__(self, handler: Handler, latency: t.Callable[[], float]) -> None:
        self.handler = handler
        self.latency = latency
        self.received = bytearray()
        self.answering = False
        self.continued = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = t.cast(asyncio.Transport, transport)
        self.client = (transport.get_extra_info("peername") or ("-",))[0]

    def data_received(self, data: bytes) -> None:
        self.received += data
        self.serve()

    def serve(self) -> None:
        """Answer all requests that were received completely."""
        while not self.answering and not self.transport.is_closing():
            try:
                request = self.next_request()
            except (UnreadableRequestError, UnicodeDecodeError):
                self.transport.close()
                return
            if request is None:
                return
            answer = self.answer_to(request)
            latency = self.latency()
            if latency <= 0:
                self.send(request, answer)
            else:
                self.answering = True
                asyncio.get_running_loop().call_later(latency, self.send_late, request, answer)

    def answer_to(self, request: Request) -> Answer | None:
        try:
            return self.handler(request, self.client)
        except Exception:
            traceback.print_exc()
            return Answer(500, b"The stand-in failed; its log says how.\n", content_type="text/plain")

    def send_late(self, request: Request, answer: Answer | None) -> None:
        self.answering = False
        self.send(request, answer)
        self.serve()

    def send(self, request: Request, answer: Answer | None) -> None:
        if self.transport.is_closing():
            return
        if answer is None:
            self.transport.abort()
            return
        head = [
            f"HTTP/1.1 {answer.status} {REASONS.get(answer.status, 'Unknown')}",
            f"Date: {now_as_date()}",
            *(f"{name}: {value}" for name, value in answer.headers),
        ]
        if answer.status != 204:
            head += [f"Content-Type: {answer.content_type}", f"Content-Length: {len(answer.body)}"]
        last = request.headers.get("connection", "").lower() == "close"
        if last:
            head.append("Connection: close")
        body = b"" if request.method == "HEAD" else answer.body
        self.transport.write("\r\n".join([*head, "", ""]).encode("latin-1") + body)
        if last:
            self.transport.close()

    def next_request(self) -> Request | None:
        """Take one complete request from the received data."""
        end = self.received.find(b"\r\n\r\n")
        if end < 0:
            return None
        first, *lines = self.received[:end].decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, _colon, value = line.partition(":")
            headers[name.lower()] = value.strip()
        words = first.split(" ")
        if len(words) != 3:
            raise UnreadableRequestError(first)
        if headers.get("expect", "").lower() == "100-continue" and not self.continued:
            self.continued = True
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        taken = self.body_at(end + 4, headers)
        if taken is None:
            return None
        body, used = taken
        self.continued = False
        del self.received[:used]
        return Request(words[0], words[1], headers, body)

    def body_at(self, start: int, headers: dict[str, str]) -> tuple[bytes, int] | None:
        """The body that begins there, and its end; None if it is not complete yet."""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return chunks_at(self.received, start)
        try:
            end = start + int(headers.get("content-length") or 0)
        except ValueError as exc:
            raise UnreadableRequestError(str(exc)) from exc
        return (bytes(self.received[start:end]), end) if len(self.received) >= end else None


def chunks_at(received: bytearray, position: int) -> tuple[bytes, int] | None:
    """A body that comes in chunks, each announced by its length."""
    body = bytearray()
    while True:
        line_end = received.find(b"\r\n", position)
        if line_end < 0:
            return None
        try:
            size = int(received[position:line_end].split(b";")[0], 16)
        except ValueError as exc:
            raise UnreadableRequestError(str(exc)) from exc
        position = line_end + 2
        if len(received) < position + size + 2:
            return None
        body += received[position : position + size]
        position += size + 2
        if size == 0:
            return bytes(body), position


_date = (0, "")


def now_as_date() -> str:
    """The Date header, made once a second."""
    global _date
    second = int(time.time())
    if _date[0] != second:
        _date = (second, formatdate(second, usegmt=True))
    return _date[1]
