# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.actions.server_shelve import (
    ServerOffload,
    ServerShelve,
    ServerUnshelve,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.selection import Criteria
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import ConfigurationError
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_cloud import FakeResponse
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_nova import (
    FakeNova,
)
from keystoneauth1 import exceptions as keystoneauth

MARK = {"onetoken_shelved": "night-1"}


@pytest.fixture
def cloud(time):
    return FakeNova(time)


@pytest.fixture
def shelve(carry_out):
    def run(run="night-1", **options):
        return carry_out(lambda requests: ServerShelve(requests, Criteria(), run), **options)

    return run


@pytest.fixture
def offload(carry_out):
    return lambda **options: carry_out(lambda requests: ServerOffload(requests, Criteria(), "night-1"), **options)


@pytest.fixture
def unshelve(carry_out):
    def run(run=None, names=None, metadata=None, **options):
        criteria = Criteria(names, metadata=metadata or {})
        return carry_out(lambda requests: ServerUnshelve(requests, criteria, run), **options)

    return run


def statuses(cloud):
    return {server["name"]: cloud.named(server["name"])["status"] for server in cloud.servers}


def test_a_server_is_labelled_with_the_run_before_it_is_shelved(cloud, shelve):
    cloud.server("a", owner="platform")
    report = shelve()
    assert report.outcomes == {"a": "done"} and report.changed
    assert cloud.sent == [("a", MARK), ("a", "shelve")]
    assert cloud.named("a")["metadata"] == {"owner": "platform", **MARK}
    assert report.answer()["results"][0]["action"] == "shelve"


def test_a_label_is_not_submitted_twice_and_can_be_left_out(cloud, shelve):
    cloud.server("a", **MARK)
    assert shelve().outcomes == {"a": "done"}
    cloud.server("b")
    assert shelve(run=None).outcomes == {"a": "already", "b": "done"}
    assert cloud.sent == [("a", "shelve"), ("b", "shelve")]


@pytest.mark.parametrize("status", ["SHELVED", "SHELVED_OFFLOADED"])
def test_a_server_that_somebody_else_shelved_is_not_marked(cloud, shelve, unshelve, status):
    cloud.server("a", status)
    report = shelve()
    assert report.outcomes == {"a": "already"} and not report.changed
    assert cloud.sent == []
    assert unshelve("night-1").outcomes == {}


def test_a_server_that_is_being_shelved_is_watched_to_the_end(cloud, shelve):
    cloud.offloads = True
    cloud.act(cloud.server("a"), "shelve")
    assert shelve().outcomes == {"a": "already"}
    assert statuses(cloud) == {"a": "SHELVED_OFFLOADED"}
    assert cloud.sent == []


def test_a_cloud_that_offloads_at_once_shelves_all_the_same(cloud, shelve):
    cloud.offloads = True
    cloud.server("a")
    assert shelve().outcomes == {"a": "done"}
    assert statuses(cloud) == {"a": "SHELVED_OFFLOADED"}


def test_a_shelve_that_nova_silently_drops_is_a_failure(cloud, shelve):
    cloud.server("a")
    cloud.server("b")
    cloud.ends_in["a"] = "ACTIVE"
    report = shelve()
    assert report.outcomes == {"a": "failed", "b": "done"}
    assert report.reasons == {"a": "Nova dropped the shelve: the server is in status ACTIVE"}


def test_a_server_that_cannot_be_labelled_is_not_shelved(cloud, shelve):
    cloud.server("a")
    full = {"forbidden": {"message": "Maximum number of metadata items exceeds 128"}}
    cloud.intercept = lambda server, action: FakeResponse(403, full) if action == "metadata" else None
    report = shelve()
    assert "Maximum number of metadata items exceeds 128" in report.reasons["a"]
    assert statuses(cloud) == {"a": "ACTIVE"}


@pytest.mark.parametrize("lost", ["metadata", "shelve"])
@pytest.mark.parametrize("carried_out", [True, False])
def test_a_lost_answer_is_looked_up_before_it_is_submitted_again(cloud, shelve, lost, carried_out):
    cloud.server("a")
    losses = []

    def intercept(server, action):
        if action == lost and not losses:
            losses.append(action)
            if carried_out:
                cloud.act(server, action, MARK)
            raise keystoneauth.ConnectFailure("broken pipe")

    cloud.intercept = intercept
    assert shelve().outcomes == {"a": "done"}
    assert cloud.named("a")["metadata"] == MARK
    shelves = [action for _name, action in cloud.sent if action == "shelve"]
    assert len(shelves) == (2 if lost == "shelve" and not carried_out else 1)


def test_the_run_brings_back_what_it_has_shelved_and_nothing_else(cloud, shelve, unshelve):
    cloud.server("by hand", "SHELVED")
    cloud.server("another night", "SHELVED_OFFLOADED", onetoken_shelved="night-0")
    cloud.server("a")
    cloud.server("b", "SHUTOFF")
    shelve()
    report = unshelve("night-1")
    assert report.outcomes == {"a": "done", "b": "done"}
    assert statuses(cloud) == {
        "by hand": "SHELVED", "another night": "SHELVED_OFFLOADED", "a": "ACTIVE", "b": "ACTIVE",
    }  # fmt: skip
    assert cloud.sent[-2:] == [("a", "unshelve"), ("b", "unshelve")]
    report = unshelve("night-1")
    assert report.outcomes == {"a": "already", "b": "already"} and not report.changed


