# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was written to Keystone during the run, and which answers are not served any more."""

from __future__ import annotations

import contextlib
import os

import pytest
import requests.adapters
from ansible_collections.onetoken.openstack.plugins.module_utils._session.revoke import revocation
from ansible_collections.onetoken.openstack.plugins.module_utils._session.sign_in import cache, writes
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import key
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.sign_in.sign_ins import (
    GenerousKeystone,
    current,
    password_plugin,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    PROJECT_ID,
    USER,
)
from keystoneauth1 import exceptions
from keystoneauth1 import session as keystone_session


class WritableKeystone(GenerousKeystone):
    """One that takes every change, and tells whose each token is."""

    def _answer(self, request):
        if request.path.startswith(("/v3/", "/volume", "/inner")) and "/auth/" not in request.path:
            return self.status, {}, "{}"
        return super()._answer(request)

    status = 200

    def _token_body(self):
        return {**super()._token_body(), "user": {"id": self.user, "name": USER, "domain": {"id": "default"}}}

    user = "u1"


@pytest.fixture
def keystone():
    with WritableKeystone() as running:
        yield running


@pytest.fixture
def admin(keystone):
    """Somebody who changes things, whose own token nothing of this is about."""
    keystone.user = "the admin"
    session = keystone_session.Session(auth=password_plugin(keystone, username="admin", project_name="of admins"))
    session.get_token()
    for body in keystone.alive.values():
        body["project"] = {"id": "of-admins", "name": "of admins", "domain": {"id": "d2"}}
    keystone.user = "u1"
    return session


@pytest.fixture
def answered(admin, keystone):
    """Change a user, with this status for an answer."""

    def answered(status: int, raise_exc: bool) -> None:
        keystone.status = status
        with contextlib.suppress(exceptions.HttpError):
            admin.patch(f"{keystone.auth_url}/users/u1", json={"user": {}}, raise_exc=raise_exc)

    return answered


@pytest.fixture
def is_served(on_session, sign_in, keystone):
    """Whether a second sign-in is served from the session after something was done."""

    def is_served(do) -> bool:
        first = sign_in()
        do()
        return sign_in() == first

    return is_served


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/users/u1/password", {"user": {"password": "new", "original_password": "old"}}),
        ("PATCH", "/users/u1", {"user": {"enabled": False}}),
        ("DELETE", "/users/u1", None),
        ("DELETE", f"/projects/{PROJECT_ID}", None),
        ("PATCH", f"/projects/{PROJECT_ID}", {"project": {"enabled": False}}),
        ("PATCH", "/domains/default", {"domain": {"enabled": False}}),
        ("PUT", f"/projects/{PROJECT_ID}/users/somebody/roles/r1", None),
        ("DELETE", "/projects/p/users/somebody/roles/r1", None),
        ("PUT", "/domains/d/groups/g/roles/r1", None),
        ("PATCH", "/roles/r1", {"role": {"name": "other"}}),
        ("PUT", "/groups/g/users/somebody", None),
        ("PUT", "/OS-INHERIT/projects/p/users/u/roles/r/inherited_to_projects", None),
        ("POST", "/endpoints", {"endpoint": {"url": "http://new"}}),
        ("POST", "/services", {"service": {"type": "volume"}}),
        ("PATCH", "/regions/r", {"region": {}}),
        ("PUT", "/OS-EP-FILTER/projects/p/endpoints/e", None),
        ("PATCH", "/OS-FEDERATION/mappings/m", {"mapping": {"rules": []}}),
    ],
)
@pytest.mark.parametrize("address", ["by the catalog", "whole"])
def test_a_write_that_may_change_keystone_s_answer_makes_the_token_stale(
    is_served, admin, keystone, method, path, body, address, monkeypatch
):
    def write():
        more = {"endpoint_filter": {"service_type": "identity"}} if address == "by the catalog" else {}
        if more:
            monkeypatch.setattr(type(admin), "get_endpoint", lambda *args, **kwargs: keystone.auth_url)
        admin.request(path if more else keystone.auth_url + path, method, json=body, **more)

    assert not is_served(write)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v3/users/u1", None),
        ("PATCH", "/v3/users/u2", {"user": {"enabled": False}}),
        ("DELETE", "/v3/projects/p2", None),
        ("POST", "/v3/OS-TRUST/trusts", {"trust": {"trustor_user_id": "u1", "project_id": PROJECT_ID}}),
        ("DELETE", "/v3/OS-TRUST/trusts/t2", None),
        ("POST", "/v3/OS-FEDERATION/identity_providers/i/protocols/p/auth", {}),
        ("POST", "/v3/users/u1/application_credentials", {"application_credential": {"project_id": PROJECT_ID}}),
        ("DELETE", "/v3/users/u1/application_credentials/c2", None),
        ("POST", "/v3/users/u1/credentials/OS-EC2", {"tenant_id": PROJECT_ID}),
        ("POST", "/v3/users", {"user": {"name": "new", "domain_id": "default", "default_project_id": PROJECT_ID}}),
        ("POST", "/v3/projects", {"project": {"name": "new", "description": "u1", "parent_id": PROJECT_ID}}),
        ("POST", f"/volume/v3/{PROJECT_ID}/volumes", {"volume": {"project_id": PROJECT_ID}}),
        ("DELETE", f"/volume/v3/{PROJECT_ID}/volumes/v1", None),
        ("POST", f"/v3x/{PROJECT_ID}", None),
    ],
)
def test_a_write_about_others_or_to_another_service_does_not(is_served, admin, keystone, method, path, body):
    assert is_served(lambda: admin.request(keystone.url + path, method, json=body, raise_exc=False))


