# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Handles a request: token, limits, storm, service, access log."""

from __future__ import annotations

import itertools
import typing as t

from .access_log import CLOSED_WITHOUT_ANSWER, AccessLog
from .cinder import Cinder
from .cloud import Cloud
from .glance import Glance
from .keystone import UNAUTHENTICATED, Keystone
from .limits import Windows, rate_headers, throttled
from .messages import Answer, Headers, RefusalError, Request, json_answer, page_error
from .nova import Nova
from .storm import CUT, THROTTLED, Storm, Trouble

SERVICES = ("keystone", "nova", "glance", "cinder")
MINUTE, SECOND = 60.0, 1.0
#: The limit that a storm's 429 reports if there is none.
STORM_LIMIT = 20
GLANCE_UNAUTHORIZED = (
    "This server could not verify that you are authorized to access the document you requested. Either you supplied "
    "the wrong credentials (e.g., bad password), or your browser does not understand how to supply the credentials "
    "required."
)
#: The answer of a load balancer without a service behind it.
UNAVAILABLE = (
    b"<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>\n"
)


class Service(t.Protocol):
    def versions(self, request: Request) -> Answer | None:
        """The list of versions, if that is requested."""

    def version_of(self, request: Request) -> int:
        """The requested microversion."""

    def headers_for(self, version: int) -> Headers:
        """The headers that name the microversion of the answer."""

    def answer(self, request: Request, version: int) -> Answer:
        """The answer in this microversion."""


class Application:
    def __init__(self, cloud: Cloud, password: str, logs: dict[str, AccessLog]) -> None:
        self.cloud = cloud
        self.logs = logs
        self.keystone = Keystone(cloud, password)
        self.services: dict[str, Service] = {"nova": Nova(cloud), "glance": Glance(cloud), "cinder": Cinder(cloud)}
        self.storm = Storm(cloud.settings)
        self.windows = Windows()
        self.numbers = itertools.count(1)

    def forget_requests(self) -> None:
        self.windows.clear()

    def handle(self, service: str, request: Request, client: str) -> Answer | None:
        """The answer, or None to close the connection without one."""
        self.cloud.catch_up()
        try:
            answer = self.answer_of(service, request)
        except RefusalError as exc:
            answer = exc.answer
        if answer is None:
            self.logs[service].add(client, request, CLOSED_WITHOUT_ANSWER, 0)
            return None
        self.logs[service].add(client, request, answer.status, len(answer.body))
        answer.headers = (*answer.headers, ("X-Openstack-Request-Id", f"req-{next(self.numbers):032x}"))
        return answer

    def answer_of(self, service: str, request: Request) -> Answer | None:
        if service == "keystone":
            return self.answer_of_keystone(request)
        discovered = self.services[service].versions(request)
        if discovered:
            return self.through_storm(request, lambda: discovered, self.cloud.settings.storm_discovery)
        if not self.keystone.live_token(request.headers.get("x-auth-token")):
            return self.unauthorized(service)
        key, limit = (service, self.cloud.project_id), self.cloud.settings.requests_per_second
        wait = self.windows.wait_for(key, limit, SECOND) if limit else 0.0
        if wait:
            return throttled(self.cloud.settings.dialect, wait, limit, "s")
        answer = self.through_storm(request, lambda: self.carried_out(service, request))
        if answer and limit and self.cloud.settings.rate_headers and answer.status < 400:
            answer.headers = (*answer.headers, *rate_headers(limit, *self.windows.left(key, limit, SECOND)))
        return answer

    def answer_of_keystone(self, request: Request) -> Answer | None:
        discovered = self.keystone.versions(request)
        if discovered:
            return self.through_storm(request, lambda: discovered, self.cloud.settings.storm_discovery)
        limit = self.cloud.settings.token_requests_per_minute
        if limit and (request.method, request.path) == ("POST", "/v3/auth/tokens"):
            key = ("keystone", self.keystone.claimed_user(request))
            wait = self.windows.wait_for(key, limit, MINUTE)
            if wait:
                return throttled(self.cloud.settings.dialect, wait, limit, "m")
        stormy = self.cloud.settings.storm_keystone
        return self.through_storm(request, lambda: self.keystone.answer(request), stormy)

    def carried_out(self, service: str, request: Request) -> Answer:
        """The service's answer in the requested microversion."""
        serving = self.services[service]
        version = serving.version_of(request)
        try:
            answer = serving.answer(request, version)
        except RefusalError as exc:
            answer = exc.answer
        answer.headers = (*answer.headers, *serving.headers_for(version))
        return answer

    def through_storm(self, request: Request, carry_out: t.Callable[[], Answer], stormy: bool = True) -> Answer | None:
        trouble = self.storm.trouble_for(request) if stormy else None
        if trouble is None:
            return carry_out()
        if trouble.carried_out:
            self.do_unanswered(carry_out)
        return self.answer_to(trouble)

    def do_unanswered(self, carry_out: t.Callable[[], Answer]) -> None:
        """Carry out the request, or refuse it, without an answer."""
        try:
            carry_out()
        except RefusalError:
            return

    def answer_to(self, trouble: Trouble) -> Answer | None:
        settings = self.cloud.settings
        if trouble.kind == CUT:
            return None
        if trouble.kind == THROTTLED:
            return throttled(settings.dialect, SECOND, settings.requests_per_second or STORM_LIMIT, "s")
        return Answer(503, UNAVAILABLE, content_type="text/html")

    def unauthorized(self, service: str) -> Answer:
        """The answer of the token check in front of each service."""
        header = ("WWW-Authenticate", f'Keystone uri="{self.cloud.urls["keystone"]}"')
        if service == "glance":
            return page_error(401, GLANCE_UNAUTHORIZED, header).answer
        content = {"error": {"code": 401, "title": "Unauthorized", "message": UNAUTHENTICATED}}
        return json_answer(401, content, header)
