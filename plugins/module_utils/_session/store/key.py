# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The key of a session, without which nobody can tell from the name of a record whose identity it is.

It lies in memory, away from the records, so that a stolen disk or a backup helps nobody to guess a password.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
import time
import typing as t

from ..util.errors import SessionError

_LENGTH = 32
#: Beside the records, where there is no storage in memory.
FILE = "key"
_MEMORY = "/dev/shm"
_PREFIX = "onetoken-"


def read_or_make(path: str) -> bytes:
    """The session's key, made by the first process that needs it."""
    for place in _places(path):
        for attempt in (_read, _made):
            key = attempt(place, path)
            if key is not None:
                return key
    raise SessionError(f"The session {path} has no key: make room for one in {_MEMORY} or in the session.")


def remove(path: str) -> None:
    with contextlib.suppress(OSError):
        owner = _owner(path)
        for place in _places(path):
            with contextlib.suppress(OSError):
                if os.lstat(place).st_uid == owner:
                    os.remove(place)


def clear(untouched: float) -> None:
    """Remove this user's keys of sessions that somebody removed by hand; none that is younger than this, in seconds.

    A session that is not seen here may be there for processes that have directories of their own.
    """
    with contextlib.suppress(OSError):
        for name in os.listdir(_MEMORY):
            if name.startswith(f"{_PREFIX}{os.geteuid()}-"):
                place = os.path.join(_MEMORY, name)
                with contextlib.suppress(OSError):
                    if time.time() - os.lstat(place).st_mtime > untouched:
                        path = _content(place, os.geteuid())[_LENGTH:]
                        if path and not os.path.lexists(path):
                            os.remove(place)


def _places(path: str) -> t.Iterator[str]:
    if os.path.isdir(_MEMORY):
        digest = hashlib.sha256(os.path.realpath(path).encode()).hexdigest()
        yield os.path.join(_MEMORY, f"{_PREFIX}{_owner(path)}-{digest[:32]}")
    yield os.path.join(path, FILE)


def _owner(path: str) -> int:
    return os.stat(path).st_uid


def _read(place: str, path: str) -> bytes | None:
    content = _content(place, _owner(path))
    # Versions before wrote no path.
    is_of_session = len(content) >= _LENGTH and content[_LENGTH:] in (b"", os.fsencode(os.path.realpath(path)))
    return content[:_LENGTH] if is_of_session else None


def _content(place: str, owner: int) -> bytes:
    """The content of a file that only its owner can read and write; nothing of another one."""
    # Without O_CREAT: systems forbid even the superuser to open another's file so in a directory of everybody's.
    try:
        file = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return b""
    try:
        status = os.fstat(file)
        is_ours = stat.S_ISREG(status.st_mode) and status.st_uid == owner and not status.st_mode & 0o077
        return os.read(file, status.st_size) if is_ours else b""
    finally:
        os.close(file)


def _made(place: str, path: str) -> bytes | None:
    """A new key; the one of another process that was faster."""
    temporary = f"{place}.{secrets.token_hex(4)}"
    try:
        file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    try:
        with os.fdopen(file, "wb") as stream:
            if os.geteuid() == 0:
                os.fchown(file, _owner(path), -1)
            # The path says whose key it is when the session is gone.
            stream.write(secrets.token_bytes(_LENGTH) + os.fsencode(os.path.realpath(path)))
        with contextlib.suppress(FileExistsError):
            # Whole or not at all, and never in the place of another.
            os.link(temporary, place)
    except OSError:
        return None
    finally:
        with contextlib.suppress(OSError):
            os.remove(temporary)
    return _read(place, path)
