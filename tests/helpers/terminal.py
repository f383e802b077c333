# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command in a terminal of its own, and do there what users do."""

from __future__ import annotations

import os
import pathlib
import pty
import select
import subprocess
import sys
import typing as t


class Terminal:
    """A terminal in which a process runs."""

    def __init__(self, command: t.Sequence[str], directory: pathlib.Path, environment: t.Mapping[str, str]) -> None:
        master, slave = pty.openpty()
        self._master: int | None = master
        self._output = b""
        # Hang-up and Ctrl-C reach only processes that have this terminal as their controlling one.
        take_terminal = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
        take_terminal += "os.execvp(sys.argv[1], sys.argv[1:])"
        self.process = subprocess.Popen(
            [sys.executable, "-c", take_terminal, *command],
            cwd=directory,
            env=environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)

    @property
    def output(self) -> str:
        """All that was printed so far."""
        while self._master is not None and select.select([self._master], [], [], 0)[0]:
            try:
                part = os.read(self._master, 65536)
            except OSError:
                break
            if not part:
                break
            self._output += part
        return self._output.decode(errors="replace")

    @property
    def ended(self) -> bool:
        # Read first: where nobody reads, writers block and never end.
        return bool(self.output) and self.process.poll() is not None

    def type_line(self, text: str) -> None:
        assert self._master is not None
        os.write(self._master, f"{text}\n".encode())

    def press_control_c(self) -> None:
        assert self._master is not None
        os.write(self._master, b"\x03")

    def hang_up(self) -> None:
        if self._master is not None:
            os.close(self._master)
            self._master = None

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(timeout=30)
        self.hang_up()