def test_keystone_is_known_by_all_addresses_that_its_catalog_has(on_session, sign_in, admin, keystone, monkeypatch):
    """An administrator's interface may have an address of its own."""
    inner = f"{keystone.url}/inner"
    plain = keystone._token_body
    catalog = [{"type": "identity", "endpoints": [{"interface": "admin", "url": f"{inner}/"}]}]
    monkeypatch.setattr(keystone, "_token_body", lambda: {**plain(), "catalog": catalog})
    first = sign_in()

    admin.patch(f"{inner}/v3/users/u1", json={"user": {}})

    assert sign_in() != first


def test_an_address_of_cinder_that_begins_like_keystone_s_is_recognized_by_its_service_type(
    is_served, admin, keystone, monkeypatch
):
    monkeypatch.setattr(type(admin), "get_endpoint", lambda *args, **kwargs: keystone.auth_url)

    assert is_served(lambda: admin.post(f"/{PROJECT_ID}/volumes", endpoint_filter={"service_type": "block-storage"}))


@pytest.mark.parametrize("status", [400, 403, 404, 409])
@pytest.mark.parametrize("raise_exc", [True, False])
def test_a_write_that_is_refused_changes_nothing(is_served, answered, status, raise_exc):
    assert is_served(lambda: answered(status, raise_exc))


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("raise_exc", [True, False])
def test_a_write_that_a_gateway_gave_up_may_have_succeeded(is_served, answered, status, raise_exc):
    assert not is_served(lambda: answered(status, raise_exc))


@pytest.mark.parametrize("address", ["whole", "by the catalog", "by an endpoint"])
@pytest.mark.parametrize(
    "error", [requests.exceptions.ReadTimeout, requests.exceptions.ConnectionError, requests.exceptions.InvalidHeader]
)
def test_a_write_whose_answer_was_lost_may_have_succeeded(is_served, admin, keystone, monkeypatch, address, error):
    def lose(*arguments, **more):
        raise error("lost")

    path, more = "/users/u1", {}
    if address == "whole":
        path = keystone.auth_url + path
    elif address == "by an endpoint":
        more = {"endpoint_override": keystone.auth_url}
    else:
        more = {"endpoint_filter": {"service_type": "identity"}}
        monkeypatch.setattr(type(admin), "get_endpoint", lambda *args, **kwargs: keystone.auth_url)

    def write():
        with monkeypatch.context() as patch:
            patch.setattr(requests.Session, "send", lose)
            with pytest.raises(exceptions.ConnectionError):
                admin.patch(path, json={"user": {}}, **more)

    assert not is_served(write)


