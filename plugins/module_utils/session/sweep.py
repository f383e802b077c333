# Copyright: (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Clearing away the sessions that earlier runs left behind."""

from __future__ import annotations

import contextlib
import os
import time

from .errors import SessionError
from .store import Session

#: A revoked session stays this long, in seconds, so that a late task of its run fails instead of finding nothing.
KEPT = 24 * 3600


def sweep(base: str) -> None:
    """Remove the runs' own sessions in this folder that hold no live token and were not touched for a day."""
    for name in os.listdir(base):
        session = Session(os.path.join(base, name))
        # Whatever is in the way of clearing up is no reason to fail a run.
        with contextlib.suppress(SessionError, OSError):
            if session.is_of_one_run and session.exists and _is_old(session):
                with session.locked(timeout=0):
                    if _is_dead(session):
                        session.discard()


def _is_old(session: Session) -> bool:
    return time.time() - os.stat(session.path).st_mtime > KEPT


def _is_dead(session: Session) -> bool:
    stored = [session.read_tokens(cloud) for cloud in session.clouds_with_tokens()]
    return all(token.expired for tokens in stored if tokens for token in tokens.newest_first)
