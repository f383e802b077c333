# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Nova without a network whose servers start, stop, reboot, shelve and come back, in time that is not real."""

from __future__ import annotations

import datetime

from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_cloud import (
    FakeConnection,
    FakeResponse,
)

TASK = "OS-EXT-STS:task_state"
#: From which statuses an action leads through which tasks to which status, as Nova's own code has it.
ACTIONS = {
    "os-start": (["SHUTOFF"], ["powering-on"], "ACTIVE"),
    "os-stop": (["ACTIVE", "ERROR"], ["powering-off"], "SHUTOFF"),
    "SOFT": (["ACTIVE"], ["rebooting", "reboot_started"], "ACTIVE"),
    "HARD": (["ACTIVE", "SHUTOFF", "ERROR"], ["rebooting_hard", "reboot_started_hard"], "ACTIVE"),
    "shelve": (["ACTIVE", "SHUTOFF"], ["shelving", "shelving_image_uploading"], "SHELVED"),
    "shelveOffload": (["SHELVED"], ["shelving_offloading"], "SHELVED_OFFLOADED"),
    "unshelve": (["SHELVED", "SHELVED_OFFLOADED"], ["unshelving", "spawning"], "ACTIVE"),
}


class FakeNova(FakeConnection):
    def __init__(self, time):
        super().__init__(time)
        #: Of each task.
        self.seconds = 2.0
        #: What is sent to servers: the server's name, and the action or the metadata.
        self.sent = []
        #: Called with a server and its action: what it returns is the answer, None goes on as usual.
        self.intercept = lambda server, action: None
        #: Another status than the one that an action leads to, as when Nova fails.
        self.ends_in = {}
        #: Whether shelved servers leave their hypervisor at once.
        self.offloads = False

    def server(self, name, status="ACTIVE", volumes=0, task=None, **metadata):
        super().server(name, status, volumes, **metadata)
        self.servers[-1] |= {TASK: task, "updated": self._second(), "coming": []}
        return self.servers[-1]

    def named(self, name):
        return next(server for server in self._current() if server["name"] == name)

    def _second(self):
        return datetime.datetime.fromtimestamp(self.now, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _current(self):
        for server in self.servers:
            while server["coming"] and server["coming"][0][0] <= self.now:
                _moment, change = server["coming"].pop(0)
                server |= {**change, "updated": self._second()}
        return self.servers

    def _compute(self, path, method, options):
        servers = self._current()
        if method == "GET":
            return self.before_listing(path) or self._page([dict(server) for server in servers], "servers", options)
        server = next(server for server in servers if server["id"] == path.split("/")[2])
        ((kind, body),) = options["json"].items()
        self.sent.append((server["name"], body if kind == "metadata" else kind))
        action = body["type"] if kind == "reboot" else kind
        return self.intercept(server, action) or self.act(server, action, body)

    def act(self, server, action, body=None):
        if action == "metadata":
            if server["status"] in ("SHELVED", "SHELVED_OFFLOADED", "ERROR"):
                return _conflict("update metadata", server)
            server["metadata"] = {**server["metadata"], **body}
            return FakeResponse(200, {"metadata": server["metadata"]})
        statuses, tasks, status = ACTIONS[action]
        if server[TASK] or server["status"] not in statuses:
            return _conflict(action, server)
        status = self.ends_in.get(server["name"], status)
        server |= {TASK: tasks[0], "updated": self._second()}
        changes = [{TASK: task} for task in tasks[1:]] + [{TASK: None, "status": status}]
        if self.offloads and status == "SHELVED":
            changes[-1][TASK] = "shelving_offloading"
            changes.append({TASK: None, "status": "SHELVED_OFFLOADED"})
        server["coming"] = [(self.now + self.seconds * (place + 1), change) for place, change in enumerate(changes)]
        return FakeResponse(202)


def _conflict(action, server):
    what = f"task_state {server[TASK]}" if server[TASK] else f"vm_state {server['status'].lower()}"
    message = f"Cannot '{action}' instance {server['id']} while it is in {what}"
    return FakeResponse(409, {"conflictingRequest": {"message": message}})
