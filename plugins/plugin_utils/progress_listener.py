# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Receives the progress of a bulk run on the controller. When it is gone, the module knows that the run is gone."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
import typing as t

from ..module_utils._bulk.engine.progress import VARIABLE, RunStatus

#: Seconds between two reads of the pipe.
_POLL = 0.2
_PRIVATE = 0o600
#: Seconds for which the end of the task waits for the last report.
_JOIN_TIMEOUT = 2.0


class Listener:
    """Receives from the tasks that this process starts while it is entered."""

    def __init__(
        self, folder: str, show: t.Callable[[RunStatus], None], environ: t.MutableMapping[str, str], run: int
    ) -> None:
        self._folder = folder
        self._show = show
        self._environ = environ
        self._run = run
        self._directory = ""
        self._pipe: int | None = None
        self._received = b""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="progress", daemon=True)

    def __enter__(self) -> Listener:
        self._directory = tempfile.mkdtemp(prefix="onetoken-progress-", dir=self._folder)
        path = os.path.join(self._directory, "pipe")
        try:
            os.mkfifo(path, _PRIVATE)
            self._pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            self.remove_files()
            raise
        self._environ[VARIABLE] = path
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._environ.pop(VARIABLE, None)
        self._over.set()
        self._thread.join(_JOIN_TIMEOUT)
        self.remove_files()

    def remove_files(self) -> None:
        shutil.rmtree(self._directory, ignore_errors=True)

    def _listen(self) -> None:
        # Signals must reach the main thread, which waits for the module and would keep waiting if one came here.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            # The parent of a worker is the run, until the run is gone.
            while not self._over.wait(_POLL) and os.getppid() == self._run:
                self._show_newest()
            if self._over.is_set():
                self._show_newest()
        finally:
            self._close()

    def _show_newest(self) -> None:
        *lines, self._received = (self._received + self._read()).split(b"\n")
        newest = RunStatus.of_line(lines[-1]) if lines else None
        if newest is not None:
            self._show(newest)

    def _read(self) -> bytes:
        try:
            return os.read(self._pipe, 65536) if self._pipe is not None else b""
        except BlockingIOError:
            return b""

    def _close(self) -> None:
        if self._pipe is not None:
            os.close(self._pipe)
        self._pipe = None
