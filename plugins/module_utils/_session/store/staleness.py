# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was written to Keystone during the run, so that no earlier answer is served that it may have changed."""

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

#: Of a change that may concern everybody, such as one of the catalog or of a role.
EVERYBODY = "all subjects"
#: By so much the clocks of two machines that share a session may differ, or that of one before and after its start.
_CLOCKS_DIFFER = datetime.timedelta(minutes=5)


def mark(session: Session, subjects: t.Iterable[str]) -> None:
    """Make stale what was asked for before now about one of these."""
    text = json.dumps({"boot": boot.identifier(), "at": boot.now(), "time": clock.show(clock.now())})
    with session.opened() as handle, directory.subdirectory(handle, STALE) as folder:
        for subject in subjects:
            directory.write(folder, _file(subject), text)


def is_stale(session: Session, token: Token) -> bool:
    """Whether something was written that may have changed what Keystone would answer now."""
    if not os.path.isdir(os.path.join(session.path, STALE)):
        return False
    with session.opened() as handle:
        return any(_marked_since(handle, _file(subject), token) for subject in (EVERYBODY, *token.subjects))


def _marked_since(handle: int, file: str, token: Token) -> bool:
    text = directory.read(handle, f"{STALE}/{file}")
    if text is None:
        return False
    try:
        mark_of = json.loads(text)
        if mark_of["boot"] == token.boot:
            return bool(token.began <= mark_of["at"])
        return token.obtained_at <= clock.parse(mark_of["time"]) + _CLOCKS_DIFFER
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        return True


def _file(subject: str) -> str:
    # An address may have anything in it.
    return f"{hashlib.sha256(subject.encode()).hexdigest()[:32]}.json"
