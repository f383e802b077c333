# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The versions of services, asked for once in ten minutes and not by each process."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.sign_in import discovery
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import directory, documents
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import SessionError
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.sign_in.sign_ins import (
    password_plugin,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    StandInKeystone,
)
from keystoneauth1 import discover, exceptions
from keystoneauth1 import session as keystone_session


class Services(StandInKeystone):
    """A service at /service; a test sets what it answers, and whether it wants a token first."""

    status = 200
    wants_token = False
    is_html = False

    def _answer(self, request):
        if request.path.startswith("/service"):
            if self.wants_token and request.headers.get("X-Auth-Token") not in self.alive:
                return 401, {}, "{}"
            versions = [{"id": "v2.1", "status": "CURRENT", "links": [{"rel": "self", "href": f"{self.url}/service"}]}]
            return self.status, {}, "<html>" if self.is_html else json.dumps({"versions": versions})
        if request.path.startswith(("/gone", "/no-such-version")):
            return 404 if request.path == "/gone" else 300, {}, "{}"
        return super()._answer(request)

    @property
    def discoveries(self) -> int:
        return len([one for one in self.requests if one.path.startswith("/service")])


@pytest.fixture
def keystone(monkeypatch):
    monkeypatch.setattr(discovery, "served_hosts", set())
    with Services() as running:
        yield running


@pytest.fixture
def discover_it(on_session, keystone):
    """What a new process finds out of the service."""

    def discover_it(path: str = "/service", authenticated: bool | None = None, user: str = "", **options):
        session = keystone_session.Session(auth=password_plugin(keystone))
        for name, value in options.items():
            setattr(session, name, value)
        url = keystone.url.replace("://", f"://{user}") + path
        return discover.get_version_data(session, url, authenticated=authenticated)

    return discover_it


def let_pass(session, seconds: float) -> None:
    """Make the documents of a session as old as if this time had passed."""
    folder = os.path.join(session.path, "discovery")
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        with open(path, encoding="utf-8") as stream:
            document = json.load(stream)
        document["at"] -= seconds
        with open(path, "w", encoding="utf-8") as stream:
            json.dump(document, stream)


def documents_of(session) -> list[dict]:
    folder = os.path.join(session.path, "discovery")
    if not os.path.isdir(folder):
        return []
    found = []
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), encoding="utf-8") as stream:
            found.append(json.load(stream))
    return found


def test_the_second_request_gets_the_same_answer(discover_it, keystone):
    assert discover_it() == discover_it()
    assert keystone.discoveries == 1


@pytest.mark.parametrize(("seconds", "asked"), [(590, 1), (601, 2)])
def test_it_is_served_for_ten_minutes(discover_it, keystone, on_session, seconds, asked):
    discover_it()
    let_pass(on_session, seconds)

    discover_it()
    assert keystone.discoveries == asked


@pytest.mark.parametrize(
    "other",
    [
        {"path": "/service/"},
        {"authenticated": False},
        {"verify": False},
        {"tls_min_version": "1.3"},
        {"tls_ciphers": "HIGH"},
        {"additional_headers": {"X-Tenant": "a"}},
    ],
    ids=str,
)
def test_a_different_request_is_sent(discover_it, keystone, other):
    discover_it()
    discover_it(**other)
    discover_it(**other)

    assert keystone.discoveries == 2


@pytest.mark.parametrize(
    "other",
    [{"path": "/service", "user": "someone:secret@"}, {"additional_headers": {"Authorization": "secret"}}],
    ids=str,
)
def test_a_request_with_a_secret_is_not_kept(discover_it, keystone, on_session, other):
    discover_it(**other)
    discover_it(**other)

    assert keystone.discoveries == 2
    assert documents_of(on_session) == []


def test_a_401_without_a_token_is_remembered(discover_it, keystone):
    keystone.wants_token = True

    assert discover_it(authenticated=False) == discover_it(authenticated=False)
    assert keystone.discoveries == 2


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_no_other_error_is_kept(discover_it, keystone, status):
    keystone.status = status
    with pytest.raises(exceptions.ClientException):
        discover_it()

    keystone.status = 200
    assert discover_it()


def test_an_answer_that_is_no_version_document_is_not_kept(discover_it, keystone):
    keystone.is_html = True
    with pytest.raises(exceptions.DiscoveryFailure):
        discover_it()

    keystone.is_html = False
    assert discover_it()


def test_a_program_s_own_request_is_not_answered(on_session, keystone):
    session = keystone_session.Session(auth=password_plugin(keystone))
    for _turn in range(2):
        session.get(f"{keystone.url}/service")

    assert keystone.discoveries == 2


