# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import email.utils
import json
import logging
import socket

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils.session import keystone as requests_to_keystone
from ansible_collections.onetoken.openstack.plugins.module_utils.session.errors import (
    ConfigurationError,
    CredentialsRefusedError,
    KeystoneUnavailableError,
)
from ansible_collections.onetoken.openstack.plugins.module_utils.session.keystone import Connection
from ansible_collections.onetoken.openstack.plugins.module_utils.session.source import EXPLICIT, UNNAMED, Source
from ansible_collections.onetoken.openstack.plugins.module_utils.session.token import TokenId
from ansible_collections.onetoken.openstack.plugins.module_utils.session.version import VERSION
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils.session.fake_time import FakeTime
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils.session.stand_in_keystone import (
    PASSWORD,
    PROJECT_ID,
    Answer,
    StandInKeystone,
)

NOW = 1_800_000_000
DIALECTS = {
    "seconds": ({"Retry-After": "7"}, 7),
    "date": ({"Retry-After": email.utils.formatdate(NOW + 17, usegmt=True)}, 17),
    "SAP's": ({"X-Retry-After": "9"}, 9),
    "reset in seconds": ({"X-RateLimit-Reset": "11"}, 11),
    "reset at a time, in lower case": ({"x-ratelimit-reset": str(NOW + 13)}, 13),
}


@pytest.fixture
def time():
    return FakeTime(NOW)


@pytest.fixture
def source(keystone, no_cloud):
    return Source(EXPLICIT, "sandbox", explicit=keystone.entry())


@pytest.fixture
def connection(keystone, no_cloud):
    return Connection(keystone.auth_url)


