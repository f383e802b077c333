# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A line on the run's terminal that is written over in place, shown by a process that is not at the terminal itself.

It stands below an empty line, on which the cursor stays: what others write meanwhile begins on a line of its own.
"""

from __future__ import annotations

import os
import typing as t

from ..module_utils._session.util import file_lock, process

#: Back to the beginning of the line, and nothing from there on.
ERASE = "\r\x1b[J"
_NARROWEST = 20
_USUAL = 80


class TerminalLine:
    """The place for one such line; there is one on a terminal at a time."""

    def __init__(self, terminal: int, run: int) -> None:
        self._terminal = terminal
        self._run = run

    @classmethod
    def of_run(cls, run: int, environ: t.Mapping[str, str]) -> TerminalLine | None:
        """On the terminal that a process has its standard output on; None where that is none, or taken."""
        if environ.get("TERM", "dumb") == "dumb":
            return None
        try:
            terminal = os.open(f"/proc/{run}/fd/1", os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None
        line = cls(terminal, run)
        try:
            if not os.isatty(terminal) or not line._usable or not file_lock.try_lock(terminal):
                raise OSError("not a terminal to write on")
        except OSError:
            line.close()
            return None
        return line

    @property
    def _width(self) -> int:
        # Of a terminal that nobody told its size, this is the one that programs expect.
        return os.get_terminal_size(self._terminal).columns or _USUAL

    @property
    def _usable(self) -> bool:
        return self._width >= _NARROWEST and in_foreground(self._run)

    def showing(self, text: str) -> str:
        """What shows a text there; nothing while the terminal is somebody else's."""
        try:
            if not self._usable:
                return ""
            # A line that is full would wrap.
            return f"\r\x1b[K\n{text[: self._width - 1]}\x1b[K\r\x1b[A"
        except OSError:
            return ""

    def finish_with(self, text: str) -> None:
        """Put a text there for good, in one piece and at once: the run's own process is about to end."""
        try:
            if in_foreground(self._run):
                os.write(self._terminal, f"{ERASE}{text}\n".encode(errors="replace"))
        except OSError:
            # The terminal is gone as well.
            pass

    def close(self) -> None:
        os.close(self._terminal)


def shows_at_once(run: int, environ: t.Mapping[str, str]) -> bool:
    """Whether what a process writes to its standard output is seen at once, and not when its buffer is full."""
    if environ.get("PYTHONUNBUFFERED"):
        return True
    try:
        output = os.open(f"/proc/{run}/fd/1", os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.isatty(output)
    finally:
        os.close(output)


def in_foreground(pid: int) -> bool:
    """Whether a process is in the foreground of its terminal, and not in the background of a shell."""
    found = process.stat(pid)
    return found is not None and found.process_group == found.foreground_group
