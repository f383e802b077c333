# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with the configuration of a cloud, said before Keystone is asked."""

from __future__ import annotations

import datetime

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._modules import configuration
from ansible_collections.onetoken.openstack.plugins.module_utils._session.sign_in import openrc
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import ConfigurationError
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    PASSWORD,
)


@pytest.mark.parametrize(
    ("environ", "is_one"),
    [({}, False), ({"OS_AUTH_URL": ""}, False), ({"OS_AUTH_URL": "u"}, True), ({"OS_CLOUD": "x"}, False)],
)
def test_an_openrc_is_known_by_its_auth_url(environ, is_one):
    assert openrc.is_sourced(environ) is is_one


def test_variables_that_select_a_cloud_or_are_unrelated_are_left_out():
    environ = {"OS_AUTH_URL": "u", "OS_CLOUD": "x", "OS_CLIENT_CONFIG_FILE": "x", "OS_TEST_PATH": "x", "OS_LOG": "x"}

    assert openrc.cloud(environ) == {"auth_url": "u", "auth_type": "password", "auth": {}}


@pytest.mark.parametrize("name", ["OS_PASSWORD", "OS_PROJECT_NAME"])
def test_an_empty_variable_is_none(name):
    assert name[len("OS_") :].lower() not in openrc.cloud({"OS_AUTH_URL": "u", name: ""})


class TestUnknownClouds:
    def test_without_a_clouds_yaml_the_error_says_so(self, no_cloud, task_cloud):
        with pytest.raises(ConfigurationError, match="no clouds.yaml was found"):
            task_cloud(cloud="sandbox")

    @pytest.mark.parametrize(
        ("path", "found"),
        [
            ("~/clouds.yaml", ".* ~ is not expanded: write the"),
            ("/nowhere", ".* does not exist"),
            ("/etc", "which is a directory: name the file in it"),
        ],
    )
    def test_a_missing_file_that_a_variable_names_is_reported(self, no_cloud, task_cloud, monkeypatch, path, found):
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", path)

        with pytest.raises(ConfigurationError, match=f"OS_CLIENT_CONFIG_FILE is {path}, {found}"):
            task_cloud(cloud="sandbox")

    def test_an_unreadable_file_is_reported(self, clouds_yaml, task_cloud, monkeypatch):
        # Nothing is closed to the superuser.
        monkeypatch.setattr("os.access", lambda path, mode: path != clouds_yaml)

        with pytest.raises(ConfigurationError, match=f"because this user cannot read {clouds_yaml}: change the file's"):
            task_cloud(cloud="sandbocks")

    def test_a_file_without_clouds_is_reported(self, write_clouds, task_cloud):
        path = write_clouds({"clouds": {}})

        with pytest.raises(ConfigurationError, match=f"'sandbox' is not in {path}, which has no cloud: add it there."):
            task_cloud(cloud="sandbox")

    def test_the_cloud_of_the_variables_is_not_listed_with_those_of_the_file(
        self, clouds_yaml, task_cloud, monkeypatch
    ):
        monkeypatch.setenv("OS_USERNAME", "demo")

        with pytest.raises(
            ConfigurationError, match=f"'sandbocks' is not in {clouds_yaml}, which has sandbox, second:"
        ):
            task_cloud(cloud="sandbocks")


@pytest.mark.parametrize("text", ["clouds: [", "clouds:\n\t- x", "clouds: {a: b: c}"])
@pytest.mark.parametrize("cloud", ["sandbox", None])
def test_a_file_that_is_no_yaml_is_reported_without_a_quote(clouds_yaml, task_cloud, text, cloud):
    with open(clouds_yaml, "w", encoding="utf-8") as stream:
        stream.write(text + "\npassword: s3cret")

    with pytest.raises(ConfigurationError) as caught:
        task_cloud(cloud=cloud)
    assert f"{clouds_yaml} cannot be used because it is not valid YAML near line" in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("content", [["sandbox"], "text", {"clouds": ["a"]}, {"clouds": {"sandbox": "text"}}], ids=str)
def test_a_file_without_a_mapping_of_clouds_is_reported(write_clouds, task_cloud, content):
    write_clouds(content)

    with pytest.raises(ConfigurationError):
        task_cloud(cloud="sandbox")


def test_an_empty_cloud_does_not_prevent_others_from_working(write_clouds, keystone, task_cloud):
    write_clouds({"clouds": {"sandbox": keystone.entry(), "empty": None, "other": {"auth": "hello"}}})

    assert task_cloud(cloud="sandbox").region.config["auth"]["password"] == PASSWORD


