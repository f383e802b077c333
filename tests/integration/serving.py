# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A web server on this machine, while a test needs it."""

from __future__ import annotations

import contextlib
import http.server
import threading
import typing as t

Handler = t.Callable[..., http.server.BaseHTTPRequestHandler]


@contextlib.contextmanager
def serving(handler: Handler) -> t.Iterator[http.server.ThreadingHTTPServer]:
    """On a free port of 127.0.0.1."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
