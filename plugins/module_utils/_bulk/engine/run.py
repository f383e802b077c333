# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The course of a bulk run: plan, ask for each item, look what becomes of them, until all are settled.

Senders ask for the items, each in a thread, as most of a request is waiting; a look is one listing for all items. What
got no answer is looked for before it is asked for again. The run's own thread only decides, tells and waits.
"""

from __future__ import annotations

import typing as t
from collections import Counter, deque
from concurrent import futures

from ..._session.util.errors import OneTokenError
from ..api.cloud_requests import (
    CloudError,
    CloudRequests,
    GivenUpError,
    LostAnswerError,
    OutageError,
    RefusedError,
    TimeUpError,
    UnreadableError,
)
from .action import Action
from .interruption import Interruption
from .item import ACCEPTED, ALREADY, BLOCKED, DONE, FAILED, INCOMPLETE, SKIPPED, Item, State
from .max_failures import MaxFailures
from .progress import Progress
from .reason import Code, Reason
from .run_lock import Turn
from .slots import Slots

#: Requests that are under way at a time: enough for 20 a second where each takes a second and a half.
SENDERS = 32
CONFLICT = 409
ENTITY_TOO_LARGE = 413
SERVER_ERROR = 500
#: An item is asked for so often at most when no answer comes.
ATTEMPTS = 5
#: How long an item without an answer is looked for before it is asked for again; twice as long each time, in seconds.
PATIENCE = 5.0
#: Pauses between looks, in seconds.
FIRST_INTERVAL, LONGEST_INTERVAL, INTERVAL_GROWTH = 0.5, 10.0, 1.5
#: The outcome of what was not seen through, and how it goes on.
UNFINISHED = {
    State.UNDER_WAY: (FAILED, "it goes on in the cloud"),
    State.HALF_DONE: (INCOMPLETE, "another call does the rest"),
    State.BLOCKED: (BLOCKED, "another call asks for it"),
}
#: How long the run's thread goes without seeing what has changed, in seconds.
ATTENTION = 0.2
#: What an exception means for its item, where it does not say so itself.
CODES = {
    LostAnswerError: Code.UNCONFIRMED,
    TimeUpError: Code.TIMEOUT,
    GivenUpError: Code.INTERRUPTED,
    UnreadableError: Code.UNREADABLE,
    CloudError: Code.CLOUD_UNUSABLE,
}


class PlanError(OneTokenError):
    """What there is cannot be listed, so nothing was asked for."""


class Run:
    """One bulk run."""

    def __init__(
        self,
        action: Action,
        requests: CloudRequests,
        progress: Progress,
        interruption: Interruption,
        wait: bool = True,
        max_failures: MaxFailures | None = None,
        turn: Turn | None = None,
        slots: Slots | None = None,
        new_executor: t.Callable[[int], futures.Executor] = futures.ThreadPoolExecutor,
    ) -> None:
        self._action = action
        self._requests = requests
        self._progress = progress
        self._interruption = interruption
        self._wait = wait
        self._max_failures = max_failures
        self._turn = turn
        self._slots = slots
        self._new_executor = new_executor
        self.items: list[Item] = []
        self._waiting: deque[Item] = deque()
        self._sending: dict[futures.Future[None], Item] = {}
        #: Those that hold a slot.
        self._started: set[int] = set()
        self._watched: list[Item] = []
        self._look: futures.Future[None] | None = None
        self._looked_at: list[Item] = []
        self._looked_since = 0.0
        self._next_look = 0.0
        self._interval = FIRST_INTERVAL
        #: Whether items wait for others to come to an end.
        self._lacks_slots = False
        #: How many items came to each outcome so far.
        self._tally: Counter[str] = Counter()
        #: How many of them count for max_failures.
        self._failures = 0
        self._outage = ""
        #: Why nothing more is asked for; None while it is.
        self._stop_reason: Reason | None = None
        # Whether the listener is gone, only the run's own thread may ask: it learns of it within ATTENTION.
        action.given_up = lambda: bool(self.stopped or interruption.reason)
        action.abandoned = requests.abandoned = lambda: interruption.insistent

    @property
    def stopped(self) -> str:
        """Why nothing more is asked for; empty while it is."""
        return self._stop_reason.text if self._stop_reason else ""

    @property
    def stopped_code(self) -> str:
        """The same for programs."""
        return self._stop_reason.code.value if self._stop_reason else ""

    def plan(self) -> list[Item]:
        """The items in the order of their names, with what is known of them before anything is asked for."""
        self._progress.begin(self._action.name, self._action.resources)
        self._wait_for_turn()
        try:
            items = self._action.plan()
        except GivenUpError:
            raise GivenUpError(f"The run was {self._interruption.reason} before anything was asked for.") from None
        except (OutageError, RefusedError, TimeUpError) as exc:
            raise PlanError(f"Nothing was asked for, as it cannot be listed what there is: {_told(exc)}.") from None
        self.items = sorted(items, key=lambda item: (item.name, item.id))
        return self.items

    def _wait_for_turn(self) -> None:
        def goes_on() -> bool:
            return bool(self._requests.seconds_left) and not self._interruption.requested

        if self._turn is not None and not self._turn.wait(self._requests.pause, goes_on):
            why = self._interruption.reason or f"waiting for {self._requests.timeout:.0f} s"
            raise PlanError(f"Nothing was asked for, as another call of this run still asks, and this one was {why}.")

    def _end_turn(self) -> None:
        if self._turn is not None:
            self._turn.end()

    def carry_out(self) -> None:
        """Ask for what is planned, and see it through."""
        for item in self.items:
            self._file(item)
        with self._new_executor(SENDERS + 1) as executor:
            try:
                while self._goes_on():
                    self._decide_whether_to_stop()
                    self._send_more(executor)
                    self._look_if_due(executor)
                    self._take_in()
                    if not self._waiting and not self._sending:
                        self._end_turn()
                    self._tell()
                    self._pause()
            except BaseException as exc:
                # Else the executor waits for senders that wait for their turn.
                self._stop(_reason_of(exc))
                raise
            finally:
                self._end_turn()
        self._settle_the_rest()
        self._tell()

    def _file(self, item: Item) -> None:
        """Put an item where its state belongs."""
        if not self._wait:
            self._settle_unawaited(item)
        if item.state is State.BLOCKED and self._stop_reason:
            why = f"not asked for, as it was {self._action.stage(item)}: {self.stopped}"
            item.settle(BLOCKED, Reason(self._stop_reason.code, why))
        if item.settled:
            self._end(item)
        elif item.watched:
            self._watched.append(item)
        elif id(item) in self._started:
            # It has a place already, for which those that are first in line may be waiting.
            self._waiting.appendleft(item)
        else:
            self._waiting.append(item)

    def _settle_unawaited(self, item: Item) -> None:
        """Settle what only time or another item can bring on, as the call does not wait for it."""
        if item.state is State.UNDER_WAY and item.outcome == DONE:
            item.settle(ACCEPTED, item.why)
        elif item.state is State.UNDER_WAY:
            stage = f"still {self._action.stage(item)}, and not waited for"
            item.settle(ALREADY, item.why or Reason(Code.IN_PROGRESS, stage))
        elif item.state in UNFINISHED:
            outcome, then = UNFINISHED[item.state]
            stage = f"still {self._action.stage(item)}, which was not waited for; {then}"
            item.settle(outcome, Reason(Code.NOT_AWAITED, stage))

    def _goes_on(self) -> bool:
        if self._sending or self._look or (self._waiting and not self.stopped):
            return True
        return bool(self._watched and self._requests.seconds_left) and not self._abandoned

    @property
    def _abandoned(self) -> bool:
        """Whether not even what is under way is watched any more."""
        return self._interruption.requested and self._interruption.insistent

    def _decide_whether_to_stop(self) -> None:
        if self.stopped or not (self._waiting or self._sending):
            return
        failed = self._failures
        if self._interruption.requested:
            self._stop(self._interrupted)
        elif not self._requests.seconds_left:
            self._stop(Reason(Code.TIMEOUT, f"the time of {self._requests.timeout:.0f} s was up"))
        elif self._max_failures and self._max_failures.exceeded(failed, len(self.items)):
            self._stop(Reason(Code.MAX_FAILURES, f"the run was stopped by max_failures after {failed} failures"))

    def _stop(self, why: Reason) -> None:
        """Ask for nothing more; what is under way is still seen through."""
        self._stop_reason = self._stop_reason or why

    @property
    def _interrupted(self) -> Reason:
        return Reason(Code.INTERRUPTED, f"the run was {self._interruption.reason}")

    def _send_more(self, executor: futures.Executor) -> None:
        while self._waiting and not self.stopped and len(self._sending) < SENDERS:
            if not self._may_start(self._waiting[0]):
                self._lacks_slots = True
                return
            item = self._waiting.popleft()
            item.state = State.ASKING
            self._sending[executor.submit(self._ask, item)] = item

    def _may_start(self, item: Item) -> bool:
        """Whether there is a slot for it; one that is asked for again has its slot."""
        if self._slots and id(item) not in self._started and not self._slots.take():
            return False
        self._started.add(id(item))
        return True

    def _ask(self, item: Item) -> None:
        if item.started_at is None:
            item.started_at = self._requests.seconds_spent
        item.attempts += 1
        try:
            self._action.ask(item)
        except (GivenUpError, TimeUpError) as exc:
            self._take_back(item, exc)
        except LostAnswerError as exc:
            item.question(_reason_of(exc), self._requests.seconds_spent)
        except RefusedError as exc:
            item.refused = True
            if exc.status_code == CONFLICT:
                # The resource may be busy with what an earlier request asked for.
                item.question(_reason_of(exc), self._requests.seconds_spent)
            else:
                item.fail(_reason_of(exc))
        except CloudError as exc:
            # A wrong password must not be sent once an item: that locks accounts.
            self._stop(_reason_of(exc))
            item.settle(FAILED, _reason_of(exc))
        except OneTokenError as exc:
            item.settle(FAILED, _reason_of(exc))
        except Exception as exc:  # pylint: disable=broad-exception-caught
            # What the others have come to must not be lost for it.
            self._stop(_reason_of(exc))
            item.settle(FAILED, _reason_of(exc))

    def _take_back(self, item: Item, reason: Exception) -> None:
        """It was not sent, or not all that it takes."""
        if not item.partly_done and not any(created.id for created in item.created):
            item.attempts -= 1
        if isinstance(reason, TimeUpError):
            self._stop(_reason_of(reason))
        if item.doubt:
            item.state = State.UNSURE
        else:
            self._leave_out(item)

    def _leave_out(self, item: Item) -> None:
        """Settle an item that is not asked for, or not once more."""
        why = self._stop_reason or self._interrupted
        if item.doubt:
            item.settle(FAILED, item.doubt)
        elif item.attempts:
            item.settle(INCOMPLETE, Reason(why.code, f"only a part of it was asked for: {why}"))
        else:
            item.started_at = None
            item.settle(SKIPPED, Reason(why.code, f"not asked for: {why}"))

    def _look_if_due(self, executor: futures.Executor) -> None:
        if self._watched and self._look is None and self._requests.seconds_spent >= self._next_look:
            self._looked_at = self._watched
            self._looked_since = self._requests.seconds_spent
            self._watched = []
            self._look = executor.submit(self._action.look, self._looked_at)

    def _take_in(self) -> None:
        """See what the senders and the look have come to."""
        answered = [future for future in self._sending if future.done()]
        for future in answered:
            item = self._sending.pop(future)
            future.result()
            self._file(item)
        if answered and not self._sending and not self._waiting:
            # What was asked for last may be finished soon.
            self._look_in(FIRST_INTERVAL)
        if self._look is not None and self._look.done():
            look, self._look = self._look, None
            self._end_look(look)

    def _end_look(self, look: futures.Future[None]) -> None:
        try:
            look.result()
        except OutageError as exc:
            # What is under way in the cloud goes on without being watched.
            self._outage = _told(exc)
        except (GivenUpError, TimeUpError):
            # Nothing more is to be seen of it, which is no failure of the cloud's.
            pass
        except Exception as exc:  # pylint: disable=broad-exception-caught
            why = _reason_of(exc)
            self._outage = why.text
            self._stop(why)
            for item in self._looked_at:
                if not item.settled:
                    outcome, _then = UNFINISHED.get(item.state, UNFINISHED[State.UNDER_WAY])
                    item.settle(outcome, Reason(why.code, f"not watched to its end: {why}"))
        else:
            self._outage = ""
            for item in self._looked_at:
                if item.state is State.UNSURE and item.doubt:
                    self._judge(item, item.doubt)
        for item in self._looked_at:
            self._file(item)
        self._interval = min(LONGEST_INTERVAL, self._interval * INTERVAL_GROWTH)
        if self._lacks_slots and any(item.settled for item in self._looked_at):
            # Others of the same kind may be as quick, and more wait for their slots.
            self._interval = FIRST_INTERVAL
        self._lacks_slots = False
        self._next_look = self._requests.seconds_spent + self._interval

    def _judge(self, item: Item, doubt: Reason) -> None:
        """What to do with an item in doubt that the look did not find."""
        patience = PATIENCE * 2 ** (item.attempts - 1)
        if item.refused and item.attempts == 1:
            if item.doubted_at < self._looked_since:
                item.fail(doubt)
        elif self._looked_since - item.doubted_at >= patience:
            if item.refused or self.stopped or item.attempts >= ATTEMPTS:
                item.fail(Reason(doubt.code, f"{doubt}; nothing of the run appeared"))
            else:
                item.state = State.WAITING

    def _end(self, item: Item) -> None:
        self._tally[item.outcome] += 1
        # A part of it was refused, which is no less a failure.
        self._failures += item.outcome == FAILED or (item.outcome == INCOMPLETE and item.refused)
        if item.started_at is not None:
            item.ended_at = self._requests.seconds_spent
        if self._slots and id(item) in self._started:
            self._started.remove(id(item))
            self._slots.free()

    def _look_in(self, seconds: float) -> None:
        self._interval = seconds
        self._next_look = min(self._next_look, self._requests.seconds_spent + seconds)

    def _tell(self) -> None:
        watched = [*self._watched, *(self._looked_at if self._look else ())]
        blocked = sum(item.state is State.BLOCKED for item in watched)
        self._progress.tell(
            total=len(self.items),
            outcomes=self._tally,
            under_way=len(watched) - blocked,
            # Most of what senders have is not sent yet, but waits for its turn.
            waiting=len(self._waiting) + len(self._sending) + blocked,
            awaited=self._action.awaited,
            limited=self._requests.limiter.holding(),
            stopped=self.stopped,
        )

    def _pause(self) -> None:
        pending = [*self._sending, *([self._look] if self._look else [])]
        if pending:
            futures.wait(pending, ATTENTION, futures.FIRST_COMPLETED)
        elif self._goes_on():
            self._requests.pause(ATTENTION)

    def _settle_the_rest(self) -> None:
        for item in self._waiting:
            self._leave_out(item)
        code, when = Code.TIMEOUT, f"after {self._requests.timeout:.0f} s"
        if self._interruption.insistent:
            code, when = Code.INTERRUPTED, "when the run was stopped"
        outage = f", as far as is known: {self._outage}" if self._outage else ""
        for item in self._watched:
            if item.state is State.UNSURE:
                item.settle(FAILED, item.doubt)
                continue
            outcome, then = UNFINISHED[item.state]
            item.settle(outcome, Reason(code, f"still {self._action.stage(item)} {when}; {then}{outage}"))
        for item in (*self._waiting, *self._watched):
            self._end(item)
        self._waiting.clear()
        self._watched.clear()


def _reason_of(exc: BaseException) -> Reason:
    return Reason(_code_of(exc), _told(exc))


def _code_of(exc: BaseException) -> Code:
    if isinstance(exc, RefusedError):
        if exc.status_code == CONFLICT:
            return Code.CONFLICT
        # Nova answers 500 where Glance's quota is used up; another 500 counts as no answer.
        is_quota = exc.status_code == ENTITY_TOO_LARGE or exc.status_code >= SERVER_ERROR
        return Code.QUOTA_EXCEEDED if is_quota else Code.REFUSED
    if isinstance(code := getattr(exc, "code", None), Code):
        return code
    return next((code for kind, code in CODES.items() if isinstance(exc, kind)), Code.UNEXPECTED)


def _told(exc: BaseException) -> str:
    """An exception as part of a sentence. The text of one that is a bug may quote anything."""
    if isinstance(exc, OneTokenError):
        return str(exc).rstrip(".")
    return f"there was an unexpected {type(exc).__name__}, please report this as a bug"
