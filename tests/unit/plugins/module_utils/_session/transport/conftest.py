# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service that has limits, and a session to send requests on."""

from __future__ import annotations

import http.server
import os
import threading
import time

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session import hook
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import traffic
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.renewal import RenewalPolicy
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import (
    VARIABLE,
    LimitOptions,
    Session,
    SessionRecord,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.transport import sending
from keystoneauth1 import session as keystone_session


class LimitedService:
    """Gives the answers that a test sets, one after the other, then 200 with what it was sent."""

    def __init__(self):
        self.answers = []
        self.requests = []
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self):
                if "chunked" in self.headers.get("Transfer-Encoding", ""):
                    body = b""
                    while size := int(self.rfile.readline(), 16):
                        body += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                else:
                    body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                service.requests.append((self.command, body, time.monotonic(), self.client_address))
                status, headers, content = service.answers.pop(0) if service.answers else (200, {}, body or b"{}")
                if status == 0:
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_POST = do_HEAD = do_PUT = do_DELETE = _answer

            def log_message(self, *_arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/thing"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def service():
    running = LimitedService()
    yield running
    running.close()


@pytest.fixture
def on_session(no_cloud, tmp_path, monkeypatch):
    """Put this process on a session with these options."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    os.mkdir(tmp_path / "state", 0o700)
    opened = []

    def put(**options):
        session = Session(str(tmp_path / "session"))
        session.make()
        session.write_record(SessionRecord(RenewalPolicy(), limits=LimitOptions(**options)))
        monkeypatch.setenv(VARIABLE, session.path)
        hook.install()
        opened.append(session)
        return session

    sending.limits.of_session.cache_clear()
    yield put
    sending.limits.of_session.cache_clear()
    for session in opened:
        if session.path in traffic._files:
            traffic._files.pop(session.path).close()


@pytest.fixture
def client():
    session = keystone_session.Session()
    yield session
    session.session.close()
