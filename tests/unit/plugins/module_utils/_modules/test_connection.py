# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import builtins
import importlib.metadata
import json
import sys
import types

import openstack
import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._modules import connection
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import ConfigurationError
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    PROJECT_ID,
)


def module(**given):
    """What of an AnsibleModule these functions use."""
    params = {name: spec.get("default") for name, spec in connection.argument_spec().items()}
    warnings: list[str] = []
    return types.SimpleNamespace(params={**params, **given}, warn=warnings.append, warnings=warnings)


def test_the_options_are_those_of_openstack_cloud_and_the_module_s_own():
    spec = connection.argument_spec(session={"type": "str"})

    assert {"cloud", "auth", "auth_type", "region_name", "interface", "validate_certs", "timeout", "session"} <= set(
        spec
    )
    assert spec["auth"]["no_log"] is True


@pytest.mark.parametrize(
    "given",
    [
        {"cloud": "sandbocks"},
        {"cloud": {"auth": {"username": "demo", "password": "s3cret"}}},
        {"auth": {"username": "demo", "password": "s3cret"}},
    ],
    ids=str,
)
def test_a_message_names_the_cloud_and_never_its_content(clouds_yaml, given):
    with pytest.raises(ConfigurationError) as caught:
        connection.connect(module(**given))

    assert "s3cret" not in str(caught.value)
    assert "demo" not in str(caught.value)


@pytest.mark.parametrize("version", ["0.61.3", "1.0.1", "4.5.0", "4.12.9", "4.12.0.dev3"])
def test_an_openstacksdk_that_is_too_old_is_reported_with_its_python(monkeypatch, version):
    monkeypatch.setattr(connection.metadata, "version", lambda name: version)

    with pytest.raises(ConfigurationError, match="is too old: install 4.13 or later there") as caught:
        connection.import_sdk(module())
    assert str(caught.value).startswith(f"openstacksdk {version} of {sys.executable} is")


@pytest.mark.parametrize("version", ["4.13.0", "4.14.0.dev1", "5.0", "10.1.0", "unknown", None])
def test_an_openstacksdk_that_is_new_enough_or_without_a_version_is_used(monkeypatch, version):
    def reported(name):
        if version is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(connection.metadata, "version", reported)

    assert connection.import_sdk(module()) is openstack


class TestConnecting:
    def test_to_a_cloud_by_its_name(self, clouds_yaml, keystone):
        assert connection.connect(module(cloud="sandbox")).current_project_id == PROJECT_ID

    def test_to_a_cloud_of_a_mapping(self, no_cloud, keystone):
        connected = connection.connect(module(cloud=keystone.entry(region_name="RegionTwo")))

        assert connected.current_project_id == PROJECT_ID
        assert connected.config.region_name == "RegionTwo"

    def test_with_an_explicit_auth(self, no_cloud, keystone):
        assert connection.connect(module(auth=keystone.entry()["auth"])).current_project_id == PROJECT_ID

    def test_keystone_s_log_shows_who_asked(self, clouds_yaml, keystone):
        connection.connect(module(cloud="sandbox")).authorize()

        assert "onetoken.openstack/" in keystone.asked("POST")[0].headers["User-Agent"]

    def test_the_interface_of_clouds_yaml_is_used_without_the_option(self, no_cloud, keystone):
        cloud = keystone.entry(interface="internal")

        assert connection.connect(module(cloud=cloud)).config.get_interface() == "internal"
        assert connection.connect(module(cloud=keystone.entry(), interface="admin")).config.get_interface() == "admin"

    @pytest.mark.parametrize("wanted", ["admin", "internal", "public"])
    def test_the_interface_of_the_option_overrides_clouds_yaml(self, no_cloud, keystone, tmp_path, wanted):
        config = tmp_path / "clouds.yaml"
        config.write_text(json.dumps({"clouds": {"inside": keystone.entry(interface="internal")}}))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("OS_CLIENT_CONFIG_FILE", str(config))
            assert connection.connect(module(cloud="inside", interface=wanted)).config.get_interface() == wanted

    def test_the_default_interface_is_public(self, no_cloud, keystone):
        assert connection.connect(module(cloud=keystone.entry())).config.get_interface() == "public"

    def test_without_the_option_nothing_overrides_the_one_of_a_named_cloud(self, no_cloud, keystone, tmp_path):
        config = tmp_path / "clouds.yaml"
        config.write_text(json.dumps({"clouds": {"inside": keystone.entry(interface="internal")}}))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("OS_CLIENT_CONFIG_FILE", str(config))
            assert connection.connect(module(cloud="inside")).config.get_interface() == "internal"

    def test_a_quoted_verify_is_named(self, no_cloud, keystone):
        auth = {**keystone.entry()["auth"], "auth_url": "https://127.0.0.1:1/v3"}

        with pytest.raises(ConfigurationError, match="verify of the cloud option is the text 'false', .* without quo"):
            connection.connect(module(cloud={"auth": auth, "verify": "false"}))

    @pytest.mark.parametrize(
        ("path", "reported"), [("~/clouds.yaml", "~ is not expanded"), ("/nowhere/c.yaml", "does not exist")]
    )
    def test_a_missing_config_file_that_a_variable_names_is_reported(self, no_cloud, monkeypatch, path, reported):
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", path)

        with pytest.raises(ConfigurationError, match=f"OS_CLIENT_CONFIG_FILE is {path}, .*{reported}"):
            connection.connect(module(cloud="production"))

    def test_an_unknown_cloud_is_reported(self, clouds_yaml):
        with pytest.raises(ConfigurationError, match="Cloud 'sandbocks' is not in .*, which has sandbox, second"):
            connection.connect(module(cloud="sandbocks"))

    def test_an_incomplete_auth_is_reported(self, no_cloud):
        with pytest.raises(ConfigurationError, match="auth_url"):
            connection.connect(module(auth={"username": "demo", "password": "x"}))

    def test_an_unknown_key_of_the_auth_type_is_reported(self, no_cloud, keystone):
        with pytest.raises(ConfigurationError):
            connection.connect(module(auth_type="v3token", auth={**keystone.entry()["auth"], "token": "t"}))


class TestImporting:
    def test_without_openstacksdk_the_error_says_what_to_install(self, monkeypatch):
        real = builtins.__import__

        def without_sdk(name, *args, **kwargs):
            if name == "openstack":
                raise ImportError(name)
            return real(name, *args, **kwargs)

        monkeypatch.setattr(builtins, "__import__", without_sdk)

        with pytest.raises(ConfigurationError, match="openstacksdk"):
            connection.import_sdk(module())

    @pytest.mark.parametrize("reads_it", [True, False])
    @pytest.mark.parametrize("has_it", [True, False])
    def test_an_incompatible_pair_of_openstack_cloud_and_openstacksdk_is_reported(self, monkeypatch, reads_it, has_it):
        source = "minimum = sdk.version.__version__" if reads_it else "minimum = version('openstacksdk')"
        monkeypatch.setattr(connection.inspect, "getsource", lambda module: source)
        sdk = types.SimpleNamespace(version=None) if has_it else types.SimpleNamespace()
        monkeypatch.setitem(sys.modules, "openstack", sdk)
        task = module()

        connection.import_sdk(task)

        assert bool(task.warnings) is (reads_it and not has_it)

    def test_there_is_no_warning_about_the_installed_pair(self):
        task = module()

        assert connection.import_sdk(task) is openstack
        assert task.warnings == []
