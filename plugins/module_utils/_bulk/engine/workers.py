# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Threads that submit the items of a bulk run, as most of a request is waiting."""

from __future__ import annotations

import typing as t
from concurrent import futures

from ..._session.util.errors import OneTokenError
from ..control.cancellation import Cancellation
from ..control.time_budget import TimeBudget
from ..model.action import Action
from ..model.errors import (
    CONFLICT,
    CancelledError,
    CloudError,
    DeadlineError,
    RefusedError,
    UnconfirmedError,
    reason_of,
)
from ..model.item import FAILED, Item

#: Requests in flight at a time: enough for 20 a second where each takes a second and a half.
WORKERS = 32


class Workers:
    def __init__(self, action: Action[t.Any], budget: TimeBudget, cancellation: Cancellation) -> None:
        self._action = action
        self._budget = budget
        self._cancellation = cancellation
        self._busy: dict[futures.Future[None], Item[t.Any]] = {}

    def __len__(self) -> int:
        """How many items they have."""
        return len(self._busy)

    @property
    def in_flight(self) -> t.Collection[futures.Future[None]]:
        return self._busy.keys()

    def submit(self, item: Item[t.Any], executor: futures.Executor) -> None:
        self._busy[executor.submit(self._submit, item)] = item

    def take_finished(self) -> list[Item[t.Any]]:
        """The items that they are done with."""
        done = [future for future in self._busy if future.done()]
        items = [self._busy.pop(future) for future in done]
        for future in done:
            future.result()
        return items

    def _submit(self, item: Item[t.Any]) -> None:
        item.begin(self._budget.spent)
        try:
            self._action.submit(item)
        except (CancelledError, DeadlineError) as exc:
            self._take_back(item, exc)
        except UnconfirmedError as exc:
            item.mark_unconfirmed(reason_of(exc), self._budget.spent)
        except RefusedError as exc:
            item.refused = True
            if exc.status_code == CONFLICT:
                # The resource may be busy with what an earlier request started.
                item.mark_unconfirmed(reason_of(exc), self._budget.spent)
            else:
                item.fail(reason_of(exc))
        except Exception as exc:  # pylint: disable=broad-exception-caught
            if isinstance(exc, CloudError) or not isinstance(exc, OneTokenError):
                # A wrong password must not be sent once for each item, as that locks accounts; and a bug must not take
                # the results of the others with it.
                self._cancellation.cancel(reason_of(exc))
            item.settle(FAILED, reason_of(exc))

    def _take_back(self, item: Item[t.Any], exc: Exception) -> None:
        """It was not sent, or not all of it."""
        item.withdraw()
        if isinstance(exc, DeadlineError):
            self._cancellation.cancel(reason_of(exc))
        if not item.unconfirmed:
            item.leave_out(self._cancellation.reason or self._cancellation.interruption)
