# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of processes that need the same document at the same time, one asks for it."""

from __future__ import annotations

import json

import pytest
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.processes import kill, wait_until
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    StandInKeystone,
)

pytestmark = pytest.mark.processes

#: Asks when its standard input ends, and prints what it found.
DISCOVER = """
import sys
from keystoneauth1 import discover, session

print("ready", flush=True)
sys.stdin.read()
print(discover.get_version_data(session.Session(), sys.argv[1], authenticated=False)[0]["id"])
"""
#: Waits for another no longer than a moment.
IMPATIENT = "from onetoken_session.sign_in import discovery\ndiscovery.LOCK_TIMEOUT = 0.3\n"


class Service(StandInKeystone):
    """A service at /service."""

    def __init__(self) -> None:
        super().__init__()
        self.status = 200
        #: For how many seconds it thinks over the first requests; it answers later ones at once.
        self.delays: list[float] = []

    def _answer(self, request):
        if self.delays:
            self._stopped.wait(self.delays.pop(0))
        return self.status, {}, json.dumps({"versions": [{"id": "v2.1", "status": "CURRENT", "links": []}]})


@pytest.fixture
def service():
    with Service() as running:
        yield running


@pytest.fixture
def ready(prepared, start, service):
    """Start processes that are about to ask."""

    def ready(number: int, code: str = DISCOVER):
        processes = [start(prepared, code, f"{service.url}/service") for _number in range(number)]
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        return processes

    return ready


def ask(processes):
    for process in processes:
        process.stdin.close()
        process.stdin = None


def found(processes):
    """What each of them printed, or the last line of its errors."""
    results = [process.communicate(timeout=60) for process in processes]
    return [output.strip() or errors.splitlines()[-1] for output, errors in results]


@pytest.mark.parametrize("number", [6, pytest.param(20, marks=pytest.mark.repeats)])
def test_many_processes_at_once_send_one_request(ready, service, number):
    service.delays = [1]
    processes = ready(number)
    ask(processes)
    assert found(processes) == ["v2.1"] * number
    assert len(service.requests) == 1


def test_an_error_answers_only_its_own_request(ready, service):
    service.delays, service.status = [1], 500
    processes = ready(4)
    ask(processes)
    assert all("InternalServerError" in error for error in found(processes))
    assert len(service.requests) == 4
    service.status = 200
    processes = ready(1)
    ask(processes)
    assert found(processes) == ["v2.1"]


def test_if_the_requesting_process_is_killed_the_others_send_the_request(ready, service):
    service.delays = [60]
    first, *others = ready(4)
    ask([first])
    wait_until(lambda: service.requests)
    ask(others)
    kill(first)
    assert found(others) == ["v2.1"] * 3


def test_the_others_do_not_wait_long_for_an_answer_that_does_not_come(ready, service):
    service.delays = [60]
    first, *others = ready(3, IMPATIENT + DISCOVER)
    ask([first])
    wait_until(lambda: service.requests)
    ask(others)
    assert found(others) == ["v2.1"] * 2
    assert first.poll() is None
