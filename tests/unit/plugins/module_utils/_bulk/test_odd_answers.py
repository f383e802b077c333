# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a service says, a run ends in outcomes or in a sentence, and deletes nothing that it cannot read."""

from __future__ import annotations

import contextlib
import copy
import functools
import json

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.actions.image_create.from_sources import (
    ImageFromSource,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.actions.image_create.from_volumes import (
    ImageFromVolume,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.actions.image_create.sources import image_sources
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.actions.server_backup import ServerBackup
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.actions.server_power import (
    ServerReboot,
    ServerStop,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.actions.server_shelve import ServerOffload
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.actions.server_snapshot import ServerSnapshot
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.actions.volume_backup import VolumeBackup
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.actions.volume_snapshot import VolumeSnapshot
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.api.answers import content
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.api.fields import Fields
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.engine.plan import Plan
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.engine.run import PlanError
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.errors import (
    UnconfirmedError,
    UnreadableError,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.report.answer import answer
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.report.report import Report, results_of
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.labels import Labels
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.selection import Criteria
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.volume_copies import BACKUPS, SNAPSHOTS
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.retention.images import ImageRetention
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.retention.rules import Keep, Sources
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.retention.volumes import VolumeRetention
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.limit import RateLimit
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.limiter import RateLimiter
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.project_key import ProjectKey
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.clock import now
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import OneTokenError
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_cloud import (
    PROJECT,
    FakeConnection,
    FakeResponse,
    InlineExecutor,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.runs import client_of, run_of
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.fake_time import FakeTime
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ODD = [
    None, True, 0, -1, 1.5, 10**30, "", "x", "é\ud800", [], [None], [[]], ["x"], [{}], {}, {"x": None}, {"id": {}},
    {"message": []}, {"href": 5, "rel": "next"}, float("nan"),
]  # fmt: skip
MOMENT = "2026-01-31T12:00:00Z"
OURS = {"onetoken_run": "r0", "onetoken_name": "copy", "onetoken_server_id": "s-1", "onetoken_server_name": "web"}
OF_VOLUME = {"onetoken_run": "r0", "onetoken_name": "copy", "onetoken_volume_id": "v-1", "onetoken_volume_name": "data"}
SERVER = {
    "id": "s-1", "name": "web", "status": "ACTIVE", "metadata": {"a": "b"}, "image": {"id": "i"}, "created": MOMENT,
    "OS-EXT-AZ:availability_zone": "nova", "OS-EXT-STS:task_state": None, "updated": MOMENT, "tags": ["x"],
    "os-extended-volumes:volumes_attached": [{"id": "v-1"}], "fault": {"message": "no"},
}  # fmt: skip
VOLUME = {
    "id": "v-1", "name": "data", "status": "available", "metadata": {}, "size": 1, "availability_zone": "nova",
    "created_at": MOMENT, "attachments": [{"server_id": "s-1"}],
}  # fmt: skip
IMAGE = {
    "id": "i-1", "name": "copy", "status": "active", "owner": PROJECT, "size": 7, "created_at": MOMENT,
    "protected": False, "instance_uuid": "s-1", "block_device_mapping": '[{"snapshot_id": "c-1"}]', **OURS,
    "onetoken_image_id": "i-1", "os_hash_algo": "sha512", "os_hash_value": "0", "os_glance_import_task": "t",
}  # fmt: skip
COPY = {
    "id": "c-1", "name": "copy", "status": "available", "size": 1, "volume_id": "v-1", "created_at": MOMENT,
    "metadata": OF_VOLUME, "description": None, "is_incremental": False, "has_dependent_backups": False,
    "fail_reason": None,
}  # fmt: skip
OLDER = {"created_at": "2026-01-30T12:00:00Z"}
LIMITS = {"limits": {"absolute": {"maxTotalSnapshots": 9, "totalSnapshotsUsed": 1}}, "usage": {"image_count_total": {}}}


def answer_to(service, method, path):
    """As a cloud in which everything is there twice answers; what is asked for appears at once."""
    if method == "DELETE":
        return {}
    if method == "POST":
        made = {"id": "i-1", "image_id": "i-1", "os-volume_upload_image": {"image_id": "i-1"}}
        return {**made, "snapshot": {"id": "c-1"}, "backup": {"id": "c-1"}, "metadata": {}}
    if service == "compute":
        servers = [SERVER, {**SERVER, "id": "s-2", "name": "db", "image": ""}]
        return {"servers": servers, "servers_links": []}
    return image_answer_to(path) if service == "image" else volume_answer_to(path)


def image_answer_to(path):
    if path.endswith("/tasks"):
        return {"tasks": [{"message": "no"}]}
    if path.startswith("/images"):
        return {"images": [IMAGE, {**IMAGE, **OLDER, "id": "i-2", "onetoken_image_id": "i-2"}], "next": None}
    return LIMITS


def volume_answer_to(path):
    if path.startswith("/volumes"):
        return {"volumes": [VOLUME, {**VOLUME, "id": "v-2"}], "volumes_links": []}
    copies = [COPY, {**COPY, **OLDER, "id": "c-2"}]
    return {**LIMITS, "snapshots": copies, "backups": copies, "snapshots_links": []}


def places(value, path=()):
    """Every place in an answer, the answer itself first."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from places(one, (*path, key))


def distorted(answer, path, odd):
    if not path:
        return odd
    answer = copy.deepcopy(answer)
    inner = functools.reduce(lambda value, key: value[key], path[:-1], answer)
    if odd == "absent":
        del inner[path[-1]]
    else:
        inner[path[-1]] = odd
    return answer


class OddCloud(FakeConnection):
    """Says now and then something odd."""

    def __init__(self, time, choose):
        super().__init__(time)
        self._choose = choose
        #: What was deleted.
        self.deleted = []
        #: What was distorted: the path of the request, and the place in its answer.
        self.oddities = []
        for service in ("compute", "image", "block_storage"):
            getattr(self, service)._handle = functools.partial(self._answer, service)

    def _answer(self, service, path, method, options):
        if method == "DELETE":
            self.deleted.append(path)
        body = answer_to(service, method, path)
        if self._choose(st.integers(0, 3)) == 0:
            place = self._choose(st.sampled_from(list(places(body))))
            self.oddities.append((path, place))
            body = distorted(body, place, self._choose(st.sampled_from([*ODD, "absent"])))
        status = self._choose(st.sampled_from([200] * 20 + [404, 409, 500]))
        return FakeResponse(status, text=json.dumps(body), headers={"Location": "http://glance/images/i-1"})


def of_server(run="r1"):
    return Labels(run, "server", "{server}", "image_name", {})


def of_volume(run="r1"):
    return Labels(run, "volume", "{volume}", "name", {})


SOURCES = [{"name": "copy", "url": "http://127.0.0.1/a.qcow2", "checksum": "sha512:0"}]
AGED = Criteria(older_than=60, metadata={"a": "b"})
ACTIONS = {
    "snapshot": lambda client: ServerSnapshot(client, Criteria(), of_server(), 600, "image"),
    "snapshots of volumes": lambda client: ServerSnapshot(client, AGED, of_server("r0"), 600, "volume_snapshots"),
    "backup": lambda client: ServerBackup(client, Criteria(tags=["x"]), of_server(), 600, "daily", 2),
    "stop": lambda client: ServerStop(client, Criteria(names=["web", "s-2"])),
    "reboot": lambda client: ServerReboot(client, Criteria(), "SOFT", "r1"),
    "offload": lambda client: ServerOffload(client, Criteria(), "r1"),
    "volume snapshot": lambda client: VolumeSnapshot(client, AGED, ["web"], of_volume(), True),
    "volume backup": lambda client: VolumeBackup(client, Criteria(), ["web"], of_volume(), True, True, None),
    "image of a url": lambda client: ImageFromSource(client, image_sources(SOURCES, {}), "r0", 600),
    "image of a volume": lambda client: ImageFromVolume(client, Criteria(), of_volume(), 600, "raw", True),
    "images": lambda client: ImageRetention(client, Keep(1), Sources(), 600),
    "images by names": lambda client: ImageRetention(client, Keep(None, 1), Sources(["web"], "*", "*"), 600),
    "volume snapshots": lambda client: VolumeRetention(client, Keep(1), Sources(), SNAPSHOTS),
    "volume backups": lambda client: VolumeRetention(client, Keep(1), Sources(["data"], "*"), BACKUPS),
}


def carry_out(cloud, new_action):
    """The report of a run, and of what its check mode says."""
    time = cloud.time
    limiter = RateLimiter(ProjectKey("http://k", PROJECT, "R"), RateLimit.parse("1000"), None, time.clock, time.sleep)
    client = client_of(cloud, limiter, 120, time)
    action = new_action(client)
    run = run_of(action, client, new_executor=InlineExecutor)
    run.plan()
    Plan.of(action, run.items, limiter.rate, 1000)
    run.carry_out()
    return Report(action.name, action.past, action.resources, "r1", results_of(run.items), now(), client.budget.spent)


@pytest.mark.parametrize("name", ACTIONS)
@settings(suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_odd_answer_is_an_unexpected_error(name, data):
    cloud = OddCloud(FakeTime(1_769_900_000), data.draw)
    try:
        report = carry_out(cloud, ACTIONS[name])
    except OneTokenError as exc:
        assert "unexpected" not in str(exc)
    else:
        assert {result["reason_code"] for result in report.results} - {"unexpected"} == {
            result["reason_code"] for result in report.results
        }
        json.dumps(answer(report))


RETENTIONS = ["images", "images by names", "volume snapshots", "volume backups"]


@pytest.mark.parametrize("name", RETENTIONS)
@settings(suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_newest_copy_is_never_deleted_whatever_is_odd(name, data):
    cloud = OddCloud(FakeTime(1_769_900_000), data.draw)
    with contextlib.suppress(OneTokenError):
        carry_out(cloud, ACTIONS[name])
    # What moves a copy's time says that another one is the newest; nothing else may.
    if not any(place[-1:] == ("created_at",) for _path, place in cloud.oddities):
        assert not {"/images/i-1", "/snapshots/c-1", "/backups/c-1"} & set(cloud.deleted)


class TestRowsThatCannotBeRead:
    @pytest.fixture
    def cloud(self, time):
        """Two servers, of which one is odd."""
        cloud = FakeConnection(time)
        cloud.server("good")
        cloud.server("odd")
        return cloud

    @pytest.mark.parametrize(
        ("key", "value", "told"),
        [
            ("status", 5, "gives 5 as the status of server id-1, and not a text"),
            ("created", "x", 'gives "x" as the created of server id-1, and not a time'),
            ("metadata", ["a"], 'gives ["a"] as the metadata of server id-1, and not a mapping of texts'),
            ("os-extended-volumes:volumes_attached", {"a": 1}, "and not a list of mappings"),
        ],
    )
    def test_an_odd_server_fails_its_item_and_the_others_are_done(self, cloud, carry_out, key, value, told):
        cloud.servers[1][key] = value
        report = carry_out(ACTIONS["snapshot"], connection=cloud)
        assert {item.name: item.outcome for item in report.items} == {"good": "done", "id-1": "failed"}
        (odd,) = report.failed
        assert odd.reason_text.startswith("the compute service ") and told in odd.reason_text
        assert odd.reason_code == "unreadable"

    def test_an_odd_server_that_is_not_named_fails_nothing(self, cloud, carry_out):
        cloud.servers[1]["status"] = []
        report = carry_out(
            lambda client: ServerSnapshot(client, Criteria(names=["good"]), of_server(), 600, "image"),
            connection=cloud,
        )
        assert {item.name: item.outcome for item in report.items} == {"good": "done"}

    def test_a_row_without_an_id_fails_the_list(self, cloud, carry_out):
        del cloud.servers[1]["id"]
        with pytest.raises(PlanError, match="The compute service's list of servers has a row without an id"):
            carry_out(ACTIONS["snapshot"], connection=cloud)

    def test_an_image_that_turns_odd_fails_its_item(self, cloud, carry_out):
        def oddly(path):
            for image in cloud.images:
                if image["onetoken_server_name"] == "odd":
                    image["size"] = "large"

        cloud.before_listing = oddly
        report = carry_out(ACTIONS["snapshot"], connection=cloud)
        assert {item.name: item.outcome for item in report.items} == {"good": "done", "odd": "failed"}
        assert 'the image service gives "large" as the size of image image-1' in report.failed[0].reason_text

    @pytest.mark.parametrize(
        "body", [{"image_id": {"a": 1}}, {"image_id": ""}, {"image_id": 5}, [], "x", None], ids=str
    )
    def test_an_answer_without_an_id_does_not_say_what_was_made(self, body):
        with pytest.raises(UnconfirmedError, match=r"an answer \(HTTP 202\) came without image_id"):
            content(FakeResponse(202, text=json.dumps(body)), "image_id")

    def test_a_body_that_is_nested_too_deeply_is_no_answer(self):
        with pytest.raises(UnconfirmedError):
            content(FakeResponse(202, text="[" * 100_000), "image_id")


class TestFields:
    def fields(self, **body):
        return Fields("block_storage", "volume", {"id": "v-1", **body})

    def test_what_is_absent_or_null_has_a_default(self):
        fields = self.fields(a=None)
        assert (fields.text("a"), fields.number("a"), fields.flag("a"), fields.moment("a")) == ("", None, False, "")
        assert (fields.texts("a"), fields.metadata("b"), fields.rows("b")) == ((), {}, [])

    @pytest.mark.parametrize("read", ["text", "number", "flag", "moment", "texts", "metadata", "rows", "required"])
    def test_what_is_of_another_kind_is_a_sentence(self, read):
        with pytest.raises(UnreadableError, match="the block storage service gives .* as the a of volume v-1, and not"):
            getattr(self.fields(a=1.5), read)("a")

    def test_what_must_be_there_and_is_not_is_a_sentence(self):
        with pytest.raises(UnreadableError, match="gives nothing as the status of volume v-1, and not a text"):
            self.fields().required("status")
        with pytest.raises(UnreadableError, match="gives nothing as the created_at of volume v-1, and not a time"):
            self.fields().required_moment("created_at")

    def test_a_long_value_is_shortened(self):
        with pytest.raises(UnreadableError) as caught:
            self.fields(a=["x" * 1000]).text("a")
        assert len(str(caught.value)) < 200
