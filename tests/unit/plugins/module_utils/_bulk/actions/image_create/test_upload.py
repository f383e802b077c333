# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import http.server
import os
from types import SimpleNamespace

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.actions.image_create.sources import image_sources
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.actions.image_create.upload import (
    PIECE,
    FileBody,
    FileUnusableError,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.control.cancellation import Cancellation
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.control.interruption import Interruption
from ansible_collections.onetoken.openstack.tests.helpers.http_server import serving
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.actions.image_create.glance import (
    CONTENT,
)
from keystoneauth1 import adapter, noauth, session


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes an image's content; answers the first request with 401 once it has read it."""

    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        received = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append(received)
        self.send_response(401 if len(self.server.received) == 1 else 204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def receiver():
    with serving(Receiver) as server:
        server.received = []
        yield server


class TestContent:
    def test_it_is_sent_from_the_beginning_when_a_request_is_repeated(self, receiver, new_client, file):
        connected = session.Session(auth=noauth.NoAuth())
        glance = adapter.Adapter(connected, endpoint_override=f"http://127.0.0.1:{receiver.server_port}")
        connection = SimpleNamespace(image=glance, session=connected)
        (source,) = image_sources([{"name": "a", "file": file}], {})
        source.fill(new_client(connection=connection), "1")
        assert receiver.received == [CONTENT, CONTENT]

    def test_it_is_read_in_pieces(self, file):
        body = FileBody(file)
        pieces = list(body)
        assert max(map(len, pieces)) < len(CONTENT) == len(body)
        assert b"".join(pieces) == CONTENT

    def test_a_file_that_changes_while_it_is_sent_is_no_whole(self, file):
        pieces = iter(FileBody(file))
        next(pieces)
        with open(file, "ab") as writer:
            writer.write(b"more")
        with pytest.raises(FileUnusableError, match="changed while"):
            list(pieces)

    def test_a_file_that_vanishes_before_it_is_sent_is_reported(self, file):
        body = FileBody(file)
        os.unlink(file)
        with pytest.raises(FileUnusableError, match=f"{file} cannot be read: No such file"):
            list(body)

    def test_a_file_of_somebody_else_is_reported(self, file, monkeypatch):
        # The superuser may read any.
        monkeypatch.setattr(os, "access", lambda path, mode: False)
        with pytest.raises(FileUnusableError, match=f"{file} cannot be read: no permission"):
            FileBody(file)

    def test_a_file_that_vanishes_fails_and_leaves_nothing_behind(self, cloud, create, file):
        cloud.after["POST", "/images"] = lambda options: os.unlink(file)
        report = create({"name": "a", "file": file})
        assert report.outcomes == {"a": "failed"} and "No such file" in report.items[0].reason_text
        assert cloud.images == {}


def test_a_file_is_not_sent_to_its_end_when_somebody_insists(tmp_path):
    path = tmp_path / "large.raw"
    path.write_bytes(bytes(3 * PIECE))
    sent = []
    interruption = Interruption(lambda: len(sent) == 2, patience=0)
    with pytest.raises(FileUnusableError, match="not sent to its end, as the run was interrupted"):
        for piece in FileBody(str(path), Cancellation(interruption)):
            sent.append(piece)
            assert interruption.requested == (len(sent) == 2)
    assert len(sent) == 2
