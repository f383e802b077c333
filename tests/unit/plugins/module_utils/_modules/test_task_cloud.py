# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import typing as t

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._modules import connection
from ansible_collections.onetoken.openstack.plugins.module_utils._modules.task_cloud import (
    SDK_NAMES,
    TaskCloud,
    scope_of,
    sdk_options,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.sign_in.clouds import UNNAMED, Way
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import ConfigurationError
from ansible_collections.onetoken.openstack.tests.unit.conftest import task_options
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


@pytest.fixture
def openrc(monkeypatch, no_cloud):
    for name, value in OPENRC.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def two_regions(write_clouds, keystone):
    """A cloud of which openstacksdk knows two regions."""
    entry = keystone.entry(regions=["RegionOne", "RegionTwo"])
    del entry["region_name"]
    return write_clouds({"clouds": {"sandbox": entry}})


def auth(cloud: TaskCloud):
    return cloud.region.config["auth"]


class TestPrecedence:
    def test_the_option_takes_precedence(self, clouds_yaml, openrc, monkeypatch, task_cloud):
        monkeypatch.setenv("OS_CLOUD", "second")

        cloud = task_cloud(cloud="sandbox")

        assert (cloud.name, cloud.label, auth(cloud)["username"]) == ("sandbox", "cloud 'sandbox'", "demo")
        assert cloud.way == Way("sandbox", [clouds_yaml])

    def test_then_os_cloud(self, clouds_yaml, openrc, monkeypatch, task_cloud):
        monkeypatch.setenv("OS_CLOUD", "second")

        assert task_cloud().name == "second"

    def test_then_the_openrc(self, clouds_yaml, openrc, task_cloud):
        cloud = task_cloud()

        assert (cloud.name, cloud.label, cloud.way) == (UNNAMED, "the OS_* variables", Way(None))
        assert auth(cloud)["username"] == "from openrc"

    def test_then_the_only_cloud(self, write_clouds, keystone, task_cloud):
        path = write_clouds({"clouds": {"lonely": keystone.entry()}})

        assert task_cloud().way == Way("lonely", [path])

    def test_several_clouds_are_listed_and_none_is_used(self, clouds_yaml, task_cloud):
        with pytest.raises(ConfigurationError, match=r"No cloud is named.*has sandbox, second"):
            task_cloud()

    def test_variables_without_an_address_are_no_cloud_to_choose(self, clouds_yaml, task_cloud, monkeypatch):
        monkeypatch.setenv("OS_USERNAME", "demo")

        with pytest.raises(
            ConfigurationError, match=r"has sandbox, second; the OS_\* variables lack OS_AUTH_URL\), or"
        ):
            task_cloud()

    def test_without_anything_the_error_says_what_to_set(self, no_cloud, task_cloud):
        with pytest.raises(
            ConfigurationError, match="No cloud is named: set the option cloud .* or the variable OS_CLOUD, or source"
        ):
            task_cloud()

    def test_an_empty_os_cloud_is_none(self, clouds_yaml, openrc, monkeypatch, task_cloud):
        monkeypatch.setenv("OS_CLOUD", "")

        assert task_cloud().name == UNNAMED

    def test_a_cloud_of_the_name_defaults_is_one_to_choose_from(self, write_clouds, keystone, task_cloud):
        write_clouds({"clouds": {"defaults": keystone.entry(), "sandbox": keystone.entry()}})

        with pytest.raises(ConfigurationError, match="No cloud is named: .* has defaults, sandbox"):
            task_cloud()

    def test_an_unknown_cloud_is_reported_with_the_names_of_the_known(self, clouds_yaml, task_cloud):
        with pytest.raises(ConfigurationError) as caught:
            task_cloud(cloud="sandbocks")

        assert str(caught.value) == (
            f"Cloud 'sandbocks' is not in {clouds_yaml}, which has sandbox, second: name one of these, or add it there."
        )


class TestConnectionOptions:
    def test_every_option_for_openstacksdk_is_one_of_openstack_cloud_s(self):
        assert set(SDK_NAMES) <= set(connection.argument_spec())

    @pytest.mark.parametrize(
        ("given", "options"),
        [
            ({}, {}),
            ({"region_name": "A"}, {"region_name": "A"}),
            ({"interface": "internal"}, {"interface": "internal"}),
            ({"interface": "public"}, {"interface": "public"}),
            ({"validate_certs": False}, {"verify": False}),
            (
                {"ca_cert": "/ca", "client_cert": "/c", "client_key": "/k", "api_timeout": 0},
                {"cacert": "/ca", "cert": "/c", "key": "/k", "api_timeout": 0},
            ),
        ],
        ids=str,
    )
    def test_given_options_get_openstacksdk_s_names(self, given, options):
        assert sdk_options(task_options(**given)) == options

    def test_they_override_the_configuration(self, two_regions, task_cloud):
        cloud = task_cloud(
            cloud="sandbox", region_name="RegionTwo", validate_certs=False, ca_cert="/ca.pem", interface="internal"
        )

        config = cloud.region.config
        assert (config["region_name"], config["verify"], config["cacert"]) == ("RegionTwo", False, "/ca.pem")
        assert config["interface"] == "internal"
        assert cloud.region_name == "RegionTwo"
        assert not cloud.is_plain

    def test_a_region_overrides_that_of_an_openrc(self, openrc, monkeypatch, task_cloud):
        monkeypatch.setenv("OS_REGION_NAME", "RegionOne")

        cloud = task_cloud(region_name="RegionTwo")

        assert cloud.region.config["region_name"] == "RegionTwo" == cloud.region_name

    def test_an_unknown_region_of_a_configured_cloud_is_refused_as_by_openstacksdk(self, clouds_yaml, task_cloud):
        with pytest.raises(ConfigurationError, match="RegionTwo is not a valid region name for cloud sandbox"):
            task_cloud(cloud="sandbox", region_name="RegionTwo")

    def test_the_default_of_interface_does_not_override_it(self, write_clouds, keystone, task_cloud):
        write_clouds({"clouds": {"sandbox": keystone.entry(interface="internal")}})

        assert task_cloud(cloud="sandbox").region.config["interface"] == "internal"

    @pytest.mark.parametrize(
        ("given", "from_environ", "auth_type"), [("v3password", None, "v3password"), (None, "v3totp", "v3totp")]
    )
    def test_the_auth_type_of_an_openrc(self, openrc, monkeypatch, task_cloud, given, from_environ, auth_type):
        monkeypatch.setenv("OS_PASSCODE", "123456")
        if from_environ:
            monkeypatch.setenv("OS_AUTH_TYPE", from_environ)
            monkeypatch.delenv("OS_PASSWORD")

        assert task_cloud(auth_type=given).region.config["auth_type"] == auth_type

    def test_an_auth_type_beside_a_cloud_is_the_cloud_s(self, clouds_yaml, task_cloud):
        cloud = task_cloud(cloud="sandbox", auth_type="v3password")

        assert cloud.region.config["auth_type"] == "v3password"
        assert cloud.way == Way("sandbox", [clouds_yaml], options={"auth_type": "v3password"})
        assert not cloud.is_plain


class TestPlain:
    @pytest.mark.parametrize(
        ("given", "plain"),
        [
            ({}, True),
            ({"region_name": "RegionTwo"}, True),
            ({"interface": "internal"}, False),
            ({"validate_certs": False}, False),
            ({"project": "p"}, False),
            ({"unscoped": True}, False),
            ({"auth": {"password": "x"}}, False),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("kind", ["configured", "variables"])
    def test_every_task_on_this_host_can_name_an_unchanged_cloud(
        self, two_regions, monkeypatch, task_cloud, kind, given, plain
    ):
        if kind == "variables":
            for name, value in OPENRC.items():
                monkeypatch.setenv(name, value)
        where = {"cloud": "sandbox"} if kind == "configured" else {}

        assert task_cloud(**where, **given).is_plain is plain


class TestExplicit:
    def test_auth_alone_is_a_cloud_without_a_name(self, no_cloud, task_cloud, keystone):
        cloud = task_cloud(auth=keystone.entry()["auth"])

        assert (cloud.name, cloud.label, cloud.way) == (UNNAMED, "the auth option", None)
        assert auth(cloud)["username"] == "demo"

    def test_auth_overrides_a_named_cloud(self, clouds_yaml, task_cloud):
        cloud = task_cloud(cloud="sandbox", auth={"password": "other", "project_name": "p2"}, auth_type="v3password")

        assert (cloud.name, cloud.way, cloud.is_plain) == ("sandbox", None, False)
        assert cloud.region.config["auth_type"] == "v3password"
        assert cloud.region.config["region_name"] == "RegionOne"
        assert (auth(cloud)["username"], auth(cloud)["password"], auth(cloud)["project_name"]) == (
            "demo", "other", "p2",
        )  # fmt: skip

    def test_auth_overrides_an_openrc(self, openrc, task_cloud):
        cloud = task_cloud(auth={"password": "other"})

        assert (auth(cloud)["username"], auth(cloud)["password"]) == ("from openrc", "other")
        assert cloud.way is None

    def test_a_mapping_is_a_cloud_without_a_name(self, no_cloud, task_cloud, keystone):
        cloud = task_cloud(cloud=keystone.entry(), region_name="RegionTwo")

        assert (cloud.name, cloud.label, cloud.way) == (UNNAMED, "the cloud option", None)
        assert auth(cloud)["password"] == PASSWORD
        assert cloud.region.config["region_name"] == "RegionTwo" == cloud.region_name

    def test_a_mapping_may_name_the_cloud_that_it_overrides(self, clouds_yaml, task_cloud):
        cloud = task_cloud(cloud={"cloud": "second", "auth": {"username": "other"}})

        assert (auth(cloud)["username"], auth(cloud)["password"]) == ("other", PASSWORD)

    def test_the_options_of_the_task_are_not_changed(self, clouds_yaml, task_cloud, keystone):
        mapping = {"auth": keystone.entry()["auth"]}
        before = {"auth": {**mapping["auth"]}}
        task_cloud(cloud=mapping, auth={"password": "x"})

        assert mapping == before


@pytest.mark.parametrize(
    "quoted",
    ['{"auth": {"password": "secret"}}', "auth:\n  password: secret", [{"auth": {"password": "secret"}}]],
    ids=["JSON", "YAML", "a list"],
)
@pytest.mark.parametrize("where", ["option", "option beside auth", "mapping", "variable"])
def test_a_mapping_in_quotes_is_not_quoted(clouds_yaml, keystone, task_cloud, monkeypatch, quoted, where):
    given: dict[str, t.Any] = {
        "option": {"cloud": quoted},
        "option beside auth": {"cloud": quoted, "auth": keystone.entry()["auth"]},
        "mapping": {"cloud": {"cloud": quoted}},
        "variable": {},
    }[where]
    if where == "variable":
        monkeypatch.setenv("OS_CLOUD", str(quoted))

    with pytest.raises(ConfigurationError, match="looks like a mapping in quotes: give the option cloud the") as caught:
        task_cloud(**given)
    assert "secret" not in str(caught.value)


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
        assert scope_of(task_options(**given)) == scope

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
            scope_of(task_options(**given))

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
    @pytest.mark.parametrize("kind", ["configured", "variables", "explicit"])
    def test_it_overrides_the_configured_one(self, clouds_yaml, monkeypatch, task_cloud, keystone, kind, given, asked):
        if kind == "variables":
            for name, value in OPENRC.items():
                monkeypatch.setenv(name, value)
        where = {"configured": {"cloud": "sandbox"}, "variables": {}, "explicit": {"auth": keystone.entry()["auth"]}}

        found = auth(task_cloud(**where[kind], **given))

        scopes = ("project_id", "project_name", "project_domain_name", "domain_id", "domain_name", "system_scope")
        assert {name: found[name] for name in scopes if found.get(name)} == asked

    def test_an_application_credential_takes_none(self, write_clouds, keystone, task_cloud):
        credential = {"application_credential_id": "c", "application_credential_secret": "s"}
        write_clouds(
            {
                "clouds": {
                    "sandbox": {
                        "auth_type": "v3applicationcredential",
                        "auth": {"auth_url": keystone.auth_url, **credential},
                    }
                }
            }
        )

        with pytest.raises(
            ConfigurationError, match="application credential of cloud 'sandbox' is bound to its project: leave out"
        ):
            task_cloud(cloud="sandbox", project="p2")


class TestAgain:
    """A cloud that was signed in to before, with further options of a task."""

    def test_a_configured_cloud_is_read_again_each_time(self, clouds_yaml, write_clouds, keystone):
        changed = keystone.entry()
        changed["auth"]["password"] = "new"
        write_clouds({"clouds": {"sandbox": changed}})

        cloud = TaskCloud.of_way("sandbox", Way("sandbox", [clouds_yaml]), {}, None)

        assert auth(cloud)["password"] == "new"
        assert cloud.is_plain

    def test_it_is_read_from_the_recorded_files(self, clouds_yaml, write_clouds, tmp_path, monkeypatch):
        other = tmp_path / "other.yaml"
        other.write_text('{"clouds": {"sandbox": {"auth": {"password": "other"}}}}')
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(other))
        monkeypatch.setenv("OS_CLIENT_SECURE_FILE", str(other))
        monkeypatch.setenv("OS_PASSWORD", "other")

        assert auth(TaskCloud.of_way("sandbox", Way("sandbox", [clouds_yaml]), {}, None))["password"] == PASSWORD

    def test_options_of_a_task_override_the_recorded_ones(self, two_regions):
        options = {"interface": "internal", "region_name": "RegionOne"}
        way = Way("sandbox", [two_regions], options=options, scope={"project_id": "p1"})

        cloud = TaskCloud.of_way("sandbox", way, {"region_name": "RegionTwo"}, {"project_id": "p2"})

        assert (cloud.region.config["interface"], cloud.region_name) == ("internal", "RegionTwo")
        assert auth(cloud)["project_id"] == "p2"
        assert not cloud.is_plain

    def test_the_variables_of_an_openrc_are_used_again(self, openrc):
        cloud = TaskCloud.of_way(UNNAMED, Way(None, scope={"project_id": "p2"}), {}, None)

        assert (auth(cloud)["username"], auth(cloud)["project_id"]) == ("from openrc", "p2")

    def test_the_way_of_each_kind_has_no_secret(self, clouds_yaml, task_cloud, monkeypatch):
        for name, value in OPENRC.items():
            monkeypatch.setenv(name, value)

        assert PASSWORD not in repr(task_cloud(cloud="sandbox").way)
        assert "from openrc" not in repr(task_cloud().way)

    @pytest.mark.processes
    def test_a_file_in_the_working_directory_is_recorded_with_its_absolute_path(
        self, run_python, collections_path, tmp_path
    ):
        cloud = '{"auth": {"auth_url": "http://h/v3", "username": "u", "password": "p", "user_domain_id": "d"}}'
        (tmp_path / "work" / "clouds.yaml").write_text(f'{{"clouds": {{"here": {cloud}}}}}')

        process = run_python(
            "import os\n"
            "from ansible_collections.onetoken.openstack.plugins.module_utils._modules import task_cloud\n"
            "params = dict.fromkeys(('auth', 'auth_type', *task_cloud.SDK_NAMES))\n"
            "print(*task_cloud.TaskCloud.of_params({**params, 'cloud': 'here'}, os.environ).way.files)\n",
            PYTHONPATH=collections_path,
        )

        assert process.stdout.strip() == str(tmp_path / "work" / "clouds.yaml"), process.stderr


def test_a_cloud_that_is_not_validated_has_its_address(no_cloud):
    params = task_options(auth={"auth_url": "http://h/v3"})

    assert auth(TaskCloud.of_params(params, os.environ, validate=False))["auth_url"] == "http://h/v3"
    with pytest.raises(ConfigurationError, match="are not complete"):
        TaskCloud.of_params(params, os.environ)
