# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a session's processes sent, waited for and were refused, by service: a line for each request."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re

from . import directory
from .session import TRAFFIC, Session

_SERVICE = re.compile(r"[a-z0-9_-]{1,40}")
OTHER = "other"
#: Open files of this process, by session: to open one takes longer than all else here.
_files: dict[str, directory.KeptFile] = {}


@dataclasses.dataclass
class Traffic:
    """Of one service."""

    requests: int = 0
    #: Those among them that a limit turned away.
    throttled: int = 0
    #: For how long requests waited for a limit, all of them together.
    seconds: float = 0.0


def note(session: Session, service: str, traffic: Traffic) -> None:
    """Where that cannot be written, nothing is counted: no work fails for want of a number."""
    name = service if _SERVICE.fullmatch(service) else OTHER
    with contextlib.suppress(Exception):
        os.write(_file(session), f"{name} {traffic.requests} {traffic.throttled} {traffic.seconds:.3f}\n".encode())


def read(session: Session) -> dict[str, Traffic]:
    found: dict[str, Traffic] = {}
    with session.opened() as handle:
        text = directory.read(handle, TRAFFIC) or ""
    for line in text.splitlines():
        # A disk that is full may have cut one.
        with contextlib.suppress(ValueError):
            name, requests, throttled, seconds = line.split(" ")
            one = found.setdefault(name, Traffic())
            one.requests += int(requests)
            one.throttled += int(throttled)
            one.seconds += float(seconds)
    return found


def _file(session: Session) -> int:
    kept = _files.get(session.path)
    number = None if kept is None else kept.number
    if number is None:
        with session.opened() as handle:
            number = directory.open_file(handle, TRAFFIC, os.O_APPEND)
        _files[session.path] = directory.KeptFile(number)
    return number
