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
import json
import math
import os
import secrets
import socket
import subprocess
import time
import typing as t

from ..util import boot, file_lock, process
from ..util.errors import SessionError
from ..util.waiting import Waiter
from . import directory
from .session import OWNERS, Session

#: Seconds for which a watcher waits for its lock, and between two tries.
_HOLD_TIMEOUT = 5
_HOLD_POLL = 0.05
#: Seconds after which a run of another machine counts as ended: its tokens have expired by then, and where that machine
#: broke down, nobody else will say so.
FORGOTTEN = 7 * 24 * 3600


@dataclasses.dataclass(frozen=True)
class Owner:
    """The process of a run. A process id alone would be another process one day."""

    pid: int
    started: str
    boot: str
    namespace: str
    #: Not of what makes a process the same one: versions before did not write it.
    machine: str = dataclasses.field(default="", compare=False)

    @classmethod
    def of_process(cls, pid: int) -> Owner | None:
        """The process that has this id now; None when there is none."""
        started = _start_of(pid)
        return None if started is None else cls(pid, started, boot.identifier(), _namespace(), _machine())

    @property
    def alive(self) -> bool:
        return Owner.of_process(self.pid) == self

    @property
    def visible(self) -> bool:
        """Whether its process, if it lives, is one that can be seen from here."""
        return self.is_local and (self.boot != boot.identifier() or self.namespace == _namespace())

    @property
    def is_local(self) -> bool:
        """Whether it is of this machine, where its lock is seen; of a home on a network, another one may work too."""
        if not self.machine:
            # Versions before did not write it.
            return True
        # Containers have names of their own, but one kernel; without a machine's id, a host name says little.
        return (bool(self.boot) and self.boot == boot.identifier()) or (
            self.machine == _machine() and not self.machine.startswith(" ")
        )


def _start_of(pid: int) -> str | None:
    if not os.path.isdir("/proc/self"):
        # A system without /proc, such as macOS. No module is at hand here, whose run_command there would be.
        # pylint: disable-next=ansible-bad-function
        shown = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return shown.stdout.strip() or None
    found = process.stat(pid)
    return None if found is None else found.started


def _machine() -> str:
    """This machine, also after a restart. Copies of a machine share its id, containers may have none."""
    machine_id = ""
    with contextlib.suppress(OSError), open("/etc/machine-id", encoding="ascii", errors="replace") as stream:
        machine_id = stream.read().strip()
    return f"{machine_id} {socket.gethostname()}"


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


def remove_ended(session: Session) -> None:
    """Remove this machine's runs that have ended, when nothing of theirs is left: another machine cannot tell."""
    for name, owner in known(session).items():
        if owner and owner.visible and not owner.alive:
            remove(session, name)


def hold(session: Session, name: str) -> None:
    """Show that this owner's watcher is there, until this process ends."""
    with _folder(session) as folder:
        file = directory.open_file(folder, name)
        # Others have it for a moment, to look; another watcher of this run keeps it, which shows the same.
        file_lock.wait_for_lock(file, Waiter(_HOLD_TIMEOUT), _HOLD_POLL)


def known(session: Session) -> dict[str, Owner | None]:
    """Every run that was named, ended or not, by its name; None where the file does not say."""
    with _folder_if_any(session) as folder:
        if folder is None:
            return {}
        return {name: _read(folder, name) for name in os.listdir(folder) if not directory.is_temporary(name)}


def living(session: Session, besides: str | None = None) -> bool:
    """Whether a run that has not ended owns the session, as far as this machine can see."""
    owners = {name: owner for name, owner in known(session).items() if name != besides}
    if any(owner and owner.alive for owner in owners.values()):
        return True
    # Of a run that is seen to have ended, a lock says only that its watcher is there, which may have been stopped.
    unseen = [name for name, owner in owners.items() if owner is None or not owner.visible]
    with _folder_if_any(session) as folder:
        return folder is not None and any(_is_held(folder, name) for name in unseen)


def elsewhere(session: Session, besides: str | None = None) -> bool:
    """Whether a run of another machine owns the session, of which nobody here can tell whether it has ended."""
    strangers = [name for name, owner in known(session).items() if name != besides and owner and not owner.is_local]
    with _folder_if_any(session) as folder:
        return folder is not None and any(_age(folder, name) < FORGOTTEN for name in strangers)


def others(session: Session, owner: str) -> bool:
    """Whether a run besides this one works on the session, or may."""
    return living(session, besides=owner) or elsewhere(session, besides=owner)


def orphaned(session: Session) -> bool:
    """Whether it had owners and all of them have ended; of a session that never had one, nobody can tell."""
    return bool(known(session)) and not living(session) and not elsewhere(session)


def _age(folder: int, name: str) -> float:
    """Seconds since a run was named; none for one whose file is gone."""
    try:
        return time.time() - os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime
    except OSError:
        return math.inf


def _is_held(folder: int, name: str) -> bool:
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return False
    try:
        return not file_lock.try_lock(file, file_lock.SHARED)
    finally:
        file_lock.unlock_and_close(file)


def _read(folder: int, name: str) -> Owner | None:
    try:
        data = json.loads(directory.read(folder, name) or "{}")
        owner = Owner(data["pid"], data["started"], data["boot"], data["namespace"], data.get("machine", ""))
    except (AttributeError, KeyError, OSError, RecursionError, TypeError, ValueError):
        return None
    texts = (owner.started, owner.boot, owner.namespace, owner.machine)
    is_number = isinstance(owner.pid, int) and not isinstance(owner.pid, bool)
    return owner if is_number and all(isinstance(text, str) for text in texts) else None


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
        with contextlib.suppress(AttributeError, OSError, OverflowError):
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
    """The owner of this name; where its file is damaged, the process that has its id now."""
    found = known(session)
    number = name.partition("-")[0]
    owner = found.get(name)
    if owner is None and name in found and number.isdecimal():
        owner = Owner.of_process(int(number))
    if owner is None:
        raise SessionError(f"The session {session.path} does not know the run {name}.")
    return owner
