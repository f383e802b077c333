# Copyright: (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A private directory: made, checked, read and written so that no other user can look in or reach in."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import tempfile
import typing as t

from .errors import SessionError

PRIVATE_DIRECTORY = 0o700
PRIVATE_FILE = 0o600


def default_base(environ: t.Mapping[str, str]) -> str:
    """The folder in which sessions live by default, made when it is missing.

    The user's runtime directory is the first choice (in memory, gone at logout), then the user's state directory,
    and a new temporary directory where neither can be written.
    """
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    state = environ.get("XDG_STATE_HOME", "") or os.path.join(os.path.expanduser("~"), ".local", "state")
    for parent in (runtime, state):
        if not os.path.isabs(parent) or (parent == runtime and not os.path.isdir(parent)):
            continue
        base = os.path.join(parent, "onetoken")
        try:
            make(base)
            with opened(base):
                pass
        except (OSError, SessionError):
            continue
        return base
    return tempfile.mkdtemp(prefix="onetoken-")


def make(path: str) -> bool:
    """Make a private directory, and the parents that it lacks as private; False when it was there already."""
    parent = os.path.dirname(path)
    if not os.path.isdir(parent):
        make(parent)
    try:
        os.mkdir(path, PRIVATE_DIRECTORY)
    except FileExistsError:
        return False
    return True


@contextlib.contextmanager
def opened(path: str) -> t.Iterator[int]:
    """A handle on a directory that only its user can write to, at any level of its path."""
    _check_parents(path)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise SessionError(f"There is no session at {path}: issue one with os_token_issue.") from None
    except OSError as exc:
        if exc.errno in (errno.ELOOP, errno.ENOTDIR):
            raise SessionError(
                f"{path} is not used as a session because it is a link or a file: name a directory of your own."
            ) from None
        raise SessionError(
            f"The session at {path} cannot be opened ({exc.strerror}): run the task as the user who issued it."
        ) from None
    try:
        status = os.fstat(handle)
        if status.st_uid != os.geteuid():
            raise SessionError(
                f"The session at {path} belongs to user {status.st_uid} but this runs as user {os.geteuid()}: run "
                "the task as the user who issued it, or issue a session of its own for this one."
            )
        if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise SessionError(
                f"The session at {path} is open to other users (mode {stat.S_IMODE(status.st_mode):04o}): revoke "
                "its token, remove the directory and issue a new one."
            )
        yield handle
    finally:
        os.close(handle)


def _check_parents(path: str) -> None:
    """Refuse a path on which another user could put another directory in this one's place."""
    parent = os.path.dirname(os.path.realpath(os.path.dirname(path)) + os.sep)
    while True:
        try:
            status = os.stat(parent)
        except OSError:
            return  # opening the directory says what is wrong
        writable = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not status.st_mode & stat.S_ISVTX
        if writable or status.st_uid not in (0, os.geteuid()):
            raise SessionError(
                f"The session at {path} is not safe because {parent} can be changed by other users: name a session "
                "under a directory that only you can write to."
            )
        if parent == os.sep:
            return
        parent = os.path.dirname(parent)


def read(handle: int, name: str) -> str | None:
    """The text of a file, None when it is not there."""
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=handle)
    except FileNotFoundError:
        return None
    with os.fdopen(file, encoding="utf-8") as stream:
        return stream.read()


def write(handle: int, name: str, text: str) -> None:
    """Write a file whole under another name, then put it in place: a reader sees the old text or the new one."""
    temporary = f".{name}.{secrets.token_hex(4)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        file = os.open(temporary, flags, PRIVATE_FILE, dir_fd=handle)
        with os.fdopen(file, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.rename(temporary, name, src_dir_fd=handle, dst_dir_fd=handle)
    except OSError as exc:
        remove(handle, temporary)
        raise SessionError(f"The session's file {name} cannot be written ({exc.strerror}).") from None


def remove(handle: int, name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=handle)


@contextlib.contextmanager
def subdirectory(handle: int, name: str) -> t.Iterator[int]:
    """A handle on a directory inside a private one, made when it is missing."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, PRIVATE_DIRECTORY, dir_fd=handle)
    try:
        inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=handle)
    except OSError as exc:
        raise SessionError(f"The session's directory {name} cannot be opened ({exc.strerror}).") from None
    try:
        yield inner
    finally:
        os.close(inner)
