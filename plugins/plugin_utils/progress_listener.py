# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listens on the controller to what a bulk run tells, and lets the module know by its absence that the run is gone."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
import typing as t

from ..module_utils._bulk.engine.progress import VARIABLE, RunStatus

#: Seconds between two looks into the pipe.
_LOOK = 0.2
_PRIVATE = 0o600
#: How long the end of the task waits for what was told last, in seconds.
_PATIENCE = 2.0


class Listener:
    """Hears the tasks that this process starts while it is entered."""

    def __init__(
        self, folder: str, hear: t.Callable[[RunStatus], None], environ: t.MutableMapping[str, str], run: int
    ) -> None:
        self._folder = folder
        self._hear = hear
        self._environ = environ
        self._run = run
        self._place = ""
        self._pipe: int | None = None
        self._said = b""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="progress", daemon=True)

    def __enter__(self) -> Listener:
        self._place = tempfile.mkdtemp(prefix="onetoken-progress-", dir=self._folder)
        path = os.path.join(self._place, "pipe")
        try:
            os.mkfifo(path, _PRIVATE)
            self._pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            self.leave_nothing_behind()
            raise
        self._environ[VARIABLE] = path
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._environ.pop(VARIABLE, None)
        self._over.set()
        self._thread.join(_PATIENCE)
        self.leave_nothing_behind()

    def leave_nothing_behind(self) -> None:
        shutil.rmtree(self._place, ignore_errors=True)

    def _listen(self) -> None:
        # A signal is for the main thread, which waits for the module and would go on waiting if it came here.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            # The parent of a worker is the run; of one that the run left behind it is somebody else.
            while not self._over.wait(_LOOK) and os.getppid() == self._run:
                self._hear_newest()
            if self._over.is_set():
                self._hear_newest()
        finally:
            self._hang_up()

    def _hear_newest(self) -> None:
        *lines, self._said = (self._said + self._read()).split(b"\n")
        newest = RunStatus.of_line(lines[-1]) if lines else None
        if newest is not None:
            self._hear(newest)

    def _read(self) -> bytes:
        try:
            return os.read(self._pipe, 65536) if self._pipe is not None else b""
        except BlockingIOError:
            return b""

    def _hang_up(self) -> None:
        if self._pipe is not None:
            os.close(self._pipe)
        self._pipe = None
