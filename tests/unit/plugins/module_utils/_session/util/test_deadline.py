# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextvars
import math
import threading
import time

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util import deadline


def test_it_returns_what_the_call_returns():
    assert deadline.within(30, lambda: "answer") == "answer"
    assert deadline.within(30, lambda: None) is None


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, TimeoutError])
def test_it_raises_what_the_call_raises(error):
    def fails():
        raise error("as the call says")

    with pytest.raises(error, match="as the call says"):
        deadline.within(30, fails)


@pytest.mark.parametrize("seconds", [-1, math.inf])
def test_the_number_of_seconds_may_be_anything(seconds):
    go_on = threading.Event()
    if seconds > 0:
        assert deadline.within(seconds, lambda: "answer") == "answer"
    else:
        with pytest.raises(deadline.LateError):
            deadline.within(seconds, lambda: go_on.wait(30))
    go_on.set()


def test_the_call_knows_the_context_of_its_caller():
    variable = contextvars.ContextVar("variable", default="")
    variable.set("mine")

    assert deadline.within(30, variable.get) == "mine"


def test_a_call_that_takes_too_long_is_left_behind():
    go_on = threading.Event()
    began = time.monotonic()

    with pytest.raises(deadline.LateError):
        deadline.within(0.05, lambda: go_on.wait(30))

    assert time.monotonic() - began < 10
    go_on.set()


@pytest.mark.processes
def test_the_end_of_the_process_does_not_wait_for_it(run_python, site_path):
    process = run_python(
        "import threading\n"
        "from onetoken_session.util import deadline\n"
        "try: deadline.within(0.05, threading.Event().wait)\n"
        "except deadline.LateError: print('left behind')\n",
        PYTHONPATH=site_path,
        give_up_after=30,
    )

    assert (process.returncode, process.stdout) == (0, "left behind\n"), process.stderr
