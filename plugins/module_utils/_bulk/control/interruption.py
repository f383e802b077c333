# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a bulk run was interrupted: by a signal, or by the end of the playbook run that started it.

An interrupted ansible-playbook is gone within a tenth of a second, and the module is left alone. It starts nothing new,
waits for what is in progress, and writes its report. A job of ansible-runner or AWX is different: it ends everything
that it started, and soon its container, so there the module has a few seconds.
"""

from __future__ import annotations

import math
import os
import signal
import threading
import time
import types
import typing as t

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: The second of these ends the run at once. A terminal that goes away after a Ctrl-C does not.
FORCE_SIGNALS = (signal.SIGINT, signal.SIGTERM)
#: Seconds within which signals are one: who stops a whole group of processes reaches the module by more than one way.
FORCE_AFTER = 1.0
#: What ansible-runner, and so AWX, sets for each job.
JOB_VARIABLE = "AWX_ISOLATED_DATA_DIR"
#: Seconds for which a cancelled job still waits for what is in progress,
JOB_PATIENCE = 2.0
#: then for the last answers and the report, whatever it waits for.
LAST_SECONDS = 3.0
#: Seconds between two checks whether a job is interrupted.
_CHECK = 0.2


def patience(environ: t.Mapping[str, str]) -> float:
    """Seconds for which the run still waits for what is in progress after an interruption."""
    return JOB_PATIENCE if environ.get(JOB_VARIABLE) else math.inf


class Interruption:
    """Notices signals to this process, and the end of the run that started it, while it is entered."""

    def __init__(
        self,
        listener_gone: t.Callable[[], bool] = lambda: False,
        patience: float = math.inf,
        clock: t.Callable[[], float] = time.monotonic,
        end_process: t.Callable[[int], t.Any] = os._exit,
    ) -> None:
        self._listener_gone = listener_gone
        self._patience = patience
        self._clock = clock
        self._end_process = end_process
        self._over = threading.Event()
        self._before: dict[int, t.Any] = {}
        self._signalled_at: float | None = None
        self._forced = False
        self._interrupted_at = math.inf
        #: How the run was interrupted, as part of a sentence; empty while it was not.
        self.reason = ""

    def __enter__(self) -> Interruption:
        # Python lets no other thread listen to signals.
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                # A signal may be ignored on purpose, as under nohup.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._on_signal)
        if self._patience < math.inf:
            threading.Thread(target=self._end_in_time, name="end-in-time", daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._over.set()
        while self._before:
            number, before = self._before.popitem()
            signal.signal(number, signal.SIG_DFL if before is None else before)

    @property
    def requested(self) -> bool:
        """Whether nothing more is to be started."""
        if not self.reason and self._listener_gone():
            self._interrupt("by the end of the playbook run")
        return bool(self.reason)

    @property
    def forced(self) -> bool:
        """Whether not even what is in progress is waited for."""
        return self._forced or self._clock() - self._interrupted_at >= self._patience

    def _end_in_time(self) -> None:
        """End the process if it is not over soon after an interruption, as when a service does not answer."""
        while not self.requested:
            if self._over.wait(_CHECK):
                return
        if not self._over.wait(self._patience + LAST_SECONDS):
            self._end_process(1)

    def _on_signal(self, number: int, _frame: types.FrameType | None) -> None:
        # Between any two steps of the program: no lock is taken here.
        now = self._clock()
        if number in FORCE_SIGNALS:
            if self._signalled_at is not None and now - self._signalled_at >= FORCE_AFTER:
                self._forced = True
            self._signalled_at = self._signalled_at if self._signalled_at is not None else now
        self._interrupt(f"by {signal.Signals(number).name}")

    def _interrupt(self, how: str) -> None:
        if not self.reason:
            self._interrupted_at = self._clock()
            self.reason = f"interrupted {how}"