def test_a_lost_answer_of_another_service_makes_nothing_stale(is_served, admin, keystone):
    def write():
        with pytest.raises(exceptions.ConnectFailure):
            admin.post("http://127.0.0.1:1/v3/users/u1", json={})

    assert is_served(write)


def test_a_change_of_the_catalog_makes_all_tokens_stale_and_one_of_a_user_does_not(
    on_session, sign_in, admin, keystone
):
    keystone.user = "u2"
    others = sign_in(username="other")
    keystone.user = "u1"

    admin.post(f"{keystone.auth_url}/users/u1/password", json={"user": {}})
    assert sign_in(username="other") == others

    admin.post(f"{keystone.auth_url}/endpoints", json={"endpoint": {}})
    assert sign_in(username="other") != others


def test_a_revoked_token_is_not_served_any_more(is_served, on_session, admin, keystone):
    def revoke():
        (token,) = [token for token in keystone.alive if keystone.alive[token]["user"]["id"] == "u1"]
        admin.delete(f"{keystone.auth_url}/auth/tokens", headers={"X-Subject-Token": token})

    assert not is_served(revoke)


def test_a_token_that_was_requested_before_a_write_ended_is_stale(on_session, sign_in, admin, keystone, monkeypatch):
    """The answer came after it, but may be of before."""
    first = sign_in()
    name = next(name for name in on_session.names() if on_session.read_tokens(name).current.id.reveal() == first)
    began = on_session.read_tokens(name).current.began

    admin.patch(f"{keystone.auth_url}/users/u1", json={})
    second = sign_in()

    assert on_session.read_tokens(name).current.began > began
    assert second != first
    assert sign_in() == second


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("users/u1/application_credentials/c1", {"application_credential": {"id": "c1"}}),
        ("OS-TRUST/trusts/c1", {"OS-TRUST:trust": {"id": "c1"}}),
    ],
)
def test_a_token_of_a_credential_or_trust_ends_with_it(is_served, admin, keystone, monkeypatch, path, body):
    plain = keystone._token_body
    monkeypatch.setattr(keystone, "_token_body", lambda: {**plain(), **body})

    assert not is_served(lambda: admin.delete(f"{keystone.auth_url}/{path}"))


def test_a_write_that_cannot_be_recorded_still_succeeds(is_served, admin, keystone, monkeypatch):
    def fail(*arguments):
        raise OSError("No space left on device")

    monkeypatch.setattr(writes, "note", fail)

    assert is_served(lambda: admin.patch(f"{keystone.auth_url}/users/u1", json={}))


def test_the_revoke_of_the_session_by_a_process_on_it_is_not_recorded(on_session, sign_in):
    sign_in()

    assert revocation.revoke(on_session, 30).revoked == 1

    assert [place for place in key.paths(on_session.path) if os.path.exists(place)] == []
    assert not os.path.exists(os.path.join(on_session.path, "stale"))


def test_the_record_of_a_write_has_no_secret(on_session, admin, keystone):
    admin.post(f"{keystone.auth_url}/users/u1/password", json={"user": {"password": "my new secret"}})

    for folder, _folders, names in os.walk(on_session.path):
        for name in names:
            with open(os.path.join(folder, name), "rb") as stream:
                assert b"my new secret" not in stream.read()


def test_the_admin_s_own_token_is_on_the_session_too(on_session, admin):
    assert cache.latest is not None
    assert current(on_session).body["user"]["id"] == "the admin"


def test_an_address_with_a_user_in_it_is_keystone_s_too(is_served, admin, keystone):
    url = keystone.auth_url.replace("://", "://someone:secret@")

    assert not is_served(lambda: admin.patch(f"{url}/users/u1", json={"user": {"enabled": False}}))
