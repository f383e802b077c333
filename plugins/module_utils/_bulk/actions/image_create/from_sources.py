# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images made of files and URLs."""

from __future__ import annotations

import typing as t
import uuid

from ...api.answers import content
from ...api.client import Client
from ...model.errors import CONFLICT, RefusedError, UnreadableError
from ...model.item import DONE, FAILED, Created, Item, State
from ...model.reason import Code, Reason
from ...resources.image_origin import is_ours, may_be_of_older_version
from ...resources.images import IMAGE, QUEUED, Image, list_images
from ...resources.labels import IMAGE_ID
from .base import ImageCreate, Key
from .sources import SOURCE, ImageSource
from .upload import FileUnusableError


class ImageFromSource(ImageCreate[ImageSource]):
    """Makes images of files and URLs."""

    resources = "images"
    requests_each: t.Mapping[str, int] = {"image": 2}

    def __init__(self, client: Client, sources: t.Sequence[ImageSource], run: str, queued_timeout: int) -> None:
        super().__init__(client, run, queued_timeout)
        self._sources = sources

    def plan(self) -> list[Item[ImageSource]]:
        items = [Item("", source.name, self.name, source) for source in self._sources]
        self._take_up(items)
        for item in items:
            if item.state is State.PENDING:
                item.created = [Created(IMAGE, name=item.name)]
                if reason := item.resource.unusable():
                    item.settle(FAILED, reason)
        return items

    def _images(self, unreadable: dict[str, UnreadableError]) -> list[Image]:
        return list_images(self.client, self._project_id, self._run, unreadable)

    def _key(self, item: Item[ImageSource]) -> Key:
        return item.resource.key

    def _key_of_image(self, image: Image) -> Key | None:
        return _key_of(image) if image.run == self._run and is_ours(image) else None

    def _key_of_older_image(self, image: Image) -> Key | None:
        return _key_of(image) if image.run == self._run and may_be_of_older_version(image) else None

    def submit(self, item: Item[ImageSource]) -> None:
        source: ImageSource = item.resource
        self._delete_leftovers(item)
        # Its own id among its labels distinguishes it from images that inherit them.
        proof = {"id": (own_id := str(uuid.uuid4())), IMAGE_ID: own_id}
        body = {**source.body(self._run), **proof}
        image_id = content(self.client.post("image", "/images", body, starts_item=True), "id")
        self._queue.accepted(image_id)
        item.created = [Created(IMAGE, image_id, source.name, QUEUED)]
        try:
            source.fill(self.client, image_id)
        except FileUnusableError as exc:
            raise FileUnusableError(self._discarded(item, str(exc))) from None
        except RefusedError as exc:
            if exc.status_code == CONFLICT:
                # Its content may be on its way, by a request before that got no answer.
                raise
            raise RefusedError(self._discarded(item, str(exc)), exc.status_code) from None
        item.accept(DONE)

    def _discarded(self, item: Item[ImageSource], reason: str) -> str:
        """Delete an image that could not be filled; the reason, with what stayed."""
        kept = self._discard(item.created[0].id, item.resource.protected)
        if kept:
            return f"{reason}; {kept}"
        item.created = []
        return reason

    def _is_being_filled(self, item: Item[ImageSource], image: Image) -> bool:
        return item.resource.is_being_filled(image, item.attempts > 0, self._queue.holds_too_long(image))

    def _fault(self, item: Item[ImageSource], image: Image) -> Reason | None:
        return item.resource.fault(image)

    def _broken(self, item: Item[ImageSource], image: Image) -> None:
        source: ImageSource = item.resource
        if image.status == QUEUED and source.sent_from_here:
            reason = Reason(Code.IMPORT_FAILED, "its content did not arrive")
            item.mark_unconfirmed(reason, self.client.budget.spent)
            return
        if image.status == QUEUED and not image.has_import_task and not image.import_failed:
            # It ended, or the listing is a late one.
            item.miss(Reason(Code.IMPORT_FAILED, "its content did not arrive"))
            if not item.settled:
                return
        self._fail(item, image, source.failure(self.client, image))


def _key_of(image: Image) -> Key:
    return image.name, image.labels.get(SOURCE, "")
