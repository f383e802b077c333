# Copyright: (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import datetime
import json
from types import SimpleNamespace

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils.patient_requests import CloudError
from ansible_collections.onetoken.openstack.plugins.module_utils.server_selection import Criteria, Server
from ansible_collections.onetoken.openstack.plugins.module_utils.server_snapshot import (
    SnapshotOptions,
    snapshot_servers,
)
from ansible_collections.onetoken.openstack.plugins.module_utils.session.errors import ConfigurationError
from ansible_collections.onetoken.openstack.plugins.module_utils.session.pacing import Waiter
from keystoneauth1 import exceptions as keystoneauth
from openstack import exceptions as sdk

PROJECT = "project-1"


class FakeTime:
    def __init__(self):
        self.now = 0.0

    def sleep(self, seconds):
        self.now += seconds

    def new_waiter(self, timeout):
        return Waiter(timeout, clock=lambda: self.now, wall_clock=lambda: self.now, sleep=self.sleep)


class FakeResponse:
    def __init__(self, status_code, body=None, headers=None, text=""):
        self.status_code = status_code
        self.headers = headers or {}
        self.reason = "reason"
        self.text = json.dumps(body) if body is not None else text

    def json(self):
        return json.loads(self.text)


class FakeService:
    """A proxy of openstacksdk, as far as it is used: raw requests."""

    default_microversion = None

    def __init__(self, cloud, handle, microversion=(2, 96)):
        self._cloud = cloud
        self._handle = handle
        self._microversion = microversion

    def get_endpoint_data(self):
        return SimpleNamespace(min_microversion=(2, 1), max_microversion=self._microversion)

    def request(self, path, method, **options):
        assert options["raise_exc"] is False
        assert options["connect_retries"] == 0
        self._cloud.requests.append((method, path))
        return self._handle(path, method, options)


class FakeConnection:
    """A cloud with servers, whose images become active after some seconds."""

    current_project_id = PROJECT

    def __init__(self, time, microversion=(2, 96)):
        self.time = time
        self.servers = []
        self.images = []
        self.snapshots = []
        self.requests = []
        self.image_seconds = 5.0
        self.snapshot_seconds = 2.0
        self.end_status = "active"
        self.page = 1000
        #: Called in place of createImage: what it returns is the answer, None goes on as usual.
        self.intercept = lambda server: None
        self.before_listing = lambda path: None
        self.compute = FakeService(self, self._compute, microversion)
        self.image = FakeService(self, self._image)
        self.block_storage = FakeService(self, self._block_storage)

    def server(self, name, status="ACTIVE", volumes=0, **metadata):
        body = {"id": f"id-{len(self.servers)}", "name": name, "status": status, "metadata": metadata}
        self.servers.append({**body, "OS-EXT-STS:task_state": None, "volumes": volumes})
        return body["id"]

    def count(self, method, path):
        return sum(request[0] == method and request[1].endswith(path) for request in self.requests)

    def _compute(self, path, method, options):
        if method == "GET":
            return self.before_listing(path) or self._page(self.servers, "servers", options)
        server = next(server for server in self.servers if server["id"] == path.split("/")[2])
        if answer := self.intercept(server):
            return answer
        if server["status"] == "ERROR":
            return FakeResponse(409, {"conflictingRequest": {"message": "it is in vm_state error"}})
        self.make_image(server, options["json"]["createImage"])
        image_id = self.images[-1]["id"]
        if options["microversion"] == "2.45":
            return FakeResponse(202, {"image_id": image_id})
        return FakeResponse(202, headers={"Location": f"http://glance/images/{image_id}"})

    def make_image(self, server, action):
        body = {"id": f"image-{len(self.images)}", "name": action["name"], "owner": PROJECT, "size": 7}
        body |= {"created_at": str(len(self.images)), "made": self.time.now, "volumes": server["volumes"]}
        if server["volumes"]:
            ids = [f"snapshot-{len(self.snapshots) + number}" for number in range(server["volumes"])]
            self.snapshots += [{"id": id, "size": 20, "made": self.time.now} for id in ids]
            mapping = [{"snapshot_id": id} for id in ids] + [{"snapshot_id": None}]
            body |= {"block_device_mapping": json.dumps(mapping), "size": 0}
        self.images.append({**body, **action["metadata"]})

    def _image(self, path, method, options):
        wanted = {key: value for key, value in options["params"].items() if key not in ("limit", "marker")}
        found = []
        for image in self.images:
            ready = image["volumes"] or self.time.now >= image["made"] + self.image_seconds
            status = image.get("status") or (self.end_status if ready else "saving")
            if status != "gone" and all(image.get(key) == value for key, value in wanted.items()):
                found.append({**image, "status": status})
        return self.before_listing(path) or self._page(found, "images", options)

    def _block_storage(self, path, method, options):
        def status(snapshot):
            ready = self.time.now >= snapshot["made"] + self.snapshot_seconds
            return snapshot.get("status") or ("available" if ready else "creating")

        found = [{**snapshot, "status": status(snapshot)} for snapshot in reversed(self.snapshots)]
        return self._page(found, "snapshots", options)

    def _page(self, resources, key, options):
        start = int(options["params"].get("marker", 0))
        body = {key: resources[start : start + self.page]}
        if start + self.page < len(resources):
            following = f"http://elsewhere/{key}?marker={start + self.page}"
            body |= {"next": following} if key == "images" else {f"{key}_links": [{"rel": "next", "href": following}]}
        return FakeResponse(200, body)


