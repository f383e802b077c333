# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which images a run made of servers, volumes, files and URLs, and which only look like it.

Labels alone prove nothing. A server or a volume that is made from one of our images inherits them, and so does an image
that its owner makes of it, perhaps under the same name. So an image is ours only where the cloud says so too:

- What we make ourselves, or may change once it exists, has its own id among its labels.
- Of an image that Nova made for us, Nova says of which server it is. It does not where the server was booted from a
  volume, and Cinder copies what Nova said. So it must also have been made when its labels say that it was requested,
  and of several with the same labels only the oldest is ours (``inheritors``).

In doubt, an image is not ours.
"""

from __future__ import annotations

import typing as t

from ..._session.util.clock import parse
from ..api.client import Client
from ..model.errors import UnreadableError
from .images import IN_PROGRESS, KILLED, Image, list_images
from .labels import IMAGE_ID, NAME, REQUESTED_AT, RUN, SERVER_ID

#: Seconds that an image may have been made before it was requested, as services' clocks differ, and after, as a request
#: may wait for the cloud's rate limit.
MAX_CLOCK_SKEW, MAX_REQUEST_DELAY = 300.0, 3600.0


def images_of_run(
    client: Client,
    project_id: str | None,
    run: str,
    awaited: t.Container[str] = (),
    unreadable: dict[str, UnreadableError] | None = None,
) -> list[Image]:
    """The project's images that a run made. Those that this call requested are, as the cloud gave their ids."""
    images = list_images(client, project_id, run, unreadable)
    return [image for image in images if image.id in awaited or is_ours(image)]


def is_ours(image: Image) -> bool:
    """Whether a run made it, as far as this image alone shows."""
    return _has_labels(image) and (has_own_id(image) or is_of_server(image))


def _has_labels(image: Image) -> bool:
    return RUN in image.labels and image.labels.get(NAME) == image.name


def has_own_id(image: Image) -> bool:
    """Whether its labels were written on this very image."""
    return image.labels.get(IMAGE_ID) == image.id


def is_of_server(image: Image) -> bool:
    """Whether it was made of the server in its labels, as far as Nova says so."""
    if not image.server_id or has_own_id(image):
        return False
    # Nova writes the volume snapshots behind an image on that image alone, and no server's id beside them.
    of_server = bool(image.volume_snapshot_ids) or image.instance_uuid == image.server_id
    return of_server and _made_when_requested(image)


def _made_when_requested(image: Image) -> bool:
    requested_at = image.labels.get(REQUESTED_AT)
    if not requested_at:
        # The cloud did not say what time it was, or the image is older than this label.
        return True
    try:
        delay = (parse(image.created_at) - parse(requested_at)).total_seconds()
    except (TypeError, ValueError):
        return False
    return -MAX_CLOCK_SKEW <= delay <= MAX_REQUEST_DELAY


def may_have_inherited(image: Image) -> bool:
    """Whether it looks like an image of a server whose volume was made from a copy that is gone. Where a copy only has
    to be found it counts as one, and where copies are deleted it does not."""
    return not has_own_id(image) and not image.labels.get(REQUESTED_AT) and image.instance_uuid != image.server_id


def may_be_of_older_version(image: Image) -> bool:
    """Whether it may be an image that a version which did not write its own id on it made of a file, a URL or a volume.
    It may as well have inherited its labels, so it must be neither changed nor deleted."""
    of_nova = image.instance_uuid or image.volume_snapshot_ids
    return _has_labels(image) and not image.labels.get(IMAGE_ID) and not of_nova


def inheritors(images: t.Iterable[Image]) -> dict[str, Image]:
    """Map the id of each image of Nova's that may have inherited its labels to the image that it may have them from."""
    oldest: dict[tuple[str, str, str], Image] = {}
    doubtful: dict[str, Image] = {}
    for image in sorted(images, key=lambda image: (image.created_at, image.id)):
        labels = (image.run, image.server_id, image.name)
        # Nothing was ever made from an image without content.
        if image.status == KILLED or image.status in IN_PROGRESS:
            origin = oldest.get(labels)
        else:
            origin = oldest.setdefault(labels, image)
        if origin is not None and origin is not image:
            doubtful[image.id] = origin
    return doubtful


def made_from_copy(image: Image, images: t.Mapping[str, Image]) -> bool:
    """Whether it is an image of a server that was booted from a copy with the same labels, whatever that is called now.

    Nova says from which image the server was booted.
    """
    base = images.get(image.base_image_id)
    labels = (RUN, SERVER_ID, NAME, REQUESTED_AT)
    return (
        base is not None
        and base is not image
        and all(image.labels.get(label) == base.labels.get(label) for label in labels)
    )
