# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An explicit session: tasks sign in with a handle in the place of a token."""

from __future__ import annotations

import dataclasses
import os

import pytest
import requests
from ansible_collections.onetoken.openstack.plugins.module_utils._session.sign_in import cache, handle
from ansible_collections.onetoken.openstack.plugins.module_utils._session.sign_in.clouds import Way
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import usage
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import (
    AUTHENTICATIONS,
    BROKEN,
    ISSUED,
    REQUESTS,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.token import Tls
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.tokens import StoredTokens
from ansible_collections.onetoken.openstack.tests.helpers.token_age import let_it_age
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    PROJECT_ID,
    Answer,
    StandInKeystone,
    keystones_answer,
)
from keystoneauth1 import exceptions
from keystoneauth1 import session as keystone_session
from keystoneauth1.identity import v3

HOURS = 3600


@pytest.fixture
def identity(on_session, sign_in):
    sign_in()
    (name,) = on_session.names()
    return name


@pytest.fixture
def token(on_session, identity):
    """What the handle stands for."""
    return on_session.read_tokens(identity).current.id.reveal()


@pytest.fixture
def granted(on_session, identity):
    return handle.grant(on_session, identity, None)


@pytest.fixture
def sign_in_with(keystone):
    def sign_in(text: str, **scope: str) -> str:
        return v3.Token(keystone.auth_url, text, **scope).get_token(keystone_session.Session())

    return sign_in


@pytest.mark.parametrize(
    "scope",
    [
        {},
        {"project_id": PROJECT_ID},
        {"project_name": "demo", "project_domain_name": "Default"},
        {"project_name": "demo", "project_domain_id": "default"},
    ],
    ids=str,
)
def test_it_is_served_for_the_token_s_own_scope(on_session, granted, token, sign_in_with, keystone, scope):
    asked = len(keystone.requests)
    served = on_session.counted(AUTHENTICATIONS)

    assert sign_in_with(granted, **scope) == token
    assert len(keystone.requests) == asked
    assert on_session.counted(AUTHENTICATIONS) == served + 1


@pytest.mark.parametrize(
    ("body", "own", "others"),
    [
        ({"domain": {"id": "d1", "name": "Users"}}, {"domain_id": "d1"}, {"domain_id": "d2"}),
        ({"domain": {"id": "d1", "name": "Users"}}, {"domain_name": "Users"}, {"domain_name": "users"}),
        ({"system": {"all": True}}, {"system_scope": "all"}, {"domain_id": "d1"}),
        ({}, {"unscoped": True}, {"project_id": PROJECT_ID}),
    ],
    ids=str,
)
def test_so_it_is_for_a_domain_the_system_and_no_scope(
    on_session, sign_in, sign_in_with, keystone, monkeypatch, body, own, others
):
    plain = keystone._token_body
    monkeypatch.setattr(
        keystone, "_token_body", lambda: {**{k: v for k, v in plain().items() if k != "project"}, **body}
    )
    token = sign_in()
    granted = handle.grant(on_session, on_session.names()[0], None)

    assert sign_in_with(granted, **own) == token
    assert sign_in_with(granted, **others) != token


@pytest.mark.parametrize(
    "scope",
    [
        {"project_id": "p2"},
        {"project_name": "demo", "project_domain_name": "Users"},
        {"project_name": "other", "project_domain_name": "Default"},
        {"domain_id": "default"},
        {"system_scope": "all"},
        {"unscoped": True},
        {"trust_id": "t1"},
    ],
    ids=str,
)
def test_for_another_scope_the_token_is_exchanged_once_for_all_and_on_record(
    on_session, granted, token, sign_in_with, keystone, scope
):
    exchanged = sign_in_with(granted, **scope)

    assert exchanged != token and exchanged in keystone.alive
    assert sign_in_with(granted, **scope) == exchanged
    assert len(keystone.asked("POST")) == 2
    assert token in keystone.asked("POST")[1].body
    assert handle.HANDLE not in keystone.asked("POST")[1].body
    assert {on_session.read_tokens(name).current.id.reveal() for name in on_session.names()} == {token, exchanged}
    assert on_session.counted(ISSUED) == on_session.counted(REQUESTS) == 2


def test_another_address_than_the_token_s_is_refused_and_gets_no_request(on_session, granted, token, keystone):
    with StandInKeystone() as other:
        for scope in ({}, {"project_id": "p2"}):
            with pytest.raises(exceptions.AuthorizationFailure) as caught:
                v3.Token(other.auth_url, granted, **scope).get_token(keystone_session.Session())

        assert other.requests == []
    assert str(caught.value) == (
        f"The token of the session {on_session.path} is from Keystone at {keystone.auth_url} and is not sent to "
        f"{other.auth_url}: set auth_url to {keystone.auth_url}, or sign in there with credentials."
    )


def test_that_error_shows_no_password_of_an_address(granted):
    with pytest.raises(exceptions.AuthorizationFailure, match="not sent to http://k/v3: ") as caught:
        v3.Token("http://someone:secret@k/v3", granted).get_token(keystone_session.Session())
    assert "secret" not in str(caught.value)


