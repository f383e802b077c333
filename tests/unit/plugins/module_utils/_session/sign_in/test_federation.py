# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signing in by way of an identity provider: several requests, two tokens, once for all processes."""

from __future__ import annotations

import contextlib
import json
import os
import typing as t

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.sign_in import cache, federation
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import (
    AUTHENTICATIONS,
    IDENTITIES,
    ISSUED,
    REQUESTS,
    UNRECORDED,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util import boot
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import SessionError
from ansible_collections.onetoken.openstack.tests.helpers.token_age import let_it_age
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    PROJECT_ID,
    StandInKeystone,
    keystones_answer,
)
from keystoneauth1 import access, discover, exceptions
from keystoneauth1 import session as keystone_session
from keystoneauth1.identity import v3

HOURS = 3600


class FederatedKeystone(StandInKeystone):
    """One that knows users by an identity provider, which is at /idp on the same port."""

    def _answer(self, request):
        if request.path == "/idp/token":
            return (200, {}, json.dumps({"access_token": "given by the provider"})) if self.knows else (401, {}, "{}")
        if "/OS-FEDERATION/" in request.path:
            token = self.issue()
            del self.alive[token]["project"]
            return 201, {"X-Subject-Token": token}, json.dumps({"token": self.alive[token]})
        return super()._answer(request)

    knows = True


@pytest.fixture
def keystone():
    with FederatedKeystone() as running:
        yield running


@pytest.fixture
def sign_in(keystone):
    def sign_in(session: dict[str, t.Any] | None = None, **options: t.Any) -> str:
        defaults = {
            "identity_provider": "company",
            "protocol": "openid",
            "client_id": "c",
            "client_secret": "s",
            "access_token_endpoint": f"{keystone.url}/idp/token",
            "username": "demo",
            "password": "secret",
            "project_id": PROJECT_ID,
        }
        plugin = v3.OidcPassword(keystone.auth_url, **{**defaults, **options})
        connection = keystone_session.Session()
        for name, value in (session or {}).items():
            setattr(connection, name, value)
        return plugin.get_token(connection)

    return sign_in


def on_record(session) -> set[str]:
    return {session.read_tokens(name).current.id.reveal() for name in session.names()}


def test_both_tokens_are_on_record_and_the_second_process_asks_for_none(on_session, sign_in, keystone):
    token = sign_in()
    assert on_record(on_session) == set(keystone.alive)
    assert len(keystone.alive) == 2
    asked = len(keystone.requests)

    assert sign_in() == token
    assert len(keystone.requests) == asked
    counted = [on_session.counted(name) for name in (REQUESTS, ISSUED, IDENTITIES, AUTHENTICATIONS)]
    assert counted == [2, 2, 1, 1]


def test_all_of_them_are_revoked_at_keystone_s_own_address(on_session, sign_in, keystone):
    sign_in()

    urls = {on_session.read_tokens(name).current.token_url for name in on_session.names()}
    assert urls == {f"{keystone.auth_url}/auth/tokens"}


def test_one_without_a_scope_has_one_token(on_session, sign_in, keystone):
    assert sign_in(project_id=None) == sign_in(project_id=None)
    assert len(keystone.alive) == len(on_session.names()) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"username": "other"},
        {"password": "other"},
        {"client_id": "d"},
        {"client_secret": "t"},
        {"identity_provider": "other"},
        {"protocol": "mapped"},
        {"scope": "other"},
        {"project_id": "p2"},
        {"project_id": None, "project_name": "demo", "project_domain_name": "Default"},
        {"project_id": None, "domain_id": "d1"},
        {"project_id": None, "system_scope": "all"},
        {"project_id": None},
        {"session": {"verify": False}},
        {"session": {"tls_min_version": "1.3"}},
        {"session": {"tls_ciphers": "HIGH"}},
        {"session": {"additional_headers": {"X-Tenant": "a"}}},
    ],
    ids=str,
)
@pytest.mark.parametrize("first", ["as it is", "changed"])
def test_each_changed_option_is_another_identity(on_session, sign_in, changed, first):
    order: list[dict[str, t.Any]] = [{}, changed] if first == "as it is" else [changed, {}]

    tokens = [sign_in(**one) for one in order]

    assert len(set(tokens)) == 2
    assert [sign_in(**one) for one in order] == tokens


