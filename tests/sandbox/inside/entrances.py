# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One process, several doors: a region's public endpoint each, and the services' own.

The first part of the path names the door, so that catalog, access log and limits can tell them apart:
RegionOne's public endpoints have none, RegionTwo's begin with /RegionTwo, internal ones with /internal.
"""

from __future__ import annotations

from access_log import Application, Environ, StartResponse

INTERNAL = "/internal"
REGIONS = ("/RegionTwo",)
READY = "/sandbox-ready"


def is_internal(environ: Environ) -> bool:
    return bool(environ.get("sandbox.internal"))


class Entrances:
    """Moves the door from the path to the script's name, where services expect the prefix of their URLs."""

    def __init__(self, application: Application) -> None:
        self.application = application

    def __call__(self, environ: Environ, start_response: StartResponse):
        path = environ.get("PATH_INFO", "")
        for door in (INTERNAL, *REGIONS):
            if path == door or path.startswith(f"{door}/"):
                environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + door
                environ["PATH_INFO"] = path[len(door) :] or "/"
                environ["sandbox.internal"] = door == INTERNAL
        return self.application(environ, start_response)


class Readiness:
    """Answers `up`'s question whether the service is there, before it reaches the access log."""

    def __init__(self, application: Application) -> None:
        self.application = application

    def __call__(self, environ: Environ, start_response: StartResponse):
        if environ.get("PATH_INFO") == READY:
            start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "6")])
            return [b"ready\n"]
        return self.application(environ, start_response)
