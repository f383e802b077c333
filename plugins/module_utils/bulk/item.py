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

#: ``done`` by this call, ``already`` there before it, ``skipped`` without being asked for, ``failed``, or ``planned``.
DONE, ALREADY, SKIPPED, FAILED, PLANNED = OUTCOMES = ("done", "already", "skipped", "failed", "planned")

IMAGE, VOLUME_SNAPSHOT, VOLUME_BACKUP = "image", "volume_snapshot", "volume_backup"


class State(enum.Enum):
    """Where an item is on its way."""

    #: Not asked for yet: the run's.
    WAITING = enum.auto()
    #: Being asked for: the sender's.
    ASKING = enum.auto()
    #: The service accepted it: whoever looks what became of it.
    UNDER_WAY = enum.auto()
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
    reason: str = ""
    created: list[Created] = field(default_factory=list)
    state: State = State.WAITING
    #: Seconds since the run began.
    started_at: float | None = None
    ended_at: float | None = None
    #: How often it was asked for.
    attempts: int = 0
    #: Why it is not known whether the service carried it out.
    doubt: str = ""
    doubted_at: float = 0.0
    #: Whether the service said that the resource is busy, perhaps with what was asked for before.
    refused: bool = False
    #: Whether it was skipped on purpose, for a reason of its own, and is as it should be.
    left_alone: bool = False
    #: Listings in a row that lacked what was made.
    misses: int = 0

    @property
    def settled(self) -> bool:
        return self.state is State.SETTLED

    @property
    def watched(self) -> bool:
        """Whether a look has to tell what became of it."""
        return self.state in (State.UNDER_WAY, State.UNSURE)

    @property
    def changed(self) -> bool:
        """Whether something was made, or would be, or may have been."""
        tried = self.outcome == FAILED and self.attempts > 0 and not self.refused
        return self.outcome in (DONE, PLANNED) or tried

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
        self.doubt, self.refused = "", False
        self.state = State.UNDER_WAY

    def question(self, doubt: str, moment: float) -> None:
        """Whether the service carried it out is to be found out."""
        self.doubt, self.doubted_at, self.state = doubt, moment, State.UNSURE

    def settle(self, outcome: str, reason: str = "") -> None:
        self.outcome, self.reason, self.state = outcome, reason, State.SETTLED

    def leave_alone(self, reason: str) -> None:
        """Nothing is to be asked for, for a reason that is no failure."""
        self.left_alone = True
        self.settle(SKIPPED, reason)

    def miss(self, allowed: int, reason: str) -> None:
        """A listing lacked it: late replicas of a database do, but not for long."""
        self.misses += 1
        if self.misses > allowed:
            self.settle(FAILED, reason)

    def result(self) -> dict[str, t.Any]:
        return {
            "id": self.id,
            "name": self.name,
            "action": self.action,
            "outcome": self.outcome,
            "reason": self.reason,
            "seconds": round(self.seconds, 1),
            "created": [asdict(created) for created in self.created],
        }
