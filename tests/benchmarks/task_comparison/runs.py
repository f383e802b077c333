# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run playbooks and measure the cost: time, CPU time of all processes, and requests by service."""

from __future__ import annotations

import json
import pathlib
import statistics
import typing as t
from collections import Counter

from ...helpers.access_log import AccessLog
from ...helpers.controller import Controller
from ...helpers.sandbox import REPOSITORY
from ...tools.environments import MAIN, Environment
from ..bulk_comparison.measuring import measure
from .ways import DIRECT, PING, Play, Task, Way

#: The beginnings of lines at the end of a run; the second says that tasks ran in forks.
REQUESTS, SERVED = "one_token: requests:", "programs run by the fork server:"
SERVICES = ("keystone", "nova", "neutron", "glance", "cinder")


class Cost(t.NamedTuple):
    """The cost of a run, or of one more task in it."""

    seconds: float
    cpu_seconds: float
    #: By service.
    requests: dict[str, float]
    token_requests: float

    def of_one(self, shorter: Cost, more: int) -> Cost:
        """The cost of one task, if this run has so many more tasks than the shorter one."""
        return Cost(
            (self.seconds - shorter.seconds) / more,
            (self.cpu_seconds - shorter.cpu_seconds) / more,
            {service: (self.requests[service] - shorter.requests[service]) / more for service in SERVICES},
            (self.token_requests - shorter.token_requests) / more,
        )


def median(costs: t.Sequence[Cost]) -> Cost:
    """The median of each figure; time and CPU time may be of different rounds."""
    return Cost(
        statistics.median(cost.seconds for cost in costs),
        statistics.median(cost.cpu_seconds for cost in costs),
        {service: statistics.median(cost.requests[service] for cost in costs) for service in SERVICES},
        statistics.median(cost.token_requests for cost in costs),
    )


class Runner:
    """Runs playbooks with an Ansible, in a home of its own."""

    def __init__(self, home: pathlib.Path, ansible: Environment = MAIN) -> None:
        self.home = home
        self.ansible = ansible
        home.mkdir(exist_ok=True)

    def run(self, way: Way, plays: list[Play], hosts: int = 0, forks: int = 5, **variables: str) -> Cost:
        controller = Controller(self.home)
        playbook, inventory = controller.write_playbook(json.dumps(plays)), controller.write_inventory(hosts)
        environment = {
            **controller.environment,
            "PATH": f"{self.ansible.bin}:/usr/local/bin:/usr/bin:/bin",
            "ANSIBLE_COLLECTIONS_PATH": str(self.ansible.collections),
            "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
            "OS_CLOUD": "sandbox",
            **way.environment,
        }
        command = [str(self.ansible.bin / "ansible-playbook"), playbook, "--inventory", inventory]
        command += ["--forks", str(forks), "--extra-vars", json.dumps(variables)]
        logs = {service: AccessLog(service) for service in SERVICES}
        usage = measure(command, environment)
        if usage.status:
            raise SystemExit(f"{way.title}:\n{usage.output[-4000:]}")
        if way is DIRECT and REQUESTS in usage.output and SERVED not in usage.output:
            raise SystemExit(f"{way.title}: no task ran in a fork of the server.\n{usage.output[-4000:]}")
        sent = {service: log.requests() for service, log in logs.items()}
        tokens = Counter(request.path.split("?")[0] for request in sent["keystone"] if request.method != "GET")
        requests = {service: float(len(found)) for service, found in sent.items()}
        return Cost(usage.seconds, usage.cpu_seconds, requests, tokens["/v3/auth/tokens"])

    def loop(self, way: Way, task: Task, items: int) -> Cost:
        """Run a task for a number of items."""
        looped = {**(PING_TASK if way is PING else task), "loop": list(range(items))}
        return self.run(way, way.plays({"hosts": "localhost", "gather_facts": False, "tasks": [looped]}))

    def commands(self, way: Way, command: str, times: int) -> Cost:
        """Run a task in which a shell runs a command a number of times."""
        script = f"for _ in $(seq {times}); do {command} || exit; done"
        task: Task = {"ansible.builtin.shell": script, "changed_when": False}
        return self.run(way, way.plays({"hosts": "localhost", "gather_facts": False, "tasks": [task]}))


PING_TASK: Task = {"ansible.builtin.ping": {}}
