# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a watcher reports about its session."""

from __future__ import annotations

import dataclasses
import typing as t

from ..store import traffic
from ..store.session import (
    AUTHENTICATIONS,
    DOCUMENTS_SERVED,
    IDENTITIES,
    ISSUED,
    REQUESTS,
    SERVED,
    LivingToken,
    Session,
    last_end,
)
from ..util.errors import SessionError

#: The report of a watcher that had nothing to do.
NOTHING_DONE: dict[str, t.Any] = {
    "drained": True,
    "left": False,
    "revoked": 0,
    "already_dead": 0,
    "alive": 0,
    "alive_until": None,
    "tokens_issued": 0,
    "keystone_requests": 0,
    "authentications": 0,
    "identities": 0,
    "documents_served": 0,
    "served": 0,
    "traffic": {},
    "problem": None,
}


def of_session(session: Session) -> dict[str, t.Any]:
    """The report so far: what the session has on record."""
    try:
        record = session.read_record()
    except SessionError:
        return {**NOTHING_DONE}
    return {
        **NOTHING_DONE,
        **of_living([token for token in record.living if not token.ended]),
        "tokens_issued": session.counted(ISSUED),
        "keystone_requests": session.counted(REQUESTS),
        "authentications": session.counted(AUTHENTICATIONS),
        "identities": session.counted(IDENTITIES),
        "documents_served": session.counted(DOCUMENTS_SERVED),
        "served": session.counted(SERVED),
        "traffic": {service: dataclasses.asdict(one) for service, one in traffic.read(session).items()},
    }


def of_living(living: list[LivingToken], *problems: str) -> dict[str, t.Any]:
    """The part of it about tokens that live on, and about other problems."""
    reasons = [*(token.reason for token in living), *problems]
    return {"alive": len(living), "alive_until": last_end(living), "problem": " ".join(reasons) or None}


def gone(session: Session) -> str:
    """What to report about a session that was removed with its tokens."""
    return (
        f"The session {session.path} is gone, so its token may live until it expires: restore the directory "
        f"and run os_token_revoke with session={session.path}."
    )


def unusable(session: Session, error: OSError) -> str:
    return (
        f"The session {session.path} cannot be used ({error.strerror}): let its files be read and written, and run "
        f"os_token_revoke with session={session.path}."
    )


def code_gone(session: Session) -> str:
    return f"The code of the session {session.path} was removed or damaged while its run went on."


def unexpected(session: Session, error: Exception) -> str:
    # Its text may quote anything, so only its type is reported.
    return (
        f"Revoking the session {session.path} ended in an unexpected {type(error).__name__}: please report this as a "
        f"bug, and run os_token_revoke with session={session.path}."
    )
