# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an image is made from: a file that is sent to Glance, or a URL that Glance downloads."""

from __future__ import annotations

import abc
import os
import re
import typing as t
from collections import Counter
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from ...._session.util.errors import ConfigurationError, OneTokenError
from ...api.client import Client
from ...api.fields import Fields
from ...model.errors import RefusedError, UnconfirmedError
from ...model.reason import Code, Reason
from ...resources.images import IMPORTING, QUEUED, SAVING, Image
from ...resources.labels import NAME, RUN, check_properties
from ...resources.selection import texts
from .upload import FileBody, FileUnusableError

SOURCE = "onetoken_source"
#: The endings of names that say what is in a file. An .img may be anything.
DISK_FORMATS = {"qcow2", "raw", "vmdk", "vdi", "vhd", "vhdx", "iso"}


@dataclass(frozen=True)
class ImageSource(abc.ABC):
    """An image that is to be, and where its content comes from."""

    name: str
    #: The path or the URL.
    address: str
    disk_format: str
    container_format: str
    #: GiB.
    min_disk: int
    #: MiB.
    min_ram: int
    visibility: str
    protected: bool
    tags: t.Sequence[str]
    properties: t.Mapping[str, str]
    #: As ``sha512:...``, empty when it is not to be checked.
    checksum: str

    #: Whether its content comes from this process, and from nobody when the process has ended.
    sent_from_here: t.ClassVar[bool] = False

    @property
    @abc.abstractmethod
    def source(self) -> str:
        """The address as anyone may read it."""

    @property
    def key(self) -> tuple[str, str]:
        """What distinguishes its image from others of the run."""
        return self.name, self.source

    def body(self, run: str) -> dict[str, t.Any]:
        """What Glance is to know of the image."""
        return {
            **self.properties,
            "name": self.name,
            "disk_format": self.disk_format,
            "container_format": self.container_format,
            "min_disk": self.min_disk,
            "min_ram": self.min_ram,
            "visibility": self.visibility,
            "protected": self.protected,
            "tags": list(self.tags),
            RUN: run,
            NAME: self.name,
            SOURCE: self.source,
        }

    def unusable(self) -> Reason | None:
        """Why it cannot be sent; None when it may."""
        return None

    @abc.abstractmethod
    def fill(self, client: Client, image_id: str) -> None:
        """Have the content put into an image that was just made."""

    @abc.abstractmethod
    def is_being_filled(self, image: Image, submitted: bool, queued_too_long: bool) -> bool:
        """Whether an image that is not active is still being filled; submitted says whether this call filled it."""

    def failure(self, client: Client, image: Image) -> Reason:
        """Why an image has no content although it was to be filled."""
        return Reason(Code.ERROR_STATUS, f"the image is in status {image.status}")

    def fault(self, image: Image) -> Reason | None:
        """What is wrong with an image that is complete; None when it is as it should be."""
        algorithm, _colon, value = self.checksum.partition(":")
        if not self.checksum or (algorithm, value.lower()) == (image.hash_algorithm, image.hash_value):
            return None
        text = f"its {algorithm} checksum is {image.hash_value}, not the one that was given"
        if algorithm != image.hash_algorithm:
            text = f"this cloud knows images by their {image.hash_algorithm} checksum: give that one, not {algorithm}"
        return Reason(Code.CHECKSUM_MISMATCH, text)


class ImageFile(ImageSource):
    """Sent by this process."""

    sent_from_here = True

    @property
    def source(self) -> str:
        return os.path.abspath(self.address)

    def unusable(self) -> Reason | None:
        try:
            FileBody(self.source)
        except FileUnusableError as exc:
            return Reason(Code.FILE_UNUSABLE, str(exc))
        return None

    def fill(self, client: Client, image_id: str) -> None:
        headers = {"Content-Type": "application/octet-stream"}
        client.send(
            "image", "PUT", f"/images/{image_id}/file", data=FileBody(self.source, client.cancellation), headers=headers
        )

    def is_being_filled(self, image: Image, submitted: bool, queued_too_long: bool) -> bool:
        # What an earlier call did not finish sending, nobody will.
        return submitted and image.status == SAVING


