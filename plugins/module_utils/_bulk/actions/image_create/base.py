# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images made of files, URLs and volumes: which are there already, and what becomes of the others."""

from __future__ import annotations

import abc
import typing as t
import uuid

from ...._session.util.errors import OneTokenError
from ...api.cloud_requests import CloudRequests, RefusedError, UnreadableError, content
from ...engine.action import MISSES_ALLOWED, Action
from ...engine.item import ALREADY, DONE, FAILED, IMAGE, Created, Item, State
from ...engine.reason import Code, Reason
from ...engine.run import CONFLICT
from ...resources.image_copies import ACTIVE, QUEUED
from ...resources.image_queue import ImageQueue
from ...resources.labels import IMAGE_ID
from ...resources.quotas import Quota, image_quotas
from ...resources.run_images import RunImage, delete_image, list_images
from .sources import SOURCE, ImageSource
from .upload import FileUnusableError

Key = t.Hashable


class ImageCreate(Action, abc.ABC):
    """Makes each image that the run has not made yet. The marks of an image, its key, say of which item it is."""

    name = "upload"
    awaited = "the images"
    looks_at = ("image",)

    def __init__(self, requests: CloudRequests, run: str, queued_timeout: int) -> None:
        super().__init__(requests)
        self._run = run
        self._queue = ImageQueue(requests, queued_timeout)
        self._project_id = requests.project_id()
        #: Images whose content nobody is sending any more, by the key of the item that takes their place.
        self._leftovers: dict[Key, list[RunImage]] = {}
        #: Images that are active, and to which something is left to be done.
        self._unfinished: dict[Key, RunImage] = {}
        #: Images that are deleted, or will be.
        self._written_off: set[str] = set()

    @abc.abstractmethod
    def _images(self, unreadable: dict[str, UnreadableError]) -> list[RunImage]:
        """All images that may be of the run, as far as they can be read."""

    @abc.abstractmethod
    def _key(self, item: Item) -> Key:
        """What tells an item from the others of the run."""

    @abc.abstractmethod
    def _key_of_image(self, image: RunImage) -> Key | None:
        """The key of the item that it was made for; None for an image that is not of the run."""

    @abc.abstractmethod
    def _key_of_older_image(self, image: RunImage) -> Key | None:
        """The same for an image that an older version may have made."""

    @abc.abstractmethod
    def _goes_on(self, item: Item, image: RunImage) -> bool:
        """Whether the content of an image that is not active is still coming."""

    @abc.abstractmethod
    def _broken(self, item: Item, image: RunImage) -> None:
        """Decide on an item whose image is neither active nor going to be."""

    def _fault(self, item: Item, image: RunImage) -> Reason | None:
        """What is wrong with an image that is active; None when it is as it should be."""
        return None

    def _is_finished(self, item: Item, image: RunImage) -> bool:
        """Whether nothing is left to be done to an image that is active."""
        return True

    def _finish(self, item: Item, image: RunImage) -> None:
        """Do what is left, and settle the item."""
        item.settle(item.outcome)

    def _accept(self, item: Item, outcome: str, created: Created) -> None:
        """Its image is being made, or is made."""
        item.accept(outcome, created)

    def _take_up(self, items: list[Item]) -> None:
        """Accept the items whose images are there, or on their way. Nothing is changed yet."""
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
                    # Also a call that waits for nothing does what is left.
                    self._unfinished[self._key(item)] = image
                    item.state = State.WAITING
            elif image := self._best(item, complete):
                item.created = [image.created]
                item.settle(ALREADY)
            else:
                self._leftovers[self._key(item)] = there
                self._written_off |= {image.id for image in there}

    def _best(self, item: Item, images: list[RunImage]) -> RunImage | None:
        """Of the images of an item, the complete one, or else the newest that will be; None if none is any good."""
        good = [image for image in images if self._is_good(item, image)]
        return max(good, key=lambda image: (image.status == ACTIVE, image.created_at), default=None)

    def _is_good(self, item: Item, image: RunImage) -> bool:
        return not self._fault(item, image) if image.status == ACTIVE else self._goes_on(item, image)

    def _delete_leftovers(self, item: Item) -> None:
        for image in self._leftovers.pop(self._key(item), ()):
            delete_image(self.requests, image.id, image.protected)

    def look(self, items: list[Item]) -> None:
        in_doubt = {self._key(item): item for item in items if item.state is State.UNSURE}
        awaited = {created.id: item for item in items if item.in_progress for created in item.created}
        found: dict[Key, list[RunImage]] = {}
        unreadable: dict[str, UnreadableError] = {}
        for image in self._images(unreadable):
            key = self._key_of_image(image)
            if image.id in awaited:
                self._see(awaited.pop(image.id), image)
            elif key in in_doubt and image.id not in self._written_off:
                found.setdefault(key, []).append(image)
        for key, images in found.items():
            self._find(in_doubt[key], images)
        self.fail_unreadable(awaited, unreadable)
        for item in awaited.values():
            text = "the image disappeared, as it is deleted when its content does not come"
            item.miss(MISSES_ALLOWED, Reason(Code.DISAPPEARED, text))

    def _find(self, item: Item, images: list[RunImage]) -> None:
        """Decide on an item in doubt by what is there of it."""
        if image := self._best(item, images):
            self._accept(item, DONE, image.created)
            self._see(item, image)
            return
        # Without content it is of no use: the item is asked for anew, or has failed.
        for image in images:
            self._discard(image.id, image.protected)
        item.created = []
        if item.refused:
            item.settle(FAILED, item.doubt)

    def _see(self, item: Item, image: RunImage) -> None:
        """Take in what a listing says of the image."""
        item.created = [image.created]
        if image.status == ACTIVE:
            if fault := self._fault(item, image):
                self._fail(item, image, fault)
            else:
                self._finish(item, image)
        elif self._goes_on(item, image):
            item.misses = 0
        else:
            self._broken(item, image)

    def _fail(self, item: Item, image: RunImage, why: Reason) -> None:
        """Leave nothing behind of what came to nothing."""
        kept = self._discard(image.id, image.protected)
        item.created = [image.created] if kept else []
        item.settle(FAILED, Reason(why.code, f"{why.text}; {kept or 'the image was deleted'}"))

    def _discard(self, image_id: str, protected: bool) -> str:
        """Delete an image; why it could not be, empty when it is gone."""
        self._written_off.add(image_id)
        try:
            delete_image(self.requests, image_id, protected)
        except OneTokenError as exc:
            return f"image {image_id} could not be deleted: {exc}"
        return ""

    def quotas(self, items: list[Item]) -> list[Quota]:
        return image_quotas(self.requests, len(items))


