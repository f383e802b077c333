# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several endpoints of one process: a public one per region, and one for the services themselves.

The catalog, the access log and the limits tell them apart by the first part of the path: public endpoints have none in
RegionOne and /RegionTwo in RegionTwo, internal ones have /internal.
"""

from __future__ import annotations

from access_log import Application, Environ, StartResponse

INTERNAL = "/internal"
REGIONS = ("/RegionTwo",)
READY = "/sandbox-ready"


def is_internal(environ: Environ) -> bool:
    return bool(environ.get("sandbox.internal"))


class Endpoints:
    """Moves the prefix from the path to the script's name, where services expect it."""

    def __init__(self, application: Application) -> None:
        self.application = application

    def __call__(self, environ: Environ, start_response: StartResponse):
        path = environ.get("PATH_INFO", "")
        for prefix in (INTERNAL, *REGIONS):
            if path == prefix or path.startswith(f"{prefix}/"):
                environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + prefix
                environ["PATH_INFO"] = path[len(prefix) :] or "/"
                environ["sandbox.internal"] = prefix == INTERNAL
        return self.application(environ, start_response)


class Readiness:
    """Tells `up` that the service is ready; these requests do not reach the access log."""

    def __init__(self, application: Application) -> None:
        self.application = application

    def __call__(self, environ: Environ, start_response: StartResponse):
        if environ.get("PATH_INFO") == READY:
            start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "6")])
            return [b"ready\n"]
        return self.application(environ, start_response)
