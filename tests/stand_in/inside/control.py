# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control API, on a port of its own: settings, the state of the cloud, and revocation of all tokens."""

from __future__ import annotations

import typing as t

from . import server_body, volume_bodies
from .application import Application
from .glance import image_body
from .messages import Answer, Request, json_answer
from .resources import Collection
from .settings import SettingError


class Control:
    def __init__(self, application: Application) -> None:
        self.application = application
        self.cloud = application.cloud

    def handle(self, request: Request, _client: str) -> Answer:
        self.cloud.catch_up()
        what = (request.method, request.path)
        if what == ("GET", "/control"):
            return json_answer(200, self.cloud.settings.as_json())
        if what == ("POST", "/control"):
            return self.change(request)
        if what == ("POST", "/control/revoke-tokens"):
            return json_answer(200, {"revoked": self.application.keystone.revoke_all()})
        if what == ("GET", "/control/flush"):
            for log in self.application.logs.values():
                log.flush()
            return json_answer(200, {})
        if what == ("GET", "/control/state"):
            return json_answer(200, self.state(request.parameters().get("only")))
        return json_answer(404, {"error": "There is no such control."})

    def change(self, request: Request) -> Answer:
        settings = self.cloud.settings
        try:
            values = dict(request.json())
            settings.change(values)
        except (SettingError, ValueError, TypeError) as exc:
            return json_answer(400, {"error": str(exc)})
        if settings.touches_limits(values):
            # As in the sandbox, changing a limit resets all counts.
            self.application.forget_requests()
        return json_answer(200, settings.as_json())

    def state(self, only: str | None = None) -> dict[str, t.Any]:
        """All resources, including deleted ones."""
        cloud = self.cloud
        kinds: dict[str, t.Callable[[], t.Any]] = {
            "servers": lambda: self.bodies(cloud.servers, lambda one: server_body.body(one, 96, cloud)),
            "images": lambda: self.bodies(cloud.images, lambda one: image_body(cloud, one)),
            "volumes": lambda: self.bodies(cloud.volumes, lambda one: volume_bodies.volume_body(one, 71, cloud)),
            "snapshots": lambda: self.bodies(cloud.snapshots, lambda one: volume_bodies.snapshot_body(one, 71, cloud)),
            "backups": lambda: self.bodies(cloud.backups, lambda one: volume_bodies.backup_body(one, 71, cloud)),
            "tokens": lambda: [token.as_json() for token in self.application.keystone.tokens.values()],
            "storm": lambda: dict(self.application.storm.counts),
        }
        return {kind: content() for kind, content in kinds.items() if only in (None, kind)}

    def bodies(self, collection: Collection[t.Any], body: t.Callable[[t.Any], dict[str, t.Any]]) -> list[t.Any]:
        return [{**body(resource), "deleted": resource.deleted} for resource in collection.ever]