class ImageFromSource(ImageCreate):
    """Makes images of files and URLs."""

    resources = "images"
    requests_each: t.Mapping[t.Any, int] = {"image": 2}

    def __init__(
        self, requests: CloudRequests, sources: t.Sequence[ImageSource], run: str, queued_timeout: int
    ) -> None:
        super().__init__(requests, run, queued_timeout)
        self._sources = sources

    def plan(self) -> list[Item]:
        items = [Item(id="", name=source.name, action=self.name, resource=source) for source in self._sources]
        self._take_up(items)
        for item in items:
            if item.state is State.WAITING:
                item.created = [Created(IMAGE, name=item.name)]
                if hindrance := item.resource.hindrance():
                    item.settle(FAILED, hindrance)
        return items

    def _images(self, unreadable: dict[str, UnreadableError]) -> list[RunImage]:
        return list_images(self.requests, self._project_id, self._run, unreadable)

    def _key(self, item: Item) -> Key:
        return item.resource.key

    def _key_of_image(self, image: RunImage) -> Key | None:
        return _key_of(image) if image.run == self._run else None

    def _key_of_older_image(self, image: RunImage) -> Key | None:
        return _key_of(image) if image.older_run == self._run else None

    def ask(self, item: Item) -> None:
        source: ImageSource = item.resource
        self._delete_leftovers(item)
        # With its own id among its marks, it is told from images that inherit them.
        proof = {"id": (own_id := str(uuid.uuid4())), IMAGE_ID: own_id}
        body = {**source.body(self._run), **proof}
        image_id = content(self.requests.post("image", "/images", body, given_up=self.given_up), "id")
        self._queue.accepted(image_id)
        item.created = [Created(IMAGE, image_id, source.name, QUEUED)]
        try:
            source.fill(self.requests, image_id, self.abandoned)
        except FileUnusableError as exc:
            raise FileUnusableError(self._given_up_on(item, str(exc))) from None
        except RefusedError as exc:
            if exc.status_code == CONFLICT:
                # Its content may be on its way, by a request before that got no answer.
                raise
            raise RefusedError(self._given_up_on(item, str(exc)), exc.status_code) from None
        item.accept(DONE)

    def _given_up_on(self, item: Item, reason: str) -> str:
        """Leave nothing behind of what could not be filled."""
        kept = self._discard(item.created[0].id, item.resource.protected)
        if kept:
            return f"{reason}; {kept}"
        item.created = []
        return reason

    def _goes_on(self, item: Item, image: RunImage) -> bool:
        return item.resource.goes_on(image, item.attempts > 0, self._queue.holds_too_long(image))

    def _fault(self, item: Item, image: RunImage) -> Reason | None:
        return item.resource.fault(image)

    def _broken(self, item: Item, image: RunImage) -> None:
        source: ImageSource = item.resource
        if image.status == QUEUED and source.sent_from_here:
            why = Reason(Code.IMPORT_FAILED, "its content did not arrive")
            item.question(why, self.requests.seconds_spent)
            return
        if image.status == QUEUED and not image.has_import_task and not image.import_failed:
            # It ended, or the listing is a late one.
            item.miss(MISSES_ALLOWED, Reason(Code.IMPORT_FAILED, "its content did not arrive"))
            if not item.settled:
                return
        self._fail(item, image, source.failure(self.requests, image))


def _key_of(image: RunImage) -> Key:
    return image.name, image.marks.get(SOURCE, "")


def _by_key(images: list[RunImage], key_of: t.Callable[[RunImage], Key | None]) -> dict[Key, list[RunImage]]:
    found: dict[Key, list[RunImage]] = {}
    for image in images:
        if key := key_of(image):
            found.setdefault(key, []).append(image)
    return found