@pytest.fixture
def time():
    return FakeTime()


@pytest.fixture
def cloud(time):
    return FakeConnection(time)


def snapshot(cloud, criteria=None, check_mode=False, **options):
    options = SnapshotOptions(**{"run": "r1", **options})
    return snapshot_servers(cloud, criteria or Criteria(), options, check_mode, cloud.time.new_waiter)


def outcomes(report):
    return {item.name: item.outcome for item in report.items}


def server(name="web", **metadata):
    return Server(id="id-0", name=name, status="ACTIVE", task_state=None, metadata=metadata)


def marked(body):
    """The createImage of run r1 for this server."""
    return {"name": "n", "metadata": SnapshotOptions("r1").properties_of(Server.from_body(body))}


# Selection


def test_criteria_narrow_each_other():
    servers = [
        Server("1", "web-1", "ACTIVE", None, {"backup": "true"}),
        Server("2", "web-2", "SHUTOFF", None, {"backup": "true"}),
        Server("3", "web-3", "ACTIVE", None, {}),
        Server("4", "Web-4", "ACTIVE", None, {"backup": "true"}),
    ]
    criteria = Criteria(name_pattern="web-*", metadata={"backup": True}, status=["active"])
    assert [server.id for server in criteria.select(servers).servers] == ["1"]
    assert len(Criteria().select(servers).servers) == 4


def test_names_and_ids_select_once_and_unknown_or_ambiguous_ones_are_told():
    servers = [Server(id, name, "ACTIVE", None, {}) for id, name in (("1", "a"), ("2", "twin"), ("3", "twin"))]
    selection = Criteria(servers=["a", "1", "twin", "nobody", "a*"]).select(servers)
    assert [server.id for server in selection.servers] == ["1"]
    assert selection.unresolved["twin"] == "2 servers have this name, give an id: 2, 3"
    assert set(selection.unresolved) == {"twin", "nobody", "a*"}


def test_a_named_server_that_another_criterion_excludes_is_no_failure():
    servers = [Server("1", "twin", "ACTIVE", None, {}), Server("2", "twin", "ERROR", None, {})]
    selection = Criteria(servers=["twin"], status=["ACTIVE"]).select(servers)
    assert ([server.id for server in selection.servers], selection.unresolved) == (["1"], {})


# Options


def test_image_name_and_properties():
    moment = datetime.datetime(2026, 1, 31, 12, 0, 0, tzinfo=datetime.timezone.utc)
    options = SnapshotOptions("r1", "{{x}} {server} {server_id} {run} {date}", {"keep": True, "days": 7}, moment=moment)
    assert options.image_name_of(server()) == "{x} web id-0 r1 2026-01-31T120000Z"
    assert options.properties_of(server()) == {
        "keep": "true",
        "days": "7",
        "onetoken_run": "r1",
        "onetoken_server_id": "id-0",
        "onetoken_server_name": "web",
    }


