# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may have happened in a project before its copies are cleared away: random, and told with a few plain values."""

from __future__ import annotations

import dataclasses
import enum
import json
import typing as t

from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.retention.shifting_storage import (
    Shift,
    ShiftingStorage,
)
from hypothesis import strategies as st

MINUTES_A_DAY = 1440
#: Minutes. What inherits marks is made of what was made of a copy: a list that lacks that one is then no riddle.
MADE_LATER = 120
IMAGE_STATUSES = ("active", "active", "active", "queued", "saving", "killed", "deactivated")
VOLUME_STATUSES = ("available", "available", "available", "creating", "error", "restoring", "unheard-of")


class Made(enum.Enum):
    """How an image, a volume snapshot or a backup came to be."""

    OF_SERVER = "by a run, of a server"
    OF_BOOTED_FROM_VOLUME = "by a run, of a server that was booted from a volume"
    OF_VOLUME = "by a run, of a volume"
    BY_HAND = "by hand"
    RENAMED = "by a run, and renamed since"
    ELSEWHERE = "in another project"
    INHERITED_BY_SERVER = "by hand, of a server that was booted from a copy"
    INHERITED_BY_BOOTED_FROM_VOLUME = "by hand, of a server whose volume was made from a copy"
    INHERITED_BY_VOLUME = "by hand, of a volume that was made from a copy"
    FORGED = "by hand, with the marks of a copy"


BY_RUN = (Made.OF_SERVER, Made.OF_BOOTED_FROM_VOLUME, Made.OF_VOLUME)
INHERITED = (Made.INHERITED_BY_SERVER, Made.INHERITED_BY_BOOTED_FROM_VOLUME, Made.INHERITED_BY_VOLUME, Made.FORGED)


@dataclasses.dataclass(frozen=True)
class Event:
    made: Made
    #: Of what, and before how many minutes.
    source: int
    minutes: int
    status: str
    #: Of what is inherited or forged: from which copy.
    origin: int = 0
    #: Whether a server was booted from it.
    in_use: bool = False
    #: Of a backup: whether it builds on the one before.
    incremental: bool = False


@dataclasses.dataclass(frozen=True)
class Call:
    """A call of os_retention, and after how many requests of the one before it begins."""

    last: int | None
    days: int | None
    begins_at: int = 0
    wait: bool = True


@dataclasses.dataclass(frozen=True)
class History:
    events: tuple[Event, ...]
    calls: tuple[Call, ...]
    shifts: tuple[Shift, ...] = ()
    page: int = 1000
    #: How many seconds the clock of this machine is ahead of the cloud's.
    ahead: int = 0
    #: Which service's clock is wrong, and by how many seconds it is ahead.
    wrong_clock: tuple[str, int] | None = None
    #: Which deletions get no answer.
    lost: tuple[int, ...] = ()
    #: Whether somebody deletes the newest good copy of the first source once the only call has made its plan.
    newest_vanishes: bool = False

    def with_only(self, *hazards: str) -> History:
        """This history with no other hazards than these."""
        changes: dict[str, t.Any] = {}
        if "inheritance" not in hazards:
            changes["events"] = tuple(
                dataclasses.replace(event, made=Made.BY_HAND) if event.made in INHERITED else event
                for event in self.events
            )
        if "future" in hazards:
            first, *others = changes.get("events", self.events)
            changes["events"] = (dataclasses.replace(first, minutes=-MINUTES_A_DAY), *others)
        if "clock" not in hazards:
            changes["ahead"] = 0
        if "a service's clock" not in hazards:
            changes["wrong_clock"] = None
        if "shifts" not in hazards:
            changes["shifts"] = ()
        if "losses" not in hazards:
            changes["lost"] = ()
        calls = self.calls if "calls" in hazards else self.calls[:1]
        if "a service's clock" in hazards:
            # It matters for days alone.
            calls = tuple(dataclasses.replace(call, last=None, days=40) for call in calls)
        changes["calls"] = tuple(
            call if "impatience" in hazards else dataclasses.replace(call, wait=True) for call in calls
        )
        # What another call has deleted meanwhile is no surprise to the one that is told of a loss.
        changes["newest_vanishes"] = self.newest_vanishes and "losses" in hazards and len(calls) == 1
        return dataclasses.replace(self, **changes)


