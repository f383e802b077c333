# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bulk run tells, who hears it, and how it reads."""

from __future__ import annotations

import dataclasses
import fcntl
import os
import pty
import stat
import struct
import termios
import threading

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.engine.progress import (
    VARIABLE,
    Progress,
    Standing,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.item import OUTCOMES
from ansible_collections.onetoken.openstack.plugins.plugin_utils import terminal_line
from ansible_collections.onetoken.openstack.plugins.plugin_utils.progress_listener import Listener
from ansible_collections.onetoken.openstack.plugins.plugin_utils.progress_text import Log, duration, farewell, sentence
from ansible_collections.onetoken.openstack.plugins.plugin_utils.terminal_line import TerminalLine

RETRY_AFTER = 30


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


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

    def heard(self) -> list[Standing]:
        try:
            lines = os.read(self.pipe, 65536).splitlines()
            return [standing for standing in map(Standing.of_line, lines) if standing]
        except BlockingIOError:
            return []

    def leave(self) -> None:
        os.close(self.pipe)


@pytest.fixture
def ear(place):
    return Ear(place)


@pytest.fixture
def progress(place, ear, clock):
    return Progress.of_environment({VARIABLE: str(place)}, clock)


def tell(progress, done=0, total=100, in_progress=0, failed=0, **more):
    outcomes = {"done": done, "failed": failed}
    progress.update(
        total=total, outcomes=outcomes, in_progress=in_progress, waiting=total - done - failed - in_progress, **more
    )


def test_without_a_listener_in_the_environment_nothing_is_told_and_nobody_is_missed():
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


def test_it_tells_twice_a_second_at_most_however_often_it_is_asked_to(progress, ear, clock):
    progress.begin("snapshot", "servers")
    for done in range(1, 90):
        clock.now += 0.05
        tell(progress, done=done)
    assert 8 <= len(ear.heard()) <= 11


def test_a_stop_and_the_end_are_told_at_once(progress, ear, clock):
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


def test_telling_never_waits_for_a_listener_that_does_not_listen(progress, ear, clock):
    progress.begin("snapshot", "servers")
    for done in range(2000):
        clock.now += 1
        tell(progress, done=done, total=2000)
    assert not progress.listener_gone


def told_each_second(progress, ear, clock, counts):
    progress.begin("snapshot", "servers")
    for done in counts:
        clock.now += 1
        tell(progress, done=done)
    return ear.heard()[-1]


def test_the_rate_counts_from_the_first_that_ended_so_that_a_slow_start_does_not_count(progress, ear, clock):
    standing = told_each_second(progress, ear, clock, [0] * 60 + list(range(1, 12)))
    assert standing.rate == pytest.approx(60)
    assert standing.seconds_left == pytest.approx(89)


def test_there_is_no_estimate_before_enough_has_ended(progress, ear, clock):
    standing = told_each_second(progress, ear, clock, [0, 0, 0, 5, 5, 5, 5])
    assert (standing.rate, standing.seconds_left) == (None, None)


def test_the_rate_is_the_one_of_late(progress, ear, clock):
    standing = told_each_second(progress, ear, clock, [*range(1, 31), *[30] * 130, *[40] * 10])
    assert standing.rate == pytest.approx(10 / 120 * 60)


def test_a_run_that_sends_nothing_more_has_no_time_left_to_tell(progress, ear, clock):
    told_each_second(progress, ear, clock, range(1, 12))
    tell(progress, done=12, in_progress=5, stopped="the run was interrupted by SIGINT")
    assert ear.heard()[-1].seconds_left is None


def test_what_is_no_line_of_a_run_is_not_understood():
    assert Standing.of_line(b"") is None
    assert Standing.of_line(b"[1]") is None
    assert Standing.of_line(b'{"other": 1}') is None


STANDING = Standing("snapshot", "servers", total=1000, done=430, failed=2, in_progress=38, waiting=530)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"rate": 1164, "seconds_left": 29}, "430 done, 2 failed, 38 under way, 19.4/s, 29 s left"),
        ({"rate": 12.5, "seconds_left": 2544}, "430 done, 2 failed, 38 under way, 12.5/min, 42 min left"),
        ({"rate": 1164, "throttled": 12.2}, "430 done, 2 failed, 38 under way, waiting 12 s on the cloud's limit"),
        ({"waiting": 0, "awaited": "the images"}, "430 done, 2 failed, 38 under way, waiting for the images"),
        ({"already": 7, "skipped": 3}, "430 done, 7 there already, 2 failed, 3 skipped, 38 under way"),
        (
            {"accepted": 5, "incomplete": 4, "blocked": 1},
            "430 done, 5 accepted, 4 incomplete, 1 blocked, 2 failed, 38 under way",
        ),
        ({"stopped": "x", "rate": 3}, "430 done, 2 failed, 38 under way, nothing new is sent"),
        ({"done": 998, "in_progress": 0, "waiting": 0, "elapsed": 55.2}, "998 done, 2 failed, in 55 s"),
    ],
)
def test_a_sentence_says_where_the_run_stands(changes, text):
    assert sentence(dataclasses.replace(STANDING, **changes)) == f"snapshot of 1000 servers: {text}"


def test_every_outcome_settles_an_item():
    standing = Standing("snapshot", "servers", **dict.fromkeys(set(OUTCOMES) - {"planned"}, 1))
    assert standing.settled == len(OUTCOMES) - 1


def test_a_run_that_does_not_know_its_number_yet_plans():
    assert sentence(Standing("backup", "volumes")) == "backup of volumes: planning"


def test_nothing_that_a_terminal_would_obey_gets_into_a_sentence():
    assert sentence(Standing("\x1b[2J", "servers\r\n")) == "?[2J of servers??: planning"


