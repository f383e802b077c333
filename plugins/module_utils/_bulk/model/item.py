# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One resource of a bulk run, as a state machine.

PENDING, SUBMITTING, IN_PROGRESS, SETTLED is the usual course; TRANSITIONS has all others. Only the methods of an item
change its state.

An item belongs to one thread at a time, and its state says to which: the run has those that are pending, a worker those
that it submits, and a poll all others until they are settled.
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import asdict, dataclass

from .reason import INTENDED, Reason

#: ``done`` by this call, ``already`` done before it, ``accepted`` by the service and not waited for, ``incomplete``
#: where only a part was done, ``blocked`` by something else that must go first, ``skipped`` without being submitted,
#: ``failed``, or ``planned``.
DONE, ALREADY, ACCEPTED, INCOMPLETE, BLOCKED, SKIPPED, FAILED, PLANNED = OUTCOMES = (
    "done", "already", "accepted", "incomplete", "blocked", "skipped", "failed", "planned",
)  # fmt: skip

#: What has just been made may be absent from so many listings in a row, as they may come from a late database replica.
MISSES_ALLOWED = 2

_INTENDED = frozenset(code.value for code in INTENDED)

R = t.TypeVar("R")


class State(enum.Enum):
    #: Not submitted yet, or to be submitted once more.
    PENDING = enum.auto()
    #: A worker sends its requests.
    SUBMITTING = enum.auto()
    #: The service accepted it.
    IN_PROGRESS = enum.auto()
    #: The service accepted a part; the rest is submitted when that part is finished.
    PARTIAL = enum.auto()
    #: Not submitted before something else is finished.
    BLOCKED = enum.auto()
    #: A request got no answer, so a poll must find out whether the service carried it out.
    UNCONFIRMED = enum.auto()
    #: Its outcome is final.
    SETTLED = enum.auto()


#: The states that only a poll leads out of.
POLLED = frozenset({State.IN_PROGRESS, State.PARTIAL, State.BLOCKED, State.UNCONFIRMED})
_ACCEPTED = frozenset({State.IN_PROGRESS, State.PARTIAL})
#: Where each state may lead. What is settled stays so.
TRANSITIONS = {
    State.PENDING: {State.SUBMITTING, State.BLOCKED, State.SETTLED, *_ACCEPTED},
    State.SUBMITTING: {State.PENDING, State.UNCONFIRMED, State.SETTLED, *_ACCEPTED},
    State.IN_PROGRESS: {State.PENDING, State.UNCONFIRMED, State.SETTLED, *_ACCEPTED},
    State.PARTIAL: {State.PENDING, State.UNCONFIRMED, State.SETTLED, *_ACCEPTED},
    State.BLOCKED: {State.PENDING, State.SETTLED},
    State.UNCONFIRMED: {State.PENDING, State.UNCONFIRMED, State.SETTLED, *_ACCEPTED},
    State.SETTLED: {State.SETTLED},
}


@dataclass
class Created:
    """Something that was made of an item."""

    type: str
    id: str = ""
    name: str = ""
    status: str = ""
    #: Bytes, None until it is known.
    size: int | None = None


