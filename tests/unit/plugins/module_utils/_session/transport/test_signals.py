# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process whose request waits for a limit ends at once when it is to end, and keeps nobody waiting."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.project_key import ProjectKey
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.schedule import Schedule
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.shared_file import SharedFile
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util import boot
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.processes import clear_away

pytestmark = pytest.mark.processes

#: Sends a request, then another, and says that this one waits; the rest is what a program does with signals.
CODE = """
import sys, time
plain = time.sleep
def sleep(seconds):
    print("waiting", flush=True)
    plain(seconds)
time.sleep = sleep
import signal
from keystoneauth1 import session
if "handles" in sys.argv:
    signal.signal(signal.SIGTERM, lambda *_arguments: sys.exit(9))
one = session.Session()
try:
    one.get(sys.argv[1])
    one.get(sys.argv[1])
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.fixture
def waiting(on_session, service, site_path):
    """Start a process with a request that waits for fifty seconds; and the project that it is for."""
    on_session(requests_per_second="0.02")
    started = []

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-c", CODE, service.url, *arguments],
            env={**os.environ, "PYTHONPATH": site_path},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout.readline() == "waiting\n"
        return process, ProjectKey(service.url.rpartition("/")[0], "", "")

    yield start
    for process in started:
        process.stderr.close()
        clear_away(process)


def next_request(environ, project):
    """When the next request may be sent, by the file that processes share."""
    file = SharedFile(environ, project.file_name("requests "))
    with file.locked():
        assert file.number is not None, "another process still has the lock"
        return Schedule.read(file.read(), boot.identifier(), time.monotonic()).next_at


@pytest.mark.parametrize(
    ("number", "arguments", "status"),
    [(signal.SIGINT, [], 130), (signal.SIGTERM, ["handles"], 9), (signal.SIGTERM, [], -signal.SIGTERM)],
)
def test_it_ends_by_the_signal_and_reserves_nothing(waiting, service, number, arguments, status):
    process, project = waiting(*arguments)
    moment = next_request(os.environ, project)
    process.send_signal(number)

    assert process.wait(10) == status
    assert process.stderr.read() == ""
    assert next_request(os.environ, project) == moment
    assert len(service.requests) == 1
