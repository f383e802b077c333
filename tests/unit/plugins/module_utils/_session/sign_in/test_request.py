# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes two sign-ins the same identity: the request that would be sent, and nothing else."""

from __future__ import annotations

import json
import typing as t

import pytest
import requests
from ansible_collections.onetoken.openstack.plugins.module_utils._session.sign_in.request import SignInRequest, tls_of
from hypothesis import given
from hypothesis import strategies as st
from keystoneauth1 import plugin as keystone_plugin
from keystoneauth1 import session as keystone_session
from keystoneauth1.identity import generic, v3

SCOPES: dict[str, dict[str, t.Any]] = {
    "project id": {"project_id": "p1"},
    "another project id": {"project_id": "p2"},
    "project": {"project_name": "demo", "project_domain_name": "Default"},
    "another project": {"project_name": "other", "project_domain_name": "Default"},
    "project domain": {"project_name": "demo", "project_domain_name": "Users"},
    "project domain id": {"project_name": "demo", "project_domain_id": "d1"},
    "domain": {"domain_name": "Default"},
    "domain id": {"domain_id": "default"},
    "system": {"system_scope": "all"},
    "unscoped, said so": {"unscoped": True},
    "unscoped": {},
}
URL = "http://127.0.0.1/v3/auth/tokens"
#: A project, by id: the scope that all others than the one that is changed have.
BASE = {"project_id": "p1"}
USER = {"username": "demo", "user_domain_name": "Default"}
USERS: dict[str, dict[str, t.Any]] = {
    "user": {"username": "other"},
    "user domain": {"user_domain_name": "Users"},
    "user domain id": {"user_domain_name": None, "user_domain_id": "d1"},
    "user id": {"username": None, "user_domain_name": None, "user_id": "u1"},
}
#: By kind of plugin: the options that it is made with, and what is changed in them.
KINDS: dict[str, tuple[t.Callable[..., t.Any], dict[str, t.Any], dict[str, dict[str, t.Any]]]] = {
    "v3password": (
        v3.Password,
        {**USER, "password": "secret"},
        {**USERS, "password": {"password": "another"}, "trust": {"project_id": None, "trust_id": "t1"}},
    ),
    "password": (
        generic.Password,
        {**USER, "password": "secret"},
        {
            **USERS,
            "password": {"password": "another"},
            "trust": {"project_id": None, "trust_id": "t1"},
            "default domain": {"user_domain_name": None, "default_domain_id": "d2"},
        },
    ),
    "v3totp": (v3.TOTP, {**USER, "passcode": "123456"}, {**USERS, "passcode": {"passcode": "654321"}}),
    "v3applicationcredential": (
        v3.ApplicationCredential,
        {**USER, "application_credential_name": "c", "application_credential_secret": "secret", "project_id": None},
        {
            **USERS,
            "credential": {"application_credential_name": "d"},
            "credential id": {
                "application_credential_name": None,
                "username": None,
                "user_domain_name": None,
                "application_credential_id": "c1",
            },
            "secret": {"application_credential_secret": "another"},
        },
    ),  # fmt: skip
    "v3multifactor": (
        v3.MultiFactor,
        {**USER, "auth_methods": ["v3password", "v3totp"], "password": "secret", "passcode": "123456"},
        {**USERS, "password": {"password": "another"}, "passcode": {"passcode": "654321"}},
    ),
    "v3token": (v3.Token, {"token": "gAAAAABa"}, {"token": {"token": "gAAAAABb"}}),
    "token": (generic.Token, {"token": "gAAAAABa"}, {"token": {"token": "gAAAAABb"}}),
}
#: What is changed for every plugin, in its own options and in those of the session that it signs in with.
OF_EVERY_KIND: dict[str, dict[str, t.Any]] = {
    "address": {"auth_url": "localhost"},
    "no catalog": {"include_catalog": False},
}
OF_THE_SESSION: dict[str, dict[str, t.Any]] = {
    "verify": {"verify": False},
    "ca": {"verify": "ca.pem"},
    "cert": {"cert": "cert.pem"},
    "cert and key": {"cert": ("cert.pem", "key.pem")},
    "tls_min_version": {"tls_min_version": "1.3"},
    "tls_ciphers": {"tls_ciphers": "HIGH"},
    "headers": {"additional_headers": {"X-Tenant": "a"}},
}
#: Who signs in without any of the scopes.
UNSCOPED_KINDS = ("v3applicationcredential",)


