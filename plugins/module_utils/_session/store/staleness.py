# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tokens are stale: Keystone's answer may be another since the run wrote something to Keystone."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import typing as t

from ..util import boot, clock
from . import directory
from .session import STALE, Session
from .token import Token

#: The subject of a change that may concern everybody, such as one of the catalog or of a role.
EVERYBODY = "all subjects"
#: How much the clocks of two machines that share a session may differ, or the clock of one before and after a restart.
_CLOCK_TOLERANCE = datetime.timedelta(minutes=5)


def mark(session: Session, subjects: t.Iterable[str]) -> None:
    """Make tokens with one of these subjects stale that were requested before now."""
    text = json.dumps({"boot": boot.identifier(), "at": boot.now(), "time": clock.show(clock.now())})
    with session.opened() as handle, directory.subdirectory(handle, STALE) as folder:
        for subject in subjects:
            directory.write(folder, _file(subject), text)


def is_stale(session: Session, token: Token) -> bool:
    """Whether something was written since that may change Keystone's answer."""
    if not os.path.isdir(os.path.join(session.path, STALE)):
        return False
    with session.opened() as handle:
        return any(_marked_since(handle, _file(subject), token) for subject in (EVERYBODY, *token.subjects))


def _marked_since(handle: int, file: str, token: Token) -> bool:
    text = directory.read(handle, f"{STALE}/{file}")
    if text is None:
        return False
    try:
        written = json.loads(text)
        if written["boot"] == token.boot:
            return bool(token.began <= written["at"])
        return token.obtained_at <= clock.parse(written["time"]) + _CLOCK_TOLERANCE
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        return True


def _file(subject: str) -> str:
    # It may come from a URL, which may have anything in it.
    return f"{hashlib.sha256(subject.encode()).hexdigest()[:32]}.json"
