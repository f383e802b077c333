# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest
import yaml
from ansible_collections.onetoken.openstack.plugins.module_utils.session import session_clouds
from ansible_collections.onetoken.openstack.plugins.module_utils.session.config_files import ConfigFiles
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import OneTokenError
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.renewal import RenewalPolicy
from ansible_collections.onetoken.openstack.plugins.module_utils._session_setup.site import AUTH_TYPE
from ansible_collections.onetoken.openstack.plugins.module_utils.session.source import (
    CONFIG,
    ENVIRONMENT,
    EXPLICIT,
    Source,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import SessionRecord

SECRET = "s3cret"


@pytest.fixture
def made(session):
    session.make()
    return session


def record_of(path: str | None, source: Source) -> SessionRecord:
    return SessionRecord(ConfigFiles(path), {source.cloud: source}, RenewalPolicy())


def written(session) -> dict:
    return yaml.safe_load(session.read_clouds())["clouds"]


def test_every_cloud_of_the_user_signs_in_with_the_session_and_none_has_a_secret(made, write_clouds, keystone):
    """The secrets stand everywhere a clouds.yaml can have them."""
    one = keystone.entry(password=SECRET, token=SECRET, passcode=SECRET)
    one["auth"] |= {"password": SECRET, "token": SECRET, "application-credential-secret": SECRET}
    one["regions"] = [{"name": "RegionOne", "values": {"interface": "internal", "auth": {"password": SECRET}}}]
    path = write_clouds({"clouds": {"one": one, "two": {"auth": {"application_credential_secret": SECRET}}}})

    session_clouds.write(made, record_of(path, Source(CONFIG, "one", ConfigFiles(path))), "one")

    assert SECRET not in made.read_clouds()
    assert set(written(made)) == {"one", "two"}
    for name, entry in written(made).items():
        assert entry["auth_type"] == AUTH_TYPE
        assert (entry[AUTH_TYPE]["session"], entry[AUTH_TYPE]["cloud"]) == (made.path, name)


def test_a_cloud_keeps_what_its_connection_needs(made, write_clouds, keystone):
    options = {"interface": "internal", "cacert": "/ca.pem", "compute_endpoint_override": "http://n", "regions": ["A"]}
    path = write_clouds({"clouds": {"one": keystone.entry(**options)}})

    session_clouds.write(made, record_of(path, Source(CONFIG, "one", ConfigFiles(path))), "one")

    entry = written(made)["one"]
    assert {key: entry[key] for key in options} == options
    assert entry[AUTH_TYPE]["identity"] == {
        "auth_url": keystone.auth_url,
        "username": "demo",
        "user_domain_name": "Default",
        "project_name": "demo",
        "project_domain_name": "Default",
    }


def test_the_issued_cloud_is_written_with_the_options_and_the_scope_it_was_issued_with(made, write_clouds, keystone):
    path = write_clouds({"clouds": {"one": keystone.entry(), "two": keystone.entry()}})
    source = Source(CONFIG, "one", ConfigFiles(path), {"region_name": "RegionTwo"}, {"project_id": "other"})

    session_clouds.write(made, record_of(path, source), "one")

    entry = written(made)["one"]
    assert entry["region_name"] == "RegionTwo"
    assert entry[AUTH_TYPE]["identity"]["project_id"] == "other"
    assert "project_name" not in entry[AUTH_TYPE]["identity"]
    assert written(made)["two"]["region_name"] == "RegionOne"


@pytest.mark.parametrize("kind", [EXPLICIT, ENVIRONMENT])
def test_a_cloud_without_a_config_file_is_written_under_its_own_name(made, no_cloud, monkeypatch, kind):
    monkeypatch.setenv("OS_AUTH_URL", "http://127.0.0.1/v3")
    monkeypatch.setenv("OS_PASSWORD", SECRET)
    explicit = {"auth": {"auth_url": "http://127.0.0.1/v3", "password": SECRET}}

    session_clouds.write(made, record_of(None, Source(kind, "onetoken", explicit=explicit)), "onetoken")

    assert set(written(made)) == {"onetoken"}
    assert written(made)["onetoken"]["auth"]["auth_url"] == "http://127.0.0.1/v3"
    assert SECRET not in made.read_clouds()


def test_a_second_issue_leaves_the_first_cloud_as_it_was_issued(made, write_clouds, keystone):
    path = write_clouds({"clouds": {"one": keystone.entry(), "two": keystone.entry()}})
    one = Source(CONFIG, "one", ConfigFiles(path), {"region_name": "RegionTwo"})
    record = record_of(path, one)
    session_clouds.write(made, record, "one")

    record.sources["two"] = Source(CONFIG, "two", ConfigFiles(path))
    session_clouds.write(made, record, "two")

    assert written(made)["one"]["region_name"] == "RegionTwo"


@pytest.mark.parametrize(
    "name", ["../x", ".hidden", "a/b", "ü", "with spaces", "x" * 200, "yes", "1", "a: b", "{{ x }}"]
)
def test_a_nasty_name_comes_back_as_it_is(made, write_clouds, keystone, name):
    path = write_clouds({"clouds": {name: keystone.entry()}})

    session_clouds.write(made, record_of(path, Source(CONFIG, name, ConfigFiles(path))), name)

    assert set(written(made)) == {name}
    assert written(made)[name][AUTH_TYPE]["cloud"] == name


@pytest.mark.parametrize(
    ("clouds", "covered"),
    [(None, {"one": True, "two": True}), (["two"], {"one": False, "two": True}), ([], {"one": False, "two": False})],
)
def test_a_cloud_tells_whether_the_run_wants_it_on_the_session(made, write_clouds, keystone, clouds, covered):
    path = write_clouds({"clouds": {"one": keystone.entry(), "two": keystone.entry()}})

    session_clouds.write(made, SessionRecord(ConfigFiles(path), {}, RenewalPolicy(), clouds=clouds), None)

    assert {name: entry[AUTH_TYPE]["covered"] for name, entry in written(made).items()} == covered


def test_a_later_choice_of_clouds_takes_the_place_of_the_earlier(made, write_clouds, keystone):
    path = write_clouds({"clouds": {"one": keystone.entry()}})
    for clouds in ([], ["one"]):
        session_clouds.write(made, SessionRecord(ConfigFiles(path), {}, RenewalPolicy(), clouds=clouds), None)

    assert written(made)["one"][AUTH_TYPE]["covered"] is True


def test_the_cloud_of_an_openrc_knows_whose_variables_it_was_made_from(made, write_clouds, keystone, monkeypatch):
    path = write_clouds({"clouds": {"one": keystone.entry()}})
    monkeypatch.setenv("OS_AUTH_URL", "http://127.0.0.1/v3")
    monkeypatch.setenv("OS_USERNAME", "me")
    monkeypatch.setenv("OS_PASSWORD", SECRET)
    source = Source.of_environment(os.environ, ConfigFiles(path))

    session_clouds.write(made, record_of(path, source), source.cloud)

    assert written(made)["onetoken"][AUTH_TYPE]["variables"] == {"auth_url": "http://127.0.0.1/v3", "username": "me"}
    assert written(made)["onetoken"][AUTH_TYPE]["from_variables"]
    assert not written(made)["one"][AUTH_TYPE]["from_variables"]
    assert SECRET not in made.read_clouds()


@pytest.mark.parametrize("text", ["{", "clouds: [", "- a", "clouds: text", "\x00"])
def test_a_damaged_clouds_yaml_is_a_sentence(made, text):
    made.write_clouds(text)

    with pytest.raises(OneTokenError):
        session_clouds.write(made, SessionRecord(ConfigFiles(), {}, RenewalPolicy()), None)
