# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Polls the items that the services accepted: all of them with one list request, at growing intervals."""

from __future__ import annotations

import typing as t
from concurrent import futures

from ..control.cancellation import Cancellation
from ..control.time_budget import TimeBudget
from ..model.action import Action
from ..model.errors import CancelledError, DeadlineError, OutageError, reason_of
from ..model.item import Item, State
from ..model.reason import Reason
from .unfinished import settle_unpolled

#: Pauses between polls, in seconds.
FIRST_INTERVAL, LONGEST_INTERVAL, INTERVAL_GROWTH = 0.5, 10.0, 1.5
#: How long an item without an answer is looked for before it is submitted again, in seconds; twice as long each time.
RETRY_AFTER = 5.0
#: An item is submitted so often at most when no answer comes.
MAX_ATTEMPTS = 5


class Poller:
    def __init__(self, action: Action[t.Any], budget: TimeBudget, cancellation: Cancellation) -> None:
        self._action = action
        self._budget = budget
        self._cancellation = cancellation
        #: Those for the next poll, and those of the one in flight.
        self.waiting: list[Item[t.Any]] = []
        self._polled: list[Item[t.Any]] = []
        self._polled_since = 0.0
        self._poll: futures.Future[None] | None = None
        self._next = 0.0
        self._interval = FIRST_INTERVAL
        #: Why the last poll could not list; empty when it could.
        self.outage = ""

    @property
    def items(self) -> list[Item[t.Any]]:
        return [*self.waiting, *self._polled]

    @property
    def in_flight(self) -> t.Collection[futures.Future[None]]:
        return [self._poll] if self._poll else []

    def add(self, item: Item[t.Any]) -> None:
        self.waiting.append(item)

    def start_if_due(self, executor: futures.Executor) -> None:
        if self.waiting and self._poll is None and self._budget.spent >= self._next:
            self._polled, self.waiting = self.waiting, []
            self._polled_since = self._budget.spent
            self._poll = executor.submit(self._action.poll, self._polled)

    def hasten(self) -> None:
        """Poll soon: something may have ended."""
        self._interval = FIRST_INTERVAL
        self._next = min(self._next, self._budget.spent + FIRST_INTERVAL)

    def take_finished(self) -> list[Item[t.Any]]:
        """The items of a poll that has ended, whatever it found."""
        if self._poll is None or not self._poll.done():
            return []
        poll, self._poll = self._poll, None
        self._end(poll)
        items, self._polled = self._polled, []
        return items

    def schedule(self, soon: bool) -> None:
        """Say when the next poll is, after one that has ended."""
        self._interval = FIRST_INTERVAL if soon else min(LONGEST_INTERVAL, self._interval * INTERVAL_GROWTH)
        self._next = self._budget.spent + self._interval

    def _end(self, poll: futures.Future[None]) -> None:
        try:
            poll.result()
        except OutageError as exc:
            # What is in progress in the cloud goes on without being polled.
            self.outage = reason_of(exc).text
        except (CancelledError, DeadlineError):
            # Nothing more can be learned of it, which is no failure of the cloud.
            pass
        except Exception as exc:  # pylint: disable=broad-exception-caught
            reason = reason_of(exc)
            self.outage = reason.text
            self._cancellation.cancel(reason)
            for item in self._polled:
                if not item.settled:
                    settle_unpolled(item, reason)
        else:
            self.outage = ""
            for item in self._polled:
                if item.state is State.UNCONFIRMED and item.unconfirmed:
                    self._judge(item, item.unconfirmed)

    def _judge(self, item: Item[t.Any], reason: Reason) -> None:
        """Decide on an unconfirmed item that the poll did not find."""
        missing_for = self._polled_since - item.unconfirmed_since
        if item.was_busy_before:
            if missing_for > 0:
                item.fail(reason)
        elif missing_for >= RETRY_AFTER * 2 ** (item.attempts - 1):
            if item.refused or self._cancellation.reason or item.attempts >= MAX_ATTEMPTS:
                item.fail(Reason(reason.code, f"{reason}; nothing of the run appeared"))
            else:
                item.resume()
