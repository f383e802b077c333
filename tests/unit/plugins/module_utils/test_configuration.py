# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os

import openstack.config.loader
import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.config_files import ConfigFiles
from ansible_collections.onetoken.openstack.plugins.module_utils._session.revoke import keystone as requests_to_keystone
from ansible_collections.onetoken.openstack.plugins.module_utils._session.source import (
    CONFIG,
    ENVIRONMENT,
    EXPLICIT,
    UNNAMED,
    Source,
    environment_has_credentials,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import (
    ConfigurationError,
    SourceUnreadableError,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.fake_time import FakeTime
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    PASSWORD,
)

AUTH_URL = "http://127.0.0.1:5000/v3"


@pytest.fixture
def openrc(no_cloud, monkeypatch):
    variables = {
        "OS_AUTH_URL": AUTH_URL,
        "OS_USERNAME": "demo",
        "OS_PASSWORD": PASSWORD,
        "OS_PROJECT_NAME": "demo",
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_ID": "default",
        "OS_REGION_NAME": "RegionTwo",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_a_configured_cloud_is_read_again_each_time(source, write_clouds, keystone):
    assert source.entry()["auth"]["password"] == PASSWORD

    changed = keystone.entry()
    changed["auth"]["password"] = "new"
    write_clouds({"clouds": {"sandbox": changed}})
    assert source.entry()["auth"]["password"] == "new"


def test_options_and_scope_take_the_place_of_what_is_configured(clouds_yaml):
    files = ConfigFiles(clouds_yaml)
    entry = Source(CONFIG, "sandbox", files, {"interface": "internal"}, {"project_id": "p2"}).entry()

    assert entry["interface"] == "internal"
    assert entry["auth"]["project_id"] == "p2"
    assert "project_name" not in entry["auth"]


@pytest.mark.parametrize("auth_type", [None, "v3password"])
def test_the_variables_of_an_openrc_are_a_cloud(openrc, auth_type, monkeypatch):
    # In a process with a session, OS_AUTH_TYPE names the session's plugin.
    monkeypatch.setenv("OS_AUTH_TYPE", "onetoken")
    monkeypatch.setenv("OS_CLOUD", "onetoken")

    region = Source(ENVIRONMENT, UNNAMED, auth_type=auth_type).region()

    assert region.config["auth_type"] == (auth_type or "password")
    assert region.config["auth"]["username"] == "demo"
    assert region.config["auth"]["password"] == PASSWORD
    assert region.config["auth"]["project_name"] == "demo"
    assert region.config["region_name"] == "RegionTwo"


class TestOfEnvironment:
    def test_it_knows_who_signs_in_where_and_for_what_and_no_secret(self, openrc):
        files = ConfigFiles("/clouds.yaml")

        source = Source.of_environment(os.environ, files)

        assert (source.kind, source.cloud, source.files, source.auth_type) == (ENVIRONMENT, UNNAMED, files, None)
        assert source.public_auth == {
            "auth_url": AUTH_URL,
            "username": "demo",
            "user_domain_name": "Default",
            "project_name": "demo",
            "project_domain_id": "default",
        }
        assert PASSWORD not in json.dumps(source.record()) + repr(source)

    def test_the_names_that_projects_had_once_are_the_same_project(self, openrc, monkeypatch):
        now = Source.of_environment(os.environ, ConfigFiles())
        monkeypatch.setenv("OS_TENANT_NAME", os.environ["OS_PROJECT_NAME"])
        monkeypatch.delenv("OS_PROJECT_NAME")

        assert Source.of_environment(os.environ, ConfigFiles()) == now

    def test_it_reads_the_environment_that_it_is_given(self, no_cloud):
        environ = {"OS_AUTH_URL": AUTH_URL, "OS_USER_ID": "u1", "OS_PASSWORD": PASSWORD, "OS_CLOUD": "x"}

        assert Source.of_environment(environ, ConfigFiles()).public_auth == {"auth_url": AUTH_URL, "user_id": "u1"}

    @pytest.mark.parametrize(
        ("environ", "told", "auth_type"),
        [
            ({}, None, None),
            ({"OS_AUTH_TYPE": ""}, None, None),
            ({"OS_AUTH_TYPE": "v3password"}, None, "v3password"),
            ({"OS_AUTH_TYPE": "v3password"}, "v3token", "v3token"),
        ],
        ids=str,
    )
    def test_the_auth_type_is_remembered_before_the_session_s_takes_its_place(self, environ, told, auth_type):
        source = Source.of_environment({"OS_AUTH_URL": AUTH_URL, **environ}, ConfigFiles(), auth_type=told)

        assert source.auth_type == auth_type

    @pytest.mark.parametrize("name", ["OS_USERNAME", "OS_PROJECT_NAME", "OS_AUTH_URL"])
    def test_another_user_project_or_keystone_is_another_source(self, openrc, monkeypatch, name):
        one = Source.of_environment(os.environ, ConfigFiles())
        monkeypatch.setenv(name, "http://other/v3")

        assert Source.of_environment(os.environ, ConfigFiles()) != one

    def test_without_an_address_the_variables_are_none(self, no_cloud):
        with pytest.raises(SourceUnreadableError, match="source the openrc file"):
            Source.of_environment({"OS_USERNAME": "demo"}, ConfigFiles()).entry()


@pytest.mark.parametrize("name", ["OS_PASSWORD", "OS_PROJECT_NAME"])
def test_an_empty_variable_is_none(openrc, monkeypatch, name):
    monkeypatch.setenv(name, "")

    assert name[len("OS_") :].lower() not in Source(ENVIRONMENT, UNNAMED).entry()


def test_a_process_without_the_openrc_is_told_to_source_it(no_cloud):
    with pytest.raises(SourceUnreadableError, match="source the openrc file"):
        Source(ENVIRONMENT, UNNAMED).entry()


@pytest.mark.parametrize(
    ("environ", "has"),
    [({}, False), ({"OS_AUTH_URL": ""}, False), ({"OS_AUTH_URL": "u"}, True), ({"OS_CLOUD": "x"}, False)],
)
def test_an_openrc_is_known_by_its_auth_url(environ, has):
    assert environment_has_credentials(environ) is has


def test_an_explicit_source_signs_in_with_what_it_was_given(keystone, no_cloud):
    entry = Source(EXPLICIT, UNNAMED, explicit=keystone.entry()).entry()

    assert entry["auth"]["password"] == PASSWORD


def test_an_explicit_source_cannot_be_read_again_by_another_process(keystone):
    source = Source(EXPLICIT, UNNAMED, explicit=keystone.entry())

    with pytest.raises(SourceUnreadableError, match="run os_token_issue again"):
        Source.of_record(source.record()).entry()


@pytest.mark.parametrize("kind", [CONFIG, ENVIRONMENT, EXPLICIT])
def test_what_is_recorded_of_a_source_is_no_secret_and_makes_it_again(kind, keystone):
    source = Source(
        kind,
        "sandbox",
        ConfigFiles("/clouds.yaml", "/secure.yaml"),
        {"verify": False},
        {"project_id": "p"},
        "v3password",
        {"username": "demo"},
        keystone.entry(),
    )

    text = json.dumps(source.record())

    assert PASSWORD not in text
    assert PASSWORD not in repr(source)
    assert Source.of_record(json.loads(text)) == source


def test_an_unknown_cloud_is_a_sentence_with_the_names_of_the_known(clouds_yaml):
    with pytest.raises(ConfigurationError) as caught:
        Source(CONFIG, "sandbocks", ConfigFiles(clouds_yaml)).entry()

    assert str(caught.value) == (
        f"Cloud 'sandbocks' is not in {clouds_yaml}, which has sandbox, second: name one of these, or add it there."
    )


def test_without_a_clouds_yaml_the_sentence_says_so():
    with pytest.raises(ConfigurationError, match="no clouds.yaml was found"):
        Source(CONFIG, "sandbox").entry()


def test_a_tilde_that_nothing_replaces_is_named(no_cloud, monkeypatch):
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", "~/clouds.yaml")

    with pytest.raises(ConfigurationError, match="OS_CLIENT_CONFIG_FILE is ~/clouds.yaml, .*: write the whole path"):
        Source(CONFIG, "sandbox").entry()


def test_a_verify_in_quotes_is_named(keystone, no_cloud):
    entry = keystone.entry(verify="False")
    entry["auth"]["auth_url"] = "https://127.0.0.1:1/v3"

    with pytest.raises(ConfigurationError, match="is the text 'False', which is taken for a file with certificates"):
        requests_to_keystone.issue(Source(EXPLICIT, UNNAMED, explicit=entry), FakeTime().waiter(1))


def test_without_one_that_can_be_read_the_sentence_names_it():
    with pytest.raises(ConfigurationError, match="because this user cannot read /etc/openstack/clouds.yaml: change"):
        Source(CONFIG, "sandbox", ConfigFiles(unreadable="/etc/openstack/clouds.yaml")).entry()


@pytest.mark.parametrize("missing", ["password", "auth_url"])
def test_credentials_that_are_not_complete_are_a_sentence(keystone, no_cloud, missing):
    entry = keystone.entry()
    del entry["auth"][missing]

    with pytest.raises(ConfigurationError, match=missing) as caught:
        requests_to_keystone.issue(Source(EXPLICIT, UNNAMED, explicit=entry), FakeTime().waiter(1))
    assert PASSWORD not in str(caught.value)


def test_a_key_that_the_auth_type_does_not_take_is_named(keystone):
    entry = keystone.entry(auth_type="v3token")
    entry["auth"]["token"] = "t"

    with pytest.raises(ConfigurationError) as caught:
        Source(EXPLICIT, UNNAMED, explicit=entry).region()
    assert "which its auth_type does not take: remove it" in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_an_unknown_auth_type_is_a_sentence(keystone):
    with pytest.raises(ConfigurationError, match="pasword"):
        Source(EXPLICIT, UNNAMED, explicit=keystone.entry(auth_type="pasword")).region()


class TestConfigFiles:
    def test_the_files_of_the_user_are_found_as_openstacksdk_finds_them(self, clouds_yaml, tmp_path, monkeypatch):
        secure = tmp_path / "secure.yaml"
        secure.write_text('{"clouds": {"sandbox": {"auth": {"password": "from secure"}}}}')
        monkeypatch.setenv("OS_CLIENT_SECURE_FILE", str(secure))

        files = ConfigFiles.of_user()

        assert files == ConfigFiles(clouds_yaml, str(secure))
        assert files.entries()["sandbox"]["auth"]["password"] == "from secure"

    @pytest.mark.processes
    def test_a_file_of_the_working_directory_is_recorded_with_its_whole_path(
        self, run_python, collections_path, tmp_path
    ):
        (tmp_path / "work" / "clouds.yaml").write_text('{"clouds": {"here": {}}}')

        process = run_python(
            "from ansible_collections.onetoken.openstack.plugins.module_utils._session.source import ConfigFiles\n"
            "print(ConfigFiles.of_user().clouds)\n",
            PYTHONPATH=collections_path,
        )

        assert process.stdout.strip() == str(tmp_path / "work" / "clouds.yaml"), process.stderr

    def test_other_files_of_the_process_do_not_take_the_place_of_the_recorded(
        self, clouds_yaml, write_clouds, tmp_path, monkeypatch
    ):
        other = tmp_path / "other.yaml"
        other.write_text('{"clouds": {"sandbox": {"auth": {"password": "other"}}, "third": {}}}')
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(other))
        for name in ("CONFIG_FILES", "SECURE_FILES"):
            monkeypatch.setattr(openstack.config.loader, name, [str(other)])

        entries = ConfigFiles(clouds_yaml).entries()

        assert set(entries) == {"sandbox", "second"}
        assert entries["sandbox"]["auth"]["password"] == PASSWORD

    def test_a_secure_file_of_the_process_does_not_add_to_the_recorded(self, clouds_yaml, tmp_path, monkeypatch):
        secure = tmp_path / "secure.yaml"
        secure.write_text('{"clouds": {"sandbox": {"auth": {"password": "other"}}}}')
        monkeypatch.setenv("OS_CLIENT_SECURE_FILE", str(secure))

        assert ConfigFiles(clouds_yaml).entries()["sandbox"]["auth"]["password"] == PASSWORD

    def test_the_variables_of_an_openrc_are_no_cloud_of_the_files(self, clouds_yaml, openrc):
        assert set(ConfigFiles(clouds_yaml).entries()) == {"sandbox", "second"}

    def test_no_file_has_no_clouds(self):
        assert ConfigFiles().entries() == {}

    def test_a_file_that_is_gone_is_a_sentence(self, tmp_path):
        with pytest.raises(SourceUnreadableError, match="cannot be read again from"):
            ConfigFiles(str(tmp_path / "gone.yaml")).entries()

    @pytest.mark.parametrize("text", ["clouds: [", "clouds:\n\t- x", "clouds: {a: b: c}", "text: 1"])
    def test_a_recorded_file_that_is_no_clouds_yaml_is_a_sentence_that_names_it(self, clouds_yaml, text):
        with open(clouds_yaml, "w", encoding="utf-8") as stream:
            stream.write(text)

        with pytest.raises(ConfigurationError) as caught:
            Source(CONFIG, "sandbox", ConfigFiles(clouds_yaml)).entry()
        assert clouds_yaml in str(caught.value)

    def test_a_file_of_the_user_that_openstacksdk_refuses_is_a_sentence_that_names_it(self, write_clouds):
        path = write_clouds(["sandbox"])

        with pytest.raises(ConfigurationError) as caught:
            ConfigFiles.of_user()
        assert path in str(caught.value)

    def test_a_cloud_that_says_nothing_or_nonsense_does_not_keep_the_others_from_working(self, write_clouds, keystone):
        path = write_clouds({"clouds": {"sandbox": keystone.entry(), "empty": None, "nonsense": "text"}})

        entries = ConfigFiles(path).entries()

        assert entries["sandbox"]["auth"]["password"] == PASSWORD


@pytest.mark.parametrize("value", [["a", "b"], {"a": "b"}])
def test_a_password_that_yaml_takes_for_a_list_is_not_quoted(keystone, no_cloud, value):
    entry = keystone.entry()
    entry["auth"]["password"] = value

    with pytest.raises(ConfigurationError, match="^The password of the auth option is not a text: put it in quotes.$"):
        Source(EXPLICIT, UNNAMED, explicit=entry).region()


@pytest.mark.parametrize(
    "url", ["http://me:secret@127.0.0.1/v3", "127.0.0.1:5000/v3", "http://h/{x}", "5000", "http://"]
)
def test_an_address_that_is_none_is_not_quoted(keystone, no_cloud, url):
    entry = keystone.entry()
    entry["auth"]["auth_url"] = url

    with pytest.raises(ConfigurationError, match="is not an address such as") as caught:
        Source(EXPLICIT, UNNAMED, explicit=entry).region()
    assert "secret" not in str(caught.value)


def test_another_cloud_with_an_auth_that_is_no_mapping_keeps_no_other_from_being_used(no_cloud, tmp_path):
    path = tmp_path / "clouds.yaml"
    path.write_text("clouds: {sandbox: {auth: {auth_url: http://h/v3}}, other: {auth: hello}}")

    assert ConfigFiles(str(path)).entries()["sandbox"]["auth"] == {"auth_url": "http://h/v3"}


def test_an_application_credential_takes_no_scope(no_cloud):
    entry = {"auth_type": "v3applicationcredential", "auth": {"auth_url": "http://h/v3"}}
    source = Source(EXPLICIT, "sandbox", explicit=entry, scope={"project_id": "p2"})

    with pytest.raises(ConfigurationError, match="application credential of .* is bound to its project: leave out the"):
        source.entry()
