# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a bulk module, and shows its progress on the controller."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
import typing as t

from ansible import constants
from ansible.plugins.action.normal import ActionModule as NormalAction
from ansible.utils.display import Display

from ..module_utils._bulk.engine.progress import RunStatus
from .progress_listener import Listener
from .progress_text import Log, interrupted_message, sentence
from .terminal_line import ERASE, TerminalLine, shows_at_once

#: Where these are set, a terminal is somebody's log: ansible-runner and AWX, and what builds and tests by itself.
LOGS = ("AWX_ISOLATED_DATA_DIR", "CI")


class ProgressAction(NormalAction):
    """Runs the module as any other, and shows meanwhile what it reports."""

    def run(self, tmp: t.Any = None, task_vars: t.Any = None) -> dict[str, t.Any]:
        # What works elsewhere, or goes on by itself, has nobody here to tell.
        if self._connection.transport != "local" or self._task.async_val:
            return super().run(tmp, task_vars)
        run = os.getppid()
        with contextlib.ExitStack() as stack:
            view = View(run, "" if self._task.run_once else self._name_of_host(task_vars or {}))
            stack.callback(view.close)
            listener = Listener(constants.DEFAULT_LOCAL_TMP, view.show, os.environ, run)

            def leave() -> None:
                view.take_leave()
                listener.remove_files()

            # Without a place for the pipe, the module runs all the same.
            with contextlib.suppress(OSError):
                stack.enter_context(listener)
                stack.enter_context(_interrupts(leave))
            return super().run(tmp, task_vars)

    @staticmethod
    def _name_of_host(task_vars: t.Mapping[str, t.Any]) -> str:
        """Whom the progress is of, where that is not plain."""
        return task_vars["inventory_hostname"] if len(task_vars.get("ansible_play_batch", ())) > 1 else ""


class View:
    """The progress of one task, on the run's terminal or in its log."""

    def __init__(self, run: int, host: str) -> None:
        self._display = Display()
        self._prefix = f"[{host}] " if host else ""
        self._log = Log(time.monotonic)
        self._newest: RunStatus | None = None
        callback = str(constants.DEFAULT_STDOUT_CALLBACK)
        # A program reads what these callbacks print.
        for_program = any(form in callback for form in ("json", "yaml"))
        for_log = callback.endswith("awx_display") or any(os.environ.get(name) for name in LOGS)
        self._line = None if for_program or for_log else TerminalLine.of_run(run, os.environ)
        self._stderr = for_program or not shows_at_once(run, os.environ)
        self._over = False

    def show(self, standing: RunStatus) -> None:
        if self._over:
            return
        self._newest = standing
        if self._line is not None:
            self._update(self._line.showing(self._prefix + sentence(standing)))
        if self._log.wants(standing):
            self._write(standing)

    def take_leave(self) -> None:
        """Say what becomes of an interrupted task, as long as the run is there to be seen."""
        if not self._over:
            self._over = True
            if self._line is not None:
                self._line.finish_with(self._prefix + interrupted_message(self._newest))

    def close(self) -> None:
        if self._newest is not None and not self._over:
            self._over = True
            if self._line is not None:
                self._update(ERASE)
            if self._log.lacks(self._newest):
                self._write(self._newest)
        if self._line is not None:
            self._line.close()

    def _update(self, text: str) -> None:
        if text:
            self._display.display(text, screen_only=True, newline=False)

    def _write(self, standing: RunStatus) -> None:
        text = self._prefix + sentence(standing)
        self._display.display(text, stderr=self._stderr, log_only=self._line is not None)


@contextlib.contextmanager
def _interrupts(notice: t.Callable[[], None]) -> t.Iterator[None]:
    """Call this for a signal that ends the process, before the usual handler ends it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    ending = False

    def handler(number: int, frame: t.Any) -> None:
        nonlocal ending
        if ending:
            # The run sends a second one right after the first, which is the one that the module is to hear of.
            return
        ending = True
        try:
            notice()
            _as_usual(number, frame, before[signal.Signals(number)])
        finally:
            ending = False

    for number, usual in before.items():
        if usual is not signal.SIG_IGN:
            signal.signal(number, handler)
    try:
        yield
    finally:
        for number, usual in before.items():
            signal.signal(number, usual or signal.SIG_DFL)


def _as_usual(number: int, frame: t.Any, usual: t.Any) -> None:
    if callable(usual):
        usual(number, frame)
    else:
        signal.signal(number, usual or signal.SIG_DFL)
        os.kill(os.getpid(), number)