#: What is tried by itself, and all of it together, but for what makes most calls delete nothing.
HAZARDS = {
    "lists shift": ("shifts",),
    "marks are inherited": ("inheritance",),
    "clocks are wrong": ("clock",),
    "one service has a wrong clock": ("a service's clock",),
    "a copy is dated in the future": ("future",),
    "two calls at once": ("calls",),
    "nothing is waited for": ("impatience",),
    "things are lost": ("losses",),
    "everything": ("shifts", "inheritance", "clock", "calls", "impatience", "losses"),
}


def _call(keep: tuple[int | None, int | None], begins_at: int, wait: bool) -> Call:
    return Call(keep[0], keep[1], begins_at, wait)


def histories(kind: str) -> st.SearchStrategy[History]:
    statuses = IMAGE_STATUSES if kind == "image" else VOLUME_STATUSES
    ours = BY_RUN if kind == "image" else (Made.OF_VOLUME,)
    others = tuple(Made) if kind == "image" else (Made.BY_HAND, Made.RENAMED, Made.FORGED)
    event = st.builds(
        Event,
        made=st.sampled_from(ours) | st.sampled_from(others),
        source=st.integers(0, 1),
        minutes=st.integers(0, 60 * MINUTES_A_DAY),
        status=st.sampled_from(statuses),
        origin=st.integers(0, 7),
        in_use=st.booleans() if kind == "image" else st.just(False),
        incremental=st.booleans() if kind == "volume_backup" else st.just(False),
    )
    keep = st.one_of(
        st.tuples(st.integers(1, 3), st.none()),
        st.tuples(st.none(), st.integers(1, 40)),
        st.tuples(st.integers(1, 3), st.integers(1, 40)),
    )
    call = st.builds(_call, keep, st.integers(0, 12), st.booleans())
    shift = st.builds(
        Shift,
        gaps=st.lists(st.integers(0, 9), max_size=2).map(tuple),
        repeats=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=2).map(tuple),
    )
    return st.builds(
        History,
        events=st.lists(event, min_size=1, max_size=10).map(tuple),
        calls=st.lists(call, min_size=1, max_size=2).map(tuple),
        shifts=st.lists(shift, max_size=3).map(tuple),
        page=st.sampled_from((2, 1000)),
        ahead=st.sampled_from((0, 0, 7200, -7200, 60 * 86400, -60 * 86400)),
        wrong_clock=st.tuples(
            st.sampled_from(("image", "block_storage")), st.sampled_from((90 * 86400, 60 * 86400, 3600))
        ),
        lost=st.lists(st.integers(0, 5), max_size=2, unique=True).map(tuple),
        newest_vanishes=st.booleans(),
    )


@dataclasses.dataclass
class Copy:
    """What a run made, as it really is."""

    id: str
    source: str
    minutes: int
    snapshot_ids: tuple[str, ...] = ()