def changes_of(kind: str) -> dict[str, dict[str, t.Any]]:
    _make, _options, own = KINDS[kind]
    scopes = {} if kind in UNSCOPED_KINDS else {name: {"project_id": None, **scope} for name, scope in SCOPES.items()}
    # The scope that it has already, and one that generic plugins send no word of.
    scopes.pop("project id", None)
    if kind in ("password", "token"):
        scopes.pop("unscoped, said so", None)
    return {
        **own,
        **scopes,
        **({} if kind in ("password", "token") else OF_EVERY_KIND),
        **({"address": OF_EVERY_KIND["address"]} if kind in ("password", "token") else {}),
        **OF_THE_SESSION,
    }


@pytest.fixture
def token_of(on_session, generous_keystone, monkeypatch, tmp_path):
    """The token that a plugin of a kind gets, with these options and others that it always has."""
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / "work" / name).touch()

    def sign_in(kind: str, changed: dict[str, t.Any]) -> str:
        make, options, _changes = KINDS[kind]
        of_session = {name for one in OF_THE_SESSION.values() for name in one}
        url = generous_keystone.auth_url
        merged = {**({} if kind in UNSCOPED_KINDS else BASE), **options, **changed}
        url = url.replace("127.0.0.1", str(merged.pop("auth_url", "127.0.0.1")))
        session = keystone_session.Session()
        for name in of_session & set(merged):
            # Not by its constructor: releases of keystoneauth before do not know all of them.
            setattr(session, name, merged[name])
        plugin = {name: value for name, value in merged.items() if name not in of_session}
        methods = plugin.pop("auth_methods", None)
        return (make(url, methods, **plugin) if methods else make(url, **plugin)).get_token(session)

    return sign_in


@pytest.mark.parametrize("first", ["as it is", "changed"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_changed_option_is_another_identity(token_of, generous_keystone, on_session, kind, first):
    changes = {"as it is": {}, **changes_of(kind)}
    names = list(changes) if first == "as it is" else list(reversed(changes))

    tokens = {name: token_of(kind, changes[name]) for name in names}

    shared = {name: token for name, token in tokens.items() if list(tokens.values()).count(token) > 1}
    assert shared == {}
    assert len(generous_keystone.asked("POST")) == len(on_session.names()) == len(names)
    assert {name: token_of(kind, changes[name]) for name in names} == tokens
    assert len(generous_keystone.asked("POST")) == len(names)


def test_a_relative_path_depends_on_the_directory(token_of, generous_keystone, monkeypatch, tmp_path):
    token_of("v3password", {"verify": "ca.pem"})
    token_of("v3password", {"verify": str(tmp_path / "work" / "ca.pem")})
    assert len(generous_keystone.asked("POST")) == 1

    monkeypatch.chdir(tmp_path)
    token_of("v3password", {"verify": "ca.pem"})
    assert len(generous_keystone.asked("POST")) == 2


@pytest.mark.parametrize(
    ("verify", "recorded"),
    [(True, True), (None, True), (False, False), (0, False), ("", False), ("/ca.pem", "/ca.pem")],
    ids=repr,
)
def test_a_token_s_certificate_is_checked_as_requests_did_when_it_was_issued(verify, recorded, monkeypatch):
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)

    assert tls_of(keystone_session.Session(verify=verify), URL).verify == recorded


def test_the_strictness_of_tls_is_recorded_too():
    session = _Session()
    session.tls_min_version, session.tls_ciphers = "1.3", "HIGH"

    recorded = tls_of(session, URL)

    assert (recorded.min_version, recorded.ciphers) == ("1.3", "HIGH")


@pytest.mark.parametrize(
    ("variables", "proxy"),
    [
        ({"http_proxy": "http://us:pw@proxy:3128"}, "http://us:pw@proxy:3128"),
        ({"http_proxy": "http://proxy:3128", "no_proxy": "127.0.0.1"}, ""),
        ({"https_proxy": "http://proxy:3128"}, ""),
        ({}, ""),
    ],
    ids=str,
)
def test_the_proxy_in_a_task_s_environment_is_recorded_and_makes_another_identity(monkeypatch, variables, proxy):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    before = request_of({"auth": {}}, keystone_session.Session())
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    after = request_of({"auth": {}}, keystone_session.Session())

    assert before is not None and after is not None
    assert (before.tls.proxy, after.tls.proxy) == ("", proxy)
    assert (before.name(b"key") == after.name(b"key")) is (proxy == "")
    assert "pw" not in repr(after)


def test_the_certificates_in_a_task_s_environment_are_recorded(monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/their/ca.pem")

    secure = URL.replace("http:", "https:")
    assert tls_of(keystone_session.Session(), secure).verify == "/their/ca.pem"
    assert tls_of(keystone_session.Session(verify="/ca.pem"), secure).verify == "/ca.pem"
    assert tls_of(keystone_session.Session(verify=False), secure).verify is False
    assert tls_of(keystone_session.Session(), URL).verify is True


@pytest.mark.parametrize(("name", "value"), [("auth", ("us", "pw")), ("headers", {"X-Realm": "b"})], ids=str)
def test_a_request_with_credentials_for_a_gateway_is_left_alone(name, value):
    inner = requests.Session()
    setattr(inner, name, value)

    assert request_of({"auth": {}}, keystone_session.Session(session=inner)) is None


class _Session:
    """What of keystoneauth's session a request is made of."""

    auth = None
    timeout: t.Any = None
    verify: t.Any = True
    cert: t.Any = None
    tls_min_version: t.Any = None
    tls_ciphers: t.Any = None
    additional_headers: t.ClassVar[dict[str, str]] = {}
    session: t.ClassVar[requests.Session] = requests.Session()


def request_of(body: t.Any, session: t.Any = None, **keywords: t.Any) -> SignInRequest | None:
    call = {"json": body, "headers": {"Accept": "application/json"}, "authenticated": False, "log": False, **keywords}
    return SignInRequest.of_call(session or _Session(), URL, call)


TEXTS = st.text(max_size=3)
BODIES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)


@given(BODIES, BODIES)
def test_two_requests_have_one_name_if_and_only_if_they_are_equal(one, other):
    names = [
        request.name(b"key")
        for request in (request_of({"auth": {"identity": {}, "it": body}}) for body in (one, other))
        if request
    ]

    assert len(names) == 2
    # To Python, True is 1; to JSON, which is what is sent, it is not.
    assert (names[0] == names[1]) == (json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True))


