# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts all parts, prints their URLs, and runs until a signal."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import pathlib
import secrets
import signal
import sys

from .access_log import AccessLog
from .application import SERVICES, Application
from .cloud import PROJECT_NAME, REGION, USER_NAME, Cloud
from .control import Control
from .http_server import Connection, Handler
from .messages import Answer, Request
from .settings import Settings

ADDRESS = "127.0.0.1"
CLOUD_NAME = "stand-in"


async def run(directory: str, settings: Settings, end_with_stdin: bool) -> None:
    path = pathlib.Path(directory)
    path.mkdir(parents=True, exist_ok=True)
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    if end_with_stdin:
        # Nobody writes to it, so it becomes readable when its other end is closed.
        loop.add_reader(sys.stdin.fileno(), ended.set)
    cloud = Cloud(settings)
    password = secrets.token_hex(16)
    logs = {service: AccessLog(str(path / f"{service}.access.log")) for service in SERVICES}
    application = Application(cloud, password, logs)
    handlers: dict[str, Handler] = {service: handler_of(application, service) for service in SERVICES}
    handlers["control"] = Control(application).handle
    for name, handler in handlers.items():
        cloud.urls[name] = await listen(handler, settings if name != "control" else None)
    clouds_file = path / "clouds.yaml"
    write_privately(clouds_file, clouds_yaml(cloud.urls["keystone"], password))
    # Exempt the initial resources from garbage collection.
    gc.collect()
    gc.freeze()
    ready = {"urls": cloud.urls, "clouds_file": str(clouds_file), "pid": os.getpid()}
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    await ended.wait()
    for log in logs.values():
        log.flush()


def handler_of(application: Application, service: str) -> Handler:
    def handle(request: Request, client: str) -> Answer | None:
        return application.handle(service, request, client)

    return handle


async def listen(handler: Handler, settings: Settings | None) -> str:
    """Listen on a free port; the URL."""

    def latency() -> float:
        return settings.latency if settings else 0.0

    server = await asyncio.get_running_loop().create_server(lambda: Connection(handler, latency), ADDRESS, 0)
    port = server.sockets[0].getsockname()[1]
    return f"http://{ADDRESS}:{port}"


def clouds_yaml(keystone_url: str, password: str) -> str:
    entry = {
        "auth": {
            "auth_url": f"{keystone_url}/v3",
            "username": USER_NAME,
            "password": password,
            "project_name": PROJECT_NAME,
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        },
        "region_name": REGION,
        "interface": "public",
        "identity_api_version": 3,
    }
    # Every JSON text is a YAML text.
    return json.dumps({"clouds": {CLOUD_NAME: entry}}, indent=2) + "\n"


def write_privately(path: pathlib.Path, text: str) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
