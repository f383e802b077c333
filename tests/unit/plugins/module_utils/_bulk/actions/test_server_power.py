# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.actions.server_power import (
    ServerReboot,
    ServerStart,
    ServerStop,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.selection import Criteria
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import ConfigurationError
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_cloud import FakeResponse
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_nova import (
    TASK,
    FakeNova,
)
from keystoneauth1 import exceptions as keystoneauth


@pytest.fixture
def cloud(time):
    return FakeNova(time)


@pytest.fixture
def start(carry_out):
    return lambda **options: carry_out(lambda requests: ServerStart(requests, Criteria()), **options)


@pytest.fixture
def stop(carry_out):
    return lambda names=None, **options: carry_out(lambda requests: ServerStop(requests, Criteria(names)), **options)


@pytest.fixture
def reboot(carry_out):
    def run(reboot_type="SOFT", run=None, **options):
        return carry_out(lambda requests: ServerReboot(requests, Criteria(), reboot_type, run), **options)

    return run


def lose_the_answer(cloud, carried_out, times=1):
    """The first requests get no answer, whether or not Nova does what they ask for."""
    lost = []

    def intercept(server, action):
        if len(lost) < times:
            lost.append(action)
            if carried_out:
                cloud.act(server, action)
            raise keystoneauth.ConnectFailure("broken pipe")

    cloud.intercept = intercept


def test_servers_are_stopped_with_a_request_each_and_watched_together(cloud, stop):
    for name in ("b", "a", "c"):
        cloud.server(name)
    report = stop()
    assert report.outcomes == {"a": "done", "b": "done", "c": "done"}
    assert report.changed
    assert cloud.sent == [("a", "os-stop"), ("b", "os-stop"), ("c", "os-stop")]
    assert [server["status"] for server in cloud.servers] == ["SHUTOFF"] * 3
    assert cloud.count("GET", "/servers/detail") <= 4
    assert report.answer()["results"][0]["action"] == "stop"


def test_stopped_servers_are_started(cloud, start):
    cloud.server("a", "SHUTOFF")
    assert start().outcomes == {"a": "done"}
    assert cloud.named("a")["status"] == "ACTIVE"


def test_what_is_there_is_left_alone(cloud, start, stop):
    cloud.server("runs")
    cloud.server("is imaged", task="image_uploading")
    assert start().outcomes == {"runs": "already", "is imaged": "already"}
    assert cloud.requests == [("GET", "/servers/detail")]
    assert not start().changed


def test_a_server_that_is_about_to_leave_the_state_is_not_there(cloud, start):
    cloud.server("a", task="powering-off")
    report = start()
    assert report.outcomes == {"a": "failed"}
    assert "while it is in task_state powering-off" in report.reasons["a"]


def test_what_is_on_the_way_is_watched_and_not_submitted(cloud, stop):
    cloud.act(cloud.server("a"), "os-stop")
    assert stop().outcomes == {"a": "already"}
    assert cloud.sent == []
    assert cloud.named("a")["status"] == "SHUTOFF"


def test_a_rebooting_server_is_on_its_way_to_run(cloud, start):
    server = cloud.server("a")
    cloud.act(server, "HARD")
    server["status"] = "HARD_REBOOT"
    assert start().outcomes == {"a": "already"}
    assert cloud.sent == []


def test_without_waiting_nothing_is_polled(cloud, stop):
    cloud.server("a")
    assert stop(wait=False).outcomes == {"a": "accepted"}
    assert cloud.count("GET", "/servers/detail") == 1


def test_the_pages_of_a_listing_are_followed_as_far_as_needed(cloud, stop):
    cloud.page = 2
    for number in range(6):
        cloud.server(f"server-{number}")
    report = stop(names=["server-0", "server-3"])
    assert report.outcomes == {"server-0": "done", "server-3": "done"}
    looks, rest = divmod(cloud.count("GET", "/servers/detail") - 3, 2)
    assert looks >= 1 and not rest


def test_a_server_that_goes_into_error_fails_with_what_nova_says(cloud, stop):
    cloud.server("a")["fault"] = {"message": "Disk is\n gone"}
    cloud.ends_in["a"] = "ERROR"
    report = stop()
    assert report.outcomes == {"a": "failed"}
    assert report.reasons == {"a": "the server went into status ERROR: Disk is gone"}


def test_what_nova_silently_drops_fails_but_not_at_the_first_look(cloud, stop):
    cloud.server("a")
    cloud.ends_in["a"] = "ACTIVE"
    report = stop()
    assert report.reasons == {"a": "Nova dropped the stop: the server is in status ACTIVE"}
    assert report.outcomes == {"a": "failed"}


def test_a_listing_that_lags_behind_does_not_mislead(cloud, stop):
    """A late replica of the database still has the server as it was before it was asked for."""
    before = dict(cloud.server("a"))
    lagging = [FakeResponse(200, {"servers": [before]}) for _turn in range(3)]
    cloud.before_listing = lambda path: lagging.pop() if lagging else None
    assert stop().outcomes == {"a": "done"}
    assert not lagging


def test_an_error_that_was_there_before_does_not_mislead(cloud, stop):
    before = dict(cloud.server("a", "ERROR"))
    lagging = [FakeResponse(200, {"servers": [before]}) for _turn in range(2)]
    cloud.before_listing = lambda path: lagging.pop() if lagging else None
    assert stop().outcomes == {"a": "done"}


def test_a_server_that_disappears_fails(cloud, stop):
    cloud.server("a")
    cloud.server("b")

    def intercept(server, action):
        if server["name"] == "b":
            return None
        cloud.servers.remove(server)
        return FakeResponse(202)

    cloud.intercept = intercept
    report = stop()
    assert report.outcomes == {"a": "failed", "b": "done"}
    assert report.reasons == {"a": "the server does not exist any more"}