@pytest.mark.parametrize(
    "options",
    [
        {"run": "two words"},
        {"run": ""},
        {"run": "x" * 129},
        {"image_name": "{flavor}"},
        {"image_name": "{}"},
        {"image_name": "{server.__class__}"},
        {"image_name": "{server!r}"},
        {"image_name": "{server:>5}"},
        {"image_name": "{server"},
        {"properties": {"onetoken_run": "mine"}},
        {"properties": {"nested": {"a": 1}}},
        {"timeout": 0},
    ],
)
def test_unusable_options_are_refused(options):
    with pytest.raises(ConfigurationError):
        SnapshotOptions(**{"run": "r1", **options})


# Snapshots


def test_each_server_gets_an_image_with_one_request_and_all_are_watched_together(cloud):
    for name in ("b", "a", "c"):
        cloud.server(name)
    report = snapshot(cloud)
    assert [item.name for item in report.items] == ["a", "b", "c"]
    assert set(outcomes(report).values()) == {"done"}
    assert report.changed
    assert report.counts() == {"done": 3, "already": 0, "failed": 0, "planned": 0}
    first = report.results()[0]
    assert first["image"] == {"id": "image-0", "name": "a-r1", "status": "active", "size": 7}
    assert (first["action"], first["reason"]) == ("snapshot", "")
    assert 5 <= first["seconds"] <= 10
    assert cloud.count("POST", "/action") == 3
    assert cloud.count("GET", "/servers/detail") == 1
    assert cloud.count("GET", "/images") <= 6


def test_the_second_call_of_a_run_makes_nothing(cloud):
    cloud.server("a")
    snapshot(cloud)
    report = snapshot(cloud)
    assert outcomes(report) == {"a": "already"}
    assert not report.changed
    assert report.results()[0]["image"]["status"] == "active"
    assert cloud.count("POST", "/action") == 1


def test_an_image_that_is_being_made_already_is_waited_for(cloud):
    cloud.server("a")
    assert snapshot(cloud, wait=False).results()[0]["image"]["status"] == "saving"
    report = snapshot(cloud)
    assert outcomes(report) == {"a": "already"}
    assert report.results()[0]["image"]["status"] == "active"


@pytest.mark.parametrize("status", ["killed", "deactivated", "deleted"])
def test_an_image_that_cannot_be_used_is_made_again(cloud, status):
    cloud.server("a")
    snapshot(cloud)
    cloud.images[0]["status"] = status
    assert outcomes(snapshot(cloud)) == {"a": "done"}


def test_an_image_of_another_run_or_project_does_not_count(cloud):
    cloud.server("a")
    snapshot(cloud, run="r0")
    cloud.make_image(cloud.servers[0], marked(cloud.servers[0]))
    cloud.images[-1]["owner"] = "another"
    assert outcomes(snapshot(cloud)) == {"a": "done"}


def test_check_mode_makes_nothing(cloud):
    cloud.server("a")
    cloud.server("broken", status="ERROR")
    report = snapshot(cloud, check_mode=True)
    assert outcomes(report) == {"a": "planned", "broken": "planned"}
    assert report.changed
    assert report.items[0].reason == ""
    assert "status ERROR" in report.items[1].reason
    assert {method for method, _path in cloud.requests} == {"GET"}


def test_a_refusal_is_reported_with_its_reason_and_stops_no_other(cloud):
    cloud.server("a")
    cloud.server("broken", status="ERROR")
    report = snapshot(cloud, Criteria(servers=["a", "broken", "nobody"]))
    assert outcomes(report) == {"a": "done", "broken": "failed", "nobody": "failed"}
    assert report.failure() == (
        "Run r1 failed for 2 of 3 servers: broken: it is in vm_state error (compute service, HTTP 409); "
        "nobody: no server of the project has this name or id."
    )


def test_pages_are_followed(cloud):
    cloud.page = 2
    for number in range(5):
        cloud.server(f"s{number}", volumes=1)
    report = snapshot(cloud)
    assert report.counts()["done"] == 5
    assert [item.volume_snapshots[0].status for item in report.items] == ["available"] * 5


def test_an_older_cloud_gives_the_image_in_a_header(time):
    cloud = FakeConnection(time, microversion=(2, 38))
    cloud.server("a")
    assert snapshot(cloud).results()[0]["image"]["id"] == "image-0"


