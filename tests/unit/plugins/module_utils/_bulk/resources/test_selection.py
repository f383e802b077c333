# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.errors import CloudError
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.reason import Code, Reason
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.selection import Criteria, texts
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.servers import (
    Server,
    list_servers,
    select_servers,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.volumes import (
    Volume,
    list_volumes,
    select_volumes,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import ConfigurationError
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_cloud import (
    FakeResponse,
    FakeService,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_storage import FakeStorage

MOMENT = datetime.datetime(2026, 1, 31, 12, 0, 0, tzinfo=datetime.timezone.utc)


def ids(selection):
    return [resource.id for resource in selection.resources]


def test_criteria_narrow_each_other():
    servers = [
        Server("1", "web-1", "ACTIVE", {"backup": "true"}),
        Server("2", "web-2", "SHUTOFF", {"backup": "true"}),
        Server("3", "web-3", "ACTIVE", {}),
        Server("4", "Web-4", "ACTIVE", {"backup": "true"}),
    ]
    criteria = Criteria(name_pattern="web-*", metadata={"backup": True}, status=["active"])
    assert ids(criteria.select(servers, "server")) == ["1"]
    assert len(Criteria().select(servers, "server").resources) == 4


def test_names_and_ids_select_once_and_unknown_or_ambiguous_ones_are_reported():
    servers = [Server(id, name, "ACTIVE") for id, name in (("1", "a"), ("2", "twin"), ("3", "twin"))]
    selection = Criteria(names=["a", "1", "twin", "nobody", "a*"]).select(servers, "server")
    assert ids(selection) == ["1"]
    assert selection.unresolved["twin"] == Reason(Code.AMBIGUOUS, "2 servers have this name, give an id: 2, 3")
    assert selection.unresolved["nobody"] == Reason(Code.NOT_FOUND, "no server of the project has this name or id")
    assert set(selection.unresolved) == {"twin", "nobody", "a*"}


def test_a_named_server_that_another_criterion_excludes_is_no_failure():
    servers = [Server("1", "twin", "ACTIVE"), Server("2", "twin", "ERROR")]
    selection = Criteria(names=["twin"], status=["ACTIVE"]).select(servers, "server")
    assert (ids(selection), selection.unresolved) == (["1"], {})


def test_an_id_goes_before_the_same_name():
    servers = [Server("1", "2", "ACTIVE"), Server("2", "b", "ACTIVE")]
    assert ids(Criteria(names=["2"]).select(servers, "server")) == ["2"]


def test_what_a_list_has_twice_is_selected_once():
    servers = [Server("1", "a", "ACTIVE"), Server("2", "b", "ACTIVE"), Server("1", "a", "SHUTOFF")]
    assert ids(Criteria().select(servers, "server")) == ["1", "2"]
    selection = Criteria(names=["a"]).select(servers, "server")
    assert (ids(selection), selection.unresolved) == (["1"], {})


@pytest.mark.parametrize(
    ("criteria", "selected"),
    [
        ({"older_than": 3600}, ["old", "hour"]),
        ({"older_than": 3601}, ["old"]),
        ({"newer_than": 3600}, ["hour", "new"]),
        ({"newer_than": 3599}, ["new"]),
        ({"older_than": 60, "newer_than": 7200}, ["hour"]),
        ({"older_than": 0}, ["old", "hour", "new"]),
        ({"newer_than": 0}, ["new"]),
    ],
    ids=str,
)
def test_ages(criteria, selected):
    moments = {"old": "2026-01-01T00:00:00Z", "hour": "2026-01-31T11:00:00Z", "new": "2026-01-31T12:00:00.000000"}
    servers = [Server(id, id, "ACTIVE", created_at=moment) for id, moment in moments.items()]
    assert ids(Criteria(moment=MOMENT, **criteria).select(servers, "server")) == selected


def test_all_of_the_tags_and_any_of_the_zones():
    servers = [
        Server("1", "a", "ACTIVE", availability_zone="nova", tags=("x", "y")),
        Server("2", "b", "ACTIVE", availability_zone="west", tags=("x",)),
        Server("3", "c", "ACTIVE", availability_zone="east", tags=("x", "y", "z")),
    ]
    assert ids(Criteria(tags=["x", "y"]).select(servers, "server")) == ["1", "3"]
    assert ids(Criteria(availability_zone=["nova", "west"]).select(servers, "server")) == ["1", "2"]


def test_the_options_of_a_module_are_criteria():
    params = {
        "servers": ["a"], "name_pattern": "w*", "metadata": {"k": 1}, "status": ["ACTIVE"], "tags": None,
        "availability_zone": [], "older_than": 5, "newer_than": None,
    }  # fmt: skip
    criteria = Criteria.of(params, "servers")
    assert (criteria.names, criteria.tags, criteria.older_than, criteria.newer_than) == (["a"], (), 5, None)


def test_a_server_as_nova_lists_it():
    body = {
        "id": "1", "name": "db", "status": "ACTIVE", "metadata": {"k": "v"}, "image": "", "tags": ["x"],
        "created": "2026-01-31T12:00:00Z", "OS-EXT-AZ:availability_zone": "nova", "OS-EXT-STS:task_state": "spawning",
        "os-extended-volumes:volumes_attached": [{"id": "v-1"}, {"id": "v-2"}],
    }  # fmt: skip
    server = Server.from_body(body)
    assert server == Server(
        "1", "db", "ACTIVE", {"k": "v"}, "nova", "2026-01-31T12:00:00Z", ("x",), "spawning", True, ("v-1", "v-2")
    )
    assert not Server.from_body({**body, "image": {"id": "cirros"}}).volume_backed
    assert Server.from_body({**body, "OS-EXT-STS:task_state": None}).has_no_task
    del body["OS-EXT-STS:task_state"]
    assert not Server.from_body(body).has_no_task


@pytest.mark.parametrize("image", [None, {"id": "i"}], ids=str)
def test_what_is_null_is_not_there(image):
    nothing = {
        "id": "1",
        "name": None,
        "status": "BUILD",
        "metadata": None,
        "tags": None,
        "image": image,
        "created": None,
    }
    assert Server.from_body({**nothing, "os-extended-volumes:volumes_attached": None}) == Server("1", "", "BUILD")
    assert Volume.from_body({**nothing, "size": None, "attachments": None}) == Volume("1", "", "BUILD")


def test_a_volume_as_cinder_lists_it():
    body = {
        "id": "v", "name": "data", "status": "in-use", "size": 20, "availability_zone": "nova", "metadata": {},
        "created_at": "2026-01-31T12:00:00.000000", "attachments": [{"server_id": "1"}],
    }  # fmt: skip
    assert Volume.from_body(body) == Volume(
        "v", "data", "in-use", {}, "nova", "2026-01-31T12:00:00.000000", size=20, server_ids=("1",)
    )


def test_a_volume_that_is_attached_to_a_host_is_attached_to_no_server():
    to_host = {"server_id": None, "host_name": "host-1", "device": "/dev/vdb"}
    body = {"id": "v", "name": "data", "status": "in-use", "attachments": [to_host, {"server_id": "1"}]}
    assert Volume.from_body(body).server_ids == ("1",)


@pytest.mark.parametrize(
    "answer",
    [FakeResponse(406), FakeResponse(200, {"servers": [{"id": "1", "name": "a", "status": "ACTIVE"}]})],
    ids=["refused", "ignored"],
)
def test_a_nova_that_is_too_old_for_tags_is_reported_in_a_sentence(cloud, new_client, answer):
    cloud.compute = FakeService(cloud, lambda path, method, options: answer)
    with pytest.raises(ConfigurationError, match=r"does not list the tags of servers .* 2\.26"):
        select_servers(new_client(), Criteria(tags=["x"]))


def test_everything_is_listed_once_and_with_tags_only_where_they_are_submitted(cloud, new_client):
    versions = []

    def listing(path, method, options):
        versions.append((path, options["microversion"], options["params"]["limit"]))
        server = {"id": "1", "name": "a", "status": "ACTIVE", "tags": []}
        return FakeResponse(200, {"servers": [server], "volumes": []})

    cloud.compute = cloud.block_storage = FakeService(cloud, listing)
    requests = new_client()
    assert [server.name for server in list_servers(requests)] == ["a"]
    assert select_servers(requests, Criteria(tags=["x"])).resources == []
    assert list_volumes(requests) == []
    assert versions == [
        ("/servers/detail", None, 1000),
        ("/servers/detail", "2.26", 1000),
        ("/volumes/detail", None, 1000),
    ]


def test_values_are_kept_as_text():
    given = {"yes": True, "no": False, "number": 7, "half": 0.5, "text": "t", 5: "five"}
    wanted = {"yes": "true", "no": "false", "number": "7", "half": "0.5", "text": "t", "5": "five"}
    assert texts(given, "metadata") == wanted
    with pytest.raises(
        ConfigurationError, match=r"^The value of 'k' in metadata must be a text or a number, not \[1\]\.$"
    ):
        texts({"k": [1]}, "metadata")


def test_the_copy_that_cinder_makes_to_back_up_an_attached_volume_is_no_volume_of_the_user(cloud, new_client):
    names = {"v1": "data", "v2": "backup-vol-v1", "v3": "backup-vol-of-mine"}
    bodies = [{"id": id, "name": name, "status": "in-use"} for id, name in names.items()]
    cloud.block_storage = FakeService(cloud, lambda *_request: FakeResponse(200, {"volumes": bodies}))
    assert [volume.id for volume in list_volumes(new_client())] == ["v1", "v3"]


def test_no_names_at_all_select_nothing_other_than_names_that_are_not_given():
    servers = [Server("1", "a", "ACTIVE")]
    assert ids(Criteria(names=[]).select(servers, "server")) == []
    assert ids(Criteria().select(servers, "server")) == ["1"]


@pytest.mark.parametrize("empty", [{"name_pattern": ""}, {"names": ["a", ""]}])
def test_a_variable_that_somebody_forgot_to_set_selects_nothing(empty):
    with pytest.raises(ConfigurationError, match="empty: leave it out"):
        Criteria(**empty)


NO_CRITERIA = {
    "servers": None, "name_pattern": None, "metadata": {}, "tags": [], "status": [], "availability_zone": [],
    "older_than": None, "newer_than": None,
}  # fmt: skip


@pytest.mark.parametrize(
    "given",
    [
        {"servers": []}, {"name_pattern": "**"}, {"metadata": {"a": 1}}, {"tags": ["a"]}, {"status": ["ACTIVE"]},
        {"availability_zone": ["nova"]}, {"older_than": 0}, {"newer_than": 0},
    ],
    ids=str,
)  # fmt: skip
def test_a_call_needs_a_criterion_and_any_is_enough(given):
    assert Criteria.of({**NO_CRITERIA, **given}, "servers").names == given.get("servers")


def test_a_call_without_a_criterion_is_not_for_the_whole_project():
    with pytest.raises(ConfigurationError, match=r"give name_pattern: '\*\*' for all of the project"):
        Criteria.of(NO_CRITERIA, "servers")
    assert Criteria.of(NO_CRITERIA, "servers", has_other=True).names is None


def test_two_asterisks_match_every_name():
    servers = [Server("1", "", "ACTIVE"), Server("2", "a.b/c", "ERROR"), Server("3", ".x", "ACTIVE")]
    assert ids(Criteria(name_pattern="**").select(servers, "server")) == ["1", "2", "3"]


@pytest.mark.parametrize("days_behind", [60, 0, -60])
def test_an_age_is_measured_by_the_clock_of_the_cloud(time, new_client, days_behind):
    time.set_behind(days_behind * 86400)
    storage = FakeStorage(time)
    old = storage.volume("old")
    time.sleep(7200)
    new = storage.volume("new")
    requests = new_client(connection=storage)
    assert [one.id for one in select_volumes(requests, Criteria(older_than=3600)).resources] == [old]
    assert [one.id for one in select_volumes(requests, Criteria(newer_than=3600)).resources] == [new]


def test_where_the_cloud_does_not_say_what_time_it_is_nothing_is_selected_by_age(time, new_client):
    storage = FakeStorage(time)
    storage.volume("old")
    storage.block_storage.clock = None
    requests = new_client(connection=storage)
    with pytest.raises(CloudError, match="older_than and newer_than cannot be used here: no service of the cloud says"):
        select_volumes(requests, Criteria(older_than=3600))
    assert len(select_volumes(requests, Criteria(name_pattern="o*")).resources) == 1