def test_the_last_words_name_what_goes_on_and_what_to_do():
    assert farewell(STANDING) == (
        "snapshot of 1000 servers: interrupted at 430 done, nothing new is sent, the 38 under way go on; "
        "run it again for the rest"
    )
    assert "interrupted" in farewell(None)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (119, "119 s"), (120, "2 min"), (7140, "119 min"), (7200, "2 h 00 min")]
)
def test_a_duration_is_as_exact_as_it_needs_to_be(seconds, text):
    assert duration(seconds) == text


def test_a_log_gets_the_first_each_tenth_and_no_more_than_one_each_5_seconds_between(clock):
    log = Log(clock)
    written = []
    for done in range(0, 1001, 5):
        clock.now += 1
        standing = Standing("snapshot", "servers", total=1000, done=done)
        if log.wants(standing):
            written.append(done)
    assert written[0] == 0
    assert {100, 200, 300, 400, 500, 600, 700, 800, 900, 1000} <= set(written)
    assert all(later - earlier >= 25 or later % 100 == 0 for earlier, later in zip(written, written[1:], strict=False))


def test_a_log_is_not_told_again_what_has_not_changed(clock):
    log = Log(clock)
    assert log.wants(STANDING)
    clock.now += 3600
    assert not log.wants(dataclasses.replace(STANDING, elapsed=3600))
    assert not log.lacks(STANDING)
    assert log.lacks(dataclasses.replace(STANDING, done=431))


def test_a_long_run_fills_a_log_more_slowly(clock):
    log = Log(clock)
    clock.now += 3600
    assert log.wants(STANDING)
    clock.now += 60
    assert not log.wants(dataclasses.replace(STANDING, done=431))
    clock.now += 60
    assert log.wants(dataclasses.replace(STANDING, done=432))


@pytest.fixture
def heard():
    return []


def listener(tmp_path, heard, environ, run=None):
    def hear(standing):
        heard.append(standing)
        came.set()

    came = threading.Event()
    return Listener(str(tmp_path), hear, environ, os.getppid() if run is None else run), came


def test_what_a_module_tells_reaches_the_listener_through_a_private_pipe(tmp_path, heard):
    environ: dict[str, str] = {}
    listening, came = listener(tmp_path, heard, environ)
    with listening:
        path = environ[VARIABLE]
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700
        progress = Progress.of_environment(environ)
        progress.begin("snapshot", "servers")
        assert came.wait(RETRY_AFTER)
        tell(progress, done=7)
    assert [standing.done for standing in heard] == [0, 7]
    assert environ == {}
    assert list(tmp_path.iterdir()) == []


def test_a_task_without_a_module_that_tells_leaves_nothing_behind(tmp_path, heard):
    listening, _came = listener(tmp_path, heard, {})
    with pytest.raises(KeyError), listening:
        raise KeyError
    assert (heard, list(tmp_path.iterdir())) == ([], [])


def test_the_listener_leaves_when_its_run_is_gone(tmp_path, heard):
    environ: dict[str, str] = {}
    # No process has its grandchild for a parent.
    listening, _came = listener(tmp_path, heard, environ, run=-1)
    with listening:
        listening._thread.join(RETRY_AFTER)
        assert Progress.of_environment(environ).listener_gone


@pytest.fixture
def terminal():
    """A process's terminal, as its standard output would be one; the other end of it."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    yield master, slave
    os.close(master)
    os.close(slave)


@pytest.fixture
def line(terminal, monkeypatch):
    monkeypatch.setattr(terminal_line, "in_foreground", lambda process: True)
    return TerminalLine(terminal[1], os.getpid())


def test_a_line_on_a_terminal_fits_in_it_and_leaves_the_cursor_on_the_empty_line_above(line):
    assert line.showing("x" * 60) == f"\r\x1b[K\n{'x' * 39}\x1b[K\r\x1b[A"


def test_on_a_terminal_that_is_somebody_elses_nothing_is_shown(line, monkeypatch):
    monkeypatch.setattr(terminal_line, "in_foreground", lambda process: False)
    assert line.showing("text") == ""


def test_the_last_words_are_written_in_one_piece_over_what_was_shown(line, terminal):
    line.finish_with("over")
    assert os.read(terminal[0], 1000) == b"\r\x1b[Jover\r\n"


@pytest.mark.parametrize("environ", [{}, {"TERM": "dumb"}])
def test_a_terminal_that_knows_no_commands_gets_no_line(environ):
    assert TerminalLine.of_run(os.getpid(), environ) is None


def test_on_a_terminal_that_is_gone_nothing_is_shown(line, terminal):
    # The descriptor is closed by a run whose terminal went away; another file may have its number by then.
    replaced = os.open(os.devnull, os.O_RDONLY)
    os.dup2(replaced, terminal[1])
    os.close(replaced)
    assert line.showing("text") == ""
    line.finish_with("over")


def test_of_a_process_that_is_gone_there_is_no_terminal():
    assert TerminalLine.of_run(-1, {"TERM": "xterm"}) is None
    assert not terminal_line.in_foreground(-1)


@pytest.mark.parametrize(("run", "environ", "at_once"), [(-1, {}, False), (-1, {"PYTHONUNBUFFERED": "1"}, True)])
def test_whether_its_output_is_seen_at_once(run, environ, at_once):
    assert terminal_line.shows_at_once(run, environ) is at_once


def test_where_no_pipe_can_be_made_nothing_is_left_behind(tmp_path, heard, monkeypatch):
    def refuse(path, mode):
        raise OSError("not supported")

    monkeypatch.setattr(os, "mkfifo", refuse)
    listening, _came = listener(tmp_path, heard, {})
    with pytest.raises(OSError, match="not supported"), listening:
        pass
    assert list(tmp_path.iterdir()) == []
