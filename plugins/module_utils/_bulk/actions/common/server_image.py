# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images that Nova makes of servers: what snapshots and backups have in common."""

from __future__ import annotations

import abc
import functools
import typing as t

from ...._session.util.clock import show
from ...api.answers import content
from ...api.client import Client
from ...api.cloud_clock import CloudClockError
from ...model.action import Action
from ...model.errors import RefusedError, ServiceAbsentError, UnconfirmedError, UnreadableError
from ...model.item import ALREADY, DONE, FAILED, Created, Item, State
from ...model.quota import Quota
from ...model.reason import Code, Reason
from ...resources.image_origin import images_of_run, inheritors
from ...resources.image_queue import ImageQueue
from ...resources.images import ACTIVE, IMAGE, QUEUED, Image
from ...resources.labels import REQUESTED_AT, Labels
from ...resources.quotas import image_quotas
from ...resources.selection import Criteria
from ...resources.servers import Server, select_servers
from ...resources.volume_copies import SNAPSHOTS, USABLE, VOLUME_SNAPSHOT, update_from_volume_copies
from .likely_refusal import likely_refusal

#: From this microversion on, Nova gives the image's id in the answer's body instead of a header.
IMAGE_ID_IN_BODY = "2.45"
OLDEST = "2.1"
#: Seconds after which nothing comes of a queued image any more when Nova does nothing with its server, as when the
#: token was revoked under the upload. Before, it may be that Nova just begins.
NO_TASK_TIMEOUT = 30
#: The statuses in which Nova makes images of servers, as far as this is known before the request.
IMAGEABLE = frozenset({"ACTIVE", "SHUTOFF", "PAUSED", "SUSPENDED"})


