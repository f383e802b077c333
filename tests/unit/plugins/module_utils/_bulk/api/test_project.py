# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.api.project import Project
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.errors import CloudError
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import (
    ConfigurationError,
    OneTokenError,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.wire_cloud import answer
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    PASSWORD,
    PROJECT_ID,
)


def test_it_is_where_the_token_says(wired_connection, wire):
    project = Project.of(wired_connection, {"cloud": "production"})
    assert (project.cloud, project.name, project.id, project.region_name) == (
        "production", "demo", PROJECT_ID, "RegionOne",
    )  # fmt: skip
    assert project.auth_url.startswith(wire.url)
    assert len(wire.asked("POST")) == 1
    Project.of(wired_connection, {"cloud": None})
    assert len(wire.asked("POST")) == 1


def test_a_catalog_need_not_tell_where_keystone_is(wired_connection, wire):
    del wire.services["identity"]
    assert Project.of(wired_connection, {"cloud": "production"}).auth_url == wire.auth_url


@pytest.mark.parametrize("scope", [{"domain": {"id": "default", "name": "Default"}}, {"system": {"all": True}}, {}])
def test_a_token_without_a_project_is_reported(wired_connection, wire, monkeypatch, scope):
    whole = wire._token_body
    monkeypatch.setattr(wire, "_token_body", lambda: {**_without(whole(), "project"), **scope})
    with pytest.raises(ConfigurationError, match="the token of cloud 'production' has none: add project_name"):
        Project.of(wired_connection, {"cloud": "production", "auth": None})


def _without(body, key):
    return {name: value for name, value in body.items() if name != key}


@pytest.mark.parametrize("odd", [None, [], {}, "x", 5, {"project": 5}, {"project": {"id": {}, "name": []}}], ids=str)
def test_an_answer_of_keystone_that_is_none_is_a_sentence(wired_connection, wire, odd):
    wire.stuck["POST"] = answer(201, {"token": odd}, X_Subject_Token="t")
    with pytest.raises(OneTokenError) as caught:
        Project.of(wired_connection, {"cloud": "production", "auth": None})
    assert "unexpected" not in str(caught.value)


@pytest.mark.parametrize(("cloud", "name"), [("a", "a"), (None, "from-environment"), ({"auth": {}}, "")], ids=str)
def test_the_clouds_name_is_the_one_that_was_given(wired_connection, monkeypatch, cloud, name):
    monkeypatch.setenv("OS_CLOUD", "from-environment")
    assert Project.of(wired_connection, {"cloud": cloud}).cloud == name


def test_its_key_is_the_same_for_every_process_that_works_there():
    one = Project("a", "demo", "p-1", "R1", "http://keystone/v3")
    other = Project("b", "demo", "p-1", "R1", "http://keystone/")
    assert one.key.file_name("requests compute") == other.key.file_name("requests compute")
    elsewhere = Project("a", "demo", "p-1", "R2", "http://keystone/v3")
    assert one.key.file_name("requests compute") != elsewhere.key.file_name("requests compute")


@pytest.mark.parametrize(
    "reaction",
    [
        answer(401, {"error": {"message": "The request you have made requires authentication."}}),
        answer(429, {"error": {"message": "Too Many Requests"}}),
        answer(500, "<html>"),
        answer(201, "<html>"),
        answer(201, "{}"),
        answer(300, "{}"),
    ],
    ids=lambda reaction: f"{reaction.status} {reaction.body}",
)
def test_a_sign_in_that_fails_is_a_sentence_without_the_password(wired_connection, wire, reaction):
    wire.stuck["POST"] = reaction
    with pytest.raises(CloudError) as raised:
        Project.of(wired_connection, {"cloud": "production"})
    assert str(raised.value) and "\n" not in str(raised.value) and PASSWORD not in str(raised.value)


def test_a_cloud_without_tokens_is_a_project_all_the_same():
    connection = SimpleNamespace(
        session=SimpleNamespace(auth=object()), config=SimpleNamespace(get_region_name=lambda: None)
    )
    assert Project.of(connection, {"cloud": "private"}) == Project("private", "", "", "", "")
