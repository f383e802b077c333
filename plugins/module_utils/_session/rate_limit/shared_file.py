# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A few bytes that all processes of a user on a machine read and change in turn.

Where there can be no such file, or it gives trouble, a process goes on with bytes of its own: a rate limiter must never
fail a run.
"""

from __future__ import annotations

import contextlib
import os
import threading
import typing as t
import weakref

from ..store import directory
from ..util import file_lock
from ..util.errors import SessionError
from ..util.waiting import Waiter

_FOLDER = ".rate-limits"
_LONGEST_CONTENT = 1 << 20
#: A turn takes microseconds. A process that has its turn for this many seconds was stopped in the middle of it.
_PATIENCE = 2.0
_POLL = 0.001


class SharedFile:
    def __init__(self, environ: t.Mapping[str, str] | None, name: str) -> None:
        self._turn = threading.Lock()
        self._content = b""
        #: None for this process alone.
        self._environ = environ
        self._name = name
        self._file: directory.KeptFile | None = None
        self._open()

    @contextlib.contextmanager
    def turn(self) -> t.Iterator[None]:
        """Nobody else reads or writes meanwhile."""
        with self._turn:
            self._lock()
            try:
                yield
            finally:
                self._unlock()

    def read(self) -> bytes:
        """What was written last; empty at first. Only in one's turn."""
        if (file := self._number()) is not None:
            try:
                return os.pread(file, _LONGEST_CONTENT, 0)
            except OSError:
                self._go_on_alone()
        return self._content

    def write(self, content: bytes) -> None:
        """Only in one's turn. In place and without waiting for the disk: it is of no use to anyone after a crash."""
        if (file := self._number()) is not None:
            try:
                os.pwrite(file, content, 0)
                os.ftruncate(file, len(content))
            except OSError:
                self._go_on_alone()
        self._content = content

    def _open(self) -> int | None:
        self._file = None
        if self._environ is None:
            return None
        with contextlib.suppress(OSError, SessionError):
            self._file = directory.KeptFile(open_shared(self._environ, self._name))
            weakref.finalize(self, self._file.close)
        return None if self._file is None else self._file.number

    def _number(self) -> int | None:
        """Of the open file, which is opened again where the program has closed it."""
        if self._file is None:
            return None
        number = self._file.number
        return self._open() if number is None else number

    def _lock(self) -> None:
        with contextlib.suppress(OSError):
            file = self._number()
            if file is None or file_lock.wait_for_lock(file, Waiter(_PATIENCE), _POLL):
                return
        self._file = None

    def _unlock(self) -> None:
        number = None if self._file is None else self._file.number
        if number is not None:
            file_lock.unlock(number)

    def _go_on_alone(self) -> None:
        self._unlock()
        self._file = None


def open_shared(environ: t.Mapping[str, str], name: str) -> int:
    """A file that all processes of the user find under this name."""
    path = os.path.join(directory.default_base(environ), _FOLDER)
    directory.make(path)
    with directory.opened(path) as handle:
        return directory.open_file(handle, name)