class ServerImage(Action[Server], abc.ABC):
    """Makes an image of each server that has none of the run yet."""

    resources = "servers"
    awaited = "the images"
    requests_each: t.Mapping[str, int] = {"compute": 1}
    polled_services = ("image",)

    def __init__(self, client: Client, criteria: Criteria, labels: Labels, queued_timeout: int) -> None:
        self.client = client
        self._criteria = criteria
        self._labels = labels
        self._queue = ImageQueue(client, queued_timeout)
        self._project_id = client.project_id()
        #: Images of an earlier call that never left the queue, by server.
        self._stuck: dict[str, list[str]] = {}
        #: The image of each server in the last listing: another call of the run may make some meanwhile.
        self._listed: dict[str, Image] = {}

    @abc.abstractmethod
    def request_of(self, server: Server, labels: t.Mapping[str, str]) -> dict[str, t.Any]:
        """The body of the request to Nova for the image, with these labels."""

    def unsupported(self, server: Server) -> Reason | None:
        """Why Nova cannot do it for this server; None when it can."""
        return None

    def plan(self) -> list[Item[Server]]:
        selection = select_servers(self.client, self._criteria)
        items = self.unresolved(selection.unresolved)
        if selection.resources:
            copies = self._copies_by_server(selection.resources)
            items += [self._item(server, copies.get(server.id)) for server in selection.resources]
        return items

    def _copies_by_server(self, servers: list[Server]) -> dict[str, Image]:
        """The image of each server among those of the run, one that is complete if there is any."""
        idle = {server.id for server in servers if server.has_no_task}
        copies: dict[str, Image] = {}
        found = {copy.id: copy for copy in self._copies({})}
        doubtful = inheritors(found.values())
        for copy in found.values():
            timeout = min(self._queue.timeout, NO_TASK_TIMEOUT) if copy.server_id in idle else self._queue.timeout
            if self._queue.holds_too_long(copy, timeout):
                if copy.id not in doubtful:
                    self._stuck.setdefault(copy.server_id, []).append(copy.id)
            elif copy.usable:
                copies[copy.server_id] = _better(copies.get(copy.server_id), copy)
        return copies

    def _copies(self, unreadable: dict[str, UnreadableError], awaited: t.Container[str] = ()) -> list[Image]:
        return images_of_run(self.client, self._project_id, self._labels.run, awaited, unreadable)

    def _item(self, server: Server, copy: Image | None) -> Item[Server]:
        item = Item(server.id, server.name, self.name, server)
        if copy is not None:
            item.accept(ALREADY, copy.created)
            self._update(item, copy)
        elif reason := self.unsupported(server):
            item.settle(FAILED, reason)
        else:
            item.created = [Created(IMAGE, name=self._labels.name_of(server))]
            item.reason = likely_refusal(server, IMAGEABLE)
        return item

    def submit(self, item: Item[Server]) -> None:
        if copy := self._listed.get(item.id):
            self._accept(item, ALREADY if item.attempts == 1 else DONE, copy)
            return
        for image_id in self._stuck.pop(item.id, ()):
            self.client.delete("image", f"/images/{image_id}")
        image_id = self._create(item.resource)
        self._queue.accepted(image_id)
        item.reason = None
        item.accept(DONE, Created(IMAGE, image_id, self._labels.name_of(item.resource)))

    @functools.cached_property
    def _image_id_in_body(self) -> bool:
        return self.client.supports_microversion("compute", IMAGE_ID_IN_BODY)

    def _create(self, server: Server) -> str:
        response = self.client.post(
            "compute",
            f"/servers/{server.id}/action",
            self.request_of(server, {**self._labels.for_resource(server), REQUESTED_AT: self._now()}),
            microversion=IMAGE_ID_IN_BODY if self._image_id_in_body else OLDEST,
            starts_item=True,
        )
        if self._image_id_in_body:
            return content(response, "image_id")
        location = response.headers.get("Location", "").rstrip("/")
        if "/" not in location:
            raise UnconfirmedError(f"an answer (HTTP {response.status_code}) came without the image's location")
        return location.rsplit("/", 1)[1]

    def _now(self) -> str:
        """Written even where it is not known, as the label of another image could be inherited instead."""
        try:
            return show(self.client.cloud_clock.now())
        except CloudClockError:
            return ""

    def poll(self, items: list[Item[Server]]) -> None:
        unconfirmed = {item.id: item for item in items if item.state is State.UNCONFIRMED}
        awaited = {
            created.id: item
            for item in items
            for created in item.created
            if item.state is State.IN_PROGRESS and created.type == IMAGE and created.status != ACTIVE
        }
        if awaited or unconfirmed:
            self._poll_images(awaited, unconfirmed)
        self._poll_volume_snapshots([item for item in items if item.state is State.IN_PROGRESS])

    def _poll_images(self, awaited: dict[str, Item[Server]], unconfirmed: dict[str, Item[Server]]) -> None:
        listed: dict[str, Image] = {}
        unreadable: dict[str, UnreadableError] = {}
        for copy in self._copies(unreadable, set(awaited)):
            if copy.id in awaited:
                self._update(awaited.pop(copy.id), copy)
            if copy.usable and copy.id not in self._stuck.get(copy.server_id, ()):
                listed[copy.server_id] = _better(listed.get(copy.server_id), copy)
        self._listed = listed
        self.fail_unreadable(awaited, unreadable)
        for server_id in unconfirmed.keys() & listed.keys():
            item = unconfirmed[server_id]
            # What Nova refused as it was busy with it, another call requested.
            self._accept(item, ALREADY if item.was_busy_before else DONE, listed[server_id])
        for item in awaited.values():
            text = "the image disappeared, as Nova deletes it when it cannot make it"
            item.miss(Reason(Code.DISAPPEARED, text))

    def _accept(self, item: Item[Server], outcome: str, copy: Image) -> None:
        """It has an image of the run, as a listing says."""
        item.reason = None
        item.accept(outcome, copy.created)
        self._update(item, copy)

    def _update(self, item: Item[Server], copy: Image) -> None:
        """Update it from what a listing says of the image."""
        item.seen()
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
            self.client.delete("image", f"/images/{image_id}")
        except RefusedError as exc:
            return f"and could not be deleted: {exc}"
        return "so it was deleted: run it again"

    def _poll_volume_snapshots(self, items: list[Item[Server]]) -> None:
        with_snapshots = [item for item in items if any(one.type == VOLUME_SNAPSHOT for one in item.created)]
        unwatchable = None
        try:
            update_from_volume_copies(self.client, SNAPSHOTS, with_snapshots)
        except (ServiceAbsentError, RefusedError) as exc:
            unwatchable = Reason(Code.NOT_CHECKED, f"the volume snapshots were not checked: {exc}")
        for item in with_snapshots:
            complete = all(one.status in USABLE for one in item.created if one.type == VOLUME_SNAPSHOT)
            image_is_complete = all(one.status == ACTIVE for one in item.created if one.type == IMAGE)
            if not item.settled and image_is_complete and (complete or unwatchable):
                item.settle(item.outcome, unwatchable)

    def stage(self, item: Item[Server]) -> str:
        is_new = any(created.type == IMAGE for created in item.created) and not any(one.status for one in item.created)
        return QUEUED if is_new else super().stage(item)

    def quotas(self, items: list[Item[Server]]) -> list[Quota]:
        return image_quotas(self.client, len(items))


def _better(one: Image | None, other: Image) -> Image:
    """Of two images of a server, the complete one, or else the newer one."""
    return max((one or other, other), key=lambda copy: (copy.status == ACTIVE, copy.created_at))
