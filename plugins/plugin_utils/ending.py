# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a run on a session, and what its user reads about it."""

from __future__ import annotations

import math
import os
import typing as t

from ..module_utils._modules.token_report import counts_of_revoke
from ..module_utils._session.revoke.watcher import FINISHING_TIMEOUT
from .run import Run

Show = t.Callable[[str], None]
#: Seconds for which an interrupted run waits for the revoke, which continues without it.
INTERRUPTED_TIMEOUT = 5


def end(run: Run, interrupted: bool, still_used: str, show: Show, warn: Show) -> dict[str, t.Any] | None:
    """End a run, and say what it waits for, and that the session is still used if it waited in vain.

    An interrupted run waits for nobody. Returns what the watcher did, or None if it goes on in the background.
    """
    drain = run.settings.drain and not interrupted
    if drain and not run.idle:
        show(f"waiting up to {run.settings.drain_timeout} s for processes that use the session")
    if not drain and not run.finished:
        show(
            "work in progress is finished first, then the token is revoked, by a background process, within "
            f"{FINISHING_TIMEOUT} s; it is revoked when {os.path.join(run.session.path, 'tokens')} has no file"
        )
        run.leave()
        return None
    report = run.end(drain, INTERRUPTED_TIMEOUT if interrupted else math.inf)
    if report is None and run.pending:
        warn(f"{run.pending} A background process keeps trying.")
    elif report is None:
        warn("Keystone has not confirmed yet that the token is revoked; a background process keeps asking.")
    elif not report["drained"] and not interrupted:
        warn(still_used)
    return report


def tokens_issued(report: t.Mapping[str, t.Any]) -> int:
    # If the counter could not be written, there are at least the revoked tokens.
    return max(report["tokens_issued"], report["revoked"] + report["already_dead"])


def counts(report: dict[str, t.Any]) -> str:
    """The tokens of the session, for the last line of a run."""
    end_of_tokens = "left to another run" if report["left"] else counts_of_revoke(report)
    return (
        f"tokens issued: {tokens_issued(report)}, sign-ins served from the session: {report['authentications']}, "
        f"{end_of_tokens}"
    )
