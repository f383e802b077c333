# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A terminal, for what users do to a run there."""

from __future__ import annotations

import os
import pathlib
import pty
import select
import subprocess
import sys
import typing as t


class Terminal:
    """A terminal that a process runs at."""

    def __init__(self, command: t.Sequence[str], directory: pathlib.Path, environment: t.Mapping[str, str]) -> None:
        master, slave = pty.openpty()
        self._master: int | None = master
        self._output = b""
        # The terminal's hang-up and its Ctrl-C reach only whom it is the controlling one of.
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
        """What is on it so far."""
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
        # A terminal that nobody reads from stops who writes to it.
        return bool(self.output) and self.process.poll() is not None

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
