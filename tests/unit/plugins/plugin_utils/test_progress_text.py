# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.engine.progress import RunStatus
from ansible_collections.onetoken.openstack.plugins.plugin_utils.progress_text import Log, interrupted_message, sentence
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.fake_time import FakeTime

STANDING = RunStatus("snapshot", "servers", total=1000, done=430, failed=2, in_progress=38, waiting=530)


@pytest.fixture
def time():
    return FakeTime()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"rate": 1164, "seconds_left": 29}, "430 done, 2 failed, 38 in progress, 19.4/s, 29 s left"),
        ({"rate": 12.5, "seconds_left": 2544}, "430 done, 2 failed, 38 in progress, 12.5/min, 42 min left"),
        ({"rate": 1164, "throttled": 12.2}, "430 done, 2 failed, 38 in progress, waiting 12 s on the cloud's limit"),
        ({"waiting": 0, "awaited": "the images"}, "430 done, 2 failed, 38 in progress, waiting for the images"),
        ({"already": 7, "skipped": 3}, "430 done, 7 already, 2 failed, 3 skipped, 38 in progress"),
        (
            {"accepted": 5, "incomplete": 4, "blocked": 1},
            "430 done, 5 accepted, 4 incomplete, 1 blocked, 2 failed, 38 in progress",
        ),
        ({"stopped": "x", "rate": 3}, "430 done, 2 failed, 38 in progress, nothing new is sent"),
        ({"done": 998, "in_progress": 0, "waiting": 0, "elapsed": 55.2}, "998 done, 2 failed, in 55 s"),
    ],
)
def test_a_sentence_shows_the_progress(changes, text):
    assert sentence(dataclasses.replace(STANDING, **changes)) == f"snapshot of 1000 servers: {text}"


def test_a_sentence_has_no_control_characters():
    assert sentence(RunStatus("\x1b[2J", "servers\r\n")) == "?[2J of servers??: planning"


def test_the_interrupted_message_names_what_continues_and_what_to_do():
    assert interrupted_message(STANDING) == (
        "snapshot of 1000 servers: interrupted at 430 done, nothing new is sent, the 38 in progress continue; "
        "run it again for the rest"
    )
    assert "interrupted" in interrupted_message(None)


def test_a_log_gets_the_first_each_tenth_and_no_more_than_one_each_5_seconds_between(time):
    log = Log(time.clock)
    written = []
    for done in range(0, 1001, 5):
        time.sleep(1)
        standing = RunStatus("snapshot", "servers", total=1000, done=done)
        if log.wants(standing):
            written.append(done)
    assert written[0] == 0
    assert {100, 200, 300, 400, 500, 600, 700, 800, 900, 1000} <= set(written)
    assert all(later - earlier >= 25 or later % 100 == 0 for earlier, later in zip(written, written[1:], strict=False))


def test_a_log_shows_no_unchanged_progress(time):
    log = Log(time.clock)
    assert log.wants(STANDING)
    time.sleep(3600)
    assert not log.wants(dataclasses.replace(STANDING, elapsed=3600))
    assert not log.lacks(STANDING)
    assert log.lacks(dataclasses.replace(STANDING, done=431))


def test_a_long_run_fills_a_log_more_slowly(time):
    log = Log(time.clock)
    time.sleep(3600)
    assert log.wants(STANDING)
    time.sleep(60)
    assert not log.wants(dataclasses.replace(STANDING, done=431))
    time.sleep(60)
    assert log.wants(dataclasses.replace(STANDING, done=432))


def test_a_run_without_a_total_shows_its_phase():
    assert sentence(RunStatus("backup", "volumes")) == "backup of volumes: planning"
