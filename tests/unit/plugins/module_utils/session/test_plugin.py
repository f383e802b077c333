# Copyright: (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import keystoneauth1.session
import pytest
import yaml
from ansible_collections.onetoken.openstack.plugins.module_utils.session import lifecycle
from ansible_collections.onetoken.openstack.plugins.module_utils.session.plugin import (
    SessionAuth,
    SessionLoader,
)
from ansible_collections.onetoken.openstack.plugins.module_utils.session.renewal import RenewalPolicy
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils.session.stand_in_keystone import (
    PROJECT_ID,
    REGIONS,
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


class TestLoader:
    """What arrives here is the session's cloud, and whatever else the process was told of it."""

    @pytest.fixture
    def load(self, issued):
        entry = yaml.safe_load(issued.read_clouds())["clouds"]["sandbox"]
        return lambda **told: SessionLoader().load_from_options(onetoken=entry["onetoken"], **told)

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
        monkeypatch.setenv(name, "of the openrc")

        assert isinstance(load(**{key: "of the openrc"}), SessionAuth)

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

    def test_its_options_are_called_like_no_other_plugin_s(self):
        """The openstack command makes one argument of every option of every plugin."""
        import keystoneauth1.loading

        own = {option.dest for option in SessionLoader().get_options()}
        for name in keystoneauth1.loading.get_available_plugin_names():
            loader = keystoneauth1.loading.get_plugin_loader(name)
            if not isinstance(loader, SessionLoader):
                assert not own & {option.dest for option in loader.get_options()}
