# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A private directory: made, checked, read and written so that no other user can read or change it."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
import tempfile
import typing as t

from ..util.errors import SessionAbsentError, SessionError

PRIVATE_DIRECTORY = 0o700
PRIVATE_FILE = 0o600


def default_base(environ: t.Mapping[str, str]) -> str:
    """The directory of sessions: the user's choice or the default; nothing is created yet.

    The user's state directory comes first, as a runtime directory is removed at logout, also during a run. The last one
    is for jobs that cannot write to their home, and have a private directory for temporary files.
    """
    if environ.get("ONETOKEN_DIRECTORY"):
        return os.path.abspath(os.path.expanduser(environ["ONETOKEN_DIRECTORY"]))
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    state = environ.get("XDG_STATE_HOME", "")
    parents = [state if os.path.isabs(state) else os.path.join(os.path.expanduser("~"), ".local", "state")]
    parents += [runtime] if os.path.isdir(runtime) else []
    temporary = tempfile.gettempdir()
    if not os.stat(temporary).st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        parents.append(temporary)
    for parent in parents:
        base = real(os.path.join(parent, "onetoken"))
        if os.path.isabs(parent) and fits_search_path(base) and _is_usable(base):
            return base
    raise SessionError(
        f"There is no directory for sessions: make {os.path.join(parents[0], 'onetoken')!r}, to which only this user "
        "can write, or name another."
    )


def real(path: str) -> str:
    """The path without symbolic links, which others could redirect, but for its last part."""
    parent, name = os.path.split(os.path.abspath(path))
    return os.path.join(os.path.realpath(parent), name)


def fits_search_path(path: str) -> bool:
    """Whether this path can be an entry of PYTHONPATH."""
    return os.pathsep not in path and path.isprintable()


def _is_usable(path: str) -> bool:
    """Whether there is a private directory that can be written, or one can be made."""
    try:
        if os.path.lexists(path):
            with opened(path):
                return os.access(path, os.W_OK)
        _check_parents(path, os.geteuid())
    except SessionError:
        return False
    parent = next(place for place in _upwards(os.path.dirname(path)) if os.path.exists(place))
    return os.access(parent, os.W_OK | os.X_OK)


def make(path: str) -> bool:
    """Make a private directory, and private parents where they are missing; False if it exists."""
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
    """A handle on a private directory on a path that only its user can change.

    The superuser, whom a task may become, uses the directory of any user.
    """
    path = real(path)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise SessionAbsentError(f"There is no session at {path}: issue one with os_token_issue.") from None
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
        if os.geteuid() not in (status.st_uid, 0):
            raise SessionError(
                f"The session at {path} belongs to user {status.st_uid} but this runs as user {os.geteuid()}: run "
                "the task as the user who issued it, or issue a session of its own for this one."
            )
        if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise SessionError(
                f"The session at {path} is open to other users (mode {stat.S_IMODE(status.st_mode):04o}): revoke "
                "its token, remove the directory and issue a new one."
            )
        _check_parents(path, status.st_uid)
        yield handle
    finally:
        os.close(handle)


def _check_parents(path: str, owner: int) -> None:
    """Refuse a path on which another user could replace the directory."""
    for place in _upwards(os.path.dirname(path)):
        try:
            status = os.lstat(place)
        except OSError:
            continue  # opening the directory reports what is wrong
        open_to_others = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not status.st_mode & stat.S_ISVTX
        if status.st_uid not in (0, owner) or open_to_others:
            raise SessionError(
                f"The session at {path} is not safe because {place} can be changed by other users: name a session "
                "under a directory that only you can write to."
            )


def shared_parent(path: str) -> str | None:
    """A parent to which others can write, such as /tmp; None where the user's home is below it, too."""
    home = os.path.realpath(os.path.expanduser("~"))
    for place in _upwards(os.path.dirname(os.path.realpath(path))):
        with contextlib.suppress(OSError):
            if os.stat(place).st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return None if home.startswith(os.path.join(place, "")) else place
    return None


def _upwards(path: str) -> t.Iterator[str]:
    """A directory and its parents."""
    yield path
    while path != os.path.dirname(path):
        path = os.path.dirname(path)
        yield path


