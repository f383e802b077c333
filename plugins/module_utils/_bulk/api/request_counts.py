# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The requests of a connection, counted where they leave: discovery, retries and refused ones included."""

from __future__ import annotations

import contextlib
import contextvars
import threading
import typing as t
from collections import Counter

from ..._session.transport.sending import OWN_LIMITER

if t.TYPE_CHECKING:
    import openstack.connection
    import requests

IDENTITY = "identity"
TOKENS = "/auth/tokens"
_service: contextvars.ContextVar[str] = contextvars.ContextVar("service", default=IDENTITY)


@contextlib.contextmanager
def requests_for(service: str) -> t.Iterator[None]:
    """What this thread sends meanwhile counts for this service, unless it goes to Keystone."""
    token = _service.set(service)
    try:
        yield
    finally:
        _service.reset(token)


class RequestCounts:
    """How many requests went to each service."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        #: Tokens that this process requested by itself.
        self.tokens_issued = 0

    def watch(self, connection: openstack.connection.Connection, connections: int) -> None:
        """Count what this connection sends, over so many sockets at a time. A bulk run has its own rate limiter."""
        session = connection.session.session
        setattr(session, OWN_LIMITER, True)
        for prefix, adapter in list(session.adapters.items()):
            adapter.init_poolmanager(connections, connections)
            session.mount(prefix, _CountingAdapter(adapter, self))

    def count(self, request: requests.PreparedRequest) -> None:
        path = (request.url or "").partition("?")[0]
        to_keystone = path.endswith(TOKENS)
        with self._lock:
            self._counts[IDENTITY if to_keystone else _service.get()] += 1
            self.tokens_issued += to_keystone and request.method == "POST"

    def by_service(self) -> dict[str, int]:
        with self._lock:
            return dict(sorted(self._counts.items()))


class _CountingAdapter:
    """In front of an adapter of requests, which has its settings for TLS already."""

    def __init__(self, adapter: t.Any, counts: RequestCounts) -> None:
        self._adapter = adapter
        self._counts = counts

    def send(self, request: requests.PreparedRequest, **options: t.Any) -> requests.Response:
        self._counts.count(request)
        return self._adapter.send(request, **options)

    def close(self) -> None:
        self._adapter.close()
