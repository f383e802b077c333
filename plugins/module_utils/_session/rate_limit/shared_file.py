# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A few bytes that all processes of a user on a machine read and change under a lock.

Where there can be no such file, or it cannot be used, a process has bytes of its own: a rate limiter must never fail a
run.
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
#: The lock is held for microseconds. A process that holds it for this many seconds was stopped meanwhile.
_LOCK_TIMEOUT = 2.0
_POLL = 0.001


class SharedFile:
    def __init__(self, environ: t.Mapping[str, str] | None, name: str) -> None:
        self._lock = threading.Lock()
        self._content = b""
        #: None for this process alone.
        self._environ = environ
        self._name = name
        self._file: directory.KeptFile | None = None
        self._open()

    @contextlib.contextmanager
    def locked(self) -> t.Iterator[None]:
        """Keep other threads and processes from reading and writing meanwhile."""
        with self._lock:
            self._lock_file()
            try:
                yield
            finally:
                self._unlock_file()

    def read(self) -> bytes:
        """What was written last; empty at first. Only under the lock."""
        if (file := self.number) is not None:
            try:
                return os.pread(file, _LONGEST_CONTENT, 0)
            except OSError:
                self._abandon_file()
        return self._content

    def write(self, content: bytes) -> None:
        """Only under the lock. In place and without waiting for the disk: after a crash, nobody needs it."""
        if (file := self.number) is not None:
            try:
                os.pwrite(file, content, 0)
                os.ftruncate(file, len(content))
            except OSError:
                self._abandon_file()
        self._content = content

    def _open(self) -> int | None:
        self._file = None
        if self._environ is None:
            return None
        with contextlib.suppress(OSError, SessionError):
            self._file = directory.KeptFile(open_shared(self._environ, self._name))
            weakref.finalize(self, self._file.close)
        return None if self._file is None else self._file.number

    @property
    def number(self) -> int | None:
        """The descriptor of the open file, which is opened again where the program has closed it; None without one."""
        if self._file is None:
            return None
        number = self._file.number
        return self._open() if number is None else number

    def _lock_file(self) -> None:
        with contextlib.suppress(OSError):
            file = self.number
            if file is None or file_lock.wait_for_lock(file, Waiter(_LOCK_TIMEOUT), _POLL):
                return
        self._file = None

    def _unlock_file(self) -> None:
        number = None if self._file is None else self._file.number
        if number is not None:
            file_lock.unlock(number)

    def _abandon_file(self) -> None:
        self._unlock_file()
        self._file = None


def open_shared(environ: t.Mapping[str, str], name: str) -> int:
    """A file that all processes of the user find under this name."""
    path = os.path.join(directory.default_base(environ), _FOLDER)
    directory.make(path)
    with directory.opened(path) as handle:
        return directory.open_file(handle, name)