def test_the_address_may_be_written_in_another_way(granted, token, keystone):
    for url in (f"{keystone.auth_url}/", keystone.auth_url.replace("://", "://someone:secret@")):
        assert v3.Token(url, granted).get_token(keystone_session.Session()) == token


def test_it_is_exchanged_and_recorded_with_the_tls_settings_of_the_token(
    on_session, identity, granted, keystone, monkeypatch
):
    """Whatever the configuration says of who exchanges it."""
    tls = Tls(verify="/ca.pem", cert=("/c.pem", "/k.pem"), min_version="1.3")
    own = dataclasses.replace(on_session.read_tokens(identity).current, tls=tls)
    on_session.write_tokens(identity, StoredTokens(own))
    sent = []
    plain = requests.Session.request

    def request(self, method, url, verify=None, cert=None, **options):
        sent.append((verify, cert))
        return plain(self, method, url, **options)

    monkeypatch.setattr(requests.Session, "request", request)

    v3.Token(keystone.auth_url, granted, project_id="p2").get_token(keystone_session.Session(verify=False))

    (exchanged,) = (name for name in on_session.names() if name != identity)
    assert sent == [(tls.verify, tls.cert)]
    assert on_session.read_tokens(exchanged).current.tls == tls


@pytest.mark.parametrize("options", [{"verify": False}, {"additional_headers": {"X-Tenant": "a"}}], ids=str)
def test_another_request_does_not_get_the_exchanged_token(granted, keystone, options):
    first, other = (
        v3.Token(keystone.auth_url, granted, project_id="p2").get_token(keystone_session.Session(**one))
        for one in ({}, options)
    )

    assert first != other


@pytest.mark.parametrize("status", [401, 403])
def test_an_exchange_that_keystone_refuses_is_reported(on_session, granted, sign_in_with, keystone, status):
    keystone.answers["POST"] = [keystones_answer(status)]

    with pytest.raises(exceptions.AuthorizationFailure) as caught:
        sign_in_with(granted, project_id="p2")
    assert str(caught.value) == (
        f"The session {on_session.path} is for user 'demo' for project 'demo', and Keystone gives no token for another "
        f"scope (HTTP {status}): issue a session for that scope."
    )


def test_an_exchange_with_a_revoked_token_says_so(on_session, granted, token, sign_in_with, keystone):
    del keystone.alive[token]

    for _turn in range(2):
        with pytest.raises(exceptions.AuthorizationFailure, match="is not accepted any more .* with os_token_issue"):
            sign_in_with(granted, project_id="p2")


def test_a_request_without_the_catalog_gets_none(granted, token, keystone):
    def access(**options: bool):
        return v3.Token(keystone.auth_url, granted, **options).get_access(keystone_session.Session())

    assert access(include_catalog=False).auth_token == access().auth_token == token
    assert not access(include_catalog=False).service_catalog.catalog
    assert access().service_catalog.catalog


def test_an_unknown_handle_is_a_token_that_keystone_does_not_recognize(granted, sign_in_with):
    with pytest.raises(exceptions.Unauthorized):
        sign_in_with(handle.HANDLE + "unknown")


def test_without_the_session_keystone_does_not_recognize_a_handle(granted, sign_in_with, monkeypatch, keystone):
    monkeypatch.setenv("ONETOKEN_SESSION_DIRECTORY", "")

    with pytest.raises(exceptions.Unauthorized):
        sign_in_with(granted)
    assert granted in keystone.asked("POST")[-1].body


def test_a_handle_can_stand_for_another_identity(on_session, granted, sign_in_with, sign_in, keystone):
    other = sign_in(project_domain_name="Default", project_name="other")
    (name,) = [name for name in on_session.names() if on_session.read_tokens(name).current.id.reveal() == other]

    assert handle.grant(on_session, name, None, granted) == granted
    assert sign_in_with(granted) == other


def test_a_handle_cannot_be_read_from_the_session(on_session, granted):
    for folder, _folders, names in os.walk(on_session.path):
        for name in names:
            with open(os.path.join(folder, name), "rb") as stream:
                assert granted.encode() not in stream.read()


class TestASessionThatIsDamaged:
    def test_a_token_that_cannot_be_read_is_reported(self, on_session, identity, granted, sign_in_with):
        with open(os.path.join(on_session.path, "tokens", f"{identity}.json"), "w", encoding="utf-8") as stream:
            stream.write("{")

        with pytest.raises(exceptions.AuthorizationFailure, match="is damaged: remove the session's directory"):
            sign_in_with(granted)

    def test_counters_and_locks_that_cannot_be_written_prevent_no_sign_in(
        self, on_session, granted, token, sign_in_with, monkeypatch
    ):
        def fail(*arguments):
            raise OSError("No space left on device")

        os.mkdir(os.path.join(on_session.path, AUTHENTICATIONS))
        os.remove(os.path.join(on_session.path, REQUESTS))
        os.mkdir(os.path.join(on_session.path, REQUESTS))
        monkeypatch.setattr(usage, "hold", fail)

        assert sign_in_with(granted) == token
        cache.refuse(token)
        assert sign_in_with(granted) == token

    def test_an_unexpected_error_is_reported_and_keystone_refuses_the_handle(
        self, on_session, granted, sign_in_with, monkeypatch
    ):
        def fail(*arguments):
            raise OSError("Input/output error")

        monkeypatch.setattr(type(on_session), "read_tokens", fail)

        with pytest.raises(exceptions.Unauthorized):
            sign_in_with(granted)
        assert on_session.problems() == {BROKEN}

    @pytest.mark.parametrize("text", ["{", "[]", '{"identity": 1, "more": 2}'])
    def test_a_damaged_handle_counts_as_unknown(self, on_session, granted, sign_in_with, text):
        (name,) = os.listdir(os.path.join(on_session.path, "handles"))
        with open(os.path.join(on_session.path, "handles", name), "w", encoding="utf-8") as stream:
            stream.write(text)

        with pytest.raises(exceptions.Unauthorized):
            sign_in_with(granted)


