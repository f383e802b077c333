# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images that Cinder makes of volumes.

Cinder takes no properties for an image, and those written on it while its content comes are lost: Glance then saves the
image as it was before. So it is made under a provisional name, which says of which run and volume it is, and gets its
own name and its labels when it is active. A run that is stopped in between finds it by the provisional name.
"""

from __future__ import annotations

import typing as t

from ...api.answers import content
from ...api.client import Client
from ...model.errors import RefusedError, UnconfirmedError, UnreadableError
from ...model.item import DONE, FAILED, Created, Item, State
from ...model.reason import Code, Reason
from ...resources.image_origin import is_ours, may_be_of_older_version
from ...resources.images import IMAGE, QUEUED, SAVING, Image, list_images, patch_image
from ...resources.labels import IMAGE_ID, VOLUME_ID, Labels
from ...resources.selection import Criteria
from ...resources.volumes import AVAILABLE, IN_USE, Volume, select_volumes
from .base import ImageCreate, Key


class ImageFromVolume(ImageCreate[Volume]):
    resources = "volumes"
    requests_each: t.Mapping[str, int] = {"block_storage": 1, "image": 1}

    def __init__(
        self,
        client: Client,
        criteria: Criteria,
        labels: Labels,
        queued_timeout: int,
        disk_format: str,
        force: bool,
    ) -> None:
        super().__init__(client, labels.run, queued_timeout)
        self._criteria = criteria
        self._labels = labels
        self._disk_format = disk_format
        self._force = force

    def plan(self) -> list[Item[Volume]]:
        selection = select_volumes(self.client, self._criteria)
        items = [Item(one.id, one.name, self.name, one) for one in selection.resources]
        self._take_up(items)
        for item in items:
            if item.state is State.PENDING and self._key(item) not in self._unfinished:
                item.created = [Created(IMAGE, name=self._labels.name_of(item.resource))]
                item.reason = self._likely_refusal(item.resource)
        return [*items, *self.unresolved(selection.unresolved)]

    def _likely_refusal(self, volume: Volume) -> Reason | None:
        if volume.status == AVAILABLE or (self._force and volume.status == IN_USE):
            return None
        advice = ": set force to try it anyway" if volume.status == IN_USE else ""
        text = f"Cinder may refuse it, as the volume is in status {volume.status}{advice}"
        return Reason(Code.UNSUITABLE_STATUS, text)

    @property
    def _provisional(self) -> str:
        """How provisional names begin; no run has a space in it."""
        return f"onetoken {self._run} "

    def _images(self, unreadable: dict[str, UnreadableError]) -> list[Image]:
        return list_images(self.client, self._project_id, unreadable=unreadable)

    def _key(self, item: Item[Volume]) -> Key:
        return item.id

    def _key_of_image(self, image: Image) -> Key | None:
        if image.run == self._run and is_ours(image):
            return image.labels.get(VOLUME_ID)
        return image.name[len(self._provisional) :] if image.name.startswith(self._provisional) else None

    def _key_of_older_image(self, image: Image) -> Key | None:
        return image.labels.get(VOLUME_ID) if image.run == self._run and may_be_of_older_version(image) else None

    def submit(self, item: Item[Volume]) -> None:
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
        answer = self.client.post("block_storage", path, {"os-volume_upload_image": action}, starts_item=True)
        image_id = content(answer, "os-volume_upload_image", "image_id")
        self._queue.accepted(image_id)
        item.reason = None
        self._accept(item, DONE, Created(IMAGE, image_id, name, QUEUED))

    def _accept(self, item: Item[Volume], outcome: str, created: Created) -> None:
        # Its own name and labels are another request.
        item.accept_part(outcome, created)

    def _is_being_filled(self, item: Item[Volume], image: Image) -> bool:
        return image.status == SAVING or (image.status == QUEUED and not self._queue.holds_too_long(image))

    def _broken(self, item: Item[Volume], image: Image) -> None:
        if image.status == QUEUED:
            text = f"the image was still in status {image.status} after {self._queue.timeout} s"
            self._fail(item, image, Reason(Code.QUEUED_TOO_LONG, text))
        else:
            self._fail(item, image, Reason(Code.ERROR_STATUS, f"the image was still in status {image.status}"))

    def _is_finished(self, item: Item[Volume], image: Image) -> bool:
        return image.run == self._run and is_ours(image)

    def _changes(self, volume: Volume, image: Image) -> list[dict[str, t.Any]]:
        """Its own name and labels, instead of those that it has from the image that its volume was made from."""
        written = {**self._labels.for_resource(volume), IMAGE_ID: image.id}
        inherited = sorted(image.labels.keys() - written.keys())
        return [
            {"op": "replace", "path": "/name", "value": self._labels.name_of(volume)},
            *({"op": "add", "path": _pointer(key), "value": value} for key, value in written.items()),
            *({"op": "remove", "path": _pointer(key)} for key in inherited),
        ]

    def _finish(self, item: Item[Volume], image: Image) -> None:
        if self._is_finished(item, image):
            item.settle(item.outcome)
            return
        try:
            patch_image(self.client, image.id, self._changes(item.resource, image))
        except UnconfirmedError:
            # Safe to repeat: the next poll does.
            return
        except RefusedError as exc:
            text = f"the image {image.id} is there, but could not be named and labelled: {exc}"
            item.settle(FAILED, Reason(Code.NOT_LABELLED, text))
        else:
            item.created = [Created(IMAGE, image.id, self._labels.name_of(item.resource), image.status, image.size)]
            item.settle(item.outcome)


def _pointer(name: str) -> str:
    """A property's place in JSON Patch."""
    return "/" + name.replace("~", "~0").replace("/", "~1")
