# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the comparison: each measures several ways to do the same work in alternation, so that other load on the
machine affects all of them."""

from __future__ import annotations

import filecmp
import functools
import typing as t

import yaml

from ...helpers.sandbox import REPOSITORY
from ...tools.environments import MAIN, NEWEST, OLDEST
from .runs import Cost, Runner, median
from .ways import COLD, DIRECT, GENERAL, PASSWORD, PING, Task, Way

KEYPAIRS: Task = {"openstack.cloud.keypair_info": {"cloud": "sandbox"}}
SERVERS: Task = {"openstack.cloud.server_info": {"cloud": "sandbox"}}
COMMAND = "openstack --os-cloud sandbox image list >&2"
MIXED = REPOSITORY / "tests" / "benchmarks" / "mixed.yml"
HOSTS = 20
#: Items of a loop during which a run does what it does only once.
FIRST = 4

Costs = dict[str, Cost]


class Part(t.NamedTuple):
    key: str
    title: str
    ways: t.Sequence[Way]
    rounds: int
    #: Measures one round of a way.
    once: t.Callable[[Way], Cost]

    def measure(self, rounds: int, say: t.Callable[[str], None]) -> Costs:
        found: dict[str, list[Cost]] = {way.key: [] for way in self.ways}
        for number in range(1, rounds + 1):
            for way in self.ways:
                cost = self.once(way)
                found[way.key].append(cost)
                say(f"{self.key}, round {number}, {way.key}: {cost.seconds:.3f} s, {cost.cpu_seconds:.3f} s of CPU")
        return {key: median(costs) for key, costs in found.items()}


def parts(runner: Runner, mitogen: t.Sequence[Way]) -> list[Part]:
    every = (PASSWORD, COLD, *mitogen, GENERAL, DIRECT)
    home = runner.home
    return [
        Part(
            "light",
            f"One more `keypair_info`, ansible-core {MAIN.core}",
            (PING, *every),
            3,
            functools.partial(one_task, runner, KEYPAIRS, 20),
        ),
        *(
            Part(
                f"light-{environment.core}",
                f"One more `keypair_info`, ansible-core {environment.core}",
                (PING, PASSWORD, GENERAL, DIRECT),
                2,
                functools.partial(one_task, Runner(home / environment.name, environment), KEYPAIRS, 10),
            )
            for environment in (OLDEST, NEWEST)
            if environment.directory.exists()
        ),
        Part("heavy", "One more `server_info`", every, 2, functools.partial(one_task, runner, SERVERS, 10)),
        Part(
            "command",
            "One more `openstack image list` in a shell loop",
            (PASSWORD, COLD, DIRECT),
            2,
            functools.partial(one_command, runner),
        ),
        Part("mixed", "A playbook of 60 mixed tasks", (PASSWORD, COLD, *mitogen, DIRECT), 3, Mixed(runner)),
        Part(
            "hosts",
            f"A playbook of two `keypair_info` on {HOSTS} hosts, {HOSTS} forks",
            (COLD, GENERAL, DIRECT),
            2,
            functools.partial(many_hosts, runner),
        ),
        Part("none", "A playbook without OpenStack", (PASSWORD, COLD, DIRECT), 9, functools.partial(nothing, runner)),
        Part("one", "A playbook of one `keypair_info`", (PASSWORD, COLD, DIRECT), 5, functools.partial(single, runner)),
    ]


def one_task(runner: Runner, task: Task, more: int, way: Way) -> Cost:
    return runner.loop(way, task, FIRST + more).of_one(runner.loop(way, task, FIRST), more)


def one_command(runner: Runner, way: Way) -> Cost:
    return runner.commands(way, COMMAND, FIRST + 5).of_one(runner.commands(way, COMMAND, FIRST), 5)


def many_hosts(runner: Runner, way: Way) -> Cost:
    tasks = [KEYPAIRS, KEYPAIRS]
    return runner.run(way, way.plays({"hosts": "all", "gather_facts": False, "tasks": tasks}), HOSTS, HOSTS)


def nothing(runner: Runner, way: Way) -> Cost:
    task: Task = {"ansible.builtin.command": "true"}
    return runner.run(way, [{"hosts": "localhost", "gather_facts": False, "tasks": [task]}])


def single(runner: Runner, way: Way) -> Cost:
    return runner.loop(way, KEYPAIRS, 1)


class Mixed:
    """The mixed playbook, which must have the same results in every way, and two token requests on a session."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner

    def __call__(self, way: Way) -> Cost:
        results = self.runner.home / f"results-{way.key}"
        results.mkdir(exist_ok=True)
        plays = yaml.safe_load(MIXED.read_text(encoding="utf-8"))
        cost = self.runner.run(way, plays, hosts=2, results=str(results))
        names = ["host-00.json", "host-01.json"]
        expected = self.runner.home / f"results-{PASSWORD.key}"
        same, _different, _missing = filecmp.cmpfiles(expected, results, names, shallow=False)
        if same != names:
            raise SystemExit(f"60 mixed tasks {way.title} have other results than {PASSWORD.title}")
        if way is not PASSWORD and cost.token_requests != 2:
            raise SystemExit(f"60 mixed tasks {way.title} sent {cost.token_requests} requests for or about tokens")
        return cost