class TestRenewal:
    @pytest.fixture
    def of_a_cloud(self, on_session, clouds_yaml, keystone, monkeypatch):
        """The cloud's own identity, under the name by which a process that signs in to it finds it."""
        region = Way("sandbox", [clouds_yaml]).region()
        region.get_auth().get_access(region.get_session())
        assert cache.latest is not None
        name = cache.latest.name
        return name, handle.grant(on_session, name, Way("sandbox", [clouds_yaml]))

    def test_a_due_token_is_renewed(self, on_session, of_a_cloud, sign_in_with, keystone):
        name, granted = of_a_cloud
        old = sign_in_with(granted)
        let_it_age(on_session, name, 9 * HOURS)

        new = sign_in_with(granted)

        assert new != old
        assert on_session.read_tokens(name).current.id.reveal() == new
        assert sign_in_with(granted) == new

    def test_a_refused_token_is_replaced(self, on_session, of_a_cloud, sign_in_with, keystone):
        name, granted = of_a_cloud
        old = sign_in_with(granted)
        cache.refuse(old)
        del keystone.alive[old]

        assert sign_in_with(granted) != old

    def test_if_renewal_fails_the_old_token_is_used(self, on_session, of_a_cloud, sign_in_with, keystone, write_clouds):
        name, granted = of_a_cloud
        old = sign_in_with(granted)
        let_it_age(on_session, name, 9 * HOURS)
        write_clouds({"clouds": {}})

        assert sign_in_with(granted) == old

    def test_a_due_token_that_cannot_be_renewed_is_used_until_it_expires(
        self, on_session, identity, granted, token, sign_in_with
    ):
        let_it_age(on_session, identity, 9 * HOURS)
        assert sign_in_with(granted) == token

        let_it_age(on_session, identity, 16 * HOURS)
        with pytest.raises(exceptions.AuthorizationFailure, match="is not accepted any more or expired at .*: issue"):
            sign_in_with(granted)

    def test_a_refused_token_that_cannot_be_renewed_is_reported(
        self, on_session, granted, token, sign_in_with, keystone
    ):
        cache.refuse(token)
        del keystone.alive[token]

        with pytest.raises(exceptions.AuthorizationFailure, match="issue it again with os_token_issue"):
            sign_in_with(granted)

    def test_so_is_one_that_cannot_be_exchanged_any_more(self, of_a_cloud, sign_in_with, keystone):
        _name, granted = of_a_cloud
        old = sign_in_with(granted)
        del keystone.alive[old]

        assert sign_in_with(granted, project_id="p2") in keystone.alive
        assert sign_in_with(granted) not in (old, sign_in_with(granted, project_id="p2"))

    def test_if_keystone_cannot_validate_it_the_program_can_report_the_error(
        self, granted, token, sign_in_with, keystone, monkeypatch
    ):
        monkeypatch.setattr(cache, "TOKEN_TIMEOUT", 0)
        keystone.stuck["GET"] = Answer(503)
        cache.refuse(token)

        with pytest.raises(exceptions.ClientException, match="answered HTTP 503 until the timeout; try again later"):
            sign_in_with(granted)

    def test_a_refused_token_that_keystone_still_accepts_is_served_again(
        self, on_session, granted, token, sign_in_with, keystone
    ):
        """The fault is the service's that refused it."""
        cache.refuse(token)

        assert sign_in_with(granted) == token

    def test_a_token_that_was_swept_is_replaced(self, on_session, of_a_cloud, sign_in_with, keystone):
        name, granted = of_a_cloud
        on_session.remove_tokens(name)

        assert sign_in_with(granted) in keystone.alive

    def test_a_swept_token_that_cannot_be_renewed_is_reported(self, on_session, identity, granted, sign_in_with):
        on_session.remove_tokens(identity)

        with pytest.raises(exceptions.AuthorizationFailure, match="no longer has a token .*: issue it again"):
            sign_in_with(granted)

    def test_a_revoked_session_is_an_error(self, on_session, granted, sign_in_with):
        on_session.close()

        with pytest.raises(exceptions.AuthorizationFailure, match="was revoked"):
            sign_in_with(granted)