@given(st.dictionaries(TEXTS, TEXTS, min_size=2, max_size=4))
def test_the_order_of_keys_in_a_body_does_not_matter(body):
    turned = dict(reversed(list(body.items())))

    requests = [request_of({"auth": {"identity": one}}) for one in (body, turned)]

    assert requests[0] and requests[1]
    assert requests[0].name(b"key") == requests[1].name(b"key")


@given(st.binary(min_size=1, max_size=32), st.binary(min_size=1, max_size=32))
def test_another_session_has_another_name_for_it(key, other):
    request = request_of({"auth": {"identity": {"password": {"user": {"password": "secret"}}}}})

    assert request is not None
    # A short key is filled up with zeros.
    assert (request.name(key) == request.name(other)) == (key.rstrip(b"\0") == other.rstrip(b"\0"))


@pytest.mark.parametrize(
    "keywords",
    [{"cert": "c"}, {"data": "x"}, {"params": {}}, {"headers": {"Authorization": "x"}}, {"headers": {"X-Other": "x"}}],
    ids=str,
)
def test_a_request_with_something_unknown_is_left_alone(keywords):
    assert request_of({"auth": {"identity": {}}}, **keywords) is None


@pytest.mark.parametrize("header", ["Authorization", "X-Auth-Token", "cookie"])
def test_a_request_of_a_session_that_adds_a_secret_is_left_alone(header):
    session = _Session()
    session.additional_headers = {header: "secret"}

    assert request_of({"auth": {"identity": {}}}, session) is None


def test_a_request_whose_plugin_adds_connection_parameters_is_left_alone():
    class Plugin(keystone_plugin.BaseAuthPlugin):
        def get_connection_params(self, session, **kwargs):
            return {"cert": "/of/oauth2.pem"}

    session = _Session()
    session.auth = Plugin()

    assert request_of({"auth": {"identity": {}}}, session) is None


@pytest.mark.parametrize(
    ("methods", "repeatable"),
    [(["password"], True), (["application_credential"], True), (["token"], False), (["password", "totp"], False)],
)
def test_single_use_credentials_are_not_sent_again_while_the_token_is_valid(methods, repeatable):
    request = request_of({"auth": {"identity": {"methods": methods}}})

    assert request is not None
    assert request.is_repeatable is repeatable


@pytest.mark.parametrize(
    ("options", "longest"),
    [
        ({}, 0),
        ({"timeout": 600}, 1200),
        ({"timeout": 10, "connect_retries": 2}, 3 * 20 + 2 * 60),
        ({"connect_retries": 2}, 2 * 60),
    ],
    ids=str,
)
def test_its_longest_time_is_that_of_the_program(options, longest):
    assert request_of({"auth": {}}, keystone_session.Session(**options)).longest == longest


@pytest.mark.parametrize(("timeout", "longest"), [((5, 60), 65), ((5, None), 5)], ids=str)
def test_two_timeouts_for_a_connection_and_an_answer_are_added(timeout, longest):
    session = _Session()
    session.timeout = timeout

    assert request_of({"auth": {}}, session).longest == longest
