# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.config_files import ConfigFiles
from ansible_collections.onetoken.openstack.plugins.module_utils._session.source import (
    CONFIG,
    ENVIRONMENT,
    EXPLICIT,
    UNNAMED,
    Source,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.renewal import RenewalPolicy
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import Session
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import ConfigurationError
from ansible_collections.onetoken.openstack.plugins.module_utils.connection import argument_spec
from ansible_collections.onetoken.openstack.plugins.module_utils.source_options import (
    keystone_of,
    scope_of,
    source_of,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    PASSWORD,
)

PROJECT_ID = "0c5a1b2d3e4f5a6b7c8d9e0f1a2b3c4d"
OPENRC = {
    "OS_AUTH_URL": "http://127.0.0.1:5000/v3",
    "OS_USERNAME": "from openrc",
    "OS_PASSWORD": "from openrc",
    "OS_PROJECT_NAME": "demo",
    "OS_USER_DOMAIN_NAME": "Default",
    "OS_PROJECT_DOMAIN_NAME": "Default",
}
SCOPE_OPTIONS = ("project", "project_domain", "domain", "system", "unscoped")


def options(**given):
    """The options of a task, all that it does not give at their defaults."""
    defaults = {name: spec.get("default") for name, spec in argument_spec().items()}
    return {**defaults, **dict.fromkeys(SCOPE_OPTIONS), "system": False, "unscoped": False, **given}


@pytest.fixture
def openrc(monkeypatch, no_cloud):
    for name, value in OPENRC.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def find(session):
    """The source that options mean in this process."""
    import os

    return lambda **given: source_of(options(**given), os.environ, session)


class TestPrecedence:
    def test_the_option_goes_before_everything(self, clouds_yaml, openrc, monkeypatch, find):
        monkeypatch.setenv("OS_CLOUD", "second")

        assert find(cloud="sandbox") == Source(CONFIG, "sandbox", ConfigFiles(clouds_yaml))

    def test_then_os_cloud(self, clouds_yaml, openrc, monkeypatch, find):
        monkeypatch.setenv("OS_CLOUD", "second")

        assert find() == Source(CONFIG, "second", ConfigFiles(clouds_yaml))

    def test_then_the_openrc(self, clouds_yaml, openrc, find):
        source = find()

        assert (source.kind, source.cloud) == (ENVIRONMENT, UNNAMED)
        assert source.entry()["username"] == "from openrc"

    def test_then_the_only_cloud(self, write_clouds, keystone, find):
        path = write_clouds({"clouds": {"lonely": keystone.entry()}})

        assert find() == Source(CONFIG, "lonely", ConfigFiles(path))

    def test_of_several_clouds_none_is_taken_and_their_names_are_told(self, clouds_yaml, find):
        with pytest.raises(ConfigurationError, match=r"No cloud is named.*has sandbox, second"):
            find()

    def test_without_anything_the_sentence_says_what_to_set(self, no_cloud, find):
        with pytest.raises(
            ConfigurationError, match="No cloud is named: set the option cloud or the variable OS_CLOUD"
        ):
            find()

    def test_an_empty_os_cloud_is_none(self, clouds_yaml, openrc, monkeypatch, find):
        monkeypatch.setenv("OS_CLOUD", "")

        assert find().kind == ENVIRONMENT

    def test_an_unknown_cloud_is_a_sentence_with_the_names_of_the_known(self, clouds_yaml, find):
        with pytest.raises(ConfigurationError, match="'sandbocks' is not in .*clouds.yaml, which has sandbox, second"):
            find(cloud="sandbocks").entry()


class TestConnectionOptions:
    def test_they_take_the_place_of_what_is_configured(self, clouds_yaml, find):
        source = find(
            cloud="sandbox", region_name="RegionTwo", validate_certs=False, ca_cert="/ca.pem", interface="internal"
        )

        entry = source.entry()
        assert (entry["region_name"], entry["verify"], entry["cacert"]) == ("RegionTwo", False, "/ca.pem")
        assert entry["interface"] == "internal"

    def test_the_default_of_interface_does_not(self, write_clouds, keystone, find):
        write_clouds({"clouds": {"sandbox": keystone.entry(interface="internal")}})

        assert find(cloud="sandbox").entry()["interface"] == "internal"

    @pytest.mark.parametrize(
        ("given", "from_environ", "auth_type"), [("v3password", None, "v3password"), (None, "v3totp", "v3totp")]
    )
    def test_the_auth_type_of_an_openrc(self, openrc, monkeypatch, find, given, from_environ, auth_type):
        if from_environ:
            monkeypatch.setenv("OS_AUTH_TYPE", from_environ)

        assert find(auth_type=given).entry()["auth_type"] == auth_type


class TestExplicit:
    def test_auth_alone_is_a_cloud_without_a_name(self, no_cloud, find, keystone):
        source = find(auth=keystone.entry()["auth"])

        assert (source.kind, source.cloud) == (EXPLICIT, UNNAMED)
        assert source.entry()["auth"] == keystone.entry()["auth"]
        assert source.region().config["auth"]["username"] == "demo"

    def test_auth_is_laid_over_a_named_cloud(self, clouds_yaml, find, keystone):
        source = find(cloud="sandbox", auth={"password": "other", "project-name": "p2"}, auth_type="v3password")

        assert (source.kind, source.cloud) == (EXPLICIT, "sandbox")
        assert source.entry()["auth_type"] == "v3password"
        assert source.entry()["region_name"] == "RegionOne"
        assert source.entry()["auth"] == {**keystone.entry()["auth"], "password": "other", "project_name": "p2"}

    def test_auth_is_laid_over_an_openrc(self, openrc, find):
        auth = find(auth={"password": "other"}).region().config["auth"]

        assert (auth["username"], auth["password"]) == ("from openrc", "other")

    def test_a_mapping_is_a_cloud_without_a_name(self, no_cloud, find, keystone):
        source = find(cloud=keystone.entry(), region_name="RegionTwo")

        assert (source.kind, source.cloud) == (EXPLICIT, UNNAMED)
        assert source.region().config["auth"]["password"] == PASSWORD
        assert source.region().config["region_name"] == "RegionTwo"

    def test_a_mapping_may_name_the_cloud_that_it_is_laid_over(self, clouds_yaml, find):
        entry = find(cloud={"cloud": "second", "auth": {"username": "other"}}).entry()

        assert (entry["auth"]["username"], entry["auth"]["password"]) == ("other", PASSWORD)

    def test_what_is_recorded_of_it_has_no_secret(self, no_cloud, find, keystone):
        source = find(auth=keystone.entry()["auth"])

        assert PASSWORD not in repr(source.record())
        assert source.public_auth["username"] == "demo"
        assert source.public_auth["auth_url"] == keystone.auth_url

    def test_the_options_of_the_task_are_not_changed(self, clouds_yaml, session):
        mapping = {"auth": {"auth-url": "u"}}
        source_of(options(cloud=mapping, auth={"password": "x"}), {}, session)

        assert mapping == {"auth": {"auth-url": "u"}}


class TestScope:
    @pytest.mark.parametrize(
        ("given", "scope"),
        [
            ({}, None),
            ({"project": "demo"}, {"project_name": "demo"}),
            ({"project": PROJECT_ID}, {"project_id": PROJECT_ID}),
            ({"project": PROJECT_ID.upper()}, {"project_name": PROJECT_ID.upper()}),
            ({"project": PROJECT_ID + "0"}, {"project_name": PROJECT_ID + "0"}),
            ({"project": "default"}, {"project_name": "default"}),
            (
                {"project": "demo", "project_domain": "default"},
                {"project_name": "demo", "project_domain_id": "default"},
            ),
            (
                {"project": "demo", "project_domain": "Default"},
                {"project_name": "demo", "project_domain_name": "Default"},
            ),
            (
                {"project": "demo", "project_domain": PROJECT_ID},
                {"project_name": "demo", "project_domain_id": PROJECT_ID},
            ),
            ({"domain": "Users"}, {"domain_name": "Users"}),
            ({"domain": "default"}, {"domain_id": "default"}),
            ({"domain": PROJECT_ID}, {"domain_id": PROJECT_ID}),
            ({"system": True}, {"system_scope": "all"}),
            ({"unscoped": True}, {}),
        ],
        ids=str,
    )
    def test_names_and_ids(self, given, scope):
        assert scope_of(options(**given)) == scope

    @pytest.mark.parametrize(
        "given",
        [
            {"project": "demo", "domain": "d"},
            {"project": "demo", "system": True},
            {"domain": "d", "unscoped": True},
            {"system": True, "unscoped": True},
        ],
        ids=str,
    )
    def test_a_token_has_one_scope(self, given):
        with pytest.raises(ConfigurationError, match=f"{' and '.join(given)} are given: keep one of them"):
            scope_of(options(**given))

    @pytest.mark.parametrize(
        ("given", "asked"),
        [
            ({"project": PROJECT_ID}, {"project_id": PROJECT_ID}),
            ({"project": "other"}, {"project_name": "other", "project_domain_name": "Default"}),
            ({"domain": "default"}, {"domain_id": "default"}),
            ({"system": True}, {"system_scope": "all"}),
            ({"unscoped": True}, {}),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("kind", [CONFIG, ENVIRONMENT, EXPLICIT])
    def test_it_takes_the_place_of_the_configured_one(
        self, clouds_yaml, monkeypatch, find, keystone, kind, given, asked
    ):
        if kind == ENVIRONMENT:
            for name, value in OPENRC.items():
                monkeypatch.setenv(name, value)
        where = {CONFIG: {"cloud": "sandbox"}, ENVIRONMENT: {}, EXPLICIT: {"auth": keystone.entry()["auth"]}}[kind]

        auth = find(**where, **given).region().config["auth"]

        scopes = ("project_id", "project_name", "project_domain_name", "domain_id", "domain_name", "system_scope")
        assert {name: auth[name] for name in scopes if auth.get(name)} == asked


@pytest.mark.processes
class TestWithASession:
    @pytest.fixture
    def injected(self, session, source, monkeypatch):
        lifecycle.issue(session, source, RenewalPolicy(), 10)
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", session.clouds_file)
        monkeypatch.setenv("OS_CLOUD", "sandbox")
        monkeypatch.setenv("OS_AUTH_TYPE", "onetoken")
        return session

    @pytest.mark.parametrize("cloud", [None, "sandbox", "second"])
    def test_the_user_s_own_files_are_meant_not_the_session_s(self, injected, clouds_yaml, find, cloud):
        source = find(cloud=cloud)

        assert source == Source(CONFIG, cloud or "sandbox", ConfigFiles(clouds_yaml))
        assert source.entry()["auth"]["password"] == PASSWORD

    def test_another_session_gets_its_credentials_from_the_user_s_own_files_too(self, injected, clouds_yaml, tmp_path):
        other = Session(str(tmp_path / "other"))

        assert source_of(options(cloud="second"), os.environ, other).files == ConfigFiles(clouds_yaml)

    def test_an_openrc_that_it_was_issued_from_is_meant_again(self, session, openrc, monkeypatch, keystone, find):
        monkeypatch.setenv("OS_AUTH_URL", keystone.auth_url)
        monkeypatch.setenv("OS_USERNAME", "demo")
        monkeypatch.setenv("OS_PASSWORD", PASSWORD)
        source = find()
        lifecycle.issue(session, source, RenewalPolicy(), 10)
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", session.clouds_file)
        monkeypatch.setenv("OS_CLOUD", source.cloud)
        monkeypatch.setenv("OS_AUTH_TYPE", "onetoken")

        again = find()

        assert again == source
        assert again.entry()["auth_type"] == "password"
        assert lifecycle.issue(session, again, RenewalPolicy(), 10).changed is False

    def test_a_session_that_is_named_is_renewed_as_before_where_nothing_else_is_asked(
        self, session, source, openrc, find
    ):
        lifecycle.issue(session, source, RenewalPolicy(), 10)

        assert find(session=session.path) == source
        assert find(session=session.path, cloud="second").cloud == "second"

    def test_a_scope_is_put_on_the_recorded_source(self, session, openrc, monkeypatch, keystone, find):
        monkeypatch.setenv("OS_AUTH_URL", keystone.auth_url)
        monkeypatch.setenv("OS_USERNAME", "demo")
        monkeypatch.setenv("OS_PASSWORD", PASSWORD)
        lifecycle.issue(session, find(), RenewalPolicy(), 10)
        monkeypatch.setenv("OS_CLOUD", UNNAMED)

        source = find(project=PROJECT_ID)

        assert (source.kind, source.scope) == (ENVIRONMENT, {"project_id": PROJECT_ID})


class TestKeystoneOf:
    @pytest.mark.parametrize("given", [{"cloud": "sandbox"}, {"cloud": {"auth": {}}}, {"auth": {}}], ids=str)
    def test_its_address_is_found_without_credentials(self, clouds_yaml, keystone, given):
        bare = {"auth_url": keystone.auth_url}
        if "auth" in given:
            given = {"auth": bare}
        elif isinstance(given["cloud"], dict):
            given = {"cloud": {"auth": bare}}

        assert keystone_of(options(**given), os.environ).auth_url == keystone.auth_url

    def test_without_the_scope_options_it_works_as_well(self, clouds_yaml, keystone):
        """os_token_revoke has none."""
        params = {name: value for name, value in options(cloud="sandbox").items() if name not in SCOPE_OPTIONS}

        assert keystone_of(params, os.environ).auth_url == keystone.auth_url

    def test_the_options_of_tls_are_those_of_the_cloud_and_of_the_task(self, write_clouds, keystone):
        write_clouds({"clouds": {"sandbox": keystone.entry(verify=False)}})

        assert keystone_of(options(cloud="sandbox"), os.environ)._session.verify is False
        assert keystone_of(options(cloud="sandbox", validate_certs=True), os.environ)._session.verify is True

    def test_an_openrc_names_it_too(self, openrc, no_cloud):
        assert keystone_of(options(), os.environ).auth_url == OPENRC["OS_AUTH_URL"]