@pytest.mark.skipif(not hasattr(v3.OidcPassword, "set_unscoped_auth_state"), reason="this keystoneauth has none")
def test_the_unscoped_token_of_another_account_is_another_identity(on_session, keystone):
    def sign_in(unscoped: str) -> str:
        plugin = v3.OidcPassword(
            keystone.auth_url, "company", "openid", "c", "s", access_token_endpoint=f"{keystone.url}/idp/token",
            project_id=PROJECT_ID,
        )  # fmt: skip
        plugin.set_unscoped_auth_state(
            json.dumps({"auth_token": unscoped, "body": {"token": keystone.alive[unscoped]}})
        )
        return plugin.get_token(keystone_session.Session())

    ann, bob = keystone.issue(), keystone.issue()

    assert sign_in(ann) != sign_in(bob)
    assert sign_in(ann) == sign_in(ann)


def test_a_relative_path_depends_on_the_directory(on_session, sign_in, monkeypatch, tmp_path):
    for folder in (tmp_path, tmp_path / "work"):
        (folder / "cert.pem").touch()
    token = sign_in(session={"cert": "cert.pem"})
    assert sign_in(session={"cert": os.path.abspath("cert.pem")}) == token

    monkeypatch.chdir(tmp_path)
    assert sign_in(session={"cert": "cert.pem"}) != token


def test_another_plugin_with_the_same_options_is_another_identity(on_session, sign_in, keystone):
    token = sign_in()
    options = {
        "identity_provider": "company", "protocol": "openid", "client_id": "c", "client_secret": "s",
        "access_token_endpoint": f"{keystone.url}/idp/token", "project_id": PROJECT_ID,
    }  # fmt: skip

    other = v3.OidcClientCredentials(keystone.auth_url, **options).get_token(keystone_session.Session())

    assert other != token


class _ByGet(v3.OidcPassword):
    """One whose token comes as the answer to a GET, as with SAML2 and ADFS."""

    def get_unscoped_auth_ref(self, session):
        return access.create(resp=session.get(self.federated_token_url, authenticated=False))


@pytest.mark.parametrize("plugin", [_ByGet, v3.OidcPassword])
def test_tokens_of_a_sign_in_for_discovery_are_on_record_too(on_session, keystone, plugin):
    auth = plugin(
        keystone.auth_url, "company", "openid", "c", "s", access_token_endpoint=f"{keystone.url}/idp/token",
        username="demo", password="secret", project_id=PROJECT_ID,
    )  # fmt: skip

    discover.get_version_data(keystone_session.Session(auth=auth), f"{keystone.url}/v3")

    assert on_record(on_session) == set(keystone.alive)
    assert len(keystone.alive) == 2
    assert not [one for one in keystone.requests if one.method == "GET" and "/auth" in one.path][1:]


def test_a_token_is_as_old_as_the_request_for_it(on_session, sign_in, keystone, monkeypatch):
    """What was written before the answer came may not be in it."""
    answered = []
    plain = keystone._answer

    def answer(request):
        answered.append(boot.now())
        return plain(request)

    monkeypatch.setattr(keystone, "_answer", answer)
    token = sign_in()

    stored = [on_session.read_tokens(name).current for name in on_session.names()]
    (began,) = [one.began for one in stored if one.id.reveal() == token]
    assert began < answered[-1]


def test_it_is_not_repeated_while_the_token_is_valid(on_session, sign_in):
    """Somebody may have to sit at a browser for it."""
    token = sign_in()
    for name in on_session.names():
        let_it_age(on_session, name, 20 * HOURS)
    assert sign_in() == token

    for name in on_session.names():
        let_it_age(on_session, name, 5 * HOURS)
    assert sign_in() != token


