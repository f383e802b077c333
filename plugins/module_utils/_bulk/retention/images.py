# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deleting the old images that runs made of servers and volumes, and the volume snapshots behind them.

Of a server that was booted from a volume, the image is only the record of its volume snapshots, and the only thing that
says whose they are. So they are deleted first, and the image when they are gone: a run that dies in between leaves an
image without snapshots, which the next one finishes. The other way round, snapshots would remain that nothing leads to.
"""

from __future__ import annotations

import dataclasses
import typing as t
from collections import Counter

from ..._session.util.clock import parse
from ..api.client import NOT_FOUND, Client
from ..api.cloud_clock import CloudClockError
from ..api.fields import Fields
from ..model.errors import CloudError, RefusedError
from ..model.item import ALREADY, DONE, Item, State
from ..model.reason import Code, Reason
from ..resources.image_origin import has_own_id, inheritors, is_of_server, is_ours, made_from_copy, may_have_inherited
from ..resources.image_queue import ImageQueue
from ..resources.images import ACTIVE, IN_PROGRESS, KILLED, Image
from ..resources.labels import RUN
from ..resources.servers import servers_detail
from ..resources.volume_copies import DELETING, SNAPSHOTS, USABLE, VolumeCopy, volume_copies, volume_copy
from ..resources.volume_copies import IN_PROGRESS as SNAPSHOT_IN_PROGRESS
from .base import Deleted, Deletion, Retention
from .rules import Condition, Copy, Keep, Sources, Verdict


class ImageRetention(Retention):
    resources = "images"
    listed_by = "image"
    requests_each: t.Mapping[str, int] = {"image": 1}
    polled_services: t.Sequence[str] = ()

    def __init__(
        self, client: Client, keep: Keep, sources: Sources, queued_timeout: int, delete_in_use: bool = False
    ) -> None:
        super().__init__(client, keep, sources)
        self._queue = ImageQueue(client, queued_timeout)
        self._delete_in_use = delete_in_use
        self._project_id = client.project_id()
        #: The volume snapshots behind each image that are behind no other one.
        self._behind: dict[str, list[str]] = {}
        #: The status of each volume snapshot in the last listing.
        self._snapshots: dict[str, str] = {}
        #: The volume that each of them was made of.
        self._volumes: dict[str, str] = {}
        #: A server that was booted from each image; None before they are listed.
        self._users: dict[str, str] | None = None
        self._use_unknown: Reason | None = None

    def requests_of(self, items: list[Item[Deletion]]) -> dict[str, int]:
        snapshots = sum(len(item.resource.snapshot_ids) for item in items)
        return {**super().requests_of(items), **({"block_storage": snapshots} if snapshots else {})}

    def _bodies(self) -> t.Iterator[dict[str, t.Any]]:
        if not self._project_id:
            raise CloudError("Nothing is deleted, because it is unknown which project the images must belong to.")
        return self.client.listing("image", "/images", "images", {"owner": self._project_id})

    def copies(self) -> list[Copy]:
        # By id, as a list whose pages shift while they are read has something twice.
        bodies = {body["id"]: body for body in self._bodies() if body.get("owner") == self._project_id}
        images = {id: Image.from_body(body) for id, body in bodies.items()}
        ours = [
            image
            for image in images.values()
            if is_ours(image) and _source_of(image) and not made_from_copy(image, images)
        ]
        doubtful = inheritors(image for image in ours if not has_own_id(image))
        # What may be ours shows what inherited its labels from it, as long as it exists.
        origins = {origin.id: id for id, origin in doubtful.items()}
        if any(self._queue.holds_too_long(image) for image in ours):
            # Those are judged by their age, too.
            self.client.read_second_clock()
        certain = [image for image in ours if image.id not in doubtful and not may_have_inherited(image)]
        self._look_behind(images.values(), certain)
        return [self._copy(image, self._snapshots, _keep_reason(image, origins.get(image.id))) for image in certain]

    def _look_behind(self, images: t.Collection[Image], certain: list[Image]) -> None:
        """Find the volume snapshots behind our images."""
        # Some other image may lead to the same volume snapshots, also one that no run made.
        uses = Counter(id for image in images for id in set(image.volume_snapshot_ids))
        behind = {
            image.id: [id for id in image.volume_snapshot_ids if uses[id] == 1]
            for image in certain
            if image.volume_snapshot_ids and is_of_server(image)
        }
        if behind:
            snapshots = list(volume_copies(self.client, SNAPSHOTS))
            self._snapshots = _statuses(snapshots)
            self._volumes = {snapshot.id: snapshot.volume_id for snapshot in snapshots}
            # One that a run made is a copy by itself, wherever an image leads.
            copies = {snapshot.id for snapshot in snapshots if RUN in snapshot.metadata}
            self._behind = {id: [one for one in ids if one not in copies] for id, ids in behind.items()}

    def _copy(
        self,
        image: Image,
        snapshots: t.Mapping[str, str],
        keep_reason: Reason | None = None,
    ) -> Copy:
        of_server = is_of_server(image)
        source_id = _source_of(image)
        name = image.server_name if of_server else image.volume_name
        condition, status = self._condition(image, snapshots if of_server and image.volume_snapshot_ids else None)
        return Copy(
            id=image.id,
            name=image.name,
            run=image.run,
            source=(source_id,),
            source_name=name or source_id,
            created_at=parse(image.created_at),
            status=status,
            condition=condition,
            keep_reason=keep_reason,
            volumes=frozenset(self._volumes[id] for id in image.volume_snapshot_ids if id in self._volumes),
        )

    def _condition(self, image: Image, snapshots: t.Mapping[str, str] | None) -> tuple[Condition, str]:
        """What the image is worth, with these volume snapshots in the place of content, and its status for people."""
        if image.status == ACTIVE:
            return self._condition_of_content(image, snapshots)
        if self._has_failed_in_queue(image):
            return Condition.FAILED, f"queued for more than {self._queue.timeout} s"
        if image.status in IN_PROGRESS:
            return Condition.IN_PROGRESS, image.status
        return (Condition.FAILED if image.status == KILLED else Condition.UNCLEAR), image.status

    def _has_failed_in_queue(self, image: Image) -> bool:
        try:
            self.client.cloud_clock.confirmed_now()
        except CloudClockError:
            return False
        return self._queue.holds_too_long(image)

    def look_up(self, copy: Copy) -> Copy | None:
        try:
            body = self.client.get("image", f"/images/{copy.id}")
        except RefusedError as exc:
            if exc.status_code != NOT_FOUND:
                raise
            return None
        if body.get("id") != copy.id or body.get("owner") != self._project_id:
            return None
        image = Image.from_body(body)
        if not is_ours(image) or may_have_inherited(image) or not _source_of(image):
            return None
        snapshot_ids = image.volume_snapshot_ids if is_of_server(image) else ()
        found = [volume_copy(self.client, SNAPSHOTS, id) for id in snapshot_ids]
        return self._copy(image, _statuses(snapshot for snapshot in found if snapshot is not None))

    def _condition_of_content(self, image: Image, snapshots: t.Mapping[str, str] | None) -> tuple[Condition, str]:
        """An active image of a server that was booted from a volume is worth what its volume snapshots are."""
        if snapshots is None:
            return Condition.GOOD, image.status
        statuses = {snapshots.get(id, "") for id in image.volume_snapshot_ids}
        if statuses <= USABLE:
            return Condition.GOOD, image.status
        if statuses <= USABLE | SNAPSHOT_IN_PROGRESS:
            return Condition.IN_PROGRESS, "active, with volume snapshots still being made"
        if statuses & {"", DELETING}:
            # Not taken for failed: of all that a listing could lack, a copy that is to be kept must not be a victim.
            return Condition.INCOMPLETE, "active, without all of its volume snapshots"
        return Condition.FAILED, f"active, with volume snapshots that are {', '.join(sorted(statuses - USABLE))}"

    def items(self, verdicts: list[Verdict]) -> list[Item[Deletion]]:
        items = super().items(verdicts if self._delete_in_use else self._without_those_in_use(verdicts))
        if any(item.resource.snapshot_ids for item in items):
            self.polled_services = ("block_storage",)
        return items

    def check_other_clocks(self) -> None:
        if not self._delete_in_use:
            self._list_users()
        super().check_other_clocks()

    def _without_those_in_use(self, verdicts: list[Verdict]) -> list[Verdict]:
        """With a reason to keep each image that a server was booted from; one listing, where any image would go."""
        if all(verdict.keep_reason for verdict in verdicts):
            return verdicts
        self._list_users()
        users, unknown = self._users or {}, self._use_unknown

        def reason(verdict: Verdict) -> Reason | None:
            return verdict.keep_reason or unknown or _used_by(users.get(verdict.copy.id))

        return [dataclasses.replace(verdict, keep_reason=reason(verdict)) for verdict in verdicts]

    def _list_users(self) -> None:
        """Find out which images servers were booted from, once."""
        if self._users is not None:
            return
        self._users = {}
        try:
            for body in servers_detail(self.client):
                # A server that was booted from a volume has no image there: its volume has a content of its own.
                if body.get("image"):
                    image_id = Fields("compute", "server", body).inner("image").required("id")
                    self._users[image_id] = str(body.get("name") or body["id"])
        except (CloudError, RefusedError) as exc:
            # What refuses once refuses again.
            advice = "set delete_in_use if no server matters" if isinstance(exc, RefusedError) else "try again"
            cause = str(exc).rstrip(".")
            text = f"the servers could not be listed ({cause}), so one may have been booted from it: {advice}"
            self._use_unknown = Reason(Code.USE_UNKNOWN, text)

    def item(self, verdict: Verdict) -> Item[Deletion]:
        item = super().item(verdict)
        item.resource.snapshot_ids = self._behind.get(item.id, [])
        return item

    def request_deletion(self, item: Item[Deletion]) -> None:
        deletion = item.resource
        statuses = {id: self._status_of(id) for id in self._behind.get(item.id, [])}
        there = [id for id, status in statuses.items() if status]
        to_request = [id for id in there if statuses[id] != DELETING]
        deletion.begun = deletion.begun or _is_broken(statuses)
        for id in to_request:
            deleted = self.delete_in_cinder(SNAPSHOTS, id, is_first=id == to_request[0])
            if deleted is Deleted.REQUESTED:
                item.partly_done = True
            elif deleted is Deleted.NOTHING:
                there.remove(id)
            # Not before: a request that did not arrive leaves the copy as good as it was.
            deletion.begun = True
        deletion.snapshot_ids = there
        if there:
            # The image follows when a poll finds them gone.
            item.accept_part(DONE)
            if not to_request:
                # Another call did.
                item.attempts -= 1
        elif self.delete("image", f"/images/{item.id}", is_first=not to_request) or item.attempts > 1:
            item.settle(DONE, deletion.reason)
        else:
            item.settle(ALREADY, deletion.reason)

    def _status_of(self, snapshot_id: str) -> str:
        """Empty when it is gone. What a listing lacks is looked up by its id, as nothing would lead to it any more."""
        if status := self._status_listed(snapshot_id):
            return status
        snapshot = volume_copy(self.client, SNAPSHOTS, snapshot_id)
        return snapshot.status if snapshot else ""

    def _status_listed(self, snapshot_id: str) -> str:
        return self._snapshots.get(snapshot_id, "")

    def poll(self, items: list[Item[Deletion]]) -> None:
        if any(item.resource.snapshot_ids for item in items):
            self._snapshots = _statuses(volume_copies(self.client, SNAPSHOTS))
        for item in items:
            if item.resource.snapshot_ids:
                self._poll_snapshots(item)
        self._poll_images(
            [item for item in items if item.state is State.UNCONFIRMED and not item.resource.snapshot_ids]
        )

    def _poll_snapshots(self, item: Item[Deletion]) -> None:
        deletion = item.resource
        # A listing that lacks something must not decide whether the deletion has begun.
        status_of = self._status_of if item.state is State.UNCONFIRMED else self._status_listed
        statuses = {id: status_of(id) for id in deletion.snapshot_ids}
        deletion.snapshot_ids = [id for id, status in statuses.items() if status]
        others = set(statuses.values()) - {"", DELETING}
        if item.state is State.UNCONFIRMED:
            deletion.begun = deletion.begun or _is_broken(statuses)
            # Those that are not being deleted were not reached by the request without an answer.
            if not others:
                item.accept_part(DONE)
        elif others:
            text = f"Cinder did not delete its volume snapshots: they are {', '.join(sorted(others))}"
            item.miss(Reason(Code.NOT_DELETED, text))
        if item.state is State.PARTIAL and not deletion.snapshot_ids:
            item.resume()

    def stage(self, item: Item[Deletion]) -> str:
        return "waiting for its volume snapshots to be deleted"

    def _poll_images(self, unconfirmed: list[Item[Deletion]]) -> None:
        if not unconfirmed:
            return
        present = {body["id"] for body in self._bodies()}
        for item in unconfirmed:
            if item.id not in present:
                self.gone(item)


def _source_of(image: Image) -> str:
    """The id of the server or the volume that it was made of; empty for another image of ours, as of a file."""
    return image.server_id if is_of_server(image) else image.volume_id


def _is_broken(statuses: t.Mapping[str, str]) -> bool:
    """Whether one of the volume snapshots behind an image is gone or going."""
    return not {"", DELETING}.isdisjoint(statuses.values())


def _statuses(snapshots: t.Iterable[VolumeCopy]) -> dict[str, str]:
    return {snapshot.id: snapshot.status for snapshot in snapshots}


def _keep_reason(image: Image, inheritor_id: str | None) -> Reason | None:
    """Why an image is not to be deleted, even when it has expired."""
    if inheritor_id:
        text = f"image {inheritor_id} has the same labels and name: delete or rename the one that is not a copy"
        return Reason(Code.LABELS_SHARED, text)
    return Reason(Code.PROTECTED, "it is protected") if image.protected else None


def _used_by(server: str | None) -> Reason | None:
    return None if server is None else Reason(Code.IN_USE, f"server {server} was booted from it")
