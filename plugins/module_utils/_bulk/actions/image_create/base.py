# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making images: which exist already, and how the others end."""

from __future__ import annotations

import abc
import typing as t

from ...._session.util.errors import OneTokenError
from ...api.client import Client
from ...model.action import Action, R
from ...model.errors import UnreadableError
from ...model.item import ALREADY, DONE, FAILED, Created, Item, State
from ...model.quota import Quota
from ...model.reason import Code, Reason
from ...resources.image_queue import ImageQueue
from ...resources.images import ACTIVE, Image, delete_image
from ...resources.quotas import image_quotas

Key = t.Hashable


class ImageCreate(Action[R], abc.ABC):
    """Makes each image that the run has not made yet. The labels of an image, its key, say of which item it is."""

    name = "upload"
    past = "uploaded"
    awaited = "the images"
    polled_services = ("image",)

    def __init__(self, client: Client, run: str, queued_timeout: int) -> None:
        self.client = client
        self._run = run
        self._queue = ImageQueue(client, queued_timeout)
        self._project_id = client.project_id()
        #: Images that will never have content, by the key of the item that takes their place.
        self._leftovers: dict[Key, list[Image]] = {}
        #: Images that are active, and to which something is left to be done.
        self._unfinished: dict[Key, Image] = {}
        #: Images that are deleted, or will be.
        self._written_off: set[str] = set()

    @abc.abstractmethod
    def _images(self, unreadable: dict[str, UnreadableError]) -> list[Image]:
        """All images that may be of the run, as far as they can be read."""

    @abc.abstractmethod
    def _key(self, item: Item[R]) -> Key:
        """What distinguishes an item from the others of the run."""

    @abc.abstractmethod
    def _key_of_image(self, image: Image) -> Key | None:
        """The key of the item that it was made for; None for an image that is not of the run."""

    @abc.abstractmethod
    def _key_of_older_image(self, image: Image) -> Key | None:
        """The same for an image that an older version may have made."""

    @abc.abstractmethod
    def _is_being_filled(self, item: Item[R], image: Image) -> bool:
        """Whether an image that is not active is still being filled."""

    @abc.abstractmethod
    def _broken(self, item: Item[R], image: Image) -> None:
        """Decide on an item whose image is neither active nor going to be."""

    def _fault(self, item: Item[R], image: Image) -> Reason | None:
        """What is wrong with an image that is active; None when it is as it should be."""
        return None

    def _is_finished(self, item: Item[R], image: Image) -> bool:
        """Whether nothing is left to be done to an image that is active."""
        return True

    def _finish(self, item: Item[R], image: Image) -> None:
        """Do what is left, and settle the item."""
        item.settle(item.outcome)

    def _accept(self, item: Item[R], outcome: str, created: Created) -> None:
        """Its image is being made, or is made."""
        item.accept(outcome, created)

    def _take_up(self, items: list[Item[R]]) -> None:
        """Accept the items whose images exist, or are being made. Nothing is changed yet."""
        listed = self._images({}) if items else []
        images = _by_key(listed, self._key_of_image)
        older = _by_key(listed, self._key_of_older_image)
        for item in items:
            there = images.get(self._key(item), [])
            complete = [image for image in older.get(self._key(item), []) if image.status == ACTIVE]
            if image := self._best(item, there):
                self._accept(item, ALREADY, image.created)
                if image.status == ACTIVE and self._is_finished(item, image):
                    item.settle(ALREADY)
                elif image.status == ACTIVE:
                    # A call that waits for nothing does what is left as well.
                    self._unfinished[self._key(item)] = image
                    item.resume()
            elif image := self._best(item, complete):
                item.created = [image.created]
                item.settle(ALREADY)
            else:
                self._leftovers[self._key(item)] = there
                self._written_off |= {image.id for image in there}

    def _best(self, item: Item[R], images: list[Image]) -> Image | None:
        """Of the images of an item, the complete one, or else the newest that will be; None if none is any good."""
        good = [image for image in images if self._is_good(item, image)]
        return max(good, key=lambda image: (image.status == ACTIVE, image.created_at), default=None)

    def _is_good(self, item: Item[R], image: Image) -> bool:
        return not self._fault(item, image) if image.status == ACTIVE else self._is_being_filled(item, image)

    def _delete_leftovers(self, item: Item[R]) -> None:
        for image in self._leftovers.pop(self._key(item), ()):
            delete_image(self.client, image.id, image.protected)

    def poll(self, items: list[Item[R]]) -> None:
        unconfirmed = {self._key(item): item for item in items if item.state is State.UNCONFIRMED}
        awaited = {created.id: item for item in items if item.in_progress for created in item.created}
        found: dict[Key, list[Image]] = {}
        unreadable: dict[str, UnreadableError] = {}
        for image in self._images(unreadable):
            key = self._key_of_image(image)
            if image.id in awaited:
                self._update(awaited.pop(image.id), image)
            elif key in unconfirmed and image.id not in self._written_off:
                found.setdefault(key, []).append(image)
        for key, images in found.items():
            self._find(unconfirmed[key], images)
        self.fail_unreadable(awaited, unreadable)
        for item in awaited.values():
            text = "the image disappeared, as it is deleted when its content does not come"
            item.miss(Reason(Code.DISAPPEARED, text))

    def _find(self, item: Item[R], images: list[Image]) -> None:
        """Decide on an unconfirmed item by its images."""
        if image := self._best(item, images):
            self._accept(item, DONE, image.created)
            self._update(item, image)
            return
        # Without content it is of no use: the item is submitted again, or has failed.
        for image in images:
            self._discard(image.id, image.protected)
        item.created = []
        if item.refused:
            item.settle(FAILED, item.unconfirmed)

    def _update(self, item: Item[R], image: Image) -> None:
        """Update it from what a listing says of the image."""
        item.created = [image.created]
        if image.status == ACTIVE:
            if fault := self._fault(item, image):
                self._fail(item, image, fault)
            else:
                self._finish(item, image)
        elif self._is_being_filled(item, image):
            item.seen()
        else:
            self._broken(item, image)

    def _fail(self, item: Item[R], image: Image, reason: Reason) -> None:
        """Delete the image, and settle the item."""
        kept = self._discard(image.id, image.protected)
        item.created = [image.created] if kept else []
        item.settle(FAILED, Reason(reason.code, f"{reason.text}; {kept or 'the image was deleted'}"))

    def _discard(self, image_id: str, protected: bool) -> str:
        """Delete an image; why it could not be, empty when it is gone."""
        self._written_off.add(image_id)
        try:
            delete_image(self.client, image_id, protected)
        except OneTokenError as exc:
            return f"image {image_id} could not be deleted: {exc}"
        return ""

    def quotas(self, items: list[Item[R]]) -> list[Quota]:
        return image_quotas(self.client, len(items))


def _by_key(images: list[Image], key_of: t.Callable[[Image], Key | None]) -> dict[Key, list[Image]]:
    found: dict[Key, list[Image]] = {}
    for image in images:
        if key := key_of(image):
            found.setdefault(key, []).append(image)
    return found