def read(handle: int, name: str, errors: str = "strict") -> str | None:
    """The text of a file; None if there is none."""
    try:
        # O_NONBLOCK, as opening a pipe of that name would wait.
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=handle)
    except FileNotFoundError:
        return None
    with os.fdopen(file, encoding="utf-8", errors=errors) as stream:
        return stream.read()


def write(handle: int, name: str, text: str) -> None:
    write_bytes(handle, name, text.encode("utf-8"))


def write_bytes(handle: int, name: str, content: bytes, outlasts_crash: bool = True) -> None:
    """Write a file under a temporary name, then rename it: a reader sees the old content or the new one.

    What must outlast a crash of the machine waits for the disk.
    """
    temporary = f".{name}.{secrets.token_hex(4)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        file = os.open(temporary, flags, PRIVATE_FILE, dir_fd=handle)
        with os.fdopen(file, "wb") as stream:
            _give_to_owner(handle, file)
            stream.write(content)
            stream.flush()
            if outlasts_crash:
                os.fsync(stream.fileno())
        os.rename(temporary, name, src_dir_fd=handle, dst_dir_fd=handle)
    except OSError as exc:
        remove(handle, temporary)
        raise SessionError(
            f"The session's file {name} cannot be written ({exc.strerror}): free disk space, or have the session in "
            "another directory."
        ) from None


def _give_to_owner(handle: int, file: int) -> None:
    """Give a file that the superuser wrote to the directory's owner, who could not read it otherwise."""
    owner = os.fstat(handle)
    if os.geteuid() == 0 and os.fstat(file).st_uid != owner.st_uid:
        os.fchown(file, owner.st_uid, owner.st_gid)


def open_file(handle: int, name: str, flags: int = 0) -> int:
    """A descriptor of a file to lock or to append to, which is made if it is missing."""
    file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | flags, PRIVATE_FILE, dir_fd=handle)
    _give_to_owner(handle, file)
    return file


class KeptFile:
    """A file that stays open as long as the process lives.

    A program that becomes a daemon closes all open files, and its own files then get their descriptors.
    """

    def __init__(self, file: int) -> None:
        self._file = file
        self._identity = _identity(file)

    @property
    def number(self) -> int | None:
        """The descriptor; None if it was closed, or is that of another file now."""
        with contextlib.suppress(OSError):
            if _identity(self._file) == self._identity:
                return self._file
        return None

    def close(self) -> None:
        number = self.number
        if number is not None:
            os.close(number)


def _identity(file: int) -> tuple[int, int]:
    status = os.fstat(file)
    return status.st_dev, status.st_ino


def size(handle: int, name: str) -> int | None:
    """The size of a regular file; None if there is none."""
    try:
        status = os.stat(name, dir_fd=handle, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def remove(handle: int, name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=handle)


@contextlib.contextmanager
def subdirectory(handle: int, name: str) -> t.Iterator[int]:
    """A handle on a directory in a private one, made if it is missing."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, PRIVATE_DIRECTORY, dir_fd=handle)
    try:
        inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=handle)
    except OSError as exc:
        raise SessionError(f"The session's directory {name} cannot be opened ({exc.strerror}).") from None
    try:
        _give_to_owner(handle, inner)
        yield inner
    finally:
        os.close(inner)


@contextlib.contextmanager
def nested(handle: int, path: str) -> t.Iterator[int]:
    """A handle on an existing directory below a private one; a symbolic link on the path is an OSError."""
    with contextlib.ExitStack() as opened_handles:
        for name in path.split(os.sep):
            handle = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=handle)
            opened_handles.callback(os.close, handle)
        yield handle


def names(handle: int, path: str) -> list[str]:
    """The names in a directory below a private one; none if it is missing."""
    try:
        with nested(handle, path) as inner:
            return os.listdir(inner)
    except FileNotFoundError:
        return []
    except OSError as exc:
        raise SessionError(f"The session's directory {path} cannot be opened ({exc.strerror}).") from None


def is_temporary(name: str) -> bool:
    """Whether write() uses it as a temporary name; a writer that was killed leaves such a file."""
    return re.fullmatch(r"\..+\.[0-9a-f]{8}", name) is not None
