# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images that Nova makes of servers: what snapshots and backups have in common."""

from __future__ import annotations

import abc
import functools
import typing as t

from ...._session.util.clock import show
from ...api.cloud_clock import CloudClockError
from ...api.cloud_requests import (
    CloudRequests,
    LostAnswerError,
    RefusedError,
    ServiceAbsentError,
    UnreadableError,
    content,
)
from ...engine.action import MISSES_ALLOWED, Action
from ...engine.item import ALREADY, DONE, FAILED, IMAGE, VOLUME_SNAPSHOT, Created, Item, State
from ...engine.reason import Code, Reason
from ...resources.image_copies import ACTIVE, ImageCopy, image_copies, inheritors
from ...resources.image_queue import ImageQueue
from ...resources.labels import ASKED_AT, Marks
from ...resources.quotas import Quota, image_quotas
from ...resources.selection import Criteria, Server, select_servers
from ...resources.volume_copies import SNAPSHOTS, USABLE, see_volume_copies

#: From this microversion on, Nova gives the image's id in the answer's body instead of a header.
IMAGE_ID_IN_BODY = "2.45"
OLDEST = "2.1"
#: Seconds after which nothing comes of a queued image any more when Nova does nothing with its server, as when the
#: token was revoked under the upload. Before, it may be that Nova just begins.
UNATTENDED = 30
#: A server in another status is refused by Nova, as far as can be told without asking.
IMAGEABLE = {"ACTIVE", "SHUTOFF", "PAUSED", "SUSPENDED"}


