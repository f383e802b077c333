# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rate limiter in several processes at the same time, in real time."""

from __future__ import annotations

import json
import signal
import time

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.limit import RateLimit
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.limiter import RateLimiter
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.project_key import ProjectKey
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.processes import kill

pytestmark = pytest.mark.processes

PROJECT = ProjectKey("https://cloud.example/v3", "p1", "RegionOne")
PREAMBLE = """
import json, os, sys, threading, time
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.limit import RateLimit
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.limiter import RateLimiter
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.project_key import ProjectKey

def limiter(rate="auto", **clock):
    project = ProjectKey("https://cloud.example/v3", "p1", "RegionOne")
    return RateLimiter(project, RateLimit.parse(rate), os.environ, **clock)
"""
#: Sends from four threads until the time is up. It begins when it gets a line of input, so that all processes begin
#: together. The moment of each request is the last one that the limiter read: a busy machine may run the next line much
#: later.
SEND = f"""{PREAMBLE}
seen = threading.local()

def clock():
    seen.now = time.monotonic()
    return seen.now

one = limiter(sys.argv[1], clock=clock)
print("ready", flush=True)
sys.stdin.readline()
end = time.monotonic() + float(sys.argv[2])
sent = []

def send():
    while one.take("compute", end):
        sent.append(seen.now)

threads = [threading.Thread(target=send) for _number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps([sent, one.throttled_seconds]), flush=True)
"""


def send_together(start_python, count, rate, seconds, before=lambda: None):
    """What each of the processes sent, and for how long it was throttled."""
    processes = [start_python(SEND, rate, str(seconds)) for _number in range(count)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    before()
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    return [json.loads(process.stdout.readline()) for process in processes]


def test_together_they_send_no_more_than_one_process_may(start_python):
    sent = [moments for moments, _throttled in send_together(start_python, 3, "100", 3)]
    together = sorted(moment for moments in sent for moment in moments)

    windows = [sum(begin <= moment < begin + 1 for moment in together) for begin in together]
    assert max(windows) <= 100
    # Not by keeping each other from sending: half of it gets through on a busy machine too.
    assert len(together) > 150
    assert min(len(moments) for moments in sent) > len(together) / 3 / 3


def test_a_throttled_request_of_one_process_delays_all(start_python, environ):
    one = RateLimiter(PROJECT, RateLimit.parse("20"), environ)
    results = send_together(
        start_python, 2, "20", 4, before=lambda: one.throttled("compute", {"Retry-After": "2"}, time.monotonic())
    )
    throttled_at = one.throttled_requests[0][1]

    for moments, throttled in results:
        assert min(moments) >= throttled_at + 1.9
        assert 0 < throttled < 4


def test_a_process_that_is_killed_while_it_waits_blocks_nobody(start_python, environ):
    process = start_python(SEND, "20", "60")
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("\n")
    process.stdin.flush()
    one = RateLimiter(PROJECT, RateLimit.parse("20"), environ)
    for _turn in range(5):
        assert one.take("compute", time.monotonic() + 10)
    kill(process)

    assert one.take("compute", time.monotonic() + 10)


def test_a_process_that_was_stopped_with_the_lock_does_not_stop_the_others(start_python, environ):
    code = """
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.shared_file import SharedFile

with SharedFile(os.environ, sys.argv[1]).locked():
    print("locked", flush=True)
    input()
"""
    process = start_python(PREAMBLE + code, PROJECT.file_name("requests compute"))
    assert process.stdout.readline() == "locked\n"
    process.send_signal(signal.SIGSTOP)
    one = RateLimiter(PROJECT, RateLimit.parse("20"), environ)

    assert one.take("compute", time.monotonic() + 30)
    assert one.take("compute", time.monotonic() + 30)
