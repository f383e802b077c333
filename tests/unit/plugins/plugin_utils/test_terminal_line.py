# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios

import pytest
from ansible_collections.onetoken.openstack.plugins.plugin_utils import terminal_line
from ansible_collections.onetoken.openstack.plugins.plugin_utils.terminal_line import TerminalLine


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


def test_nothing_is_shown_while_the_run_is_in_the_background(line, monkeypatch):
    monkeypatch.setattr(terminal_line, "in_foreground", lambda process: False)
    assert line.showing("text") == ""


def test_the_last_text_is_written_in_one_piece_over_the_line(line, terminal):
    line.finish_with("over")
    assert os.read(terminal[0], 1000) == b"\r\x1b[Jover\r\n"


@pytest.mark.parametrize("environ", [{}, {"TERM": "dumb"}])
def test_a_dumb_terminal_gets_no_line(environ):
    assert TerminalLine.of_run(os.getpid(), environ) is None


def test_nothing_is_shown_on_a_terminal_that_is_gone(line, terminal):
    # The descriptor is closed by a run whose terminal went away; another file may have its number by then.
    replaced = os.open(os.devnull, os.O_RDONLY)
    os.dup2(replaced, terminal[1])
    os.close(replaced)
    assert line.showing("text") == ""
    line.finish_with("over")


def test_a_process_that_is_gone_has_no_terminal():
    assert TerminalLine.of_run(-1, {"TERM": "xterm"}) is None
    assert not terminal_line.in_foreground(-1)


@pytest.mark.parametrize(("run", "environ", "at_once"), [(-1, {}, False), (-1, {"PYTHONUNBUFFERED": "1"}, True)])
def test_whether_its_output_appears_at_once(run, environ, at_once):
    assert terminal_line.shows_at_once(run, environ) is at_once