class ImageUrl(ImageSource):
    """Downloaded by Glance, and going on in the cloud without anyone. The URL may have a secret in it."""

    @property
    def _parts(self) -> SplitResult:
        return urlsplit(self.address)

    @property
    def source(self) -> str:
        return f"{self._parts.scheme}://{self._parts.netloc.rpartition('@')[2]}{self._parts.path}"

    def fill(self, client: Client, image_id: str) -> None:
        body = {"method": {"name": "web-download", "uri": self.address}}
        try:
            # Not into openstacksdk's log, because of the URL.
            client.send("image", "POST", f"/images/{image_id}/import", json=body, log=False)
        except RefusedError as exc:
            advice = "if this cloud does not import from there (web-download), download it and give file instead of url"
            raise RefusedError(f"{self._without_secrets(str(exc))}; {advice}", exc.status_code) from None
        except UnconfirmedError as exc:
            raise UnconfirmedError(self._without_secrets(str(exc))) from None

    def _without_secrets(self, text: str) -> str:
        text = text.replace(self.address, self.source)
        parts = self._parts
        values = [value for _name, value in parse_qsl(parts.query)]
        secrets = {parts.netloc.rpartition("@")[0], parts.password or "", parts.query, parts.fragment, *values} - {""}
        if any(form in text for secret in secrets for form in (secret, unquote(secret))):
            return "Glance's answer is not shown, as it has the secrets of the URL in it"
        return text

    def is_being_filled(self, image: Image, submitted: bool, queued_too_long: bool) -> bool:
        waits = image.status == QUEUED and image.has_import_task and not queued_too_long
        return waits or image.status in IMPORTING

    def failure(self, client: Client, image: Image) -> Reason:
        if image.status != QUEUED:
            return super().failure(client, image)
        if image.has_import_task:
            return Reason(Code.QUEUED_TOO_LONG, f"Glance did not begin to import {self.source}")
        try:
            answer = client.get("image", f"/images/{image.id}/tasks")
            tasks = Fields("image", "image's list of tasks", answer).rows("tasks")
            messages = [message for task in tasks if (message := task.text("message"))]
        except OneTokenError:
            messages = []
        cause = f": {self._without_secrets(messages[-1])}" if messages else ""
        text = f"Glance could not import {self.source}: check that it exists and that the cloud can reach it{cause}"
        return Reason(Code.IMPORT_FAILED, text)


def image_sources(
    options: t.Sequence[t.Mapping[str, t.Any]], properties: t.Mapping[str, t.Any]
) -> list[ImageFile | ImageUrl]:
    """The images that these options describe, each with these properties besides its own."""
    sources = [_source(option, properties) for option in options]
    counted = Counter(source.name for source in sources)
    if several := sorted(name for name, count in counted.items() if count > 1):
        raise ConfigurationError(f"Several of the images are called {', '.join(several)}: give each a name of its own.")
    return sources


def _source(option: t.Mapping[str, t.Any], properties: t.Mapping[str, t.Any]) -> ImageFile | ImageUrl:
    name = option["name"]
    if not name:
        raise ConfigurationError("An image has an empty name: give each of the images a name.")
    own = texts({**properties, **(option.get("properties") or {})}, f"the properties of image {name}")
    check_properties(own, of_image=True)
    address = option.get("file") or option.get("url") or ""
    checksum = option.get("checksum") or ""
    if checksum and not re.fullmatch(r"[a-z0-9]+:[0-9a-fA-F]+", checksum):
        raise ConfigurationError(f"The checksum of image {name} must be like sha512:0f3a..., not {checksum}.")
    of_kind = ImageFile if option.get("file") else ImageUrl
    path = urlsplit(address).path if of_kind is ImageUrl else address
    if of_kind is ImageUrl and not re.match(r"https?://[^/]", address):
        raise ConfigurationError(f"The url of image {name} must start with http:// or https:// and name a host.")
    return of_kind(
        name=name,
        address=address,
        disk_format=option.get("disk_format") or _disk_format(name, path),
        container_format=option.get("container_format") or "bare",
        min_disk=option.get("min_disk") or 0,
        min_ram=option.get("min_ram") or 0,
        visibility=option.get("visibility") or "private",
        protected=bool(option.get("protected")),
        tags=tuple(option.get("tags") or ()),
        properties=own,
        checksum=checksum,
    )


def _disk_format(name: str, path: str) -> str:
    ending = os.path.splitext(path)[1].lower().lstrip(".")
    if ending not in DISK_FORMATS:
        raise ConfigurationError(
            f"The name of the file of image {name} does not say its format: set disk_format, such as qcow2 or raw."
        )
    return ending