def test_a_server_that_cannot_is_refused_in_novas_words(cloud, start):
    cloud.server("a", "PAUSED")
    cloud.server("b", "SHUTOFF")
    assert start(check_mode=True).reasons == {"a": "Nova may refuse it because the server is in status PAUSED"}
    report = start()
    assert report.outcomes == {"a": "failed", "b": "done"}
    assert "Cannot 'os-start' instance id-0 while it is in vm_state paused" in report.reasons["a"]


def test_a_server_that_somebody_else_stops_meanwhile_is_there_already(cloud, stop):
    cloud.server("a")
    cloud.intercept = lambda server, action: cloud.act(server, action) and None
    report = stop()
    assert report.outcomes == {"a": "already"}
    assert cloud.named("a")["status"] == "SHUTOFF"


@pytest.mark.parametrize("carried_out", [True, False])
def test_a_lost_answer_is_looked_up_before_it_is_submitted_again(cloud, stop, carried_out):
    cloud.server("a")
    lose_the_answer(cloud, carried_out)
    assert stop().outcomes == {"a": "done"}
    assert len(cloud.sent) == (1 if carried_out else 2)
    assert cloud.named("a")["status"] == "SHUTOFF"


def test_what_is_still_in_progress_at_the_end_is_reported(cloud, stop):
    cloud.server("a")
    cloud.seconds = 100
    report = stop(timeout=30)
    assert report.reasons == {"a": "still busy with powering-off after 30 s; it goes on in the cloud"}


def test_each_call_without_a_run_reboots(cloud, reboot):
    cloud.server("a")
    assert reboot().outcomes == reboot().outcomes == {"a": "done"}
    assert cloud.sent == [("a", "reboot"), ("a", "reboot")]


def test_a_run_reboots_a_server_once(cloud, reboot):
    cloud.server("a")
    report = reboot(run="r1")
    assert report.outcomes == {"a": "done"} and not report.reasons
    cloud.server("b")
    assert reboot(run="r1").outcomes == {"a": "already", "b": "done"}
    assert reboot(run="r2").outcomes == {"a": "done", "b": "done"}
    assert cloud.sent[:4] == [
        ("a", "reboot"), ("a", {"onetoken_rebooted": "r1"}), ("b", "reboot"), ("b", {"onetoken_rebooted": "r1"}),
    ]  # fmt: skip


def test_a_reboot_that_failed_is_tried_again_by_the_run(cloud, reboot):
    cloud.server("a", "ERROR", onetoken_rebooted="r1")
    report = reboot("HARD", run="r1")
    assert report.outcomes == {"a": "done"}
    # In error, a server takes no metadata.
    assert "rebooted, but not labelled with the run" in report.reasons["a"]


def test_a_quick_reboot_is_known_by_the_moment_of_the_change(cloud, reboot):
    cloud.server("a")
    cloud.seconds = 0.0
    cloud.time.sleep(5)
    report = reboot()
    assert report.outcomes == {"a": "done"}
    assert cloud.count("GET", "/servers/detail") == 2


def test_a_reboot_within_the_second_of_another_change_is_believed_after_some_looks(cloud, reboot):
    cloud.server("a")
    cloud.seconds = 0.0
    report = reboot()
    assert report.outcomes == {"a": "done"}
    assert cloud.count("GET", "/servers/detail") == 4


@pytest.mark.parametrize(("seconds", "carried_out"), [(2.0, True), (0.0, True), (2.0, False)])
def test_a_reboot_whose_answer_was_lost_is_done_once_and_marked(cloud, reboot, seconds, carried_out):
    cloud.server("a")
    cloud.seconds = seconds
    cloud.time.sleep(5)
    lose_the_answer(cloud, carried_out)
    report = reboot(run="r1")
    assert report.outcomes == {"a": "done"} and not report.reasons
    asked = [action for _name, action in cloud.sent if action == "reboot"]
    assert len(asked) == (1 if carried_out else 2)
    assert cloud.named("a")["metadata"] == {"onetoken_rebooted": "r1"}


def test_a_label_that_is_lost_does_not_reboot_again(cloud, reboot):
    cloud.server("a")

    def intercept(server, action):
        if action == "metadata":
            raise keystoneauth.ConnectFailure("broken pipe")

    cloud.intercept = intercept
    report = reboot(run="r1")
    assert report.outcomes == {"a": "done"}
    assert "so its next call reboots it again: " in report.reasons["a"]
    assert [action for _name, action in cloud.sent].count("reboot") == 1


def test_a_hard_reboot_ends_a_soft_one_that_hangs_but_not_the_other_way_round(cloud, reboot):
    server = cloud.server("a")
    server[TASK] = "rebooting"

    def end_soft_one(server, action):
        server[TASK] = None

    cloud.intercept = end_soft_one
    assert reboot("HARD").outcomes == {"a": "done"}
    cloud.act(server, "HARD")
    assert reboot("SOFT").outcomes == {"a": "already"}


def test_a_hard_reboot_starts_a_stopped_server_and_a_soft_one_does_not(cloud, reboot):
    cloud.server("a", "SHUTOFF")
    assert reboot("SOFT").outcomes == {"a": "failed"}
    assert reboot("HARD").outcomes == {"a": "done"}
    assert cloud.named("a")["status"] == "ACTIVE"


def test_a_run_has_a_name_that_can_be_stored(reboot):
    with pytest.raises(ConfigurationError, match="run must be"):
        reboot(run="a b")
