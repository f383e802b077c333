# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lock that lets the calls of one run on one machine submit one after the other.

The next call finds what the one before submitted; two that list at the same time would both submit the same. A call
holds the lock from before it lists until all is submitted, and waits for the results without it.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from ..._session.rate_limit.shared_file import open_shared
from ..._session.util import file_lock
from ..._session.util.errors import SessionError

#: Pauses between two tries, in seconds.
POLL = 0.2


class RunLock:
    """A lock with the name of what the calls have in common. The system releases that of a process that died."""

    def __init__(self, environ: t.Mapping[str, str], name: str) -> None:
        self._file: int | None = None
        # Where no file can be, calls cannot know of each other.
        with contextlib.suppress(OSError, SessionError):
            self._file = open_shared(environ, name)

    def acquire(self, pause: t.Callable[[float], None], goes_on: t.Callable[[], bool]) -> bool:
        """Wait for it; False when that is not wanted any more."""
        while not self._try():
            if not goes_on():
                return False
            pause(POLL)
        return True

    def _try(self) -> bool:
        if self._file is None:
            return True
        try:
            return file_lock.try_lock(self._file)
        except OSError:
            self.release()
            return True

    def release(self) -> None:
        """Let the next call submit; safe to repeat."""
        if self._file is not None:
            os.close(self._file)
        self._file = None
