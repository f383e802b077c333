# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deleting the old images that runs made of servers and volumes, and the volume snapshots behind them.

Of a server that was booted from a volume, the image is only the record of its volume snapshots, and the only thing that
says whose they are. So they are deleted first, and the image when they are gone: a run that dies in between leaves an
image without snapshots, which the next one finishes. The other way round, snapshots would remain that nothing leads to.
"""

from __future__ import annotations

import datetime
import typing as t
from collections import Counter

from ..session.clock import now, parse
from .action import MISSES_ALLOWED
from .cloud_requests import CloudError, CloudRequests
from .image_copies import ACTIVE, IN_PROGRESS, QUEUED, ImageCopy, is_ours
from .item import ALREADY, DONE, Item, State
from .marks import SERVER_ID, VOLUME_ID, VOLUME_NAME
from .reason import Code, Reason
from .retention import Retention
from .retention_rules import Condition, Copy, Keep, Sources, Verdict
from .volume_copies import DELETING, SNAPSHOTS, USABLE, volume_copies
from .volume_copies import IN_PROGRESS as SNAPSHOT_IN_PROGRESS

KILLED = "killed"


class ImageRetention(Retention):
    resources = "images"
    requests_each: t.Mapping[t.Any, int] = {"image": 1}
    looks_at: t.Sequence[t.Any] = ()

    def __init__(self, requests: CloudRequests, keep: Keep, sources: Sources, queued_timeout: int) -> None:
        super().__init__(requests, keep, sources)
        self._queued_timeout = queued_timeout
        self._project_id = requests.project_id()
        #: The volume snapshots behind each image that are behind no other one.
        self._behind: dict[str, list[str]] = {}
        #: The status of each volume snapshot that is there.
        self._snapshots: dict[str, str] = {}

    def requests_of(self, items: list[Item]) -> dict[str, int]:
        snapshots = sum(len(item.resource.snapshot_ids) for item in items)
        return {**super().requests_of(items), **({"block_storage": snapshots} if snapshots else {})}

    def _bodies(self) -> t.Iterator[dict[str, t.Any]]:
        if not self._project_id:
            raise CloudError("Nothing is deleted, as it is not known which project the images must belong to.")
        return self.requests.listing("image", "/images", "images", {"owner": self._project_id})

    def copies(self) -> list[Copy]:
        # Some other image may lead to the same volume snapshots, also one that no run made.
        bodies = [body for body in self._bodies() if body.get("owner") == self._project_id]
        images = [(ImageCopy.from_body(body), body) for body in bodies]
        uses = Counter(id for image, _body in images for id in set(image.volume_snapshot_ids))
        ours = [(image, body) for image, body in images if is_ours(body) and (image.server_id or image.volume_id)]
        for image, body in ours:
            if image.volume_snapshot_ids and _is_of_server(body):
                self._behind[image.id] = [id for id in image.volume_snapshot_ids if uses[id] == 1]
        if self._behind:
            self._snapshots = dict(self._list_snapshots())
        moment = now()
        return [self._copy(image, body, moment) for image, body in ours]

    def _list_snapshots(self) -> t.Iterator[tuple[str, str]]:
        return ((snapshot.id, snapshot.status) for snapshot in volume_copies(self.requests, SNAPSHOTS))

    def _copy(self, image: ImageCopy, body: t.Mapping[str, t.Any], moment: datetime.datetime) -> Copy:
        of_server = _is_of_server(body)
        source_id = image.server_id if of_server else image.volume_id
        name = image.server_name if of_server else body.get(VOLUME_NAME, "")
        condition, status = self._condition(image, moment)
        return Copy(
            id=image.id,
            name=image.name,
            run=image.run,
            source=(source_id,),
            source_name=name or source_id,
            created_at=parse(image.created_at),
            status=status,
            condition=condition,
            hindrance=Reason(Code.PROTECTED, "it is protected") if body.get("protected") else None,
        )

    def _condition(self, image: ImageCopy, moment: datetime.datetime) -> tuple[Condition, str]:
        """What the image is worth, and its status for people."""
        if image.status == ACTIVE:
            return self._condition_of_content(image)
        if image.status == QUEUED and image.age(moment) > self._queued_timeout:
            return Condition.FAILED, f"queued for more than {self._queued_timeout} s"
        if image.status in IN_PROGRESS:
            return Condition.IN_PROGRESS, image.status
        return (Condition.FAILED if image.status == KILLED else Condition.UNCLEAR), image.status

    def _condition_of_content(self, image: ImageCopy) -> tuple[Condition, str]:
        """An active image of a server that was booted from a volume is worth what its volume snapshots are."""
        if image.id not in self._behind:
            return Condition.GOOD, image.status
        statuses = {self._snapshots.get(id, "") for id in image.volume_snapshot_ids}
        if statuses <= USABLE:
            return Condition.GOOD, image.status
        if statuses <= USABLE | SNAPSHOT_IN_PROGRESS:
            return Condition.IN_PROGRESS, "active, with volume snapshots still being made"
        if statuses & {"", DELETING}:
            # Not taken for failed: of all that a listing could lack, a copy that is to be kept must not be a victim.
            return Condition.INCOMPLETE, "active, without all of its volume snapshots"
        return Condition.FAILED, f"active, with volume snapshots that are {', '.join(sorted(statuses - USABLE))}"

    def items(self, verdicts: list[Verdict]) -> list[Item]:
        items = super().items(verdicts)
        if any(item.resource.snapshot_ids for item in items):
            self.looks_at = ("block_storage",)
        return items

    def item(self, verdict: Verdict) -> Item:
        item = super().item(verdict)
        item.resource.snapshot_ids = self._behind.get(item.id, [])
        return item

    def ask(self, item: Item) -> None:
        deletion = item.resource
        there = [id for id in deletion.snapshot_ids if id in self._snapshots]
        to_ask_for = [id for id in there if self._snapshots[id] != DELETING]
        for id in to_ask_for:
            if not self.delete("block_storage", f"/snapshots/{id}", is_first=id == to_ask_for[0]):
                there.remove(id)
        deletion.snapshot_ids = there
        if there:
            # The image is asked for when a look finds them gone.
            item.accept_part(DONE)
            if not to_ask_for:
                # Another call did.
                item.attempts -= 1
        elif self.delete("image", f"/images/{item.id}", is_first=not to_ask_for) or item.attempts > 1:
            item.settle(DONE, deletion.why)
        else:
            item.settle(ALREADY, deletion.why)

    def look(self, items: list[Item]) -> None:
        if any(item.resource.snapshot_ids for item in items):
            self._snapshots = dict(self._list_snapshots())
        for item in items:
            if item.resource.snapshot_ids:
                self._look_at_snapshots(item)
        self._look_at_images([item for item in items if item.state is State.UNSURE and not item.resource.snapshot_ids])

    def _look_at_snapshots(self, item: Item) -> None:
        deletion = item.resource
        deletion.snapshot_ids = [id for id in deletion.snapshot_ids if id in self._snapshots]
        others = {self._snapshots[id] for id in deletion.snapshot_ids} - {DELETING}
        if item.state is State.UNSURE:
            # Those that are not being deleted were not reached by the request without an answer.
            if not others:
                item.accept_part(DONE)
        elif others:
            statuses = ", ".join(sorted(others))
            text = f"Cinder did not delete its volume snapshots: they are {statuses}"
            item.miss(MISSES_ALLOWED, Reason(Code.NOT_DELETED, text))
        if item.state is State.HALF_DONE and not deletion.snapshot_ids:
            item.state = State.WAITING

    def stage(self, item: Item) -> str:
        return "waiting for its volume snapshots to be deleted"

    def _look_at_images(self, in_doubt: list[Item]) -> None:
        if not in_doubt:
            return
        present = {body["id"] for body in self._bodies()}
        for item in in_doubt:
            if item.id not in present:
                self.gone(item)


def _is_of_server(body: t.Mapping[str, t.Any]) -> bool:
    """Whether it was made of a server. Where it inherited the marks of an image of a volume too, Nova's own tell."""
    server_id = body.get(SERVER_ID)
    if not server_id or not body.get(VOLUME_ID):
        return bool(server_id)
    return body.get("instance_uuid") == server_id or bool(body.get("block_device_mapping"))
