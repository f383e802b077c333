# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of the cloud: its one project with its resources, and what will happen to them."""

from __future__ import annotations

import heapq
import itertools
import time
import typing as t
import uuid
from collections import Counter
from hashlib import blake2b

from .resources import Backup, Collection, Image, Server, Snapshot, Volume
from .settings import Settings

REGION = "RegionOne"
USER_NAME = PROJECT_NAME = "demo"
IMAGE_NAME = "debian-12"
GIBIBYTE = 1024**3


class Cloud:
    def __init__(self, settings: Settings, clock: t.Callable[[], float] = time.monotonic) -> None:
        self.settings = settings
        self.clock = clock
        #: The URL of each service.
        self.urls: dict[str, str] = {}
        self.made: Counter[str] = Counter()
        self.project_id = self.new_id("project").replace("-", "")
        self.user_id = self.new_id("user").replace("-", "")
        self.servers: Collection[Server] = Collection()
        self.images: Collection[Image] = Collection()
        self.volumes: Collection[Volume] = Collection()
        self.snapshots: Collection[Snapshot] = Collection()
        self.backups: Collection[Backup] = Collection()
        self.coming: list[tuple[float, int, t.Callable[[], None]]] = []
        self.order = itertools.count()
        seed(self)

    def new_id(self, *origin: str) -> str:
        """An id derived from the seed, its purpose, and how many ids the purpose had before."""
        text = " ".join(origin)
        self.made[text] += 1
        digest = blake2b(f"{self.settings.seed} {text} {self.made[text]}".encode(), digest_size=16).digest()
        return str(uuid.UUID(bytes=digest, version=4))

    def later(self, seconds: float, action: t.Callable[[], None]) -> None:
        """Do something after some seconds, or at once."""
        if seconds <= 0:
            action()
        else:
            heapq.heappush(self.coming, (self.clock() + seconds, next(self.order), action))

    def catch_up(self) -> None:
        """Do what is due; called before each request, as nothing runs in between."""
        now = self.clock()
        while self.coming and self.coming[0][0] <= now:
            heapq.heappop(self.coming)[2]()


def seed(cloud: Cloud) -> None:
    """Make the initial resources. Listings begin with web-00001, which is the newest."""
    settings = cloud.settings
    image = cloud.images.add(
        Image(
            id=cloud.new_id("image", IMAGE_NAME),
            name=IMAGE_NAME,
            status="active",
            visibility="public",
            size=GIBIBYTE // 2,
            disk_format="raw",
            container_format="bare",
            properties={"os_distro": "debian", "os_version": "12", "hw_qemu_guest_agent": "yes"},
        )
    )
    kinds: tuple[tuple[str, int, dict[str, t.Any]], ...] = (
        ("broken", settings.broken, {"vm_state": "error", "power_state": 0}),
        ("busy", settings.busy, {"task_state": "image_uploading"}),
        ("db", settings.volume_backed, {}),
        ("web", settings.servers, {}),
    )
    moment = time.time() - 86400 - sum(count for _kind, count, _state in kinds)
    for kind, count, state in kinds:
        for number in range(count, 0, -1):
            name = f"{kind}-{number:05d}"
            moment += 1
            server = Server(
                id=cloud.new_id("server", name),
                name=name,
                created=moment,
                image_id=None if kind == "db" else image.id,
                metadata={"role": kind, "environment": "test"},
                **state,
            )
            cloud.servers.add(server)
            if kind == "db":
                root = seed_volume(cloud, f"{name}-root", moment, 20)
                root.change(status="in-use", bootable=True, server_id=server.id)
                server.volume_ids.append(root.id)
    for number in range(settings.volumes, 0, -1):
        seed_volume(cloud, f"data-{number:05d}", moment - number, 10)


def seed_volume(cloud: Cloud, name: str, moment: float, size: int) -> Volume:
    volume = Volume(id=cloud.new_id("volume", name), name=name, created=moment, size=size, metadata={"seeded": "yes"})
    return cloud.volumes.add(volume)
