# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The course of a bulk run: plan, submit each item, poll until all are settled.

Workers submit the items, each in a thread; a poll is one list request for all items. What got no answer is looked for
before it is submitted again. The run's own thread only decides, reports and waits.
"""

from __future__ import annotations

import typing as t
from collections import Counter, deque
from concurrent import futures

from ..._session.rate_limit.limiter import RateLimiter
from ..._session.util.errors import OneTokenError
from ..control.cancellation import Cancellation
from ..control.max_failures import MaxFailures
from ..control.run_lock import RunLock
from ..control.slots import Slots
from ..control.time_budget import TimeBudget
from ..model.action import Action
from ..model.errors import CancelledError, DeadlineError, OutageError, RefusedError, reason_of
from ..model.item import BLOCKED, FAILED, INCOMPLETE, Item, State
from ..model.reason import Code, Reason
from .poller import Poller
from .progress import Progress
from .unfinished import settle_at_end, settle_unawaited
from .workers import WORKERS, Workers

#: How long the run's thread goes without seeing what has changed, in seconds.
LOOP_INTERVAL = 0.2


class PlanError(OneTokenError):
    """The resources cannot be listed, so nothing was submitted."""


class Run:
    """One bulk run."""

    def __init__(
        self,
        action: Action[t.Any],
        limiter: RateLimiter,
        budget: TimeBudget,
        cancellation: Cancellation,
        progress: Progress,
        *,
        wait: bool = True,
        max_failures: MaxFailures | None = None,
        lock: RunLock | None = None,
        slots: Slots | None = None,
        new_executor: t.Callable[[int], futures.Executor] = futures.ThreadPoolExecutor,
    ) -> None:
        self._action = action
        self._limiter = limiter
        self._budget = budget
        self._cancellation = cancellation
        self._progress = progress
        self._wait = wait
        self._max_failures = max_failures
        self._lock = lock
        self._slots = slots
        self._new_executor = new_executor
        self._workers = Workers(action, budget, cancellation)
        self._poller = Poller(action, budget, cancellation)
        self.items: list[Item[t.Any]] = []
        self._pending: deque[Item[t.Any]] = deque()
        #: Those that hold a slot.
        self._started: set[int] = set()
        #: Whether items wait for others to end.
        self._lacks_slots = False
        #: How many items have each outcome so far.
        self._counts: Counter[str] = Counter()
        #: How many of them count for max_failures.
        self._failures = 0

    def plan(self) -> list[Item[t.Any]]:
        """The items in the order of their names, with what is known of them before anything is submitted."""
        self._progress.begin(self._action.name, self._action.resources)
        self._acquire_lock()
        try:
            items = self._action.plan()
        except CancelledError:
            raise CancelledError(f"Nothing was submitted: {self._cancellation.interruption}.") from None
        except (OutageError, RefusedError, DeadlineError) as exc:
            resources, reason = self._action.resources, reason_of(exc)
            raise PlanError(f"Nothing was submitted, as listing the {resources} failed: {reason}.") from None
        self.items = sorted(items, key=lambda item: (item.name, item.id))
        return self.items

    def _acquire_lock(self) -> None:
        def goes_on() -> bool:
            return bool(self._budget.left) and not self._cancellation.check_interruption()

        if self._lock is not None and not self._lock.acquire(self._budget.pause, goes_on):
            when = f"after {self._budget.timeout:.0f} s"
            if self._cancellation.check_interruption():
                when = f"and {self._cancellation.interruption}"
            raise PlanError(f"Nothing was submitted, as another task of this run is still submitting, {when}.")

    def _release_lock(self) -> None:
        if self._lock is not None:
            self._lock.release()

    def carry_out(self) -> None:
        """Submit what is planned, and wait for it."""
        for item in self.items:
            self._route(item)
        with self._new_executor(WORKERS + 1) as executor:
            try:
                while self._goes_on():
                    self._cancel_if_due()
                    self._submit_more(executor)
                    self._poller.start_if_due(executor)
                    self._collect()
                    if not self._pending and not self._workers:
                        self._release_lock()
                    self._report()
                    self._pause()
            except BaseException as exc:
                # Else the executor waits for workers that wait for the rate limit.
                self._cancellation.cancel(reason_of(exc))
                raise
            finally:
                self._release_lock()
        self._settle_the_rest()
        self._report()

    def _route(self, item: Item[t.Any]) -> None:
        """Hand an item to whatever its state belongs to."""
        if not self._wait:
            settle_unawaited(item, self._action)
        if item.state is State.BLOCKED and (reason := self._cancellation.reason):
            text = f"not submitted, as it was {self._action.stage(item)}: {reason}"
            item.settle(BLOCKED, Reason(reason.code, text))
        if item.settled:
            self._end(item)
        elif item.polled:
            self._poller.add(item)
        elif id(item) in self._started:
            # It has a slot already, for which those that are first in line may be waiting.
            self._pending.appendleft(item)
        else:
            self._pending.append(item)

    def _goes_on(self) -> bool:
        if self._workers or self._poller.in_flight or (self._pending and not self._cancellation.reason):
            return True
        return bool(self._poller.waiting and self._budget.left) and not self._ends_at_once()

    def _ends_at_once(self) -> bool:
        """Whether not even what is in progress is waited for any more."""
        return self._cancellation.check_interruption() and self._cancellation.immediate

    def _cancel_if_due(self) -> None:
        if self._cancellation.reason or not (self._pending or self._workers):
            return
        failed = self._failures
        if self._cancellation.check_interruption():
            self._cancellation.cancel(self._cancellation.interruption)
        elif not self._budget.left:
            text = f"the time of {self._budget.timeout:.0f} s was up"
            self._cancellation.cancel(Reason(Code.TIMEOUT, text))
        elif self._max_failures and self._max_failures.exceeded(failed, len(self.items)):
            text = f"the run was stopped by max_failures after {failed} failures"
            self._cancellation.cancel(Reason(Code.MAX_FAILURES, text))

    def _submit_more(self, executor: futures.Executor) -> None:
        while self._pending and not self._cancellation.reason and len(self._workers) < WORKERS:
            if not self._may_start(self._pending[0]):
                self._lacks_slots = True
                return
            self._workers.submit(self._pending.popleft(), executor)

    def _may_start(self, item: Item[t.Any]) -> bool:
        """Whether there is a slot for it; one that is submitted again has its slot."""
        if self._slots and id(item) not in self._started and not self._slots.take():
            return False
        self._started.add(id(item))
        return True

    def _collect(self) -> None:
        """Take over what workers and the poll are done with."""
        submitted = self._workers.take_finished()
        for item in submitted:
            self._route(item)
        if submitted and not self._workers and not self._pending:
            # What was submitted last may be finished soon.
            self._poller.hasten()
        if polled := self._poller.take_finished():
            for item in polled:
                self._route(item)
            # Where items wait for slots, others of the same kind may be as quick.
            self._poller.schedule(soon=self._lacks_slots and any(item.settled for item in polled))
            self._lacks_slots = False

    def _end(self, item: Item[t.Any]) -> None:
        self._counts[item.outcome] += 1
        # A part of it was refused, which is no less a failure.
        self._failures += item.outcome == FAILED or (item.outcome == INCOMPLETE and item.refused)
        if item.started_at is not None:
            item.ended_at = self._budget.spent
        if self._slots and id(item) in self._started:
            self._started.remove(id(item))
            self._slots.free()

    def _report(self) -> None:
        polled = self._poller.items
        blocked = sum(item.state is State.BLOCKED for item in polled)
        reason = self._cancellation.reason
        self._progress.update(
            total=len(self.items),
            outcomes=self._counts,
            in_progress=len(polled) - blocked,
            # Most of what workers have is not sent yet, but waits for the rate limit.
            waiting=len(self._pending) + len(self._workers) + blocked,
            awaited=self._action.awaited,
            throttled=self._limiter.holding(),
            stopped=reason.text if reason else "",
        )

    def _pause(self) -> None:
        in_flight = [*self._workers.in_flight, *self._poller.in_flight]
        if in_flight:
            futures.wait(in_flight, LOOP_INTERVAL, futures.FIRST_COMPLETED)
        elif self._goes_on():
            self._budget.pause(LOOP_INTERVAL)

    def _settle_the_rest(self) -> None:
        unfinished = self._poller.waiting
        for item in self._pending:
            item.leave_out(self._cancellation.reason or self._cancellation.interruption)
        end = Reason(Code.TIMEOUT, f"after {self._budget.timeout:.0f} s")
        if self._cancellation.immediate:
            end = Reason(Code.INTERRUPTED, "when the run was stopped")
        for item in unfinished:
            settle_at_end(item, self._action, end, self._poller.outage)
        for item in (*self._pending, *unfinished):
            self._end(item)
        self._pending.clear()
        unfinished.clear()