class ServerImage(Action, abc.ABC):
    """Makes an image of each server that has none of the run yet."""

    resources = "servers"
    awaited = "the images"
    requests_each: t.Mapping[t.Any, int] = {"compute": 1}
    looks_at = ("image",)

    def __init__(self, requests: CloudRequests, criteria: Criteria, marks: Marks, queued_timeout: int) -> None:
        super().__init__(requests)
        self._criteria = criteria
        self._marks = marks
        self._queue = ImageQueue(requests, queued_timeout)
        self._project_id = requests.project_id()
        #: Images of an earlier call that never left the queue, by server.
        self._stuck: dict[str, list[str]] = {}
        #: The image of each server as the last look saw it: another call of the run may make some meanwhile.
        self._seen: dict[str, ImageCopy] = {}

    @abc.abstractmethod
    def request_of(self, server: Server, marks: t.Mapping[str, str]) -> dict[str, t.Any]:
        """The action that makes Nova make the image, with these marks."""

    def hindrance(self, server: Server) -> Reason | None:
        """Why Nova cannot do it for this server; None when it may."""
        return None

    def plan(self) -> list[Item]:
        selection = select_servers(self.requests, self._criteria)
        items = self.unresolved(selection.unresolved)
        if selection.resources:
            copies = self._copies_by_server(selection.resources)
            items += [self._item(server, copies.get(server.id)) for server in selection.resources]
        return items

    def _copies_by_server(self, servers: list[Server]) -> dict[str, ImageCopy]:
        """The image of each server among those of the run, one that is complete if there is any."""
        unattended = {server.id for server in servers if server.unattended}
        copies: dict[str, ImageCopy] = {}
        found = {copy.id: copy for copy in self._copies({})}
        doubtful = inheritors(found.values())
        for copy in found.values():
            timeout = min(self._queue.timeout, UNATTENDED) if copy.server_id in unattended else self._queue.timeout
            if self._queue.holds_too_long(copy, timeout):
                if copy.id not in doubtful:
                    self._stuck.setdefault(copy.server_id, []).append(copy.id)
            elif copy.usable:
                copies[copy.server_id] = _better(copies.get(copy.server_id), copy)
        return copies

    def _copies(self, unreadable: dict[str, UnreadableError], awaited: t.Container[str] = ()) -> t.Iterator[ImageCopy]:
        return image_copies(self.requests, self._project_id, self._marks.run, awaited, unreadable)

    def _item(self, server: Server, copy: ImageCopy | None) -> Item:
        item = Item(id=server.id, name=server.name, action=self.name, resource=server)
        if copy is not None:
            item.accept(ALREADY, copy.created)
            self._see(item, copy)
        elif hindrance := self.hindrance(server):
            item.settle(FAILED, hindrance)
        else:
            item.created = [Created(IMAGE, name=self._marks.name_of(server))]
            item.why = likely_refusal(server)
        return item

    def ask(self, item: Item) -> None:
        if copy := self._seen.get(item.id):
            self._accept(item, ALREADY if item.attempts == 1 else DONE, copy)
            return
        for image_id in self._stuck.pop(item.id, ()):
            self.requests.delete("image", f"/images/{image_id}")
        image_id = self._ask_nova(item.resource)
        self._queue.accepted(image_id)
        item.why = None
        item.accept(DONE, Created(IMAGE, image_id, self._marks.name_of(item.resource)))

    @functools.cached_property
    def _image_id_in_body(self) -> bool:
        return self.requests.supports_microversion("compute", IMAGE_ID_IN_BODY)

    def _ask_nova(self, server: Server) -> str:
        response = self.requests.post(
            "compute",
            f"/servers/{server.id}/action",
            self.request_of(server, {**self._marks.of(server), ASKED_AT: self._now()}),
            microversion=IMAGE_ID_IN_BODY if self._image_id_in_body else OLDEST,
            given_up=self.given_up,
        )
        if self._image_id_in_body:
            return content(response, "image_id")
        location = response.headers.get("Location", "").rstrip("/")
        if "/" not in location:
            raise LostAnswerError(f"an answer (HTTP {response.status_code}) came without the image's location")
        return location.rsplit("/", 1)[1]

    def _now(self) -> str:
        """Written even where it is not known, as the mark of another image could be inherited instead."""
        try:
            return show(self.requests.cloud_clock.now())
        except CloudClockError:
            return ""

    def look(self, items: list[Item]) -> None:
        in_doubt = {item.id: item for item in items if item.state is State.UNSURE}
        awaited = {
            created.id: item
            for item in items
            for created in item.created
            if item.state is State.UNDER_WAY and created.type == IMAGE and created.status != ACTIVE
        }
        if awaited or in_doubt:
            self._look_at_images(awaited, in_doubt)
        self._look_at_volume_snapshots([item for item in items if item.state is State.UNDER_WAY])

    def _look_at_images(self, awaited: dict[str, Item], in_doubt: dict[str, Item]) -> None:
        seen: dict[str, ImageCopy] = {}
        unreadable: dict[str, UnreadableError] = {}
        for copy in self._copies(unreadable, set(awaited)):
            if copy.id in awaited:
                self._see(awaited.pop(copy.id), copy)
            if copy.usable and copy.id not in self._stuck.get(copy.server_id, ()):
                seen[copy.server_id] = _better(seen.get(copy.server_id), copy)
        self._seen = seen
        self.fail_unreadable(awaited, unreadable)
        for server_id in in_doubt.keys() & seen.keys():
            item = in_doubt[server_id]
            # What Nova refused as it was busy with it, another call asked for.
            self._accept(item, ALREADY if item.refused and item.attempts == 1 else DONE, seen[server_id])
        for item in awaited.values():
            text = "the image disappeared, as Nova deletes it when it cannot make it"
            item.miss(MISSES_ALLOWED, Reason(Code.DISAPPEARED, text))

    def _accept(self, item: Item, outcome: str, copy: ImageCopy) -> None:
        """It has an image of the run, as a listing says."""
        item.why = None
        item.accept(outcome, copy.created)
        self._see(item, copy)

    def _see(self, item: Item, copy: ImageCopy) -> None:
        """Take in what a listing says of the image."""
        item.misses = 0
        volume_snapshots = [created for created in item.created if created.type == VOLUME_SNAPSHOT]
        if copy.status == ACTIVE and not volume_snapshots:
            volume_snapshots = [Created(VOLUME_SNAPSHOT, id) for id in copy.volume_snapshot_ids]
        item.created = [copy.created, *volume_snapshots]
        if not copy.usable:
            item.settle(FAILED, Reason(Code.ERROR_STATUS, f"the image is in status {copy.status}"))
        elif copy.status == ACTIVE and not volume_snapshots:
            item.settle(item.outcome)
        elif item.started_at is not None and self._queue.holds_too_long(copy):
            what_then = self._delete_stuck(copy.id)
            text = f"the image was still queued after {self._queue.timeout} s, {what_then}"
            item.settle(FAILED, Reason(Code.QUEUED_TOO_LONG, text))

    def _delete_stuck(self, image_id: str) -> str:
        try:
            self.requests.delete("image", f"/images/{image_id}")
        except RefusedError as exc:
            return f"and could not be deleted: {exc}"
        return "so it was deleted: run it again"

    def _look_at_volume_snapshots(self, items: list[Item]) -> None:
        with_snapshots = [item for item in items if any(one.type == VOLUME_SNAPSHOT for one in item.created)]
        unwatchable = None
        try:
            see_volume_copies(self.requests, SNAPSHOTS, with_snapshots)
        except (ServiceAbsentError, RefusedError) as exc:
            unwatchable = Reason(Code.NOT_CHECKED, f"the volume snapshots were not checked: {exc}")
        for item in with_snapshots:
            complete = all(one.status in USABLE for one in item.created if one.type == VOLUME_SNAPSHOT)
            image_is_complete = all(one.status == ACTIVE for one in item.created if one.type == IMAGE)
            if not item.settled and image_is_complete and (complete or unwatchable):
                item.settle(item.outcome, unwatchable)

    def quotas(self, items: list[Item]) -> list[Quota]:
        return image_quotas(self.requests, len(items))


def likely_refusal(server: Server) -> Reason | None:
    if server.task_state:
        return Reason(Code.BUSY, f"Nova may refuse it while the server is busy with {server.task_state}")
    if server.status not in IMAGEABLE:
        text = f"Nova may refuse it, as the server is in status {server.status}"
        return Reason(Code.UNSUITABLE_STATUS, text)
    return None


def _better(one: ImageCopy | None, other: ImageCopy) -> ImageCopy:
    """Of two images of a server, the complete one, or else the newer one."""
    return max((one or other, other), key=lambda copy: (copy.status == ACTIVE, copy.created_at))
