# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which runs own a session, and whether they are still running: a session without a running owner is to be revoked.

An owner is identified in two ways, as each can be missing: by the lock that its watcher holds on the owner's file,
which also works across containers, and by its process id with the time of its start.
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

#: Seconds for which a watcher waits for its lock, and between two attempts.
_HOLD_TIMEOUT = 5
_HOLD_POLL = 0.05
#: Seconds after which a run of another machine counts as ended: its tokens have expired by then, and if that machine
#: broke down, nobody reports the end.
FORGOTTEN_AFTER = 7 * 24 * 3600


@dataclasses.dataclass(frozen=True)
class Owner:
    """The process of a run. Its id alone may be reused."""

    pid: int
    started: str
    boot: str
    namespace: str
    #: It does not identify the process: earlier versions did not write it.
    machine: str = dataclasses.field(default="", compare=False)

    @classmethod
    def of_process(cls, pid: int) -> Owner | None:
        """The process that has this id now; None if there is none."""
        started = _start_of(pid)
        return None if started is None else cls(pid, started, boot.identifier(), _namespace(), machine())

    @property
    def alive(self) -> bool:
        return Owner.of_process(self.pid) == self

    @property
    def visible(self) -> bool:
        """Whether its process can be seen from here, if it is running."""
        return self.is_local and (self.boot != boot.identifier() or self.namespace == _namespace())

    @property
    def is_local(self) -> bool:
        """Whether it runs on this machine, where its lock can be seen. A home on a network has other machines, too."""
        if not self.machine:
            # Earlier versions did not write it.
            return True
        # Containers have their own names, but share a kernel; without a machine's id, a host name is not enough.
        return (bool(self.boot) and self.boot == boot.identifier()) or (
            self.machine == machine() and not self.machine.startswith(" ")
        )


def _start_of(pid: int) -> str | None:
    if not os.path.isdir("/proc/self"):
        # A system without /proc, such as macOS. No module is at hand here, whose run_command there would be.
        # pylint: disable-next=ansible-bad-function
        shown = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return shown.stdout.strip() or None
    found = process.stat(pid)
    return None if found is None else found.started


def machine() -> str:
    """The id of this machine across restarts, with its name: copies share the id, and containers may have none."""
    machine_id = ""
    with contextlib.suppress(OSError), open("/etc/machine-id", encoding="ascii", errors="replace") as stream:
        machine_id = stream.read().strip()
    return f"{machine_id} {socket.gethostname()}"


def _namespace() -> str:
    """The namespace of process ids: in another container, the same id is another process."""
    with contextlib.suppress(OSError):
        return os.readlink("/proc/self/ns/pid")
    return ""


def add(session: Session, owner: Owner) -> str:
    """Record a run as an owner; its name in the session."""
    name = f"{owner.pid}-{secrets.token_hex(4)}.json"
    with _folder(session) as folder:
        directory.write(folder, name, json.dumps(dataclasses.asdict(owner)))
    return name


def remove(session: Session, name: str) -> None:
    with _folder(session) as folder:
        directory.remove(folder, name)


def remove_ended(session: Session) -> None:
    """Remove the ended runs of this machine, which another machine cannot see."""
    for name, owner in known(session).items():
        if owner and owner.visible and not owner.alive:
            remove(session, name)


def hold(session: Session, name: str) -> None:
    """Lock this owner's file until this process, its watcher, ends."""
    with _folder(session) as folder:
        file = directory.open_file(folder, name)
        # Others lock it for a moment, to check it; another watcher of this run keeps it, which shows the same.
        file_lock.wait_for_lock(file, Waiter(_HOLD_TIMEOUT), _HOLD_POLL)


def known(session: Session) -> dict[str, Owner | None]:
    """Every owner by its name, running or not; None for a damaged file."""
    with _folder_if_any(session) as folder:
        if folder is None:
            return {}
        return {name: _read(folder, name) for name in os.listdir(folder) if not directory.is_temporary(name)}


def living(session: Session, excluding: str | None = None) -> bool:
    """Whether a running run owns the session, as far as this machine can see."""
    owners = {name: owner for name, owner in known(session).items() if name != excluding}
    if any(owner and owner.alive for owner in owners.values()):
        return True
    # The lock of a run that is seen to have ended only shows that its watcher exists, which may have been stopped.
    unseen = [name for name, owner in owners.items() if owner is None or not owner.visible]
    with _folder_if_any(session) as folder:
        return folder is not None and any(_is_held(folder, name) for name in unseen)


def elsewhere(session: Session, excluding: str | None = None) -> bool:
    """Whether a run of another machine owns the session; whether it has ended cannot be seen from here."""
    remote = [name for name, owner in known(session).items() if name != excluding and owner and not owner.is_local]
    with _folder_if_any(session) as folder:
        return folder is not None and any(_age(folder, name) < FORGOTTEN_AFTER for name in remote)


def others(session: Session, owner: str) -> bool:
    """Whether another run than this one uses the session, or may use it."""
    return living(session, excluding=owner) or elsewhere(session, excluding=owner)


def orphaned(session: Session) -> bool:
    """Whether it had owners and all of them have ended; False if it never had one."""
    return bool(known(session)) and not living(session) and not elsewhere(session)


def _age(folder: int, name: str) -> float:
    """Seconds since an owner was recorded; infinite if its file is gone."""
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
    """None if there is none: making it would change the session's modification time."""
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
        # The system then reports the end at once, whoever is the parent; not every system can.
        with contextlib.suppress(AttributeError, OSError, OverflowError):
            self._handle = os.pidfd_open(owner.pid)
            if not owner.alive:
                os.close(self._handle)
                self._handle = None

    @property
    def handle(self) -> int | None:
        """A descriptor that becomes readable when the process ends, where the system has one."""
        return self._handle

    @property
    def ended(self) -> bool:
        return not self._owner.alive


def read(session: Session, name: str) -> Owner:
    """The owner of this name; if its file is damaged, the process that has its id now."""
    found = known(session)
    number = name.partition("-")[0]
    owner = found.get(name)
    if owner is None and name in found and number.isdecimal():
        owner = Owner.of_process(int(number))
    if owner is None:
        raise SessionError(f"The session {session.path} does not know the run {name}.")
    return owner
