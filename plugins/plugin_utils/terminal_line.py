# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A line on the run's terminal that is updated in place, by a process that is not at the terminal itself.

It is below an empty line with the cursor, so that other output starts on a line of its own.
"""

from __future__ import annotations

import os
import typing as t

from ..module_utils._session.util import file_lock, process

#: Returns to the beginning of the line, and erases everything from there.
ERASE = "\r\x1b[J"
_NARROWEST = 20
_USUAL = 80


class TerminalLine:
    """The one such line of a terminal."""

    def __init__(self, terminal: int, run: int) -> None:
        self._terminal = terminal
        self._run = run

    @classmethod
    def of_run(cls, run: int, environ: t.Mapping[str, str]) -> TerminalLine | None:
        """The line on the terminal of a process's standard output; None if that is no terminal, or has one already."""
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
        # Programs expect 80 columns of a terminal that does not report its size.
        return os.get_terminal_size(self._terminal).columns or _USUAL

    @property
    def _usable(self) -> bool:
        return self._width >= _NARROWEST and in_foreground(self._run)

    def showing(self, text: str) -> str:
        """The output that shows a text there; empty while the run is in the background."""
        try:
            if not self._usable:
                return ""
            # A full line would wrap.
            return f"\r\x1b[K\n{text[: self._width - 1]}\x1b[K\r\x1b[A"
        except OSError:
            return ""

    def finish_with(self, text: str) -> None:
        """Write a last text there, in one piece and at once: the run's own process is about to end."""
        try:
            if in_foreground(self._run):
                os.write(self._terminal, f"{ERASE}{text}\n".encode(errors="replace"))
        except OSError:
            # The terminal is gone as well.
            pass

    def close(self) -> None:
        os.close(self._terminal)


def shows_at_once(run: int, environ: t.Mapping[str, str]) -> bool:
    """Whether the standard output of a process appears at once, and not when its buffer is full."""
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
