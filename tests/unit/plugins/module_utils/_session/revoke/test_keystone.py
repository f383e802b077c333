# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import logging
import socket
import threading

import pytest
import requests
from ansible_collections.onetoken.openstack.plugins.module_utils._session.revoke import keystone as requests_to_keystone
from ansible_collections.onetoken.openstack.plugins.module_utils._session.revoke.keystone import Connection
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.token import Tls, TokenId
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import (
    ConfigurationError,
    KeystoneUnavailableError,
    TokenNotRevokedError,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.version import VERSION
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.waiting import Waiter
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.fake_time import FakeTime
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    Answer,
    StandInKeystone,
    keystone_error,
    keystones_answer,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import make_token
from keystoneauth1 import session as keystone_session


@pytest.fixture
def time():
    return FakeTime()


@pytest.fixture
def connection(keystone, no_cloud):
    return Connection(keystone.auth_url)


@pytest.fixture
def nobody_there(no_cloud):
    """An address on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/v3"


def test_without_keystoneauth_the_error_says_what_to_install(keystone, no_cloud, monkeypatch):
    monkeypatch.setattr(requests_to_keystone, "keystoneauth1", None)

    with pytest.raises(ConfigurationError, match="cannot import openstacksdk: install it there"):
        Connection(keystone.auth_url)


class TestRevoking:
    @pytest.fixture
    def token(self, keystone):
        return TokenId(keystone.issue())

    def test_keystone_refuses_the_token_afterwards(self, keystone, connection, token, time):
        assert connection.revoke(token, time.waiter(60)) is True

        assert keystone.revoked == [token.reveal()]
        assert connection.revoke(token, time.waiter(60)) is False

    def test_the_token_itself_authenticates_and_nothing_else_is_asked(self, keystone, connection, token, time):
        connection.revoke(token, time.waiter(60))

        (request,) = keystone.requests
        assert (request.method, request.path) == ("DELETE", "/v3/auth/tokens")
        assert request.headers["X-Auth-Token"] == request.headers["X-Subject-Token"] == token.reveal()
        assert connection.requests == 1

    def test_keystone_s_answer_that_it_knows_no_such_token_is_proof(self, keystone, connection, token, time):
        keystone.alive.clear()

        assert connection.revoke(token, time.waiter(60)) is False
        assert [request.method for request in keystone.requests] == ["DELETE", "GET"]

    @pytest.mark.parametrize("status", [200, 202, 203, 302, 400, 401, 403, 404, 405])
    @pytest.mark.parametrize(
        "body",
        [
            "",
            "<html>Not Found</html>",
            "[]",
            "null",
            '"error"',
            '{"error": "not found"}',
            '{"error": {"code": 404, "message": "no token"}}',
            '{"error": {"code": "401", "title": "Unauthorized", "message": "token"}}',
            keystone_error(409, "Could not find token"),
            "[" * 100_000,
            "\u0000",
        ],
        ids=lambda body: body[:40] or "empty",
    )
    def test_the_answer_of_anything_else_is_no_proof(self, keystone, connection, token, time, status, body):
        """A gateway that knows no such path, a log-in page, a firewall, a cache."""
        keystone.stuck = {"DELETE": Answer(status, body=body), "GET": Answer(status, body=body)}

        with pytest.raises(TokenNotRevokedError, match=rf"is not Keystone \(HTTP {status}\)$") as caught:
            connection.revoke(token, time.waiter(60))

        assert (caught.value.by_keystone, caught.value.lives) == (False, False)
        assert time.naps == []
        assert len(keystone.requests) == 2

    @pytest.mark.parametrize("status", [200, 401, 404, 405])
    def test_after_another_answer_keystone_validates_the_token(self, keystone, connection, token, time, status):
        """The gateway lets no DELETE through."""
        keystone.stuck["DELETE"] = Answer(status, body="<html></html>")

        with pytest.raises(TokenNotRevokedError) as caught:
            connection.revoke(token, time.waiter(60))
        assert (caught.value.by_keystone, caught.value.lives) == (False, True)

        keystone.alive.clear()
        assert connection.revoke(token, time.waiter(60)) is False

    def test_an_unknown_path_says_nothing_about_the_token(self, keystone, connection, token, time):
        answer = keystones_answer(404, "The requested URL was not found on the server. If you entered the URL manually")
        keystone.stuck = {"DELETE": answer, "GET": answer}

        with pytest.raises(TokenNotRevokedError, match="is not Keystone"):
            connection.revoke(token, time.waiter(60))

    @pytest.mark.parametrize(
        "message",
        [
            "Failed to validate token",
            "Could not recognize Fernet token",
            "This is not a recognized Fernet token",
            "Could not find trust: 8007ac97ecf84cfd8817587d998bf16f.",
            "Could not find Application Credential: 3e549dd45b5c4039b639bcf620f19628.",
        ],
    )
    def test_an_unknown_trust_or_user_of_the_token_is_proof(self, keystone, connection, token, time, message):
        keystone.stuck = {"DELETE": keystones_answer(404, message), "GET": keystones_answer(404, message)}

        assert connection.revoke(token, time.waiter(60)) is False

    def test_a_token_of_a_trust_with_impersonation_stays_valid_and_is_asked_about_once(
        self, keystone, connection, token, time
    ):
        keystone.alive[token.reveal()]["OS-TRUST:trust"] = {"id": "t1", "impersonation": True}

        with pytest.raises(TokenNotRevokedError, match=r"refuses to revoke it \(HTTP 403\)$") as caught:
            connection.revoke(token, time.waiter(60))

        assert (caught.value.by_keystone, caught.value.lives) == (True, True)
        assert [request.method for request in keystone.requests] == ["DELETE"]

    def test_a_token_with_access_rules_stays_valid_though_keystone_answers_401(self, keystone, connection, token, time):
        keystone.alive[token.reveal()]["application_credential"] = {"access_rules": [{"id": "r1"}]}

        with pytest.raises(TokenNotRevokedError, match=r"refuses to revoke it \(HTTP 401\)$") as caught:
            connection.revoke(token, time.waiter(60))
        assert (caught.value.by_keystone, caught.value.lives) == (True, True)

        keystone.alive.clear()
        assert connection.revoke(token, time.waiter(60)) is False

    def test_while_its_state_is_unknown_it_does_not_count_as_dead(self, keystone, connection, token, time):
        keystone.stuck = {"DELETE": Answer(404), "GET": Answer(503)}

        with pytest.raises(KeystoneUnavailableError, match="HTTP 503 until the timeout"):
            connection.revoke(token, time.waiter(60))

    @pytest.mark.parametrize("status", [413, 429, 500, 502, 503, 504])
    def test_an_error_that_passes_is_waited_for(self, keystone, connection, token, time, status):
        keystone.answers["DELETE"] = [Answer(status, {"Retry-After": "7"}), Answer(status)]

        assert connection.revoke(token, time.waiter(60)) is True
        assert time.naps[0] == 7
        assert connection.requests == 3

    def test_an_error_that_stays_is_reported_when_the_time_is_up(self, keystone, connection, token, time):
        keystone.stuck["DELETE"] = Answer(500)

        with pytest.raises(KeystoneUnavailableError, match="answered HTTP 500 until the timeout"):
            connection.revoke(token, time.waiter(60))
        assert 30 < sum(time.naps) <= 60

    def test_an_unreachable_keystone_is_tried_until_the_time_is_up(self, nobody_there, time):
        with pytest.raises(KeystoneUnavailableError, match="cannot be reached") as caught:
            Connection(nobody_there).revoke(TokenId("the-token"), time.waiter(60))

        assert len(time.naps) > 3
        assert "the-token" not in str(caught.value)

    def test_a_server_without_tls_is_not_asked_again(self, keystone, token, time):
        connection = Connection(keystone.auth_url.replace("http:", "https:"))

        with pytest.raises(KeystoneUnavailableError, match="the certificate of Keystone .* cannot be trusted"):
            connection.revoke(token, time.waiter(60))
        assert time.naps == []

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_no_token_is_sent_to_another_host(self, keystone, connection, token, time, status):
        with StandInKeystone() as elsewhere:
            answer = Answer(status, {"Location": f"{elsewhere.url}/v3/auth/tokens?to={token.reveal()}"})
            keystone.stuck = {"DELETE": answer, "GET": answer}

            with pytest.raises(TokenNotRevokedError, match="redirects to http://127.0.0.1, where") as caught:
                connection.revoke(token, time.waiter(60))
            with pytest.raises(KeystoneUnavailableError, match="is not Keystone"):
                connection.is_valid(token, time.waiter(60))

            assert caught.value.remedy == "set auth_url to Keystone's present address, for later runs"
            assert token.reveal() not in str(caught.value)
            assert elsewhere.requests == []
        assert time.naps == []

    @pytest.mark.parametrize("location", ["/identity/v3/auth/tokens", "{url}/identity/v3/auth/tokens"])
    def test_a_token_is_sent_to_another_path_on_the_same_host(self, keystone, token, time, location):
        connection = Connection(keystone.auth_url)
        keystone.path = "/identity"
        keystone.moved = Answer(307, {"Location": location.format(url=keystone.url)})

        assert connection.revoke(token, time.waiter(60)) is True
        assert [request.path for request in keystone.requests] == ["/v3/auth/tokens", "/identity/v3/auth/tokens"]

    def test_a_redirect_in_a_circle_has_an_end(self, keystone, connection, token, time):
        keystone.stuck["DELETE"] = Answer(307, {"Location": f"{keystone.auth_url}/auth/tokens"})

        with pytest.raises(TokenNotRevokedError, match="redirects to"):
            connection.revoke(token, time.waiter(60))

    @pytest.mark.parametrize("method", ["DELETE", "GET"])
    def test_an_answer_that_drips_is_given_up(self, keystone, token, method):
        keystone.dripping = {method}
        connection = Connection(keystone.auth_url, timeout=0.5)
        ask = connection.revoke if method == "DELETE" else connection.is_valid
        failures = []

        def ask_once():
            with pytest.raises(KeystoneUnavailableError, match="did not answer in time") as caught:
                ask(token, Waiter(0))
            failures.append(caught.value)

        asking = threading.Thread(target=ask_once, daemon=True)
        asking.start()
        asking.join(20)

        assert failures

    def test_a_missing_certificate_is_reported(self, keystone, token, time):
        connection = Connection(keystone.auth_url.replace("http:", "https:"), Tls("/nowhere/ca.pem"))

        with pytest.raises(KeystoneUnavailableError, match=r"cannot be made \(OSError\)"):
            connection.revoke(token, time.waiter(60))


@pytest.mark.parametrize(
    ("here", "location", "allowed"),
    [
        ("http://k/v3/auth/tokens", "https://k/v3/auth/tokens", True),
        ("http://k:5000/v3/auth/tokens", "https://k/v3/auth/tokens", True),
        ("http://k/v3/auth/tokens", "http://k:80/identity/v3/auth/tokens", True),
        ("http://k/v3/auth/tokens", "/identity/v3/auth/tokens/", True),
        ("https://k/v3/auth/tokens", "//k/identity/v3/auth/tokens", True),
        ("https://k/v3/auth/tokens", "http://k/v3/auth/tokens", False),
        ("https://k/v3/auth/tokens", "https://k:8443/v3/auth/tokens", False),
        ("http://k/v3/auth/tokens", "http://k:5000/v3/auth/tokens", False),
        ("http://k/v3/auth/tokens", "https://k.evil/v3/auth/tokens", False),
        ("http://k/v3/auth/tokens", "https://k@evil/v3/auth/tokens", False),
        ("http://k/v3/auth/tokens", "https://k/login?next=/v3/auth/tokens", False),
        ("http://k/v3/auth/tokens", "https://k:port/v3/auth/tokens", False),
        ("http://k/v3/auth/tokens", "http://[k/v3/auth/tokens", False),
    ],
)
def test_a_token_follows_a_redirect_only_on_the_same_host_and_never_out_of_tls(here, location, allowed):
    response = requests.Response()
    response.status_code, response.url, response.headers["Location"] = 307, here, location

    followed = requests_to_keystone.safe_redirect(response)

    assert (followed is not None) is allowed


class TestValidating:
    def test_one_request_without_the_catalog_is_enough(self, keystone, connection, time):
        token = keystone.issue()

        assert connection.is_valid(TokenId(token), time.waiter(60)) is True
        (request,) = keystone.requests
        assert (request.method, request.path) == ("GET", "/v3/auth/tokens?nocatalog=1")
        assert request.headers["X-Auth-Token"] == request.headers["X-Subject-Token"] == token

    @pytest.mark.parametrize(("status", "message"), [(401, "Who are you?"), (404, "Failed to validate token")])
    def test_a_dead_token_is_not_valid(self, keystone, connection, time, status, message):
        keystone.stuck["GET"] = keystones_answer(status, message)

        assert connection.is_valid(TokenId("dead"), time.waiter(60)) is False

    @pytest.mark.parametrize(
        "body",
        [{"application_credential": {"access_rules": [{"id": "r1"}]}}, {"OS-TRUST:trust": {"impersonation": True}}],
    )
    def test_a_token_with_few_permissions_is_valid(self, keystone, connection, time, body):
        token = keystone.issue()
        keystone.alive[token].update(body)

        assert connection.is_valid(TokenId(token), time.waiter(60)) is True

    @pytest.mark.parametrize("status", [200, 401, 403, 404])
    def test_the_answer_of_anything_but_keystone_is_an_error(self, keystone, connection, time, status):
        keystone.stuck["GET"] = Answer(status, body="<html></html>")

        assert connection.accepts(TokenId("t"), time.waiter(60)) is None
        with pytest.raises(KeystoneUnavailableError, match="is not Keystone: check auth_url"):
            connection.is_valid(TokenId("t"), time.waiter(60))

    def test_a_keystone_out_of_service_is_an_error(self, keystone, connection, time):
        keystone.stuck["GET"] = Answer(503)

        with pytest.raises(KeystoneUnavailableError):
            connection.is_valid(TokenId("t"), time.waiter(60))


class TestConnection:
    def test_it_uses_the_address_and_the_tls_settings_of_the_token(self):
        tls = Tls("/ca.pem", ("/c.pem", "/k.pem"))
        token_url = "https://k/identity/v3/auth/tokens"
        token = dataclasses.replace(make_token(), auth_url="https://k/v3", token_url=token_url, tls=tls)

        connection = Connection.of_token(token)

        assert (connection.auth_url, connection.token_url) == ("https://k/v3", token_url)
        assert (connection.session.verify, connection.session.cert) == (tls.verify, tls.cert)

    @pytest.mark.parametrize(("proxy", "expected"), [("", {}), ("http://p:1", {"http": "http://p:1"})])
    def test_it_uses_the_proxy_of_the_token_and_no_other(self, monkeypatch, proxy, expected):
        monkeypatch.setenv("http_proxy", "http://another:2")
        token = dataclasses.replace(make_token(), tls=Tls(proxy=proxy))
        session = Connection.of_token(token).session.session

        found = session.merge_environment_settings("http://k/v3/auth/tokens", {}, None, True, None)["proxies"]
        assert {scheme: url for scheme, url in found.items() if scheme == "http"} == expected

    def test_it_accepts_no_weaker_tls_than_the_token_s(self, monkeypatch):
        class Now(keystone_session.Session):
            def __init__(self, tls_min_version, tls_ciphers, **options):
                super().__init__(**options)
                self.strictness = tls_min_version, tls_ciphers

        monkeypatch.setattr(keystone_session, "Session", Now)
        token = dataclasses.replace(make_token(), tls=Tls(min_version="1.3", ciphers="HIGH"))

        assert Connection.of_token(token).session.strictness == ("1.3", "HIGH")

    def test_a_keystoneauth_without_such_options_gets_none(self, monkeypatch):
        class Before(keystone_session.Session):
            def __init__(self, verify, cert, timeout, app_name, app_version):
                super().__init__(verify=verify, cert=cert, timeout=timeout)

        monkeypatch.setattr(keystone_session, "Session", Before)
        token = dataclasses.replace(make_token(), tls=Tls(min_version="1.3"))

        assert isinstance(Connection.of_token(token).session, Before)

    def test_its_messages_show_no_password_of_an_address(self, nobody_there, time):
        connection = Connection(nobody_there.replace("://", "://someone:secret@"))

        with pytest.raises(KeystoneUnavailableError) as caught:
            connection.revoke(TokenId("the-token"), time.waiter(0))
        assert f"Keystone at {nobody_there} cannot be reached" in str(caught.value)

    def test_by_default_the_certificate_is_checked_and_requests_have_a_timeout(self):
        connection = Connection("https://k")

        assert connection.session.verify is True
        assert connection.session.timeout == requests_to_keystone.REQUEST_TIMEOUT
        assert connection.token_url == "https://k/v3/auth/tokens"

    def test_keystone_s_log_shows_the_collection(self, keystone, connection, time):
        connection.is_valid(TokenId(keystone.issue()), time.waiter(60))

        assert keystone.asked("GET")[0].headers["User-Agent"].startswith(f"onetoken.openstack/{VERSION}")


@pytest.mark.parametrize(
    "auth_url", ["http://k", "http://k/", "http://k/v3", "http://k/v3/", "http://k/v2.0", "http://k/v2.0/"]
)
def test_versioned(auth_url):
    assert requests_to_keystone.versioned(auth_url) == "http://k/v3"


def test_versioned_keeps_a_path():
    assert requests_to_keystone.versioned("https://k/identity") == "https://k/identity/v3"


def test_debug_logs_do_not_show_the_token(keystone, connection, time, caplog):
    caplog.set_level(logging.DEBUG)
    token = TokenId(keystone.issue())

    connection.is_valid(token, time.waiter(60))
    connection.revoke(token, time.waiter(60))

    assert keystone.auth_url in caplog.text
    assert token.reveal() not in caplog.text
