# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The labels on everything that a run makes: the run, and what it was made of. A later call finds its work by them."""

from __future__ import annotations

import datetime
import re
import string
import typing as t
from dataclasses import dataclass, field

from ..._session.util.clock import now
from ..._session.util.errors import ConfigurationError
from .selection import Resource, texts

RESERVED = "onetoken_"
RUN = "onetoken_run"
SERVER_ID, SERVER_NAME = "onetoken_server_id", "onetoken_server_name"
VOLUME_ID, VOLUME_NAME = "onetoken_volume_id", "onetoken_volume_name"
#: The name that it was given. Servers and volumes inherit the properties of the image that they were made from, labels
#: included, and so do the images that are made of them. Those mostly have another name.
NAME = "onetoken_name"
#: The image's own id, where it can be written: an image that inherited the labels has another id.
IMAGE_ID = "onetoken_image_id"
#: When an image was requested of Nova, by the clock of the cloud: one that inherited this was made later. The value is
#: older than the name, and on users' images.
REQUESTED_AT = "onetoken_asked_at"

#: What Nova and Glance write on an image themselves, and say with it what the image is. A property of this name would
#: take its place: the image would not be recognized any more, or Nova would rotate it.
OF_SERVICES = frozenset(
    {
        "backup_type",
        "base_image_ref",
        "bdm_v2",
        "block_device_mapping",
        "created_at",
        "id",
        "image_type",
        "instance_uuid",
        "name",
        "owner",
        "status",
    }
)


def check_properties(names: t.Iterable[str], of_image: bool) -> None:
    """Refuse properties that a run or a service writes itself."""
    names = set(names)
    if reserved := sorted(name for name in names if name.startswith(RESERVED)):
        raise ConfigurationError(f"Properties that start with {RESERVED} are reserved: leave out {reserved}.")
    if of_image and (reserved := sorted(names & OF_SERVICES)):
        raise ConfigurationError(f"Nova and Glance write these properties of images themselves: leave out {reserved}.")


def run_of_today() -> str:
    """The run that a call belongs to when it names none: all calls of a day (UTC) are one run."""
    return now().strftime("%Y-%m-%d")


def check_run(run: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,128}", run):
        raise ConfigurationError(f"run must be 1 to 128 letters, digits, '.', '_' or '-', not {run!r}.")
    return run


@dataclass(frozen=True)
class Labels:
    """How a run names and labels what it makes of a resource of one kind, ``server`` or ``volume``."""

    run: str
    kind: str
    #: A template, and the option that it comes from.
    name: str
    option: str
    properties: t.Mapping[str, t.Any] = field(default_factory=dict)
    moment: datetime.datetime = field(default_factory=now)

    def __post_init__(self) -> None:
        check_run(self.run)
        # What is made of a server is an image, and of a volume where its option is the same.
        check_properties(texts(self.properties, "properties"), self.kind == "server" or self.option == "image_name")
        self._check_name()

    def _check_name(self) -> None:
        if not self.name.strip():
            raise ConfigurationError(f"{self.option} is empty: leave it out, or give a name such as {{{self.kind}}}.")
        known = (self.kind, f"{self.kind}_id", "run", "date")
        try:
            parts = list(string.Formatter().parse(self.name))
        except ValueError as exc:
            raise ConfigurationError(f"{self.option} {self.name!r} cannot be read: {exc}.") from exc
        for _text, placeholder, format_spec, conversion in parts:
            if placeholder is not None and (placeholder not in known or format_spec or conversion):
                names = ", ".join(f"{{{name}}}" for name in known)
                raise ConfigurationError(
                    f"{self.option} {self.name!r} has a placeholder that is not known: use {names}, as they are."
                )

    def name_of(self, resource: Resource) -> str:
        date = self.moment.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H%M%SZ")
        values = {self.kind: resource.name, f"{self.kind}_id": resource.id, "run": self.run, "date": date}
        return self.name.format_map(values)

    def for_resource(self, resource: Resource) -> dict[str, str]:
        """The properties, or metadata, of what is made of this resource."""
        labels = {
            RUN: self.run,
            f"{RESERVED}{self.kind}_id": resource.id,
            f"{RESERVED}{self.kind}_name": resource.name,
            NAME: self.name_of(resource),
        }
        return {**texts(self.properties, "properties"), **labels}
