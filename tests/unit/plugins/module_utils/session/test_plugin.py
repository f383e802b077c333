# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import keystoneauth1.session
import pytest
import yaml
from ansible_collections.onetoken.openstack.plugins.module_utils._session.revoke import revocation
from ansible_collections.onetoken.openstack.plugins.module_utils.session import plugin
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import usage
from ansible_collections.onetoken.openstack.plugins.module_utils.session.config_files import ConfigFiles
from ansible_collections.onetoken.openstack.plugins.module_utils.session.plugin import (
    SessionAuth,
    SessionLoader,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.renewal import RenewalPolicy
from ansible_collections.onetoken.openstack.plugins.module_utils.session.source import UNNAMED, Source
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import SessionRecord
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils.session.stand_in_keystone import (
    PASSWORD,
    PROJECT_ID,
    REGIONS,
    USER,
    Answer,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils.session.tokens import let_it_age
from keystoneauth1.exceptions import AuthorizationFailure, ClientException
from openstack.exceptions import SDKException


@pytest.fixture
def client(issued):
    """A session of keystoneauth, as every service client of openstacksdk uses one."""
    return keystoneauth1.session.Session(auth=SessionAuth(issued.path, "sandbox"))


def compute(client, path="/"):
    filter_ = {"service_type": "compute", "region_name": REGIONS[0]}
    return client.get(path, endpoint_filter=filter_, raise_exc=False).status_code


def test_it_signs_in_with_the_catalog_the_project_and_the_user_and_without_a_request(client, keystone):
    keystone.requests.clear()

    assert client.get_project_id() == PROJECT_ID
    assert client.get_user_id() == "u1"
    assert client.get_endpoint(service_type="compute", region_name=REGIONS[1]) == f"{keystone.url}/compute/two"
    assert keystone.requests == []
    assert compute(client) == 200


@pytest.mark.processes
def test_a_refused_token_is_read_again_from_the_file_and_the_request_is_repeated(client, issued, keystone):
    """Another process renewed it, and the old one was revoked."""
    old = client.get_token()
    let_it_age(issued, "sandbox", 12 * 3600)
    renewed = lifecycle.current_token(issued, "sandbox").id.reveal()
    del keystone.alive[old]
    keystone.requests.clear()

    assert compute(client) == 200
    assert [r.headers["X-Auth-Token"] for r in keystone.requests if r.path.startswith("/compute")] == [old, renewed]
    assert keystone.keystone_requests == []


@pytest.mark.processes
def test_a_refused_token_that_keystone_does_not_know_is_replaced(client, keystone):
    keystone.alive.clear()

    assert compute(client) == 200
    assert len(keystone.asked("POST")) == 1


def test_a_service_that_refuses_every_token_does_not_cause_a_storm(client, keystone):
    compute(client)
    keystone.requests.clear()
    keystone._answer = lambda request: (
        (401, {}, "{}") if request.path.startswith("/compute") else type(keystone)._answer(keystone, request)
    )

    for _turn in range(5):
        assert compute(client) == 401

    assert keystone.asked("POST") == []


@pytest.mark.processes
def test_a_token_that_comes_to_its_end_in_a_long_task_is_renewed(client, issued, keystone):
    first = client.get_token()
    keystone.lifetime = 30  # keystoneauth asks again when less than 25 s are left
    lifecycle.issue(issued, issued.read_record().sources["sandbox"], RenewalPolicy("1"), 10)
    let_it_age(issued, "sandbox", 25 * 3600)
    client.invalidate()

    assert client.get_token() != first
    assert compute(client) == 200


@pytest.mark.parametrize("caller_s", [SDKException, AuthorizationFailure, ClientException])
def test_a_session_without_a_token_is_an_error_that_callers_know(client, issued, caller_s):
    lifecycle.revoke(issued, 10)

    with pytest.raises(caller_s, match="was revoked, so this task has no token"):
        client.get_token()


@pytest.mark.processes
def test_an_error_has_the_sentence_of_keystone_s_refusal(issued, keystone):
    keystone.stuck["POST"] = Answer(401)
    client = keystoneauth1.session.Session(auth=SessionAuth(issued.path, "second"))

    with pytest.raises(SDKException, match="refused user 'demo' of cloud 'second'"):
        client.get_token()


def test_before_its_first_use_there_is_nothing_to_invalidate(issued):
    assert SessionAuth(issued.path, "sandbox").invalidate() is False


def test_it_shows_no_token(client):
    token = client.get_token()

    assert token not in repr(client.auth) + str(vars(client.auth).get("_refused"))


def test_every_sign_in_is_counted(client, issued):
    client.get_token()
    keystoneauth1.session.Session(auth=SessionAuth(issued.path, "sandbox")).get_token()

    assert usage.authentications(issued) == 2


@pytest.mark.processes
def test_who_signed_in_works_on_the_session_until_its_end(issued, run_python, site_path):
    process = run_python(
        "import sys\n"
        "import keystoneauth1.session\n"
        "from onetoken_session import plugin, store, usage\n"
        "client = keystoneauth1.session.Session(auth=plugin.SessionAuth(sys.argv[1], 'sandbox'))\n"
        "print(usage.is_idle(store.Session(sys.argv[1])))\n"
        "client.get_token()\n"
        "print(usage.is_idle(store.Session(sys.argv[1])))\n",
        issued.path,
        PYTHONPATH=site_path,
    )

    assert process.stdout.split() == ["True", "False"], process.stderr
    assert usage.is_idle(issued)


@pytest.mark.processes
class TestFallback:
    @pytest.fixture
    def allowed(self, issued, monkeypatch):
        """A session whose run may use the user's own credentials where there is no token."""
        monkeypatch.setattr(lifecycle, "RENEWAL_TIMEOUT", 0.1)
        record = issued.read_record()
        record.fallback = True
        issued.write_record(record)
        return issued

    def client(self, session, cloud="second"):
        return keystoneauth1.session.Session(auth=SessionAuth(session.path, cloud))

    def test_where_no_token_is_to_be_had_the_own_credentials_sign_in(self, allowed, keystone):
        keystone.answers["POST"] = [Answer(503)]
        client = self.client(allowed)

        assert client.get_token() in keystone.alive
        assert client.get_project_id() == PROJECT_ID
        assert compute(client) == 200
        assert allowed.clouds_with_tokens() == ["sandbox"]
        assert usage.authentications(allowed) == 0

    def test_a_token_of_the_session_is_used_first(self, allowed, keystone):
        assert self.client(allowed, "sandbox").get_token() == allowed.read_tokens("sandbox").current.id.reveal()
        assert keystone.asked("POST") == []

    def test_what_keystone_says_to_the_own_credentials_is_said(self, allowed, keystone):
        keystone.stuck["POST"] = Answer(401)

        with pytest.raises(ClientException, match="HTTP 401"):
            self.client(allowed).get_token()

    def test_without_leave_there_is_none(self, allowed, keystone):
        record = allowed.read_record()
        record.fallback = False
        allowed.write_record(record)
        keystone.answers["POST"] = [Answer(503)]

        with pytest.raises(SDKException, match="HTTP 503"):
            self.client(allowed).get_token()
        assert len(keystone.asked("POST")) == 1

    @pytest.mark.parametrize("cloud", ["sandbox", "second"])
    def test_after_a_revoke_there_is_none(self, allowed, keystone, cloud):
        lifecycle.revoke(allowed, 10)
        keystone.requests.clear()

        with pytest.raises(SDKException, match="was revoked, so this task has no token"):
            self.client(allowed, cloud).get_token()
        assert keystone.requests == []

    def test_a_session_that_was_revoked_in_the_middle_of_a_task_gives_none(self, allowed, keystone):
        client = self.client(allowed, "sandbox")
        assert compute(client) == 200
        lifecycle.revoke(allowed, 10)

        with pytest.raises(SDKException, match="was revoked"):
            compute(client)
        assert keystone.asked("POST") == []

    def test_a_cloud_that_nobody_knows_has_none(self, allowed, keystone):
        with pytest.raises(SDKException, match="'unknown' is not in"):
            self.client(allowed, "unknown").get_token()


class TestLoader:
    """What arrives here is the session's cloud, and whatever else the process was told of it."""

    @pytest.fixture
    def load(self, issued):
        entry = yaml.safe_load(issued.read_clouds())["clouds"]["sandbox"]

        def load(variables=None, **told):
            own = {**entry["onetoken"], "variables": variables or {}}
            return SessionLoader().load_from_options(onetoken=own, **told)

        return load

    def test_the_session_signs_in(self, load, keystone):
        keystone.requests.clear()
        client = keystoneauth1.session.Session(auth=load())

        assert client.get_project_id() == PROJECT_ID
        assert keystone.requests == []

    @pytest.mark.parametrize(
        "told",
        [
            {"password": "of a secure.yaml"},
            {"username": "demo", "password": "x"},
            {"project_name": "demo"},
            {"user_domain_name": "Default", "project_domain_name": "Default"},
            {"username": "", "project_id": None},
        ],
        ids=str,
    )
    def test_it_signs_in_for_a_process_that_is_told_the_same_once_more(self, load, told):
        assert isinstance(load(**told), SessionAuth)

    @pytest.mark.parametrize(("name", "key"), [("OS_USERNAME", "username"), ("OS_TENANT_NAME", "project_name")])
    def test_it_signs_in_for_a_command_that_takes_a_sourced_openrc_for_arguments(self, load, monkeypatch, name, key):
        """The one that was sourced when the session was made."""
        assert isinstance(load(variables={key: "of the openrc"}, **{key: "of the openrc"}), SessionAuth)
        monkeypatch.setenv(name, "of another one")

        with pytest.raises(SDKException):
            load(variables={key: "of the openrc"}, **{key: "of another one"})

    @pytest.mark.parametrize(
        ("told", "plugin"),
        [
            ({"username": "other", "password": "x"}, "Password"),
            ({"auth_url": "http://other/v3", "username": "demo", "password": "x"}, "Password"),
            ({"auth_url": "http://other/v3", "token": "t"}, "Token"),
            ({"application_credential_id": "a", "application_credential_secret": "x"}, "ApplicationCredential"),
        ],
        ids=str,
    )
    def test_credentials_that_a_process_brings_itself_are_not_taken_for_the_session_s(self, load, told, plugin):
        loaded = load(**{"auth_url": "http://127.0.0.1:1/v3", **told})

        assert type(loaded).__name__ == plugin
        assert not isinstance(loaded, SessionAuth)

    @pytest.mark.parametrize(
        "told", [{"project_name": "other"}, {"project_id": "p2"}, {"system_scope": "all"}], ids=str
    )
    def test_another_scope_without_credentials_is_refused_with_a_sentence(self, load, told):
        (value,) = told.values()

        with pytest.raises(SDKException, match=f"asks for '{value}': issue a session for that"):
            load(**told)

    def test_a_cloud_that_the_run_does_not_want_on_the_session_signs_in_by_itself(self, issued, keystone):
        own = {"session": issued.path, "cloud": "second", "covered": False}
        client = keystoneauth1.session.Session(auth=SessionLoader().load_from_options(onetoken=own))

        assert client.get_token() in keystone.alive
        assert issued.clouds_with_tokens() == ["sandbox"]
        assert len(keystone.asked("POST")) == 1

    @pytest.mark.parametrize("cloud", ["unknown", ""])
    def test_a_cloud_of_its_own_that_nobody_knows_is_a_sentence(self, issued, cloud):
        with pytest.raises(SDKException, match=f"Cloud '{cloud}' is not in .*, which has sandbox, second"):
            SessionLoader().load_from_options(onetoken={"session": issued.path, "cloud": cloud, "covered": False})

    def test_a_cloud_without_any_description_is_a_sentence(self, session):
        session.make()
        session.write_record(SessionRecord(ConfigFiles(), {}, RenewalPolicy()))

        with pytest.raises(SDKException, match="does not know where cloud 'sandbox' is described"):
            SessionLoader().load_from_options(onetoken={"session": session.path, "cloud": "sandbox", "covered": False})

    def test_the_address_of_a_vendor_s_profile_is_no_difference(self, issued):
        """The session's clouds.yaml names the profile, so its address arrives here, though nobody told it."""
        own = yaml.safe_load(issued.read_clouds())["clouds"]["sandbox"]["onetoken"]
        del own["identity"]["auth_url"]
        own["variables"] = {}

        loaded = SessionLoader().load_from_options(onetoken=own, auth_url="https://of.the.profile/v3")

        assert isinstance(loaded, SessionAuth)

    @pytest.fixture
    def openrc(self, issued, keystone, monkeypatch):
        """What a session of an openrc file has of it, and a process with the variables of that file."""
        variables = {"AUTH_URL": keystone.auth_url, "USERNAME": USER, "PASSWORD": PASSWORD, "PROJECT_NAME": "demo"}
        domains = {"USER_DOMAIN_NAME": "Default", "PROJECT_DOMAIN_NAME": "Default"}
        for name, value in {**variables, **domains}.items():
            monkeypatch.setenv(f"OS_{name}", value)
        source = Source.of_environment(os.environ, ConfigFiles())
        record = issued.read_record()
        record.sources[UNNAMED] = source
        issued.write_record(record)
        return {
            "session": issued.path,
            "cloud": UNNAMED,
            "identity": source.public_auth,
            "variables": source.public_auth,
            "from_variables": True,
            "covered": True,
        }

    def test_a_process_with_the_same_openrc_uses_the_session(self, openrc):
        assert isinstance(SessionLoader().load_from_options(onetoken=openrc), SessionAuth)

    @pytest.mark.parametrize("name", ["OS_USERNAME", "OS_PROJECT_NAME", "OS_AUTH_URL"])
    def test_a_process_with_another_openrc_signs_in_by_itself(self, openrc, monkeypatch, name):
        """It would work as another user, or in another project, than it was told to."""
        monkeypatch.setenv(name, "http://127.0.0.1:1/v3")

        assert type(SessionLoader().load_from_options(onetoken=openrc)).__name__ == "Password"

    def test_a_process_without_the_openrc_cannot_differ_from_it(self, openrc, monkeypatch):
        """What the session was made from is not in the environment of every task."""
        for name in list(os.environ):
            if name.startswith("OS_"):
                monkeypatch.delenv(name)

        assert isinstance(SessionLoader().load_from_options(onetoken=openrc), SessionAuth)

    def test_what_it_is_told_and_the_session_was_not_is_no_difference(self, openrc, monkeypatch):
        monkeypatch.setenv("OS_REGION_NAME", "RegionTwo")
        monkeypatch.setenv("OS_PASSWORD", "renewed")

        assert isinstance(SessionLoader().load_from_options(onetoken=openrc), SessionAuth)

    def test_the_openstack_command_does_not_ask_for_what_the_session_needs_not(self):
        """It asks for these where a plugin has an option of that name."""
        names = {option.dest for option in SessionLoader().get_options()}

        assert not names & {"password", "auth_url", "url", "token"}
        assert {"username", "project_name"} <= names


class TestWithoutAWordOfTheSession:
    """A clouds.yaml of the process's own: OS_AUTH_TYPE is all that tells of the session in whose site/ this is."""

    @pytest.fixture
    def here(self, issued, monkeypatch):
        monkeypatch.setattr(plugin, "_session_of_this_file", lambda: issued.path)
        return issued

    @pytest.fixture
    def openrc(self, keystone, monkeypatch):
        variables = {"AUTH_URL": keystone.auth_url, "USERNAME": USER, "PASSWORD": PASSWORD, "PROJECT_NAME": "demo"}
        domains = {"USER_DOMAIN_NAME": "Default", "PROJECT_DOMAIN_NAME": "Default"}
        for name, value in {**variables, **domains}.items():
            monkeypatch.setenv(f"OS_{name}", value)

    def token(self, auth):
        return keystoneauth1.session.Session(auth=auth).get_token()

    def test_a_cloud_of_the_session_signs_in_with_it(self, here, keystone, monkeypatch):
        monkeypatch.setenv("OS_CLOUD", "sandbox")

        assert self.token(SessionLoader().load_from_options()) == here.read_tokens("sandbox").current.id.reveal()
        assert keystone.asked("POST") == []

    def test_another_cloud_signs_in_with_the_credentials_that_it_has(self, here, keystone, monkeypatch):
        monkeypatch.setenv("OS_CLOUD", "other")

        assert self.token(SessionLoader().load_from_options(**keystone.entry()["auth"])) in keystone.alive
        assert len(keystone.asked("POST")) == 1

    def test_a_cloud_of_variables_signs_in_with_these(self, here, openrc, keystone, monkeypatch):
        monkeypatch.setenv("OS_CLOUD", "other")
        monkeypatch.setenv("OS_AUTH_TYPE", "onetoken")

        assert self.token(SessionLoader().load_from_options()) in keystone.alive
        assert len(keystone.asked("POST")) == 1

    def test_variables_that_cannot_be_used_are_a_sentence(self, here, openrc, monkeypatch):
        monkeypatch.setenv("OS_CLOUD", "other")
        monkeypatch.setenv("OS_AUTH_URL", "nowhere")

        with pytest.raises(SDKException, match="'nowhere' is not an address|is not an address such as"):
            SessionLoader().load_from_options()

    def test_a_cloud_that_nobody_knows_is_a_sentence(self, here, monkeypatch):
        monkeypatch.setenv("OS_CLOUD", "other")

        with pytest.raises(SDKException, match=f"The session {here.path} does not know cloud 'other': name one of its"):
            SessionLoader().load_from_options()

    def test_a_session_that_is_gone_is_a_sentence(self, here, monkeypatch):
        monkeypatch.setenv("OS_CLOUD", "sandbox")
        here.discard()

        with pytest.raises(SDKException, match="There is no session at"):
            SessionLoader().load_from_options()
