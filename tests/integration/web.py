# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A web server of a directory, on this machine."""

from __future__ import annotations

import contextlib
import functools
import http.server
import pathlib
import typing as t

from ansible_collections.onetoken.openstack.tests.integration.serving import serving


class Server(http.server.SimpleHTTPRequestHandler):
    """Web server of a directory, without a log."""

    def log_message(self, *arguments: t.Any) -> None:
        pass


@contextlib.contextmanager
def web_server(directory: pathlib.Path) -> t.Iterator[str]:
    """The URL of a directory."""
    with serving(functools.partial(Server, directory=str(directory))) as server:
        yield f"http://127.0.0.1:{server.server_port}"