class Item(t.Generic[R]):
    def __init__(self, id: str, name: str, action: str, resource: R | None = None) -> None:
        self.id = id
        self.name = name
        self.action = action
        self._resource = resource
        self._state = State.PENDING
        self._outcome = PLANNED
        #: Why it has its outcome, or while it is planned, why the service may refuse it.
        self.reason: Reason | None = None
        self.created: list[Created] = []
        #: Seconds since the run began.
        self.started_at: float | None = None
        self.ended_at: float | None = None
        #: How often it was submitted.
        self.attempts = 0
        #: Why it is not known whether the service carried it out, and since when, in seconds since the run began.
        self.unconfirmed: Reason | None = None
        self.unconfirmed_since = 0.0
        #: Whether the service answered that the resource is busy, perhaps with what an earlier request started.
        self.refused = False
        #: Whether this call had a part of it carried out, whatever happens to the rest.
        self.partly_done = False
        #: Listings in a row that lacked what was made.
        self.misses = 0

    @property
    def state(self) -> State:
        return self._state

    @property
    def outcome(self) -> str:
        return self._outcome

    @property
    def resource(self) -> R:
        """The server, the volume, the file that it is about; a name that leads to no resource has none."""
        if self._resource is None:
            raise LookupError(f"Item {self.name} has no resource.")
        return self._resource

    # What happens to it

    def begin(self, moment: float) -> None:
        """A worker submits it."""
        self._move(State.SUBMITTING)
        self.attempts += 1
        if self.started_at is None:
            self.started_at = moment

    def accept(self, outcome: str, *created: Created) -> None:
        """The service carries it out, or did before; how that ends is not known yet."""
        self._outcome = outcome
        self.created = list(created) or self.created
        self.unconfirmed, self.refused = None, False
        self._move(State.IN_PROGRESS)

    def accept_part(self, outcome: str, *created: Created) -> None:
        """The service carries out a part of it, or did before; the rest cannot be submitted yet."""
        self.accept(outcome, *created)
        self._move(State.PARTIAL)

    def block(self) -> None:
        """Something else must be finished first."""
        self._move(State.BLOCKED)

    def resume(self, resource: R | None = None) -> None:
        """It is to be submitted, once more or for the rest of it; the resource may have changed meanwhile."""
        self._resource = resource or self._resource
        self._move(State.PENDING)

    def mark_unconfirmed(self, reason: Reason, moment: float) -> None:
        """Whether the service carried it out is to be found out."""
        self.unconfirmed, self.unconfirmed_since = reason, moment
        self._move(State.UNCONFIRMED)

    def withdraw(self) -> None:
        """It was not sent, or not all of it."""
        if not self.partly_done and not any(created.id for created in self.created):
            self.attempts -= 1
        self._move(State.UNCONFIRMED if self.unconfirmed else State.PENDING)

    def settle(self, outcome: str, reason: Reason | None = None) -> None:
        self._outcome, self.reason = outcome, reason
        self._move(State.SETTLED)

    def fail(self, reason: Reason) -> None:
        """The service does not carry it out, or not the rest of it."""
        self.settle(INCOMPLETE if self.partly_done else FAILED, reason)

    def leave_out(self, reason: Reason) -> None:
        """It is not submitted, or not once more, as the run was cancelled."""
        if self.unconfirmed:
            self.settle(FAILED, self.unconfirmed)
        elif self.attempts:
            self.settle(INCOMPLETE, Reason(reason.code, f"only a part of it was submitted: {reason}"))
        else:
            self.started_at = None
            self.settle(SKIPPED, Reason(reason.code, f"not submitted: {reason}"))

    def seen(self) -> None:
        """A listing shows it."""
        self.misses = 0

    def miss(self, reason: Reason, outcome: str = FAILED) -> None:
        """A listing lacked it, or shows no progress: late replicas of a database do so, but not for long."""
        self.misses += 1
        if self.misses > MISSES_ALLOWED:
            self.settle(outcome, reason)

    def _move(self, state: State) -> None:
        if state not in TRANSITIONS[self._state]:
            raise RuntimeError(f"Item {self.name} cannot go from {self._state.name} to {state.name}.")
        self._state = state

    # What it is

    @property
    def settled(self) -> bool:
        return self._state is State.SETTLED

    @property
    def polled(self) -> bool:
        """Whether only a poll leads on."""
        return self._state in POLLED

    @property
    def in_progress(self) -> bool:
        """Whether the service works on it, or on a part of it."""
        return self._state in (State.IN_PROGRESS, State.PARTIAL)

    @property
    def was_busy_before(self) -> bool:
        """Whether the service was busy with it before this call submitted it."""
        return self.refused and self.attempts == 1

    @property
    def reason_text(self) -> str:
        """For people, empty when there is no reason."""
        return self.reason.text if self.reason else ""

    @property
    def reason_code(self) -> str:
        """For programs, empty when there is no reason."""
        return self.reason.code.value if self.reason else ""

    @property
    def changed(self) -> bool:
        """Whether something was made, or would be, or may have been."""
        tried = self._outcome in (FAILED, INCOMPLETE) and self.attempts > 0 and not self.refused
        return self._outcome in (DONE, ACCEPTED, PLANNED) or tried or self.partly_done

    @property
    def seconds(self) -> float:
        """How long it took, 0 when it was not submitted or did not end."""
        if self.started_at is None or self.ended_at is None:
            return 0.0
        return self.ended_at - self.started_at

    def result(self) -> dict[str, t.Any]:
        return {
            "id": self.id,
            "name": self.name,
            "action": self.action,
            "outcome": self._outcome,
            "reason_code": self.reason_code,
            "reason": self.reason_text,
            "seconds": round(self.seconds, 1),
            "created": [asdict(created) for created in self.created],
        }


def is_unsatisfied(outcome: str, reason_code: str) -> bool:
    """Whether an item of this outcome is not as the caller wants it."""
    return outcome == FAILED or (outcome in (INCOMPLETE, BLOCKED, SKIPPED) and reason_code not in _INTENDED)