class Project:
    """A cloud in which a history has happened, and what is true of it whatever its lists say."""

    def __init__(self, kind: str, history: History, storage: ShiftingStorage) -> None:
        self.kind = kind
        self.storage = storage
        self.copies: list[Copy] = []
        #: What no call may touch, the volume snapshots behind others' images among it.
        self.foreign: set[str] = set()
        self.in_use: set[str] = set()
        #: With a list that has gaps, an image that servers were booted from may look unused.
        self._has_gaps = any(shift.gaps for shift in history.shifts)
        storage.page = history.page
        self._parents: dict[str, str] = {}
        # The oldest first, as what is made of something is younger.
        for number, event in enumerate(sorted(history.events, key=lambda event: -event.minutes)):
            if kind == "image":
                self._make_image(number, event)
            else:
                self._make_of_volume(number, event)

    @property
    def present(self) -> dict[str, dict[str, t.Any]]:
        return {**self.storage.images, **self.storage.snapshots, **self.storage.backups}

    def is_good(self, copy: Copy) -> bool:
        body = self.present.get(copy.id, {})
        there = [self.storage.snapshots.get(id, {}).get("status") for id in copy.snapshot_ids]
        usable = body.get("status") in (("active",) if self.kind == "image" else ("available", "restoring"))
        return usable and all(status == "available" for status in there)

    def good(self) -> dict[str, list[Copy]]:
        """The good copies of each source, the newest first."""
        found: dict[str, list[Copy]] = {}
        for copy in sorted(self.copies, key=lambda copy: (copy.minutes, -self._number(copy.id))):
            if self.is_good(copy):
                found.setdefault(copy.source, []).append(copy)
        return found

    @staticmethod
    def _number(id: str) -> int:
        return int(id.rsplit("-", 1)[1])

    # Images

    def _make_image(self, number: int, event: Event) -> None:
        if event.made in INHERITED:
            self._inherit(event)
            return
        name = f"copy-{number}"
        of_volume = event.made is Made.OF_VOLUME
        source = f"{'volume' if of_volume else 'server'}-{event.source}"
        kind = "volume" if of_volume else "server"
        body: dict[str, t.Any] = {"status": event.status}
        if event.made is not Made.BY_HAND:
            body |= {"onetoken_run": "r", "onetoken_name": name, f"onetoken_{kind}_id": source}
            body |= {f"onetoken_{kind}_name": source}
        snapshots: tuple[str, ...] = ()
        if event.made is Made.OF_BOOTED_FROM_VOLUME:
            body["onetoken_server_id"] = source = f"booted-from-volume-{event.source}"
            snapshots = (self._snapshot_behind(name, event),)
            body |= {"block_device_mapping": json.dumps([{"snapshot_id": id} for id in snapshots]), "status": "active"}
        elif not of_volume:
            body["instance_uuid"] = source
        if event.made is Made.RENAMED:
            name = "renamed"
        if event.made is Made.ELSEWHERE:
            body["owner"] = "another project"
        id = self._add_image(event, name, body)
        if of_volume:
            self.storage.images[id]["onetoken_image_id"] = id
        elif event.made is not Made.BY_HAND:
            self.storage.images[id]["onetoken_asked_at"] = self.storage.images[id]["created_at"]
        if event.made in BY_RUN:
            self.copies.append(Copy(id, source, event.minutes, snapshots))
        else:
            self.foreign |= {id, *snapshots}

    def _snapshot_behind(self, name: str, event: Event) -> str:
        status = {"active": "available", "killed": "error", "queued": "creating"}.get(event.status, "available")
        return self.storage.add_snapshot(event.minutes / MINUTES_A_DAY, f"snapshot for {name}", status=status)

    def _add_image(self, event: Event, name: str, body: dict[str, t.Any]) -> str:
        id = self.storage.add_image(event.minutes / MINUTES_A_DAY, name, **body)
        if event.in_use and body["status"] == "active" and not body.get("block_device_mapping"):
            self.storage.server(f"user of {id}", id)
            self.in_use.add(id)
        return id

    def _inherit(self, event: Event) -> None:
        """Make an image of what was made from a copy, under the name of the copy."""
        origins = [
            copy for copy in self.copies
            if copy.minutes >= event.minutes + MADE_LATER and self.present[copy.id]["status"] == "active"
        ]  # fmt: skip
        if not origins:
            return
        copy = origins[event.origin % len(origins)]
        origin = self.storage.images[copy.id]
        own = ("id", "name", "status", "owner", "protected", "size", "created_at", "block_device_mapping")
        body: dict[str, t.Any] = {key: value for key, value in origin.items() if key not in own}
        body["status"] = event.status
        snapshots: tuple[str, ...] = ()
        if event.made is Made.INHERITED_BY_SERVER:
            body["instance_uuid"] = "a users server"
        elif event.made is Made.INHERITED_BY_BOOTED_FROM_VOLUME:
            snapshots = (self._snapshot_behind(origin["name"], event),)
            body |= {"block_device_mapping": json.dumps([{"snapshot_id": snapshots[0]}]), "status": "active"}
        elif event.made is Made.FORGED:
            body.pop("instance_uuid", None)
        self.foreign |= {self._add_image(event, origin["name"], body), *snapshots}

    # Snapshots and backups

    def _make_of_volume(self, number: int, event: Event) -> None:
        volume, name = f"volume-{event.source}", f"copy-{number}"
        marks = {
            "onetoken_run": "r", "onetoken_volume_id": volume, "onetoken_volume_name": volume, "onetoken_name": name,
        }  # fmt: skip
        if event.made is Made.BY_HAND:
            marks = {}
        elif event.made is Made.RENAMED:
            name = "renamed"
        elif event.made is Made.FORGED:
            marks["onetoken_volume_id"] = f"volume-{1 - event.source}"
        body = {"name": name, "volume_id": volume, "status": event.status, "metadata": marks}
        days = event.minutes / MINUTES_A_DAY
        if self.kind == "volume_snapshot":
            id = self.storage.add_snapshot(days, **body)
        else:
            parent = self._parents.get(volume) if event.incremental else None
            id = self.storage.add_backup(days, parent=parent, **body)
            if event.status == "available":
                self._parents[volume] = id
        if event.made in BY_RUN:
            self.copies.append(Copy(id, volume, event.minutes))
        else:
            self.foreign.add(id)
