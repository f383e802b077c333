# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever has happened and whatever lists say: the newest good copy of everything stays, and nothing foreign goes.

A few hundred histories are tried each time, always the same ones. With ``--hypothesis-profile=long``, many more are,
and others each time; ``--hypothesis-seed`` brings them back.
"""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.actions.server_snapshot import ServerSnapshot
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.api.client import Client
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.engine.run import Run
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.errors import CloudError
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.labels import Labels
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.selection import Criteria
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.volume_copies import BACKUPS, SNAPSHOTS
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.retention.images import ImageRetention
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.retention.rules import Keep, Sources
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.retention.volumes import VolumeRetention
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.limit import RateLimit
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.limiter import RateLimiter
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.project_key import ProjectKey
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_cloud import (
    PROJECT,
    FakeConnection,
    FakeResponse,
    InlineExecutor,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.retention.histories import (
    HAZARDS,
    MINUTES_A_DAY,
    Call,
    History,
    Project,
    histories,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.retention.shifting_storage import (
    ShiftingStorage,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.runs import client_of, run_of
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.fake_time import FakeTime
from hypothesis import given
from hypothesis import strategies as st

KINDS = {"volume_snapshot": SNAPSHOTS, "volume_backup": BACKUPS}


def new_client(cloud: t.Any, timeout: float = 1800) -> Client:
    time = cloud.time
    key = ProjectKey("http://keystone", PROJECT, "RegionOne")
    limiter = RateLimiter(
        key, RateLimit.parse("100000"), None, clock=time.clock, sleep=time.sleep, wall_clock=time.wall_clock
    )
    return client_of(cloud, limiter, timeout, time)


def new_run(action: t.Any, client: Client, wait: bool = True) -> Run:
    return run_of(action, client, wait=wait, new_executor=InlineExecutor)


class Calls:
    """The calls of a history, each of which begins while the one before it is at work."""

    def __init__(self, project: Project, history: History) -> None:
        self.project = project
        self._history = history
        self.runs: list[tuple[Call, Run]] = []
        self._deletions = 0
        self._lost = set(history.lost)
        project.storage.lose = self._lose
        if history.wrong_clock:
            service, ahead = history.wrong_clock
            getattr(project.storage, service).clock = ahead

    def carry_out(self) -> None:
        self._carry_out(0)

    def _carry_out(self, number: int) -> None:
        if number == len(self._history.calls):
            return
        call, storage = self._history.calls[number], self.project.storage
        requests = new_client(storage)
        run = new_run(self._action(call, requests), requests, call.wait)
        begun = len(storage.requests)
        following = self._history.calls[number + 1] if number + 1 < len(self._history.calls) else None

        def begin_the_next(_method: str, _path: str) -> None:
            if following and len(storage.requests) - begun > following.begins_at:
                storage.intercept = lambda method, path: None
                self._carry_out(number + 1)

        storage.intercept = begin_the_next
        try:
            run.plan()
        except CloudError:
            assert self._history.wrong_clock, "the plan failed though all clocks are right"
            storage.intercept = lambda method, path: None
            self._carry_out(number + 1)
            return
        if self._history.newest_vanishes:
            self._delete_newest()
        run.carry_out()
        self.runs.append((call, run))

    def _action(self, call: Call, requests: Client) -> t.Any:
        keep, sources = Keep(call.last, call.days), Sources()
        if self.project.kind == "image":
            return ImageRetention(requests, keep, sources, 3600)
        return VolumeRetention(requests, keep, sources, KINDS[self.project.kind])

    def _delete_newest(self) -> None:
        good = self.project.good()
        for source in sorted(good)[:1]:
            newest = good[source][0]
            self.project.in_use.discard(newest.id)
            for collection in (self.project.storage.images, self.project.storage.snapshots):
                collection.pop(newest.id, None)
            if newest.id in self.project.storage.backups and not self.project.storage.children(newest.id):
                del self.project.storage.backups[newest.id]

    def _lose(self, method: str, _path: str) -> FakeResponse | None:
        if method != "DELETE":
            return None
        self._deletions += 1
        return FakeResponse(502, text="Bad Gateway") if self._deletions - 1 in self._lost else None


def kept_for_sure(project: Project, history: History) -> dict[str, set[str]]:
    """The good copies of each source that every call has to keep, by what each of them was told."""
    kept: dict[str, set[str]] = {}
    for source, copies in project.good().items():
        # With a date in the future, a copy is not surely the newest one.
        kept[source] = {copies[0].id, *[copy.id for copy in copies if copy.minutes >= 0][:1]}
        for place, copy in enumerate(copies):
            days = copy.minutes / MINUTES_A_DAY
            if all(
                (call.last is not None and place < call.last) or (call.days is not None and days < call.days)
                for call in history.calls
            ):
                kept[source].add(copy.id)
    return kept


@pytest.mark.parametrize("hazards", HAZARDS)
@pytest.mark.parametrize("kind", ["image", *KINDS])
@given(data=st.data())
def test_the_newest_good_copies_stay_and_nothing_foreign_goes(kind, hazards, data):
    history = data.draw(histories(kind).map(lambda any_: any_.with_only(*HAZARDS[hazards])), label="history")
    time = FakeTime()
    time.set_behind(history.ahead)
    project = Project(kind, history, ShiftingStorage(time, history.shifts))
    calls = Calls(project, history)
    if history.newest_vanishes:
        # Somebody else's doing, which the calls have to notice before they delete anything.
        before = Project(kind, history, ShiftingStorage(time))
        Calls(before, history)._delete_newest()
        kept = kept_for_sure(before, history)
    else:
        kept = kept_for_sure(project, history)
    calls.carry_out()

    left = project.present
    assert project.foreign <= left.keys(), "something foreign is gone"
    assert project.in_use <= left.keys(), "an image is gone that a server was booted from"
    good = {copy.id for copies in project.good().values() for copy in copies}
    for source, ids in kept.items():
        assert ids <= good, f"a good copy of {source} is gone that was to be kept"
    # Cinder would have refused to delete what something builds on.
    for backup in project.storage.backups.values():
        assert backup["parent"] is None or backup["parent"] in project.storage.backups
    if not any(shift.gaps for shift in history.shifts):
        assert_outcomes_happened(calls)


def assert_outcomes_happened(calls: Calls) -> None:
    """No outcome says more than what is true at the end."""
    left = calls.project.present
    for call, run in calls.runs:
        for item in run.items:
            assert item.outcome != "planned", "an item was carried out and is only planned"
            is_there = item.id in left and left[item.id]["status"] != "deleting"
            assert item.outcome not in ("done", "accepted") or not is_there, f"{item.name} is {item.outcome} and there"
            # Where Cinder's deletions are waited for, done means gone.
            assert not (call.wait and item.outcome == "done") or item.id not in left, f"{item.name} is done and there"


@given(
    ahead=st.sampled_from((0, 7200, -7200, 60 * 86400, -60 * 86400)),
    seconds=st.lists(st.integers(0, 3000), min_size=1, max_size=4),
    timeout=st.sampled_from((60, 600, 4000)),
    calls=st.integers(1, 3),
)
def test_no_image_is_deleted_that_is_still_being_made(ahead, seconds, timeout, calls):
    time = FakeTime()
    time.set_behind(ahead)
    cloud = FakeConnection(time)
    ready = {}
    for number, after in enumerate(seconds):
        ready[cloud.server(f"web-{number}")] = after
        cloud.servers[-1]["OS-EXT-STS:task_state"] = "image_uploading"

    def settle(_path):
        for image in cloud.images:
            if image.get("status") != "gone":
                done = time.clock() >= image["made"] + ready[image["onetoken_server_id"]]
                image["status"] = "active" if done else "queued"

    cloud.before_listing = settle
    marks = Labels("r1", "server", "{server}-{run}", "image_name")
    for _turn in range(calls):
        requests = new_client(cloud, timeout)
        run = new_run(ServerSnapshot(requests, Criteria(), marks, 3600, "image"), requests)
        run.plan()
        run.carry_out()
    assert [image["status"] for image in cloud.images].count("gone") == 0
    assert len(cloud.images) == len(seconds)
