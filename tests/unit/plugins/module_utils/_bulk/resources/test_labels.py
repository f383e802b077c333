# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources import labels as module
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.labels import (
    Labels,
    check_run,
    run_of_today,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.servers import Server
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.volumes import Volume
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import ConfigurationError

MOMENT = datetime.datetime(2026, 1, 31, 12, 0, 0, tzinfo=datetime.timezone.utc)
SERVER = Server("id-0", "web", "ACTIVE")


def test_names_and_properties():
    marks = Labels(
        "r1", "server", "{{x}} {server} {server_id} {run} {date}", "image_name", {"keep": True, "days": 7}, MOMENT
    )
    assert marks.name_of(SERVER) == "{x} web id-0 r1 2026-01-31T120000Z"
    assert marks.for_resource(SERVER) == {
        "keep": "true",
        "days": "7",
        "onetoken_run": "r1",
        "onetoken_server_id": "id-0",
        "onetoken_server_name": "web",
        "onetoken_name": "{x} web id-0 r1 2026-01-31T120000Z",
    }


def test_what_is_made_of_a_volume_is_labelled_with_the_volume():
    marks = Labels("r1", "volume", "{volume}-{run}", "snapshot_name")
    assert marks.for_resource(Volume("v-1", "data", "available")) == {
        "onetoken_run": "r1",
        "onetoken_volume_id": "v-1",
        "onetoken_volume_name": "data",
        "onetoken_name": "data-r1",
    }
    with pytest.raises(ConfigurationError, match=r"use \{volume\}, \{volume_id\}, \{run\}, \{date\}, as they are"):
        Labels("r1", "volume", "{server}", "snapshot_name")


@pytest.mark.parametrize("name", ["instance_uuid", "block_device_mapping", "owner", "image_type"])
def test_a_property_by_which_an_image_is_recognized_is_refused(name):
    for kind, option in (("server", "image_name"), ("server", "backup_name"), ("volume", "image_name")):
        with pytest.raises(ConfigurationError, match=rf"Nova and Glance write .* leave out \['{name}'\]"):
            Labels("r1", kind, "x", option, {name: "x", "team": "platform"})
    # Cinder's metadata has nothing but what its users write.
    assert Labels("r1", "volume", "x", "snapshot_name", {name: "x"}).properties == {name: "x"}


def test_a_moment_is_named_in_utc():
    moment = MOMENT.astimezone(datetime.timezone(datetime.timedelta(hours=5)))
    assert Labels("r1", "server", "{date}", "image_name", moment=moment).name_of(SERVER) == "2026-01-31T120000Z"


def test_braces_in_a_servers_name_are_letters():
    assert Labels("r1", "server", "{server}", "image_name").name_of(Server("1", "{run}", "ACTIVE")) == "{run}"


@pytest.mark.parametrize(
    "options",
    [
        {"run": "two words"},
        {"run": ""},
        {"run": "x" * 129},
        {"run": "r1\n"},
        {"run": "ö"},
        {"name": ""},
        {"name": " "},
        {"name": "{flavor}"},
        {"name": "{}"},
        {"name": "{0}"},
        {"name": "{server.__class__}"},
        {"name": "{server[0]}"},
        {"name": "{server!r}"},
        {"name": "{server:>5}"},
        {"name": "{server"},
        {"name": "server}"},
        {"properties": {"onetoken_run": "mine"}},
        {"properties": {"onetoken_": "mine"}},
        {"properties": {"nested": {"a": 1}}},
        {"properties": {"many": [1]}},
        {"properties": {"none": None}},
    ],
    ids=str,
)
def test_unusable_options_are_refused(options):
    with pytest.raises(ConfigurationError) as raised:
        Labels(**{"run": "r1", "kind": "server", "name": "{server}", "option": "image_name", **options})
    assert str(raised.value).endswith(".") and "\n" not in str(raised.value)


def test_a_name_that_cannot_be_used_is_reported_with_its_option():
    with pytest.raises(ConfigurationError, match=r"^image_name '\{flavor\}' has a placeholder that is not known"):
        Labels("r1", "server", "{flavor}", "image_name")


@pytest.mark.parametrize("run", ["r1", "2026-01-31", "A.b_c-9", "x" * 128])
def test_runs_are_called_as_one_likes(run):
    assert check_run(run) == run


def test_all_calls_of_a_day_are_one_run(monkeypatch):
    monkeypatch.setattr(module, "now", lambda: MOMENT)
    assert run_of_today() == "2026-01-31"
