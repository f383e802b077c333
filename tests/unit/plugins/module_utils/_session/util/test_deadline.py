# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading
import time

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util import deadline


def test_it_is_what_the_call_returns():
    assert deadline.within(30, lambda: "answer") == "answer"
    assert deadline.within(30, lambda: None) is None


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_it_raises_what_the_call_raises(error):
    def fails():
        raise error("as the call says")

    with pytest.raises(error, match="as the call says"):
        deadline.within(30, fails)


def test_a_call_that_takes_too_long_is_left_behind():
    go_on = threading.Event()
    began = time.monotonic()

    with pytest.raises(TimeoutError, match="no answer within 0 s"):
        deadline.within(0.05, lambda: go_on.wait(30))

    assert time.monotonic() - began < 10
    go_on.set()


@pytest.mark.processes
def test_the_end_of_the_process_does_not_wait_for_it(run_python, site_path):
    process = run_python(
        "import threading\n"
        "from onetoken_session.util import deadline\n"
        "try: deadline.within(0.05, threading.Event().wait)\n"
        "except TimeoutError: print('left behind')\n",
        PYTHONPATH=site_path,
        give_up_after=30,
    )

    assert (process.returncode, process.stdout) == (0, "left behind\n"), process.stderr
