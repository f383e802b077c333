# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command is measured with all of its processes."""

from __future__ import annotations

import os
import shlex
import sys

import pytest
from ansible_collections.onetoken.openstack.tests.benchmarks.bulk_comparison.measuring import measure

pytestmark = pytest.mark.processes

MIB = 1 << 20
PYTHON = shlex.quote(sys.executable)
WORK = "import time\nwhile time.process_time() < 0.3: pass"


def test_the_cpu_time_of_a_daemon_is_counted() -> None:
    usage = measure(["bash", "-c", f"(setsid {PYTHON} -c '{WORK}' & ); echo started"], os.environ)
    assert usage.cpu_seconds >= 0.3
    assert usage.output == "started\n"


def test_the_memory_is_that_of_the_largest_process() -> None:
    command = f"{PYTHON} -c 'len(b\"x\" * (150 << 20))'; {PYTHON} -c 'len(b\"x\" * (100 << 20))'"
    usage = measure(["bash", "-c", command], os.environ)
    assert 150 * MIB < usage.peak_memory < 230 * MIB


def test_the_status_is_the_commands() -> None:
    assert measure(["bash", "-c", "exit 3"], os.environ).status == 3
