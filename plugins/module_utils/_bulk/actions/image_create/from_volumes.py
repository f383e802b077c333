# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images that Cinder makes of volumes.

Cinder takes no properties for an image, and those written on it while its content comes are lost: Glance then saves the
image as it was before. So it is made under a provisional name, which says of which run and volume it is, and gets its
own name and its marks when it is active. A run that is stopped in between finds it by the provisional name.
"""

from __future__ import annotations

import typing as t

from ...api.cloud_requests import CloudRequests, LostAnswerError, RefusedError, UnreadableError, content
from ...engine.item import DONE, FAILED, IMAGE, Created, Item, State
from ...engine.reason import Code, Reason
from ...resources.image_copies import QUEUED
from ...resources.labels import IMAGE_ID, VOLUME_ID, Marks
from ...resources.run_images import SAVING, RunImage, list_images, patch_image
from ...resources.selection import AVAILABLE, IN_USE, Criteria, Volume, select_volumes
from .base import ImageCreate, Key


class ImageFromVolume(ImageCreate):
    resources = "volumes"
    requests_each: t.Mapping[t.Any, int] = {"block_storage": 1, "image": 1}

    def __init__(
        self,
        requests: CloudRequests,
        criteria: Criteria,
        marks: Marks,
        queued_timeout: int,
        disk_format: str,
        force: bool,
    ) -> None:
        super().__init__(requests, marks.run, queued_timeout)
        self._criteria = criteria
        self._marks = marks
        self._disk_format = disk_format
        self._force = force

    def plan(self) -> list[Item]:
        selection = select_volumes(self.requests, self._criteria)
        items = [Item(id=one.id, name=one.name, action=self.name, resource=one) for one in selection.resources]
        self._take_up(items)
        for item in items:
            if item.state is State.WAITING and self._key(item) not in self._unfinished:
                item.created = [Created(IMAGE, name=self._marks.name_of(item.resource))]
                item.why = self._likely_refusal(item.resource)
        return [*items, *self.unresolved(selection.unresolved)]

    def _likely_refusal(self, volume: Volume) -> Reason | None:
        if volume.status == AVAILABLE or (self._force and volume.status == IN_USE):
            return None
        advice = ": set force to try it all the same" if volume.status == IN_USE else ""
        text = f"Cinder may refuse it, as the volume is in status {volume.status}{advice}"
        return Reason(Code.UNSUITABLE_STATUS, text)

    @property
    def _provisional(self) -> str:
        """How provisional names begin; no run has a space in it."""
        return f"onetoken {self._run} "

    def _images(self, unreadable: dict[str, UnreadableError]) -> list[RunImage]:
        return list_images(self.requests, self._project_id, unreadable=unreadable)

    def _key(self, item: Item) -> Key:
        return item.id

    def _key_of_image(self, image: RunImage) -> Key | None:
        if image.run == self._run:
            return image.marks.get(VOLUME_ID)
        return image.name[len(self._provisional) :] if image.name.startswith(self._provisional) else None

    def _key_of_older_image(self, image: RunImage) -> Key | None:
        return image.marks.get(VOLUME_ID) if image.older_run == self._run else None

    def ask(self, item: Item) -> None:
        if image := self._unfinished.pop(self._key(item), None):
            self._finish(item, image)
            if not item.settled:
                self._accept(item, item.outcome, image.created)
            return
        self._delete_leftovers(item)
        name = f"{self._provisional}{item.id}"
        action = {
            "image_name": name,
            "disk_format": self._disk_format,
            "container_format": "bare",
            "force": self._force,
        }
        path = f"/volumes/{item.id}/action"
        answer = self.requests.post("block_storage", path, {"os-volume_upload_image": action}, given_up=self.given_up)
        image_id = content(answer, "os-volume_upload_image", "image_id")
        self._queue.accepted(image_id)
        item.why = None
        self._accept(item, DONE, Created(IMAGE, image_id, name, QUEUED))

    def _accept(self, item: Item, outcome: str, created: Created) -> None:
        # Its own name and marks are another request.
        item.accept_part(outcome, created)

    def _goes_on(self, item: Item, image: RunImage) -> bool:
        return image.status == SAVING or (image.status == QUEUED and not self._queue.holds_too_long(image))

    def _broken(self, item: Item, image: RunImage) -> None:
        if image.status == QUEUED:
            text = f"the image was still in status {image.status} after {self._queue.timeout} s"
            self._fail(item, image, Reason(Code.QUEUED_TOO_LONG, text))
        else:
            self._fail(item, image, Reason(Code.ERROR_STATUS, f"the image was still in status {image.status}"))

    def _is_finished(self, item: Item, image: RunImage) -> bool:
        return image.run == self._run

    def _changes(self, volume: Volume, image: RunImage) -> list[dict[str, t.Any]]:
        """Its own name and marks, instead of those that it has from the image that its volume was made from."""
        written = {**self._marks.of(volume), IMAGE_ID: image.id}
        inherited = sorted(image.marks.keys() - written.keys())
        return [
            {"op": "replace", "path": "/name", "value": self._marks.name_of(volume)},
            *({"op": "add", "path": _pointer(key), "value": value} for key, value in written.items()),
            *({"op": "remove", "path": _pointer(key)} for key in inherited),
        ]

    def _finish(self, item: Item, image: RunImage) -> None:
        if self._is_finished(item, image):
            item.settle(item.outcome)
            return
        try:
            patch_image(self.requests, image.id, self._changes(item.resource, image))
        except LostAnswerError:
            # Safe to repeat: the next look does.
            return
        except RefusedError as exc:
            text = f"the image {image.id} is there, but could not be named and marked: {exc}"
            item.settle(FAILED, Reason(Code.NOT_LABELLED, text))
        else:
            item.created = [Created(IMAGE, image.id, self._marks.name_of(item.resource), image.status, image.size)]
            item.settle(item.outcome)


def _pointer(name: str) -> str:
    """A property's place in JSON Patch."""
    return "/" + name.replace("~", "~0").replace("/", "~1")
