# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What interrupts a bulk run, and what makes it hurry."""

from __future__ import annotations

import signal
import threading

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.control import interruption as interruption_file
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.control.interruption import (
    FORCE_AFTER,
    JOB_PATIENCE,
    JOB_VARIABLE,
    SIGNALS,
    Interruption,
    patience,
)


@pytest.fixture
def moment():
    return [100.0]


@pytest.fixture(autouse=True)
def heard():
    """A shell has what it runs in the background ignore Ctrl-C, and all that comes of it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def interruption(moment, heard):
    with Interruption(clock=lambda: moment[0]) as entered:
        yield entered


def test_a_run_that_nobody_interrupts_goes_on(interruption):
    assert (interruption.requested, interruption.reason, interruption.forced) == (False, "", False)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_submits_an_orderly_stop(interruption, number):
    signal.raise_signal(number)
    assert interruption.requested
    assert interruption.reason == f"interrupted by {number.name}"
    assert not interruption.forced


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_second_signal_insists_and_the_first_stays_the_reason(interruption, moment, second):
    signal.raise_signal(signal.SIGINT)
    moment[0] += FORCE_AFTER
    signal.raise_signal(second)
    assert interruption.forced
    assert interruption.reason == "interrupted by SIGINT"


def test_signals_that_come_together_are_one(interruption, moment):
    signal.raise_signal(signal.SIGINT)
    moment[0] += FORCE_AFTER / 2
    signal.raise_signal(signal.SIGTERM)
    assert not interruption.forced


def test_a_terminal_that_goes_away_after_a_signal_does_not_insist(interruption, moment):
    signal.raise_signal(signal.SIGINT)
    moment[0] += 60
    signal.raise_signal(signal.SIGHUP)
    assert not interruption.forced


def test_the_end_of_the_playbook_run_interrupts(moment):
    gone = []
    with Interruption(lambda: bool(gone)) as interruption:
        assert not interruption.requested
        gone.append(True)
        assert interruption.requested
    assert interruption.reason == "interrupted by the end of the playbook run"
    assert not interruption.forced


def test_a_cancelled_job_has_a_few_seconds_for_what_is_in_progress(moment):
    with Interruption(lambda: True, patience({JOB_VARIABLE: "/runner/artifacts/1"}), lambda: moment[0]) as interruption:
        assert interruption.requested
        moment[0] += JOB_PATIENCE / 2
        assert not interruption.forced
        moment[0] += JOB_PATIENCE
        assert interruption.forced


def test_at_a_terminal_what_is_in_progress_is_waited_for(moment):
    with Interruption(lambda: True, patience({"HOME": "/home/user"}), lambda: moment[0]) as interruption:
        assert interruption.requested
        moment[0] += 10_000
        assert not interruption.forced


def test_afterwards_signals_mean_what_they_meant_before():
    before = [signal.getsignal(number) for number in SIGNALS]
    with Interruption():
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_a_signal_that_the_process_was_started_to_ignore_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interruption() as interruption:
            signal.raise_signal(signal.SIGHUP)
            assert not interruption.requested
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_in_another_thread_it_does_without_signals():
    reasons = []

    def work():
        with Interruption(lambda: True) as interruption:
            reasons.append(interruption.requested and interruption.reason)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)
    assert reasons == ["interrupted by the end of the playbook run"]


class Process:
    """Notes that it was ended."""

    def __init__(self):
        self.ended = threading.Event()

    def end(self, _status):
        self.ended.set()


def watching():
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "end-in-time"]
    return thread


def test_a_cancelled_job_is_over_in_time_whatever_it_still_waits_for(monkeypatch):
    monkeypatch.setattr(interruption_file, "LAST_SECONDS", 0.1)
    gone, process = threading.Event(), Process()
    # Nobody asks whether it is interrupted, as while the run's own thread waits for an answer.
    with Interruption(gone.is_set, patience=0.1, end_process=process.end) as interruption:
        assert not process.ended.wait(0.5) and not interruption.forced
        gone.set()
        assert process.ended.wait(30)
        assert interruption.forced
    assert interruption.reason == "interrupted by the end of the playbook run"


@pytest.mark.parametrize("gone", [False, True])
def test_a_job_that_comes_to_its_end_in_time_is_left_to_it(monkeypatch, gone):
    monkeypatch.setattr(interruption_file, "LAST_SECONDS", 30)
    process = Process()
    with Interruption(lambda: gone, patience=0.1, end_process=process.end):
        thread = watching()
    thread.join(20)
    assert not thread.is_alive() and not process.ended.is_set()