class TestDoubt:
    @pytest.fixture
    def served(self, discover_it, on_session):
        discover_it()

        def served(seconds: float):
            let_pass(on_session, seconds)
            discover_it()

        return served

    def not_found(self, keystone):
        session = keystone_session.Session(auth=password_plugin(keystone))
        with pytest.raises(exceptions.NotFound):
            session.get(f"{keystone.url}/gone")

    @pytest.mark.parametrize(("seconds", "asked"), [(11, 2), (2, 1)])
    def test_after_something_was_not_found_an_old_document_is_asked_for_again(
        self, served, discover_it, keystone, seconds, asked
    ):
        served(seconds)
        self.not_found(keystone)

        discover_it()
        assert keystone.discoveries == asked

    @pytest.mark.parametrize("path", ["gone", "no-such-version"])
    def test_so_it_is_if_the_program_does_not_raise_that_error(self, served, discover_it, keystone, path):
        served(11)
        session = keystone_session.Session(auth=password_plugin(keystone))
        session.get(f"{keystone.url}/{path}", raise_exc=False)

        discover_it()
        assert keystone.discoveries == 2

    def test_so_it_is_after_a_failed_sign_in(self, served, discover_it, keystone):
        served(11)
        with pytest.raises(exceptions.NotFound):
            keystone_session.Session(auth=password_plugin(keystone, auth_url=f"{keystone.url}/moved/v3")).get_token()

        discover_it()
        assert keystone.discoveries == 2

    def test_so_it_is_after_a_lost_connection(self, served, discover_it, keystone):
        served(11)
        session = keystone_session.Session(auth=password_plugin(keystone))
        with pytest.raises(exceptions.ConnectFailure):
            session.get("http://127.0.0.1:1/servers")

        discover_it()
        assert keystone.discoveries == 2

    def test_a_404_of_another_host_forgets_nothing(self, served, discover_it, keystone):
        served(11)
        with Services() as other:
            self.not_found(other)

        discover_it()
        assert keystone.discoveries == 1

    def test_a_process_without_served_documents_forgets_nothing(self, discover_it, on_session, keystone):
        discover_it()
        let_pass(on_session, 11)
        self.not_found(keystone)

        discover_it()
        assert keystone.discoveries == 1


def test_only_headers_about_versions_are_kept(discover_it, keystone, on_session, monkeypatch):
    plain = keystone._answer

    def answer(request):
        status, headers, body = plain(request)
        limits = {"X-OpenStack-Ironic-API-Minimum-Version": "1.1", "X-OpenStack-Ironic-API-Maximum-Version": "1.80"}
        return status, {**headers, **limits, "Set-Cookie": "id=secret"}, body

    monkeypatch.setattr(keystone, "_answer", answer)
    discover_it()

    (document,) = documents_of(on_session)
    assert {"X-OpenStack-Ironic-API-Minimum-Version", "X-OpenStack-Ironic-API-Maximum-Version", "Content-Type"} == set(
        document["headers"]
    )


def test_a_document_that_is_kept_is_found_without_a_lock(discover_it, keystone, on_session):
    first = discover_it()
    (name,) = os.listdir(os.path.join(on_session.path, "discovery"))
    lock = os.path.join(on_session.path, "locks", f"{name}.lock")
    os.unlink(lock)

    assert discover_it() == first
    assert not os.path.exists(lock)


class TestFailingOpen:
    def test_locks_that_cannot_be_made(self, discover_it, keystone, on_session):
        discover_it()
        shutil.rmtree(os.path.join(on_session.path, "locks"))
        shutil.rmtree(os.path.join(on_session.path, "discovery"))
        with open(os.path.join(on_session.path, "locks"), "wb"):
            pass

        assert discover_it() == discover_it()
        assert keystone.discoveries == 2

    def test_documents_that_cannot_be_written(self, discover_it, keystone, monkeypatch):
        def full(*arguments):
            raise SessionError("No space left on device")

        monkeypatch.setattr(directory, "write", full)

        assert discover_it() == discover_it()
        assert keystone.discoveries == 2

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"status": 200}'])
    def test_documents_that_are_damaged(self, discover_it, keystone, on_session, text):
        first = discover_it()
        folder = os.path.join(on_session.path, "discovery")
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as stream:
                stream.write(text)

        assert discover_it() == first
        assert keystone.discoveries == 2

    @pytest.mark.parametrize(
        "change",
        [
            *({"body": None}, {"body": 5}, {"body": "<html>"}, {"body": "\ud800"}, {"url": []}, {"status": "200"}),
            *({"headers": None}, {"headers": [1]}, {"headers": {"Link": 1}}, {"at": "now"}, {"boot": 1}),
        ],
        ids=str,
    )
    def test_documents_with_values_of_another_type(self, discover_it, keystone, on_session, change):
        first = discover_it()
        folder = os.path.join(on_session.path, "discovery")
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), encoding="utf-8") as stream:
                document = json.load(stream)
            with open(os.path.join(folder, name), "w", encoding="utf-8") as stream:
                json.dump({**document, **change}, stream)

        assert discover_it() == first
        assert keystone.discoveries == 2

    def test_a_session_that_is_gone(self, discover_it, keystone, on_session):
        discover_it()
        os.rename(on_session.path, f"{on_session.path}.elsewhere")

        assert discover_it()
        assert not os.path.exists(on_session.path)

    def test_a_revoked_session_serves_no_document(self, on_session, keystone):
        session = keystone_session.Session()
        discover.get_version_data(session, f"{keystone.url}/service", authenticated=False)
        on_session.close()

        assert discover.get_version_data(session, f"{keystone.url}/service", authenticated=False)
        assert keystone.discoveries == 2


def test_only_the_documents_of_that_host_are_forgotten(on_session):
    for host in ("one:80", "two:80"):
        name = documents.name_of(f"http://{host}/", "x")
        documents.write(on_session, name, documents.Document(200, {}, "{}", f"http://{host}/", 0.0, "another start"))

    documents.forget(on_session, "one:80")

    left = os.listdir(os.path.join(on_session.path, "discovery"))
    assert left == [documents.name_of("http://two:80/", "x")]
