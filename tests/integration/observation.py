# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine shows while something runs: the processes, and what they send to syslog."""

from __future__ import annotations

import contextlib
import os
import pathlib
import socket
import threading
import time
import typing as t
import warnings

SYSLOG = "/dev/log"
#: Seconds between two polls; the process of a task lives longer.
INTERVAL = 0.05


class Processes:
    """Arguments and environments of the processes with a certain home."""

    def __init__(self, home: pathlib.Path) -> None:
        self._mark = f"HOME={home}".encode()
        #: Environments by arguments.
        self.seen: dict[bytes, set[bytes]] = {}

    def poll(self) -> None:
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            # It may have ended, or be another user's.
            with contextlib.suppress(OSError):
                environment = (process / "environ").read_bytes()
                if self._mark in environment.split(b"\0"):
                    self.seen.setdefault((process / "cmdline").read_bytes(), set()).add(environment)

    @property
    def arguments(self) -> bytes:
        return b"\n".join(self.seen)

    def environments(self, of: bytes = b"") -> bytes:
        """Those of processes with this in their arguments."""
        return b"\n".join(text for arguments, texts in self.seen.items() if of in arguments for text in texts)


@contextlib.contextmanager
def watched_processes(home: pathlib.Path) -> t.Iterator[Processes]:
    processes = Processes(home)

    def poll() -> None:
        processes.poll()
        time.sleep(INTERVAL)

    with _repeated(poll):
        yield processes


def syslog() -> contextlib.AbstractContextManager[list[bytes] | None]:
    """What processes send to syslog, where modules log their arguments; None if nobody can listen there."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        _remove_stale_socket()
        server.bind(SYSLOG)
    except OSError as exc:
        server.close()
        warnings.warn(f"syslog is not searched, as nobody can listen at {SYSLOG}: {exc.strerror}", stacklevel=2)
        return contextlib.nullcontext()
    return _received_by(server)


def _remove_stale_socket() -> None:
    """Killed tests leave it behind."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        try:
            client.connect(SYSLOG)
        except FileNotFoundError:
            pass
        except ConnectionRefusedError:
            os.unlink(SYSLOG)


@contextlib.contextmanager
def _received_by(server: socket.socket) -> t.Iterator[list[bytes]]:
    received: list[bytes] = []
    server.settimeout(0.2)

    def receive() -> None:
        with contextlib.suppress(TimeoutError):
            received.append(server.recv(65536))

    try:
        with _repeated(receive):
            yield received
    finally:
        server.close()
        os.unlink(SYSLOG)


@contextlib.contextmanager
def _repeated(work: t.Callable[[], None]) -> t.Iterator[None]:
    """Do the work over and over in the background."""
    done = threading.Event()

    def repeat() -> None:
        while not done.is_set():
            work()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