@pytest.fixture
def nobody_there(no_cloud):
    """An address on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/v3"


class TestIssuing:
    def test_one_token_request_gets_the_token_and_what_keystone_said_with_it(self, keystone, source, time):
        token, requests_made = requests_to_keystone.issue(source, time.waiter(60))

        assert token.id.reveal() in keystone.alive
        assert token.body == keystone.alive[token.id.reveal()]
        assert token.auth_url == keystone.auth_url
        assert token.body["project"]["id"] == PROJECT_ID
        assert token.age < 10
        assert len(keystone.asked("POST")) == 1
        assert requests_made == len(keystone.requests)

    @pytest.mark.parametrize("suffix", ["", "/", "/v3", "/v3/"])
    def test_the_address_may_have_its_version_or_not(self, keystone, time, suffix):
        entry = keystone.entry()
        entry["auth"]["auth_url"] = keystone.url + suffix

        requests_to_keystone.issue(Source(EXPLICIT, UNNAMED, explicit=entry), time.waiter(60))

        assert len(keystone.asked("POST")) == 1

    def test_keystone_s_log_shows_who_asked(self, keystone, source, time):
        requests_to_keystone.issue(source, time.waiter(60))

        assert keystone.asked("POST")[0].headers["User-Agent"].startswith(f"onetoken.openstack/{VERSION}")

    @pytest.mark.parametrize("status", [429, 413, 503])
    @pytest.mark.parametrize(("headers", "delay"), DIALECTS.values(), ids=DIALECTS)
    def test_a_refusal_that_passes_is_waited_out_for_as_long_as_it_asks(
        self, keystone, source, time, status, headers, delay
    ):
        keystone.answers["POST"] = [Answer(status, headers)]

        token, requests_made = requests_to_keystone.issue(source, time.waiter(60))

        assert token.id.reveal() in keystone.alive
        assert time.naps == [delay]
        assert len(keystone.asked("POST")) == 2
        assert requests_made == len(keystone.requests)

    def test_without_a_word_it_waits_longer_each_time(self, keystone, source, time):
        keystone.answers["POST"] = [Answer(429), Answer(429), Answer(429)]

        requests_to_keystone.issue(source, time.waiter(60))

        assert len(keystone.asked("POST")) == 4
        assert 0.5 <= time.naps[0] <= 1 <= time.naps[1] <= 2 <= time.naps[2] <= 4

    @pytest.mark.parametrize(
        ("status", "remedy"), [(429, "limit of token requests is used up"), (503, "Keystone is out of service")]
    )
    def test_a_refusal_that_stays_is_a_sentence_when_the_time_is_up(self, keystone, source, time, status, remedy):
        keystone.stuck["POST"] = Answer(status)

        with pytest.raises(KeystoneUnavailableError) as caught:
            requests_to_keystone.issue(source, time.waiter(60))

        assert f"HTTP {status} until the timeout" in str(caught.value)
        assert remedy in str(caught.value)
        assert "'sandbox'" in str(caught.value)
        assert keystone.auth_url in str(caught.value)
        assert 30 < sum(time.naps) <= 60
        assert 4 < len(keystone.asked("POST")) < 20

    def test_it_does_not_begin_to_wait_for_what_comes_too_late(self, keystone, source, time):
        keystone.stuck["POST"] = Answer(429, {"Retry-After": "61"})

        with pytest.raises(KeystoneUnavailableError):
            requests_to_keystone.issue(source, time.waiter(60))

        assert time.naps == []
        assert len(keystone.asked("POST")) == 1

    def test_refused_credentials_are_tried_once_and_named_without_the_password(self, keystone, source, time):
        keystone.stuck["POST"] = Answer(401, {"Retry-After": "0"})

        with pytest.raises(CredentialsRefusedError) as caught:
            requests_to_keystone.issue(source, time.waiter(60))

        assert len(keystone.asked("POST")) == 1
        assert time.naps == []
        for named in ("user 'demo'", "cloud 'sandbox'", keystone.auth_url, "HTTP 401"):
            assert named in str(caught.value)
        assert PASSWORD not in str(caught.value)

    def test_a_wrong_password_is_refused(self, keystone, time):
        entry = keystone.entry()
        entry["auth"]["password"] = "wrong"

        with pytest.raises(CredentialsRefusedError):
            requests_to_keystone.issue(Source(EXPLICIT, UNNAMED, explicit=entry), time.waiter(60))
        assert len(keystone.asked("POST")) == 1

    def test_a_refused_application_credential_is_named_without_its_secret(self, keystone, time):
        keystone.stuck["POST"] = Answer(401)
        auth = {
            "auth_url": keystone.auth_url,
            "application_credential_id": "a1",
            "application_credential_secret": "sEc",
        }
        source = Source(EXPLICIT, UNNAMED, explicit={"auth_type": "v3applicationcredential", "auth": auth})

        with pytest.raises(CredentialsRefusedError, match="application credential 'a1' of the auth option") as caught:
            requests_to_keystone.issue(source, time.waiter(60))

        assert "sEc" not in str(caught.value)
        assert len(keystone.asked("POST")) == 1

    @pytest.mark.parametrize("status", [400, 403, 404, 409])
    def test_another_refusal_is_not_tried_again(self, keystone, source, time, status):
        keystone.stuck["POST"] = Answer(status)

        with pytest.raises(ConfigurationError, match=f"answered HTTP {status}"):
            requests_to_keystone.issue(source, time.waiter(60))
        assert len(keystone.asked("POST")) == 1

    @pytest.mark.parametrize("status", [500, 502, 504])
    def test_a_broken_keystone_is_no_fault_of_the_configuration(self, keystone, source, time, status):
        """Failing is one thing, but to check auth_url and the scope would be bad advice."""
        keystone.stuck["POST"] = Answer(status)

        with pytest.raises(KeystoneUnavailableError, match=f"HTTP {status}"):
            requests_to_keystone.issue(source, time.waiter(60))

    def test_an_address_on_which_nobody_listens_is_a_sentence(self, nobody_there, keystone, time):
        entry = keystone.entry()
        entry["auth"]["auth_url"] = nobody_there

        with pytest.raises(KeystoneUnavailableError) as caught:
            requests_to_keystone.issue(Source(EXPLICIT, "sandbox", explicit=entry), time.waiter(0.1))

        assert f"Keystone at {nobody_there} cannot be reached, check auth_url and the network" in str(caught.value)
        assert "'sandbox'" in str(caught.value)

    def test_a_keystone_that_does_not_answer_is_a_sentence_after_api_timeout(self, keystone, time):
        keystone.slowness = 5
        source = Source(EXPLICIT, "sandbox", explicit=keystone.entry(api_timeout=0.2))

        with pytest.raises(KeystoneUnavailableError, match="did not answer in time"):
            requests_to_keystone.issue(source, time.waiter(0.1))

    def test_a_server_that_speaks_no_tls_is_a_sentence(self, keystone, time):
        entry = keystone.entry()
        entry["auth"]["auth_url"] = keystone.auth_url.replace("http:", "https:")

        with pytest.raises(KeystoneUnavailableError, match="the certificate of Keystone .* set ca_cert"):
            requests_to_keystone.issue(Source(EXPLICIT, UNNAMED, explicit=entry), time.waiter(0.1))

    def test_a_certificate_file_that_is_not_there_is_a_sentence(self, keystone, time):
        entry = keystone.entry(cacert="/nowhere/ca.pem")
        entry["auth"]["auth_url"] = keystone.auth_url.replace("http:", "https:")

        with pytest.raises(ConfigurationError, match=r"cannot be made \(OSError\), so check auth_url, ca_cert"):
            requests_to_keystone.issue(Source(EXPLICIT, "sandbox", explicit=entry), time.waiter(0.1))

    def test_a_refused_address_that_tells_no_versions_is_not_called_too_old(self, keystone, source, time):
        """A web server, say, that knows none of Keystone's paths."""
        keystone._answer = lambda request: (404, {}, "<html></html>")

        with pytest.raises(ConfigurationError, match="answered HTTP 404"):
            requests_to_keystone.issue(source, time.waiter(60))

    @pytest.mark.parametrize("body", ["", "<html>welcome to the hotel</html>", "[]", "{}"])
    def test_an_answer_that_is_not_keystone_s_is_a_sentence(self, keystone, source, time, body):
        keystone.stuck["POST"] = Answer(201, {"X-Subject-Token": "t"}, body)

        with pytest.raises(KeystoneUnavailableError):
            requests_to_keystone.issue(source, time.waiter(0.1))

    @pytest.mark.parametrize("auth_type", ["admin_token", "none", "http_basic"])
    def test_an_auth_type_without_tokens_is_a_sentence(self, keystone, time, auth_type):
        auth = {"endpoint": keystone.url, "token": "t", "username": "u", "password": "p"}
        keys = {
            "admin_token": ("endpoint", "token"),
            "none": ("endpoint",),
            "http_basic": ("endpoint", "username", "password"),
        }
        entry = {"auth_type": auth_type, "auth": {key: auth[key] for key in keys[auth_type]}}

        with pytest.raises(ConfigurationError, match=f"signs in with '{auth_type}', which asks Keystone for no token"):
            requests_to_keystone.issue(Source(EXPLICIT, UNNAMED, explicit=entry), time.waiter(0.1))