def test_volume_snapshots_are_waited_for(cloud):
    cloud.snapshot_seconds = 20
    cloud.server("a", volumes=2)
    result = snapshot(cloud).results()[0]
    assert result["outcome"] == "done"
    assert result["image"]["size"] == 0
    assert [volume["status"] for volume in result["volume_snapshots"]] == ["available", "available"]
    assert {volume["size"] for volume in result["volume_snapshots"]} == {20}
    assert result["seconds"] >= 20


def test_a_volume_snapshot_in_error_or_deleted_fails_the_item(cloud):
    cloud.server("a", volumes=1)
    cloud.server("b", volumes=1)
    snapshot(cloud)
    cloud.snapshots[0]["status"] = "error"
    del cloud.snapshots[1]
    reasons = [item.reason for item in snapshot(cloud).failed]
    assert reasons == [
        "the volume snapshot snapshot-0 of the image is in status error",
        "the volume snapshot snapshot-1 of the image does not exist any more",
    ]


def test_without_block_storage_the_snapshots_are_not_checked_and_that_is_said(cloud):
    def absent(path, method, options):
        raise keystoneauth.EndpointNotFound()

    cloud.block_storage = FakeService(cloud, absent)
    cloud.server("a", volumes=1)
    cloud.server("b")
    report = snapshot(cloud)
    assert outcomes(report) == {"a": "done", "b": "done"}
    assert [item.reason for item in report.items] == [
        "the volume snapshots were not checked: The cloud offers this project no block storage service.",
        "",
    ]


@pytest.mark.parametrize("status, words", [("killed", "status killed"), ("gone", "disappeared")])
def test_an_image_that_goes_wrong_fails_the_item(cloud, status, words):
    cloud.server("a")
    cloud.end_status = status
    report = snapshot(cloud)
    assert outcomes(report) == {"a": "failed"}
    assert words in report.items[0].reason
    assert report.changed


def test_when_the_time_is_up_what_is_under_way_is_told_with_its_image(cloud, time):
    cloud.image_seconds = 10_000
    cloud.server("a")
    result = snapshot(cloud, timeout=60).results()[0]
    assert result["outcome"] == "failed"
    assert result["reason"] == "still saving after 60 s; the image keeps being made"
    assert result["image"]["id"] == "image-0"
    assert 59 <= time.now <= 60


def test_an_image_that_a_late_listing_lacks_is_not_given_up(cloud):
    cloud.server("a")
    listings = []

    def late(path):
        if path != "/images":
            return None
        listings.append(path)
        return FakeResponse(200, {"images": []}) if len(listings) in (2, 3) else None

    cloud.before_listing = late
    assert outcomes(snapshot(cloud)) == {"a": "done"}


def test_of_two_images_the_complete_one_counts(cloud, time):
    cloud.server("a")
    for _count in range(2):
        cloud.make_image(cloud.servers[0], marked(cloud.servers[0]))
    cloud.images[0]["made"] = -100
    assert snapshot(cloud, check_mode=True).items[0].image.id == "image-0"


def test_old_volume_snapshots_are_not_listed(cloud):
    cloud.snapshots = [{"id": f"old-{number}", "size": 1, "made": -100} for number in range(9)]
    cloud.page = 3
    cloud.server("a", volumes=1)
    assert outcomes(snapshot(cloud, wait=False)) == {"a": "done"}
    assert cloud.count("GET", "/snapshots/detail") == 1


def test_looks_become_rarer(cloud):
    cloud.image_seconds = 600
    cloud.server("a")
    snapshot(cloud)
    assert cloud.count("GET", "/images") < 600 / 10 + 10


# Trouble on the way


@pytest.mark.parametrize(
    "refusal",
    [
        FakeResponse(429, {"error": {"message": "Too Many Requests"}}),
        FakeResponse(429, headers={"Retry-After": "7"}),
        FakeResponse(413, headers={"Retry-After": "7"}),
    ],
)
def test_a_rate_limit_is_waited_out(cloud, time, refusal):
    for number in range(4):
        cloud.server(f"s{number}")

    def limited(*_anything):
        return refusal if time.now < 20 else None

    cloud.intercept = limited
    assert snapshot(cloud).counts()["done"] == 4
    time.now = 0
    cloud.before_listing = limited
    assert snapshot(cloud, run="r2").counts()["done"] == 4


