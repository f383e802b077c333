# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Web servers on this machine, for the duration of a test."""

from __future__ import annotations

import contextlib
import functools
import http.server
import pathlib
import threading
import typing as t

Handler = t.Callable[..., http.server.BaseHTTPRequestHandler]


class QuietHandler(http.server.BaseHTTPRequestHandler):
    """A handler that logs nothing, so the tests' output stays clean."""

    def log_message(self, *_arguments: t.Any) -> None:
        pass


class _DirectoryHandler(QuietHandler, http.server.SimpleHTTPRequestHandler):
    pass


@contextlib.contextmanager
def serving(handler: Handler) -> t.Iterator[http.server.ThreadingHTTPServer]:
    """Run a web server on a free port of 127.0.0.1."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def serving_directory(directory: pathlib.Path) -> t.Iterator[str]:
    """Serve a directory, at this URL."""
    with serving(functools.partial(_DirectoryHandler, directory=str(directory))) as server:
        yield f"http://127.0.0.1:{server.server_port}"