class TestRevoking:
    @pytest.fixture
    def token(self, keystone):
        return TokenId(keystone.issue())

    def test_keystone_refuses_the_token_from_then_on(self, keystone, connection, token, time):
        assert connection.revoke(token, time.waiter(60)) is True

        assert keystone.revoked == [token.reveal()]
        assert connection.revoke(token, time.waiter(60)) is False

    def test_the_token_itself_authenticates_and_nothing_else_is_asked(self, keystone, connection, token, time):
        connection.revoke(token, time.waiter(60))

        (request,) = keystone.requests
        assert (request.method, request.path) == ("DELETE", "/v3/auth/tokens")
        assert request.headers["X-Auth-Token"] == request.headers["X-Subject-Token"] == token.reveal()
        assert connection.requests == 1

    @pytest.mark.parametrize(("status", "revoked"), [(204, True), (404, False), (401, False)])
    def test_the_answer_is_the_proof(self, keystone, connection, token, time, status, revoked):
        keystone.stuck["DELETE"] = Answer(status)

        assert connection.revoke(token, time.waiter(60)) is revoked
        assert len(keystone.requests) == 1

    @pytest.mark.parametrize("status", [200, 202, 203])
    def test_a_success_that_is_not_keystone_s_proves_nothing(self, keystone, connection, token, time, status):
        """A proxy's log-in page, say."""
        keystone.stuck["DELETE"] = Answer(status, body="<html></html>")

        with pytest.raises(KeystoneUnavailableError):
            connection.revoke(token, time.waiter(60))

    @pytest.mark.parametrize("status", [400, 403, 405])
    def test_a_refusal_for_good_is_a_sentence_at_once(self, keystone, connection, token, time, status):
        keystone.stuck["DELETE"] = Answer(status)

        with pytest.raises(KeystoneUnavailableError, match=f"answered HTTP {status}"):
            connection.revoke(token, time.waiter(60))
        assert len(keystone.requests) == 1

    @pytest.mark.parametrize("status", [413, 429, 500, 502, 503, 504])
    def test_a_refusal_that_passes_is_waited_out(self, keystone, connection, token, time, status):
        keystone.answers["DELETE"] = [Answer(status, {"Retry-After": "7"}), Answer(status)]

        assert connection.revoke(token, time.waiter(60)) is True
        assert time.naps[0] == 7
        assert connection.requests == 3

    def test_a_refusal_that_stays_is_a_sentence_when_the_time_is_up(self, keystone, connection, token, time):
        keystone.stuck["DELETE"] = Answer(500)

        with pytest.raises(KeystoneUnavailableError, match="answered HTTP 500 until the timeout"):
            connection.revoke(token, time.waiter(60))
        assert 30 < sum(time.naps) <= 60

    def test_a_keystone_that_cannot_be_reached_is_tried_until_the_time_is_up(self, nobody_there, time):
        with pytest.raises(KeystoneUnavailableError, match="cannot be reached") as caught:
            Connection(nobody_there).revoke(TokenId("the-token"), time.waiter(60))

        assert len(time.naps) > 3
        assert "the-token" not in str(caught.value)

    def test_a_server_that_speaks_no_tls_any_more_is_not_asked_again(self, keystone, token, time):
        connection = Connection(keystone.auth_url.replace("http:", "https:"))

        with pytest.raises(KeystoneUnavailableError, match="the certificate of Keystone .* cannot be trusted"):
            connection.revoke(token, time.waiter(60))
        assert time.naps == []

    @pytest.mark.parametrize("status", [301, 302, 303, 305, 307, 308])
    @pytest.mark.parametrize("ask", ["revoke", "is_valid"])
    def test_a_redirect_is_not_followed_with_the_token(self, keystone, connection, token, time, status, ask):
        with StandInKeystone() as elsewhere:
            answer = Answer(status, {"Location": f"{elsewhere.url}/v3/auth/tokens"})
            keystone.stuck = {"DELETE": answer, "GET": answer}

            with pytest.raises(KeystoneUnavailableError, match=f"answered HTTP {status}"):
                getattr(connection, ask)(token, time.waiter(60))

            assert elsewhere.requests == []


