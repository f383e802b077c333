# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a session's processes sent to each service: a line for each request, with throttled answers and waits."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re

from . import directory
from .session import TRAFFIC, Session

_SERVICE = re.compile(r"[a-z0-9_-]{1,40}")
OTHER = "other"
#: Open files of this process, by session: opening one takes longer than everything else here.
_files: dict[str, directory.KeptFile] = {}


@dataclasses.dataclass
class Traffic:
    """The requests to one service."""

    requests: int = 0
    #: Those among them that were throttled.
    throttled: int = 0
    #: For how long requests waited for a rate limit, all of them together.
    seconds: float = 0.0


def note(session: Session, service: str, traffic: Traffic) -> None:
    """Count a request; if that cannot be written, no task fails because of it."""
    name = service if _SERVICE.fullmatch(service) else OTHER
    with contextlib.suppress(Exception):
        os.write(_file(session), f"{name} {traffic.requests} {traffic.throttled} {traffic.seconds:.3f}\n".encode())


def read(session: Session) -> dict[str, Traffic]:
    found: dict[str, Traffic] = {}
    with session.opened() as handle:
        text = directory.read(handle, TRAFFIC, errors="replace") or ""
    for line in text.splitlines():
        # A full disk may have cut a line, and a crash may have left other bytes in it.
        with contextlib.suppress(ValueError):
            name, requests, throttled, seconds = line.split(" ")
            counts = found.setdefault(name, Traffic())
            counts.requests += int(requests)
            counts.throttled += int(throttled)
            counts.seconds += float(seconds)
    return found


def _file(session: Session) -> int:
    kept = _files.get(session.path)
    number = None if kept is None else kept.number
    if number is None:
        with session.opened() as handle:
            number = directory.open_file(handle, TRAFFIC, os.O_APPEND)
        _files[session.path] = directory.KeptFile(number)
    return number