def test_the_run_and_the_other_criteria_narrow_each_other(cloud, unshelve):
    cloud.server("a", "SHELVED", team="red", **MARK)
    cloud.server("b", "SHELVED", team="blue", **MARK)
    cloud.server("c", "SHELVED", team="red")
    assert unshelve("night-1", metadata={"team": "red"}).outcomes == {"a": "done"}


def test_without_a_run_all_selected_servers_come_back(cloud, unshelve):
    cloud.server("a", "SHELVED")
    cloud.server("b", "SHELVED_OFFLOADED", **MARK)
    cloud.server("c", "SHELVED")
    cloud.server("runs")
    assert unshelve(names=["a", "b", "runs"]).outcomes == {"a": "done", "b": "done", "runs": "already"}
    assert statuses(cloud)["c"] == "SHELVED"


def test_whatever_is_not_shelved_is_back(cloud, unshelve):
    cloud.server("stopped", "SHUTOFF")
    cloud.server("rebooting", "REBOOT", task="rebooting")
    cloud.server("stopping", "ACTIVE", task="powering-off")
    cloud.act(cloud.server("coming", "SHELVED_OFFLOADED"), "unshelve")
    report = unshelve()
    assert set(report.outcomes.values()) == {"already"}
    assert cloud.sent == []


def test_a_server_that_is_broken_or_about_to_be_shelved_is_not_back(cloud, unshelve):
    cloud.server("broken", "ERROR")
    cloud.server("leaving", "ACTIVE", task="shelving")
    report = unshelve()
    assert report.outcomes == {"broken": "failed", "leaving": "failed"}
    assert "while it is in vm_state error" in report.reasons["broken"]
    assert "while it is in task_state shelving" in report.reasons["leaving"]


def test_a_server_for_which_there_is_no_room_stays_shelved_and_fails(cloud, unshelve):
    cloud.server("a", "SHELVED_OFFLOADED")
    cloud.ends_in["a"] = "SHELVED_OFFLOADED"
    assert unshelve().reasons == {"a": "Nova dropped the unshelve: the server is in status SHELVED_OFFLOADED"}


def test_a_server_is_offloaded_once_it_is_shelved(cloud, offload):
    cloud.server("a")
    cloud.server("b", "SHELVED")
    cloud.server("c", "SHELVED_OFFLOADED")
    report = offload()
    assert report.outcomes == {"a": "done", "b": "done", "c": "already"}
    assert set(statuses(cloud).values()) == {"SHELVED_OFFLOADED"}
    assert cloud.sent == [("a", MARK), ("a", "shelve"), ("b", "shelveOffload"), ("a", "shelveOffload")]


def test_a_cloud_that_offloads_at_once_is_not_asked_to(cloud, offload):
    cloud.offloads = True
    cloud.server("a")
    assert offload().outcomes == {"a": "done"}
    assert cloud.sent == [("a", MARK), ("a", "shelve")]


def test_a_server_that_is_being_shelved_is_offloaded_then(cloud, offload):
    cloud.act(cloud.server("a"), "shelve")
    assert offload().outcomes == {"a": "done"}
    assert cloud.sent == [("a", "shelveOffload")]


def test_a_server_that_still_has_to_be_offloaded_does_not_go_on_by_itself(cloud, offload):
    cloud.server("a")
    cloud.seconds = 100.0
    (item,) = offload(timeout=30).items
    assert (item.outcome, item.reason_code) == ("incomplete", "timeout")
    assert item.reason_text == "still busy with shelving after 30 s; another call does the rest"


def test_who_may_not_offload_is_reported_that_it_is_shelved(cloud, offload):
    cloud.server("a")
    policy = {"forbidden": {"message": "Policy doesn't allow os-shelve:shelve_offload to be performed."}}
    cloud.intercept = lambda server, action: FakeResponse(403, policy) if action == "shelveOffload" else None
    report = offload()
    assert report.outcomes == {"a": "failed"}
    assert report.reasons["a"].startswith("it is shelved, but not offloaded: Policy doesn't allow")


@pytest.mark.parametrize("lost", ["shelve", "shelveOffload"])
@pytest.mark.parametrize("carried_out", [True, False])
def test_a_lost_answer_does_not_keep_a_server_from_being_offloaded(cloud, offload, lost, carried_out):
    cloud.server("a")
    # Fast enough to be shelved before anybody looks.
    cloud.seconds = 0.1
    losses = []

    def intercept(server, action):
        if action == lost and not losses:
            losses.append(action)
            if carried_out:
                cloud.act(server, action)
            raise keystoneauth.ConnectFailure("broken pipe")

    cloud.intercept = intercept
    assert offload().outcomes == {"a": "done"}
    assert statuses(cloud) == {"a": "SHELVED_OFFLOADED"}
    assert len([action for _name, action in cloud.sent if action == lost]) == (1 if carried_out else 2)


def test_an_offload_that_nova_silently_drops_is_a_failure(cloud, offload):
    cloud.server("a", "SHELVED")
    cloud.ends_in["a"] = "SHELVED"
    assert offload().reasons == {"a": "Nova dropped the offload: the server is in status SHELVED"}


def test_check_mode_sends_nothing(cloud, shelve):
    cloud.server("a")
    cloud.server("broken", "ERROR")
    report = shelve(check_mode=True)
    assert report.outcomes == {"a": "planned", "broken": "planned"}
    assert report.reasons == {"broken": "Nova may refuse it because the server is in status ERROR"}
    assert cloud.sent == []


def test_a_run_has_a_name_that_can_be_stored(shelve, unshelve):
    for call in (shelve, unshelve):
        with pytest.raises(ConfigurationError, match="run must be"):
            call("a b")
