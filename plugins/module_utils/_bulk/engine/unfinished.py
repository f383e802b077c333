# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an item ends that the run does not wait for."""

from __future__ import annotations

import typing as t

from ..model.action import Action
from ..model.item import ACCEPTED, ALREADY, BLOCKED, DONE, FAILED, INCOMPLETE, Item, State
from ..model.reason import Code, Reason

#: The outcome by state, and how the item continues without this run.
_ENDS = {
    State.IN_PROGRESS: (FAILED, "it goes on in the cloud"),
    State.PARTIAL: (INCOMPLETE, "another call does the rest"),
    State.BLOCKED: (BLOCKED, "another call submits it"),
}


def settle_unawaited(item: Item[t.Any], action: Action[t.Any]) -> None:
    """Settle what only time or another item can finish, as the call does not wait."""
    if item.state is State.IN_PROGRESS and item.outcome == DONE:
        item.settle(ACCEPTED, item.reason)
    elif item.state is State.IN_PROGRESS:
        stage = f"still {action.stage(item)}, and not waited for"
        item.settle(ALREADY, item.reason or Reason(Code.IN_PROGRESS, stage))
    elif item.state in _ENDS:
        outcome, then = _ENDS[item.state]
        stage = f"still {action.stage(item)}, which was not waited for; {then}"
        item.settle(outcome, Reason(Code.NOT_AWAITED, stage))


def settle_unpolled(item: Item[t.Any], reason: Reason) -> None:
    """Settle what cannot be polled any more."""
    outcome, _then = _ENDS.get(item.state, _ENDS[State.IN_PROGRESS])
    item.settle(outcome, Reason(reason.code, f"not watched to its end: {reason}"))


def settle_at_end(item: Item[t.Any], action: Action[t.Any], end: Reason, outage: str) -> None:
    """Settle what is still in progress when the run ends, for this reason."""
    if item.state is State.UNCONFIRMED:
        item.settle(FAILED, item.unconfirmed)
        return
    outcome, then = _ENDS[item.state]
    uncertain = f", as far as is known: {outage}" if outage else ""
    item.settle(outcome, Reason(end.code, f"still {action.stage(item)} {end}; {then}{uncertain}"))