def test_a_secure_file_adds_to_the_cloud(write_clouds, keystone, task_cloud, tmp_path, monkeypatch):
    entry = keystone.entry()
    del entry["auth"]["password"]
    write_clouds({"clouds": {"sandbox": entry}})
    secure = tmp_path / "secure.yaml"
    secure.write_text('{"clouds": {"sandbox": {"auth": {"password": "from secure"}}}}')
    monkeypatch.setenv("OS_CLIENT_SECURE_FILE", str(secure))

    cloud = task_cloud(cloud="sandbox")

    assert cloud.region.config["auth"]["password"] == "from secure"
    assert cloud.way.secure_files == [str(secure)]
    assert cloud.way.region().config["auth"]["password"] == "from secure"


class TestCredentials:
    def test_a_password_that_yaml_reads_as_a_date_is_to_be_quoted(self, keystone, task_cloud):
        entry = keystone.entry()
        entry["auth"]["password"] = datetime.date(2026, 1, 31)

        with pytest.raises(ConfigurationError, match="The password of .* is not a text: put it in quotes"):
            task_cloud(cloud=entry)

    @pytest.mark.parametrize("missing", ["password", "auth_url"])
    def test_incomplete_credentials_are_reported(self, keystone, task_cloud, missing):
        entry = keystone.entry()
        del entry["auth"][missing]

        with pytest.raises(ConfigurationError, match=missing) as caught:
            task_cloud(cloud=entry)
        assert PASSWORD not in str(caught.value)

    @pytest.mark.parametrize(
        ("auth_type", "auth", "missing"),
        [
            ("password", {}, ["auth_url", "username", "password", "user_domain_name"]),
            ("password", {"auth_url": "u", "user_id": "u", "password": "p"}, []),
            ("password", {"auth_url": "u", "user_name": "u", "password": "p", "user_domain_id": "d"}, []),
            ("v3totp", {"auth_url": "u", "user_name": "u"}, ["user_domain_name"]),
            (
                "v3password",
                {"auth_url": "u", "username": "u", "password": "p", "default_domain_id": "d"},
                ["user_domain_name"],
            ),
            ("password", {"auth_url": "u", "username": "u", "password": "p", "default_domain_id": "d"}, []),
            ("password", {"auth_url": "u/v2.0", "username": "u", "password": "p"}, []),
            ("token", {"auth_url": "u"}, ["token"]),
            ("v3token", {"auth_url": "u", "token": "t", "project_name": "p"}, ["project_domain_name"]),
            ("v3totp", {"auth_url": "u", "username": "u"}, ["user_domain_name"]),
            ("v3applicationcredential", {}, []),
            ("none", {}, []),
        ],
        ids=str,
    )
    def test_the_missing_options_of_each_auth_type(self, auth_type, auth, missing):
        assert configuration.missing_of({"auth_type": auth_type, "auth": auth}) == missing

    def test_an_unknown_key_of_the_auth_type_is_named(self, keystone, task_cloud):
        entry = keystone.entry(auth_type="v3token")
        entry["auth"]["token"] = "t"

        with pytest.raises(ConfigurationError) as caught:
            task_cloud(cloud=entry).region.get_auth()
        assert PASSWORD not in str(caught.value)

    def test_an_unknown_auth_type_is_reported(self, keystone, task_cloud):
        with pytest.raises(ConfigurationError, match="pasword"):
            task_cloud(cloud=keystone.entry(auth_type="pasword"))

    @pytest.mark.parametrize("value", [["a", "b"], {"a": "b"}])
    def test_a_password_that_yaml_reads_as_a_list_is_not_quoted(self, keystone, task_cloud, value):
        auth = {**keystone.entry()["auth"], "password": value}

        with pytest.raises(
            ConfigurationError, match="^The password of the auth option is not a text: put it in quotes.$"
        ):
            task_cloud(auth=auth)

    @pytest.mark.parametrize(
        "url", ["http://me:secret@127.0.0.1/v3", "127.0.0.1:5000/v3", "http://h/{x}", "5000", "http://"]
    )
    def test_an_invalid_address_is_not_quoted(self, keystone, task_cloud, url):
        auth = {**keystone.entry()["auth"], "auth_url": url}

        with pytest.raises(ConfigurationError, match="is not an address such as|is not of the type that") as caught:
            task_cloud(auth=auth)
        assert "secret" not in str(caught.value)

    def test_a_verify_in_quotes_is_named(self, keystone, task_cloud):
        entry = keystone.entry(verify="False")
        entry["auth"]["auth_url"] = "https://127.0.0.1:1/v3"

        with pytest.raises(
            ConfigurationError, match="is the text 'False', which is read as the path of a certificate file"
        ):
            task_cloud(cloud=entry)

    def test_without_tls_a_quoted_verify_is_accepted(self, keystone, task_cloud):
        assert task_cloud(cloud=keystone.entry(verify="False"))
