# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The key of a session, without which the names of its records do not reveal whose identities they are.

It is kept in memory, away from the records, so that a stolen disk or backup does not help to guess a password.
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
#: Its name beside the records, where there is no storage in memory.
FILE = "key"
MEMORY = "/dev/shm"
_PREFIX = "onetoken-"


def read_or_make(path: str) -> bytes:
    """The session's key, made by the first process that needs it."""
    for place in paths(path):
        for attempt in (_read, _made):
            key = attempt(place, path)
            if key is not None:
                return key
    raise SessionError(f"The session {path} has no key: free space in {MEMORY} or in the session.")


def remove(path: str) -> None:
    with contextlib.suppress(OSError):
        owner = _owner(path)
        for place in paths(path):
            with contextlib.suppress(OSError):
                if os.lstat(place).st_uid == owner:
                    os.remove(place)


def clear(untouched: float) -> None:
    """Remove this user's keys of sessions whose directory is gone, if they are older than so many seconds.

    A session that is not seen here may exist for processes in another mount namespace.
    """
    with contextlib.suppress(OSError):
        for name in os.listdir(MEMORY):
            if name.startswith(f"{_PREFIX}{os.geteuid()}-"):
                place = os.path.join(MEMORY, name)
                with contextlib.suppress(OSError):
                    if time.time() - os.lstat(place).st_mtime > untouched:
                        path = _content(place, os.geteuid())[_LENGTH:]
                        if path and not os.path.lexists(path):
                            os.remove(place)


def paths(path: str) -> t.Iterator[str]:
    """Where the key of the session at a path may be, the better place first."""
    if os.path.isdir(MEMORY):
        digest = hashlib.sha256(os.path.realpath(path).encode()).hexdigest()
        yield os.path.join(MEMORY, f"{_PREFIX}{_owner(path)}-{digest[:32]}")
    yield os.path.join(path, FILE)


def _owner(path: str) -> int:
    return os.stat(path).st_uid


def _read(place: str, path: str) -> bytes | None:
    content = _content(place, _owner(path))
    # Earlier versions wrote no path.
    is_of_session = len(content) >= _LENGTH and content[_LENGTH:] in (b"", os.fsencode(os.path.realpath(path)))
    return content[:_LENGTH] if is_of_session else None


def _content(place: str, owner: int) -> bytes:
    """The content of a file that only its owner can read and write; empty for any other file."""
    # Without O_CREAT, with which even the superuser may not open the file of another user in a sticky directory.
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
    """A new key, or that of another process that was faster; None if there is no room for one."""
    temporary = f"{place}.{secrets.token_hex(4)}"
    try:
        file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    try:
        with os.fdopen(file, "wb") as stream:
            if os.geteuid() == 0:
                os.fchown(file, _owner(path), -1)
            # The path shows whose key it is once the session is gone.
            stream.write(secrets.token_bytes(_LENGTH) + os.fsencode(os.path.realpath(path)))
        with contextlib.suppress(FileExistsError):
            # Whole or not at all, and never over another one.
            os.link(temporary, place)
    except OSError:
        return None
    finally:
        with contextlib.suppress(OSError):
            os.remove(temporary)
    return _read(place, path)
