# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bulk run reports, and who listens."""

from __future__ import annotations

import os

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.engine.progress import (
    VARIABLE,
    Progress,
    RunStatus,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.item import OUTCOMES
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.fake_time import FakeTime


@pytest.fixture
def time():
    return FakeTime()


@pytest.fixture
def place(tmp_path):
    """A pipe as the action plugin makes it, and where it is."""
    (tmp_path / "place").mkdir(mode=0o700)
    path = tmp_path / "place" / "pipe"
    os.mkfifo(path, 0o600)
    return path


class Ear:
    """The other end of the pipe."""

    def __init__(self, path) -> None:
        self.pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def heard(self) -> list[RunStatus]:
        try:
            lines = os.read(self.pipe, 65536).splitlines()
            return [standing for standing in map(RunStatus.of_line, lines) if standing]
        except BlockingIOError:
            return []

    def leave(self) -> None:
        os.close(self.pipe)


@pytest.fixture
def ear(place):
    return Ear(place)


@pytest.fixture
def progress(place, ear, time):
    return Progress.of_environment({VARIABLE: str(place)}, time.clock)


def tell(progress, done=0, total=100, in_progress=0, failed=0, **more):
    outcomes = {"done": done, "failed": failed}
    progress.update(
        total=total, outcomes=outcomes, in_progress=in_progress, waiting=total - done - failed - in_progress, **more
    )


def told_each_second(progress, ear, time, counts):
    progress.begin("snapshot", "servers")
    for done in counts:
        time.sleep(1)
        tell(progress, done=done)
    return ear.heard()[-1]


def test_without_a_listener_in_the_environment_nothing_is_reported_and_nobody_is_missed():
    progress = Progress.of_environment({})
    progress.begin("snapshot", "servers")
    tell(progress)
    assert not progress.listener_gone


def test_what_is_no_pipe_is_as_good_as_none(tmp_path):
    (tmp_path / "file").touch()
    assert not Progress.of_environment({VARIABLE: str(tmp_path / "file")}).listener_gone
    assert (tmp_path / "file").exists()


def test_the_listener_hears_what_the_run_is_about_and_where_it_stands(progress, ear):
    progress.begin("snapshot", "servers")
    tell(progress, done=3, in_progress=2, awaited="the images")
    planning, working = ear.heard()
    assert (planning.phase, planning.resources) == ("planning", "servers")
    assert (working.total, working.done, working.in_progress, working.phase) == (100, 3, 2, "working")


def test_it_tells_twice_a_second_at_most_however_often_it_is_asked_to(progress, ear, time):
    progress.begin("snapshot", "servers")
    for done in range(1, 90):
        time.sleep(0.05)
        tell(progress, done=done)
    assert 8 <= len(ear.heard()) <= 11


def test_a_stop_and_the_end_are_reported_at_once(progress, ear, time):
    progress.begin("snapshot", "servers")
    tell(progress, done=1)
    tell(progress, done=2)
    tell(progress, done=2, stopped="the run was interrupted by SIGINT")
    progress.update(total=100, outcomes={"done": 2, "skipped": 98}, in_progress=0, waiting=0, stopped="the same")
    assert [(standing.settled, bool(standing.stopped)) for standing in ear.heard()[1:]] == [
        (1, False),
        (2, True),
        (100, True),
    ]


def test_the_pipe_has_no_name_any_more_once_the_module_has_opened_it(progress, place):
    assert not place.parent.exists()


def test_it_notices_that_the_listener_is_gone_without_telling_anything(progress, ear):
    assert not progress.listener_gone
    ear.leave()
    assert progress.listener_gone
    tell(progress)
    assert progress.listener_gone


def test_a_listener_that_went_before_the_module_came_is_gone(place):
    assert Progress.of_environment({VARIABLE: str(place)}).listener_gone


def test_so_is_one_that_took_its_pipe_with_it(tmp_path):
    assert Progress.of_environment({VARIABLE: str(tmp_path / "pipe")}).listener_gone


def test_telling_never_waits_for_a_listener_that_does_not_listen(progress, ear, time):
    progress.begin("snapshot", "servers")
    for done in range(2000):
        time.sleep(1)
        tell(progress, done=done, total=2000)
    assert not progress.listener_gone


def test_the_rate_counts_from_the_first_that_ended_so_that_a_slow_start_does_not_count(progress, ear, time):
    standing = told_each_second(progress, ear, time, [0] * 60 + list(range(1, 12)))
    assert standing.rate == pytest.approx(60)
    assert standing.seconds_left == pytest.approx(89)


def test_there_is_no_estimate_before_enough_has_ended(progress, ear, time):
    standing = told_each_second(progress, ear, time, [0, 0, 0, 5, 5, 5, 5])
    assert (standing.rate, standing.seconds_left) == (None, None)


def test_the_rate_is_the_one_of_late(progress, ear, time):
    standing = told_each_second(progress, ear, time, [*range(1, 31), *[30] * 130, *[40] * 10])
    assert standing.rate == pytest.approx(10 / 120 * 60)


def test_a_run_that_sends_nothing_more_has_no_time_left_to_tell(progress, ear, time):
    told_each_second(progress, ear, time, range(1, 12))
    tell(progress, done=12, in_progress=5, stopped="the run was interrupted by SIGINT")
    assert ear.heard()[-1].seconds_left is None


def test_what_is_no_line_of_a_run_is_not_understood():
    assert RunStatus.of_line(b"") is None
    assert RunStatus.of_line(b"[1]") is None
    assert RunStatus.of_line(b'{"other": 1}') is None


STANDING = RunStatus("snapshot", "servers", total=1000, done=430, failed=2, in_progress=38, waiting=530)


def test_every_outcome_settles_an_item():
    standing = RunStatus("snapshot", "servers", **dict.fromkeys(set(OUTCOMES) - {"planned"}, 1))
    assert standing.settled == len(OUTCOMES) - 1
