# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One resource of a bulk run, and what has become of it.

An item belongs to one thread at a time: its state says to which.
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import asdict, dataclass, field

from .reason import INTENDED, MAY_BE_REFUSED, Reason

#: ``done`` by this call, ``already`` there before it, ``accepted`` by the service and not waited for, ``incomplete``
#: where only a part was done, ``blocked`` by something else that must go first, ``skipped`` without being asked for,
#: ``failed``, or ``planned``.
DONE, ALREADY, ACCEPTED, INCOMPLETE, BLOCKED, SKIPPED, FAILED, PLANNED = OUTCOMES = (
    "done", "already", "accepted", "incomplete", "blocked", "skipped", "failed", "planned",
)  # fmt: skip

IMAGE, VOLUME_SNAPSHOT, VOLUME_BACKUP = "image", "volume_snapshot", "volume_backup"


class State(enum.Enum):
    """Where an item is on its way."""

    #: Not asked for yet: the run's.
    WAITING = enum.auto()
    #: Being asked for: the sender's.
    ASKING = enum.auto()
    #: The service accepted it: whoever looks what became of it.
    UNDER_WAY = enum.auto()
    #: The service accepted a part, and the rest is asked for once that is finished: whoever looks whether it is.
    HALF_DONE = enum.auto()
    #: Not asked for before something else is finished: whoever looks whether that is.
    BLOCKED = enum.auto()
    #: Whether the service carried it out is not known: whoever looks whether it did.
    UNSURE = enum.auto()
    #: Its outcome is final.
    SETTLED = enum.auto()


@dataclass
class Created:
    """Something that was made of an item."""

    type: str
    id: str = ""
    name: str = ""
    status: str = ""
    #: Bytes, None until it is known.
    size: int | None = None


@dataclass
class Item:
    id: str
    name: str
    action: str
    #: The server, the volume or the file that it is about.
    resource: t.Any = None
    outcome: str = PLANNED
    why: Reason | None = None
    created: list[Created] = field(default_factory=list)
    state: State = State.WAITING
    #: Seconds since the run began.
    started_at: float | None = None
    ended_at: float | None = None
    #: How often it was asked for.
    attempts: int = 0
    #: Why it is not known whether the service carried it out.
    doubt: Reason | None = None
    doubted_at: float = 0.0
    #: Whether the service said that the resource is busy, perhaps with what was asked for before.
    refused: bool = False
    #: Whether the service carried a part of it out for this call, whatever becomes of the rest.
    partly_done: bool = False
    #: Listings in a row that lacked what was made.
    misses: int = 0

    @property
    def settled(self) -> bool:
        return self.state is State.SETTLED

    @property
    def watched(self) -> bool:
        """Whether a look has to tell what became of it."""
        return self.state in (State.UNDER_WAY, State.HALF_DONE, State.BLOCKED, State.UNSURE)

    @property
    def in_progress(self) -> bool:
        """Whether the service is at work on it, or on a part of it."""
        return self.state in (State.UNDER_WAY, State.HALF_DONE)

    @property
    def reason(self) -> str:
        """For people, empty when there is none."""
        return self.why.text if self.why else ""

    @property
    def reason_code(self) -> str:
        """For programs, empty when there is no reason."""
        return self.why.code.value if self.why else ""

    @property
    def may_be_refused(self) -> bool:
        return self.why is not None and self.why.code in MAY_BE_REFUSED

    @property
    def lacking(self) -> bool:
        """Whether it is not as the caller wants it."""
        intended = self.why is not None and self.why.code in INTENDED
        return self.outcome == FAILED or (self.outcome in (INCOMPLETE, BLOCKED, SKIPPED) and not intended)

    @property
    def changed(self) -> bool:
        """Whether something was made, or would be, or may have been."""
        tried = self.outcome in (FAILED, INCOMPLETE) and self.attempts > 0 and not self.refused
        return self.outcome in (DONE, ACCEPTED, PLANNED) or tried or self.partly_done

    @property
    def seconds(self) -> float:
        """How long it took, 0 when nothing was asked for or it did not come to an end."""
        if self.started_at is None or self.ended_at is None:
            return 0.0
        return self.ended_at - self.started_at

    def accept(self, outcome: str, *created: Created) -> None:
        """It is carried out by the service, or was before; how that ends is not known yet."""
        self.outcome = outcome
        self.created = list(created) or self.created
        self.doubt, self.refused = None, False
        self.state = State.UNDER_WAY

    def accept_part(self, outcome: str, *created: Created) -> None:
        """A part of it is carried out by the service, or was before; the rest cannot be asked for yet."""
        self.accept(outcome, *created)
        self.state = State.HALF_DONE

    def question(self, doubt: Reason, moment: float) -> None:
        """Whether the service carried it out is to be found out."""
        self.doubt, self.doubted_at, self.state = doubt, moment, State.UNSURE

    def settle(self, outcome: str, why: Reason | None = None) -> None:
        self.outcome, self.why, self.state = outcome, why, State.SETTLED

    def fail(self, why: Reason) -> None:
        """The service does not carry it out, or not the rest of it."""
        self.settle(INCOMPLETE if self.partly_done else FAILED, why)

    def miss(self, allowed: int, why: Reason, outcome: str = FAILED) -> None:
        """A listing lacked it: late replicas of a database do, but not for long."""
        self.misses += 1
        if self.misses > allowed:
            self.settle(outcome, why)

    def result(self) -> dict[str, t.Any]:
        return {
            "id": self.id,
            "name": self.name,
            "action": self.action,
            "outcome": self.outcome,
            "reason_code": self.reason_code,
            "reason": self.reason,
            "seconds": round(self.seconds, 1),
            "created": [asdict(created) for created in self.created],
        }
