# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A task signs in to a cloud by its session, and says in a sentence why it cannot."""

from __future__ import annotations

import json
import os
import typing as t

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._modules import signing_in
from ansible_collections.onetoken.openstack.plugins.module_utils._session.sign_in import cache
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import staleness
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.renewal import RenewalPolicy
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import (
    VARIABLE,
    Session,
    SessionRecord,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import (
    ConfigurationError,
    CredentialsRefusedError,
    KeystoneUnavailableError,
    OneTokenError,
    SessionError,
    SourceUnreadableError,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session_setup import issued as issued_clouds
from ansible_collections.onetoken.openstack.tests.helpers.token_age import let_it_age
from ansible_collections.onetoken.openstack.tests.unit.conftest import task_options
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    PASSWORD,
    PROJECT_ID,
    Answer,
    keystones_answer,
)
from openstack.config import cloud_region

HOURS = 3600


@pytest.fixture
def issue(session, clouds_yaml, task_cloud):
    """Issue a token as a task does, by default for the first cloud of clouds_yaml."""

    def issue(cloud=None, policy: RenewalPolicy | None = None, timeout: float = 10) -> signing_in.IssuedToken:
        return signing_in.issue(session, cloud or task_cloud(cloud="sandbox"), policy or RenewalPolicy(), timeout)

    return issue


def identity_of(session: Session, cloud: str = "sandbox") -> str:
    one = issued_clouds.of_cloud(session, cloud)
    assert one is not None
    return one.identity


def handle_of(session: Session, cloud: str = "sandbox") -> str:
    one = issued_clouds.of_cloud(session, cloud)
    assert one is not None
    return one.handle


class TestIssuing:
    def test_a_session_is_made_with_the_token_and_the_second_time_no_request_is_sent(self, issue, session, keystone):
        first = issue()
        asked = len(keystone.requests)
        second = issue()

        assert (first.changed, second.changed) == (True, False)
        assert first.token.id == second.token.id
        assert first.cloud == second.cloud == "sandbox"
        assert len(keystone.asked("POST")) == 1
        assert len(keystone.requests) == asked
        assert os.path.exists(os.path.join(session.site, "sitecustomize.py"))

    def test_another_scope_of_a_cloud_does_not_change_the_first_one(self, issue, session, task_cloud):
        issue()
        handle, clouds = handle_of(session), json.loads(session.read_clouds() or "")["clouds"]
        other = issue(task_cloud(cloud="sandbox", unscoped=True))
        again = issue(task_cloud(cloud="sandbox", unscoped=True))

        assert other.cloud == again.cloud != "sandbox"
        assert handle_of(session) == handle != handle_of(session, other.cloud)
        now = json.loads(session.read_clouds() or "")["clouds"]
        assert now["sandbox"] == clouds["sandbox"]
        assert sorted(now) == ["sandbox", other.cloud]

    def test_a_token_of_an_earlier_sign_in_is_not_new(self, issue, session, keystone, sandbox):
        issue()
        again = sandbox.region.get_auth().get_access(sandbox.region.get_session())

        assert issue().token.id.reveal() == again.auth_token

    def test_a_due_token_is_renewed_under_the_same_handle(self, issue, session):
        first = issue()
        handle = handle_of(session)
        let_it_age(session, identity_of(session), 9 * HOURS)

        second = issue()

        assert second.changed and second.token.id != first.token.id
        assert handle_of(session) == handle
        stored = session.read_tokens(identity_of(session))
        assert [token.id for token in stored.newest_first] == [second.token.id, first.token.id]

    def test_a_token_with_less_than_min_remaining_is_renewed(self, issue, session):
        first = issue()
        let_it_age(session, identity_of(session), 2 * HOURS)

        assert not issue(policy=RenewalPolicy(min_remaining=22 * HOURS - 60)).changed
        assert issue(policy=RenewalPolicy(min_remaining=23 * HOURS)).token.id != first.token.id

    def test_a_token_that_cannot_be_renewed_is_kept_and_the_reason_reported(
        self, issue, session, keystone, monkeypatch
    ):
        monkeypatch.setattr(cache, "BUSY_TIMEOUT_WITH_TOKEN", 0)
        first = issue()
        assert first.kept_because is None
        let_it_age(session, identity_of(session), 9 * HOURS)
        keystone.stuck["POST"] = Answer(503)

        second = issue(timeout=1)

        assert (second.token.id, second.changed) == (first.token.id, False)
        assert second.kept_because == "Keystone answered HTTP 503"

    def test_one_session_can_have_several_clouds_and_scopes(self, issue, session, task_cloud, keystone):
        first = issue()
        second = issue(task_cloud(cloud="second", project=PROJECT_ID))

        assert first.token.id != second.token.id
        assert [one.cloud for one in issued_clouds.read(session)] == ["sandbox", "second"]
        assert set(json.loads(session.read_clouds())["clouds"]) == {"sandbox", "second"}

    def test_no_file_of_the_session_has_a_secret(self, issue, session, task_cloud, keystone):
        issue()
        issue(task_cloud(auth={**keystone.entry()["auth"], "password": PASSWORD}))

        for folder, _folders, names in os.walk(session.path):
            for name in names:
                with open(os.path.join(folder, name), "rb") as stream:
                    assert PASSWORD.encode() not in stream.read(), name

    def test_a_token_that_openstacksdk_kept_is_neither_used_nor_revoked(
        self, issue, write_clouds, task_cloud, keystone, monkeypatch
    ):
        kept: dict[str, str] = {}

        class Keyring:
            @staticmethod
            def get_password(_service: str, key: str) -> str | None:
                return kept.get(key)

            @staticmethod
            def set_password(_service: str, key: str, value: str) -> None:
                kept[key] = value

        monkeypatch.setattr(cloud_region, "keyring", Keyring)
        write_clouds({"cache": {"auth": True}, "clouds": {"sandbox": keystone.entry()}})
        users = task_cloud(cloud="sandbox").region
        users_token = users.get_session().get_token()
        users.set_auth_cache()
        assert kept

        issued = issue(task_cloud(cloud="sandbox")).token.id.reveal()

        assert issued != users_token
        assert set(keystone.alive) == {users_token, issued}

    def test_a_session_without_a_token_is_removed(self, issue, session, task_cloud, keystone):
        with pytest.raises(CredentialsRefusedError):
            issue(task_cloud(auth={**keystone.entry()["auth"], "password": "wrong"}))

        assert not os.path.exists(session.path)

    def test_a_revoked_session_is_opened_again(self, issue, session):
        issue()
        session.close()

        assert issue()
        assert not session.closed

    def test_a_token_that_could_not_be_written_is_reported(self, issue, session, monkeypatch):
        def full(self, name, stored):
            raise SessionError("No space left on device")

        monkeypatch.setattr(Session, "write_tokens", full)

        with pytest.raises(SessionError, match="The token is not in the session .*: free disk space"):
            issue()


class TestSentences:
    @pytest.fixture
    def message(self, issue, session, keystone):
        """Why no token is issued when Keystone gives this answer."""

        def message(answer: Answer | None, kind: type[OneTokenError], cloud: t.Any = None, timeout: float = 0) -> str:
            if answer:
                keystone.stuck["POST"] = answer
            with pytest.raises(kind) as caught:
                issue(cloud, timeout=timeout)
            assert caught.type is kind
            assert PASSWORD not in str(caught.value)
            return str(caught.value)

        return message

    def test_credentials_that_are_refused(self, message, keystone):
        assert message(keystones_answer(401), CredentialsRefusedError) == (
            f"Keystone at {keystone.auth_url} refused user 'demo' of cloud 'sandbox' (HTTP 401): check the name, its "
            "domain, the secret and the project; it was not tried again, because that can lock an account."
        )
        assert len(keystone.asked("POST")) == 1

    def test_an_expired_password_is_reported_in_keystone_s_words(self, message):
        reason = "The password is expired and needs to be changed for user: u1."

        assert f"(HTTP 401) ({reason}): check" in message(keystones_answer(401, reason), CredentialsRefusedError)

    def test_a_required_second_method_is_named(self, message):
        receipt = {"methods": ["password"], "expires_at": "2026-01-31T12:00:00.000000Z"}
        body = {"receipt": receipt, "required_auth_methods": [["password", "totp"], ["password", "other"]]}
        answer = Answer(401, {"openstack-auth-receipt": "r"}, json.dumps(body))

        assert "requires more than one method of authentication (password, totp or password, other): use" in message(
            answer, CredentialsRefusedError
        )

    def test_a_deleted_application_credential_is_not_taken_for_a_wrong_scope(self, message):
        answer = keystones_answer(404, "Could not find Application Credential: 5ccde292.")

        assert "does not know the application credential of " in message(answer, CredentialsRefusedError)

    def test_a_request_that_keystone_cannot_read_is_not_quoted(self, message):
        answer = keystones_answer(400, f"Expecting to find domain in user. {PASSWORD}")

        assert message(answer, ConfigurationError).endswith("answered HTTP 400: check auth_url and the scope.")

    @pytest.mark.parametrize(
        ("status", "kind", "found"),
        [
            (
                403,
                ConfigurationError,
                "answered HTTP 403 (as keystone says): check auth_url and the scope.",
            ),
            (429, KeystoneUnavailableError, "until the timeout; the account's limit of token requests is used up"),
            (503, KeystoneUnavailableError, "until the timeout; Keystone is out of service, try again later."),
            (500, KeystoneUnavailableError, "which is a fault of its own: try again later."),
            (404, ConfigurationError, "check auth_url and the scope."),
        ],
    )
    def test_other_answers(self, message, status, kind, found):
        text = message(keystones_answer(status, "as keystone says"), kind)

        assert text.startswith("No token for cloud 'sandbox': Keystone at ")
        assert found in text

    def test_a_token_that_cannot_be_exchanged(self, message, task_cloud, keystone):
        cloud = task_cloud(auth_type="v3token", auth={"auth_url": keystone.auth_url, "token": "gAAAAABdead"})

        text = message(None, CredentialsRefusedError, cloud)

        assert "rejected the token of the auth option (HTTP 401): it is invalid, or comes from" in text
        assert "gAAAAABdead" not in text

    def test_an_application_credential_is_named(self, message, task_cloud, keystone):
        auth = {"application_credential_id": "c1", "application_credential_secret": "s3cret"}
        cloud = task_cloud(auth_type="v3applicationcredential", auth={"auth_url": keystone.auth_url, **auth})

        text = message(keystones_answer(401), CredentialsRefusedError, cloud)
        assert "refused application credential 'c1' of the auth option" in text
        assert "s3cret" not in text

    def test_an_unreachable_keystone(self, message, keystone):
        keystone.stop()

        assert message(None, KeystoneUnavailableError).startswith("No token for cloud 'sandbox': ")

    def test_a_missing_certificate_file(self, message, task_cloud, keystone):
        auth = {**keystone.entry()["auth"], "auth_url": "https://127.0.0.1:1/v3"}
        cloud = task_cloud(auth=auth, ca_cert="/nowhere/ca.pem", auth_type="v3password")

        assert "so check auth_url, ca_cert, client_cert and client_key." in message(None, ConfigurationError, cloud)

    @pytest.mark.parametrize("auth_type", ["none", "http_basic"])
    def test_an_auth_type_without_a_token(self, message, task_cloud, auth_type):
        auth = {"endpoint": "http://127.0.0.1:1", "username": "u", "password": "p"}
        auth = {"endpoint": auth["endpoint"]} if auth_type == "none" else auth
        cloud = task_cloud(auth_type=auth_type, auth=auth)

        assert f"signs in with '{auth_type}', which asks Keystone for no token: use it without a session." in message(
            None, ConfigurationError, cloud
        )


class TestRenewingAsBefore:
    """A task that names a session, or runs in one, and nothing else."""

    def test_it_is_the_cloud_of_the_session(self, issue, session, keystone):
        issue()
        let_it_age(session, identity_of(session), 9 * HOURS)

        cloud = signing_in.cloud_of(task_options(session=session.path), session)

        assert cloud.name == "sandbox"
        assert issue(cloud).changed

    def test_it_has_the_same_scope(self, issue, session, task_cloud):
        issue(task_cloud(cloud="sandbox", project=PROJECT_ID))

        cloud = signing_in.cloud_of(task_options(session=session.path), session)

        assert cloud.region.config["auth"]["project_id"] == PROJECT_ID
        assert not issue(cloud).changed

    def test_the_variables_of_an_openrc_are_used_again(self, issue, session, task_cloud, keystone, monkeypatch):
        for name, value in keystone.entry()["auth"].items():
            monkeypatch.setenv(f"OS_{name.upper()}", value)
        issue(task_cloud())

        cloud = signing_in.cloud_of(task_options(session=session.path), session)

        assert cloud.name == "onetoken"
        assert not issue(cloud).changed

    def test_explicit_credentials_have_to_be_given_again(self, issue, session, task_cloud, keystone):
        auth = keystone.entry()["auth"]
        issue(task_cloud(auth=auth))

        with pytest.raises(SourceUnreadableError, match="were given to the task that issued it: run os_token_issue ag"):
            signing_in.cloud_of(task_options(session=session.path), session)
        assert not issue(signing_in.cloud_of(task_options(session=session.path, auth=auth), session)).changed

    def test_new_options_override_the_earlier_ones(self, issue, session):
        issue()

        assert signing_in.cloud_of(task_options(session=session.path, cloud="second"), session).name == "second"
        scoped = signing_in.cloud_of(task_options(session=session.path, cloud="sandbox", project="p2"), session)
        assert scoped.region.config["auth"]["project_name"] == "p2"

    def test_on_an_explicit_session_the_user_s_own_configuration_is_used(self, issue, session, task_cloud, monkeypatch):
        issue(task_cloud(cloud="sandbox", project=PROJECT_ID))
        monkeypatch.setenv(VARIABLE, session.path)
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", session.clouds_file)
        monkeypatch.setenv("OS_CLOUD", "sandbox")

        cloud = signing_in.cloud_of(task_options(), session)

        assert cloud.region.config["auth"]["password"] == PASSWORD
        assert cloud.region.config["auth"]["project_id"] == PROJECT_ID


class TestForeseeing:
    @pytest.fixture
    def preview(self, session, sandbox):
        return lambda cloud=None, policy=None: signing_in.preview(session, cloud or sandbox, policy or RenewalPolicy())

    def test_a_new_session_has_no_token(self, preview, session, keystone):
        assert preview() is None
        assert keystone.requests == []
        assert not os.path.exists(session.path)

    def test_the_session_s_token_is_found(self, issue, preview, keystone):
        token = issue().token
        asked = len(keystone.requests)

        assert preview().id == token.id
        assert len(keystone.requests) == asked

    def test_a_stale_token_is_not_found(self, issue, preview, session):
        issue()
        staleness.mark(session, [staleness.EVERYBODY])

        assert preview() is None
        assert issue().changed

    def test_the_session_of_a_run_has_the_run_s_policy(self, issue, preview, session):
        issue()
        let_it_age(session, identity_of(session), 9 * HOURS)
        session.write_record(SessionRecord(RenewalPolicy("50%"), of_runs=True))

        assert preview() is not None
        again = issue()
        assert (again.changed, again.kept_because) == (False, None)
        assert preview(policy=RenewalPolicy(min_remaining=16 * HOURS)) is None
        assert issue(policy=RenewalPolicy(min_remaining=16 * HOURS)).changed

    def test_no_token_is_found_if_it_is_due_or_the_session_closed(self, issue, preview, session):
        issue()
        assert preview(policy=RenewalPolicy("1%")) is not None
        let_it_age(session, identity_of(session), 9 * HOURS)
        assert preview() is None

        issue()
        session.close()
        assert preview() is None

    def test_no_token_is_found_after_a_write_to_keystone(self, issue, preview, session):
        issue()
        staleness.mark(session, [staleness.EVERYBODY])

        assert preview() is None
        assert issue().changed

    @pytest.mark.parametrize(
        "other",
        [
            {"project": "p2"},
            {"unscoped": True},
            {"auth": {"password": "changed"}},
            {"auth": {"username": "other"}},
            {"validate_certs": False},
        ],
        ids=str,
    )
    def test_no_token_is_found_for_other_credentials_or_another_scope(self, issue, preview, task_cloud, other):
        issue()

        assert preview(task_cloud(cloud="sandbox", **other)) is None