class TestValidating:
    def test_one_request_without_the_catalog_tells(self, keystone, connection, time):
        token = keystone.issue()

        assert connection.is_valid(TokenId(token), time.waiter(60)) is True
        (request,) = keystone.requests
        assert (request.method, request.path) == ("GET", "/v3/auth/tokens?nocatalog=1")
        assert request.headers["X-Auth-Token"] == request.headers["X-Subject-Token"] == token

    @pytest.mark.parametrize("status", [401, 404])
    def test_a_dead_token_is_not_valid(self, keystone, connection, time, status):
        keystone.stuck["GET"] = Answer(status)

        assert connection.is_valid(TokenId("dead"), time.waiter(60)) is False

    def test_a_keystone_out_of_service_says_neither(self, keystone, connection, time):
        keystone.stuck["GET"] = Answer(503)

        with pytest.raises(KeystoneUnavailableError):
            connection.is_valid(TokenId("t"), time.waiter(60))


class TestConnectionOfEntry:
    def test_it_takes_the_options_of_tls_and_the_time_limit(self, no_cloud, tmp_path):
        ca = tmp_path / "ca.pem"
        ca.touch()
        entry = {"auth": {"auth_url": "https://k/v3"}, "cacert": str(ca), "api_timeout": 7}
        of_entry = Connection.of_entry(entry)

        assert of_entry.auth_url == "https://k/v3"
        assert of_entry._session.verify == str(ca)
        assert of_entry._session.timeout == 7

    def test_a_certificate_that_is_not_to_be_checked_is_not(self, no_cloud):
        assert Connection.of_entry({"auth": {"auth_url": "https://k/v3"}, "verify": False})._session.verify is False

    def test_by_default_the_certificate_is_checked_and_an_answer_is_not_waited_for_for_ever(self, no_cloud):
        of_entry = Connection.of_entry({"auth": {"auth_url": "https://k/v3"}})

        assert of_entry._session.verify is True
        assert of_entry._session.timeout == requests_to_keystone.REQUEST_TIMEOUT

    def test_it_needs_no_credentials_and_no_plugin(self, no_cloud):
        entry = {"auth_type": "onetoken", "auth": {"auth_url": "https://k/v3", "onetoken_session": "/s"}}

        assert Connection.of_entry(entry).auth_url == "https://k/v3"

    def test_without_an_address_it_is_a_sentence(self, no_cloud):
        with pytest.raises(ConfigurationError, match="address is not known"):
            Connection.of_entry({"auth": {}})


@pytest.mark.parametrize(
    "auth_url", ["http://k", "http://k/", "http://k/v3", "http://k/v3/", "http://k/v2.0", "http://k/v2.0/"]
)
def test_versioned(auth_url):
    assert requests_to_keystone.versioned(auth_url) == "http://k/v3"


def test_versioned_keeps_a_path():
    assert requests_to_keystone.versioned("https://k/identity") == "https://k/identity/v3"


def test_debug_logs_show_neither_the_password_nor_the_token(keystone, source, connection, time, caplog):
    caplog.set_level(logging.DEBUG)

    token, _requests = requests_to_keystone.issue(source, time.waiter(60))
    connection.is_valid(token.id, time.waiter(60))
    connection.revoke(token.id, time.waiter(60))

    assert keystone.auth_url in caplog.text
    assert PASSWORD not in caplog.text
    assert json.dumps(PASSWORD) not in caplog.text
    assert token.id.reveal() not in caplog.text