def test_the_program_gets_a_refusal_and_the_unscoped_token_is_on_record(on_session, sign_in, keystone):
    keystone.knows = False
    with pytest.raises(exceptions.Unauthorized):
        sign_in()
    assert on_session.names() == []

    keystone.knows = True
    keystone.answers["POST"] = [keystones_answer(403)]
    with pytest.raises(exceptions.Forbidden):
        sign_in()
    assert on_record(on_session) == set(keystone.alive)
    assert len(keystone.alive) == 1

    # What is on record of a sign-in that failed is served to nobody.
    assert sign_in() in keystone.alive
    assert len(keystone.alive) == 3


def test_an_unscoped_token_in_a_useless_answer_is_revoked(on_session, sign_in, keystone, monkeypatch):
    answered = keystone._answer

    def answer(request):
        status, headers, body = answered(request)
        return status, headers, "{}" if "/OS-FEDERATION/" in request.path else body

    monkeypatch.setattr(keystone, "_answer", answer)
    # What keystoneauth says of it, and when, differs by its version.
    with contextlib.suppress(Exception):
        sign_in()

    assert len(keystone.revoked) == 1
    assert on_record(on_session) == set(keystone.alive)


def test_others_can_sign_in_after_a_failure(on_session, sign_in, keystone, monkeypatch):
    monkeypatch.setattr(cache, "LOCK_TIMEOUT", 0)
    keystone.knows = False
    with pytest.raises(exceptions.Unauthorized):
        sign_in()

    keystone.knows = True
    token = sign_in()
    assert sign_in() == token


def test_the_copies_of_a_fork_in_another_thread_keep_no_lock(on_session, sign_in, copied):
    sign_in()

    with on_session.locked(0):
        pass
    for name in os.listdir(os.path.join(on_session.path, "locks")):
        os.close(on_session.lock_for(name.partition(".")[0]))
    for handle in copied:
        os.close(handle)


def test_a_plugin_with_other_state_signs_in_each_time_and_its_tokens_are_on_record(on_session, keystone, monkeypatch):
    class Odd(v3.OidcPassword):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self._inner = object()

    def sign_in():
        plugin = Odd(
            keystone.auth_url, "company", "openid", "c", "s", access_token_endpoint=f"{keystone.url}/idp/token",
            username="demo", password="secret", project_id=PROJECT_ID,
        )  # fmt: skip
        return plugin.get_token(keystone_session.Session())

    assert sign_in() != sign_in()
    assert on_record(on_session) == set(keystone.alive)
    assert len(keystone.alive) == 4


def test_a_revoked_session_is_reported(on_session, sign_in, keystone):
    on_session.close()

    with pytest.raises(exceptions.AuthorizationFailure, match="was revoked"):
        sign_in()
    assert keystone.requests == []


class TestFailingOpen:
    def test_a_session_that_cannot_be_written_to(self, on_session, sign_in, monkeypatch):
        def full(self, name, stored):
            raise SessionError("No space left on device")

        monkeypatch.setattr(type(on_session), "write_tokens", full)

        assert sign_in() != sign_in()
        assert on_session.problems() == {UNRECORDED}

    def test_a_session_without_a_key(self, on_session, sign_in, keystone, monkeypatch):
        def fail(self):
            raise SessionError("no key")

        monkeypatch.setattr(type(on_session), "key", fail)

        assert sign_in() != sign_in()

    def test_one_that_is_gone(self, on_session, sign_in):
        first = sign_in()
        os.rename(on_session.path, f"{on_session.path}.elsewhere")

        assert sign_in() != first

    def test_anything_else(self, on_session, sign_in, monkeypatch):
        def fail(*arguments):
            raise RuntimeError("odd")

        monkeypatch.setattr(federation, "connection_of", fail)

        assert sign_in() != sign_in()
