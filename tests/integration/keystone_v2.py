# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for a Keystone with only version 2 of its API, which no current OpenStack has any more."""

from __future__ import annotations

import contextlib
import json
import typing as t

from ansible_collections.onetoken.openstack.tests.helpers.http_server import QuietHandler, serving

VERSION = {"id": "v2.0", "status": "stable", "updated": "2014-04-17T00:00:00Z"}
TOKEN = {
    "access": {
        "token": {"id": "5ec2e7", "issued_at": "2014-04-17T00:00:00Z", "expires": "2099-04-17T00:00:00Z"},
        "user": {"id": "1", "name": "demo", "username": "demo", "roles": [], "roles_links": []},
        "serviceCatalog": [],
    }
}


class _Handler(QuietHandler):
    def do_GET(self) -> None:
        version = {**VERSION, "links": [{"rel": "self", "href": f"http://{self.headers['Host']}/v2.0/"}]}
        if self.path == "/":
            self._answer(300, {"versions": {"values": [version]}})
        elif self.path.startswith("/v2.0"):
            self._answer(200, {"version": version})
        else:
            self._answer(404, {})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/v2.0/tokens":
            self._answer(200, TOKEN)
        else:
            self._answer(404, {"error": {"code": 404, "message": "not found"}})

    def _answer(self, status: int, body: dict[str, t.Any]) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@contextlib.contextmanager
def keystone_v2() -> t.Iterator[str]:
    """Serve it at this URL, without a version."""
    with serving(_Handler) as server:
        yield f"http://127.0.0.1:{server.server_port}"
