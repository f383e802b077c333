# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file as the body of a request: read in pieces, and from its start whenever the request is sent again."""

from __future__ import annotations

import os
import stat
import typing as t

from ...._session.util.errors import OneTokenError
from ...control.cancellation import Cancellation
from ...model.reason import Code

#: Bytes in memory at a time, and what a socket must take within the time that an answer may take.
PIECE = 256 * 1024


class FileUnusableError(OneTokenError):
    """A file cannot be sent, or not as one whole."""

    code = Code.FILE_UNUSABLE


class FileBody:
    """The content of a file, as long as it was when it was first looked at."""

    def __init__(self, path: str, cancellation: Cancellation | None = None) -> None:
        self._path = path
        #: Checked after each piece.
        self._cancellation = cancellation or Cancellation()
        try:
            self._status = os.stat(path)
        except OSError as exc:
            raise FileUnusableError(f"{path} cannot be read: {exc.strerror}") from exc
        if not stat.S_ISREG(self._status.st_mode):
            raise FileUnusableError(f"{path} is not a regular file")
        if not self._status.st_size:
            raise FileUnusableError(f"{path} is empty")
        if not os.access(path, os.R_OK):
            raise FileUnusableError(f"{path} cannot be read: no permission")

    def __len__(self) -> int:
        return self._status.st_size

    def __iter__(self) -> t.Iterator[bytes]:
        # Not as an OSError: those that come up while a body is sent pass for a broken connection.
        try:
            with open(self._path, "rb", buffering=0) as file:
                left = len(self)
                while left and (piece := file.read(min(PIECE, left))):
                    left -= len(piece)
                    yield piece
                    if self._cancellation.immediate:
                        raise FileUnusableError(f"{self._path} was not sent to its end, as the run was interrupted")
                now = os.fstat(file.fileno())
        except OSError as exc:
            raise FileUnusableError(f"{self._path} cannot be read: {exc.strerror}") from exc
        if (now.st_size, now.st_mtime_ns) != (self._status.st_size, self._status.st_mtime_ns):
            raise FileUnusableError(f"{self._path} was changed while it was sent")
