# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which runs a session belongs to, and whether they still go on: what no living run owns is to be revoked.

An owner is known by two things, because each can be missing: the lock that its watcher holds on the owner's file, which
tells the truth across containers too, and the process id with the moment of its start.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import secrets
import subprocess
import typing as t

from . import directory
from .errors import SessionError
from .store import OWNERS, Session


@dataclasses.dataclass(frozen=True)
class Owner:
    """The process of a run. A process id alone would be another process one day."""

    pid: int
    started: str
    boot: str
    namespace: str

    @classmethod
    def of_process(cls, pid: int) -> Owner | None:
        """The process that has this id now; None when there is none."""
        started = _start_of(pid)
        return None if started is None else cls(pid, started, _boot(), _namespace())

    @property
    def alive(self) -> bool:
        return Owner.of_process(self.pid) == self


def _start_of(pid: int) -> str | None:
    if not os.path.isdir("/proc/self"):
        # A system without /proc, such as macOS. No module is at hand here, whose run_command there would be.
        # pylint: disable-next=ansible-bad-function
        shown = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return shown.stdout.strip() or None
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stream:
            # The name in parentheses may hold anything, spaces and parentheses too.
            fields = stream.read().rpartition(")")[2].split()
    except OSError:
        return None
    # One that ended and that its parent has not asked about yet works no more.
    return None if fields[0] in "ZX" else fields[19]


def _boot() -> str:
    with contextlib.suppress(OSError), open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
        return stream.read().strip()
    return ""


def _namespace() -> str:
    """In another container, the same process id means another process."""
    with contextlib.suppress(OSError):
        return os.readlink("/proc/self/ns/pid")
    return ""


def add(session: Session, owner: Owner) -> str:
    """Name a run as an owner, under the returned name."""
    name = f"{owner.pid}-{secrets.token_hex(4)}.json"
    with _folder(session) as folder:
        directory.write(folder, name, json.dumps(dataclasses.asdict(owner)))
    return name


def remove(session: Session, name: str) -> None:
    with _folder(session) as folder:
        directory.remove(folder, name)


def hold(session: Session, name: str) -> None:
    """Show that this owner's watcher is there, until this process ends."""
    with _folder(session) as folder:
        fcntl.flock(directory.open_file(folder, name), fcntl.LOCK_EX)


def known(session: Session) -> dict[str, Owner | None]:
    """Every run that was named, ended or not, by its name; None where the file does not say."""
    with _folder_if_any(session) as folder:
        if folder is None:
            return {}
        return {name: _read(folder, name) for name in os.listdir(folder) if not directory.is_temporary(name)}


def living(session: Session, besides: str | None = None) -> bool:
    """Whether a run that has not ended owns the session."""
    owners = {name: owner for name, owner in known(session).items() if name != besides}
    if any(owner and owner.alive for owner in owners.values()):
        return True
    with _folder_if_any(session) as folder:
        return folder is not None and any(_is_held(folder, name) for name in owners)


def orphaned(session: Session) -> bool:
    """Whether it had owners and all of them have ended; of a session that never had one, nobody can tell."""
    return bool(known(session)) and not living(session)


def _is_held(folder: int, name: str) -> bool:
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(file)


def _read(folder: int, name: str) -> Owner | None:
    try:
        return Owner(**json.loads(directory.read(folder, name) or "{}"))
    except (OSError, ValueError, TypeError):
        return None


@contextlib.contextmanager
def _folder(session: Session) -> t.Iterator[int]:
    with session.opened() as handle, directory.subdirectory(handle, OWNERS) as folder:
        yield folder


@contextlib.contextmanager
def _folder_if_any(session: Session) -> t.Iterator[int | None]:
    """Looking makes nothing: a session is as old as the last change in it."""
    with session.opened() as handle, contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(directory.nested(handle, OWNERS))
        except OSError:
            folder = None
        yield folder


class Watch:
    """Waits for the end of a process."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._handle: int | None = None
        # The system then tells of the end at once, whoever is the parent; not every system can.
        with contextlib.suppress(AttributeError, OSError):
            self._handle = os.pidfd_open(owner.pid)
            if not owner.alive:
                os.close(self._handle)
                self._handle = None

    @property
    def handle(self) -> int | None:
        """What becomes readable when the process ends."""
        return self._handle

    @property
    def ended(self) -> bool:
        return not self._owner.alive


def read(session: Session, name: str) -> Owner:
    owner = known(session).get(name)
    if owner is None:
        raise SessionError(f"The session {session.path} does not know the run {name}.")
    return owner