def test_a_rate_limit_that_outlasts_the_time_stops_the_asking(cloud):
    for number in range(4):
        cloud.server(f"s{number}")
    cloud.intercept = lambda server: FakeResponse(429, headers={"Retry-After": "3600"})
    report = snapshot(cloud)
    assert report.counts()["failed"] == 4
    assert "limits the rate" in report.items[0].reason
    assert report.items[3].reason.startswith("not asked for: ")
    assert cloud.count("POST", "/action") == 1
    assert not report.changed


def test_a_quota_is_not_waited_for(cloud, time):
    cloud.server("a")
    cloud.intercept = lambda server: FakeResponse(413, {"overLimit": {"message": "Quota"}}, {"Retry-After": "0"})
    assert outcomes(snapshot(cloud)) == {"a": "failed"}
    assert time.now == 0


@pytest.mark.parametrize("gateway", [False, True])
@pytest.mark.parametrize("made", [False, True])
def test_a_lost_answer_makes_no_second_image(cloud, made, gateway):
    cloud.server("a")
    losses = [1]

    def lose(server):
        if not losses:
            return None
        losses.pop()
        if made:
            cloud.make_image(server, marked(server))
        if gateway:
            return FakeResponse(504, text="<html><title>504</title><h1>Gateway Time-out</h1></html>")
        raise keystoneauth.ConnectFailure("reset by peer")

    cloud.intercept = lose
    assert outcomes(snapshot(cloud)) == {"a": "done"}
    assert len(cloud.images) == 1
    assert cloud.count("POST", "/action") == (1 if made else 2)


def test_a_conflict_with_the_request_that_got_no_answer_is_not_final(cloud, time):
    cloud.server("a")
    answers = []

    def slow(server):
        answers.append(1)
        if len(answers) == 1:
            raise keystoneauth.ConnectTimeout()
        cloud.make_image(server, marked(server))
        return FakeResponse(409, {"conflictingRequest": {"message": "task_state image_snapshot"}})

    cloud.intercept = slow
    assert outcomes(snapshot(cloud)) == {"a": "done"}


def test_a_service_that_gives_no_answer_is_asked_again_for_a_minute(cloud, time):
    def down(path):
        if time.now < 30:
            raise keystoneauth.ConnectFailure("refused")

    cloud.before_listing = down
    cloud.server("a")
    assert outcomes(snapshot(cloud)) == {"a": "done"}

    def dead(path):
        raise keystoneauth.ConnectFailure("refused")

    cloud.before_listing = dead
    time.now = 0
    with pytest.raises(CloudError, match="compute service got no answer: refused"):
        snapshot(cloud)
    assert time.now <= 60


def test_a_refused_list_of_versions_is_asked_for_again(cloud, time):
    def limited(path):
        if time.now < 10:
            raise sdk.NotSupported("The image service exists but does not have any supported versions.")

    cloud.before_listing = limited
    cloud.server("a")
    assert outcomes(snapshot(cloud)) == {"a": "done"}


def test_refused_credentials_are_sent_once_and_what_was_made_is_still_reported(cloud):
    for name in "abc":
        cloud.server(name)

    def refuse(server):
        if server["name"] != "a":
            raise keystoneauth.Unauthorized("The request you have made\nrequires authentication.")

    cloud.intercept = refuse
    report = snapshot(cloud)
    assert outcomes(report) == {"a": "done", "b": "failed", "c": "failed"}
    assert "\n" not in report.failure()
    assert cloud.count("POST", "/action") == 2


def test_keystones_own_rate_limit_is_waited_out(cloud, time):
    cloud.server("a")

    def limited(server):
        if time.now < 30:
            raise keystoneauth.TooManyRequests("limited", http_status=429)

    cloud.intercept = limited
    assert outcomes(snapshot(cloud)) == {"a": "done"}


def test_when_watching_fails_the_images_are_reported(cloud):
    cloud.server("a")
    listings = []

    def broken(path):
        if path != "/images":
            return None
        listings.append(path)
        return FakeResponse(403, {"message": "policy"}) if len(listings) > 2 else None

    cloud.before_listing = broken
    result = snapshot(cloud).results()[0]
    assert result["outcome"] == "failed"
    assert result["image"]["id"] == "image-0"
    assert result["reason"] == "not watched to its end: policy (image service, HTTP 403)"
