# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Serve one OpenStack service: serve.py SERVICE PORT SANDBOX-DIRECTORY.

From the outside in: readiness, access log, endpoints, Keystone's limit, the service. The limit of the other services
is behind their token check, where the project is known.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
import traceback

from access_log import AccessLog, Application
from endpoints import Endpoints, Readiness
from issued_tokens import IssuedTokens
from rate_limits import Limits, ProjectLimit, TokenRequestLimit

WSGI_MODULES = {
    "keystone": "keystone.wsgi.api",
    "placement": "placement.wsgi.api",
}
THREADS = 16
#: New objects between two garbage collections.
COLLECT_AFTER = 20_000


def limit_projects(limits: Limits) -> None:
    """Put the limit behind keystonemiddleware, wherever that is in a service's pipeline."""
    from keystonemiddleware.auth_token import AuthProtocol

    initialise = AuthProtocol.__init__

    def with_limit(self, app: Application, conf) -> None:
        initialise(self, ProjectLimit(app, limits), conf)

    AuthProtocol.__init__ = with_limit


def load(service: str, limits: Limits, sandbox: str) -> Application:
    if service == "keystone":
        application = TokenRequestLimit(importlib.import_module(WSGI_MODULES[service]).application, limits)
        return IssuedTokens(application, limits, os.path.join(sandbox, "issued-tokens"))
    if service == "cinder":
        import cinder_services  # first of all: it replaces threads with green ones

        limit_projects(limits)
        return cinder_services.start(limits)
    limit_projects(limits)
    if service == "nova":
        import nova_services

        return nova_services.start(limits)
    if service == "glance":
        import glance_services

        return glance_services.start()
    if service == "neutron":
        import neutron_services

        return neutron_services.start()
    return importlib.import_module(WSGI_MODULES[service]).application


def serve_green(application: Application, port: int) -> None:
    import eventlet
    import eventlet.wsgi

    class Protocol(eventlet.wsgi.HttpProtocol):
        """Reports the client's version of HTTP, where eventlet reports 1.0 for all."""

        def get_environ(self):
            return {**super().get_environ(), "SERVER_PROTOCOL": self.request_version}

    listener = eventlet.listen(("127.0.0.1", port), backlog=512)
    eventlet.wsgi.server(listener, application, protocol=Protocol, log_output=False, debug=False)


def serve_threaded(application: Application, port: int) -> None:
    import waitress

    waitress.serve(
        application, host="127.0.0.1", port=port, threads=THREADS, connection_limit=1000, channel_timeout=75, ident=None
    )


def collect_seldom() -> None:
    """Exempt what is loaded by now from garbage collection, which took a seventh of the time of requests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)


def main() -> None:
    service, port, sandbox = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    # Services would parse our arguments as theirs, and put the first one into their user agents.
    sys.argv[:] = [service]
    try:
        application = load(service, Limits(os.path.join(sandbox, "limits.json")), sandbox)
    except BaseException:
        # Threads that have started would keep a broken service alive.
        traceback.print_exc()
        os._exit(1)
    collect_seldom()
    log = os.path.join(sandbox, "logs", f"{service}.access.log")
    application = Readiness(AccessLog(Endpoints(application), log))
    (serve_green if service == "cinder" else serve_threaded)(application, port)


if __name__ == "__main__":
    main()
