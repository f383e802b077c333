# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong with a request of a bulk run, and the reason that an item gets from it.

OneTokenError             its item has failed
  CloudError              the item has failed, and the run is cancelled
    ServiceAbsentError
    OutageError           a poll that raises it is repeated
      UnreadableError
  RefusedError            the item has failed; with 409, polls find out whether an earlier request was carried out
  UnconfirmedError        polls find out whether the request was carried out; if not, the item is submitted again
  CancelledError          the item is skipped
  DeadlineError           the item is skipped, and the run is cancelled
"""

from __future__ import annotations

from ..._session.util.errors import OneTokenError
from .reason import Code, Reason

CONFLICT = 409
ENTITY_TOO_LARGE = 413
SERVER_ERROR = 500


class CloudError(OneTokenError):
    """The cloud cannot be used: the next request would fail the same way."""

    code = Code.CLOUD_UNUSABLE


class ServiceAbsentError(CloudError):
    """The cloud does not offer this service to the project."""


class OutageError(CloudError):
    """A service gave no answer for long, or something in front of it answered instead."""


class UnreadableError(OutageError):
    """A service says something of a resource that cannot be understood."""

    code = Code.UNREADABLE


class RefusedError(OneTokenError):
    """A service answered one request with an error."""

    def __init__(self, message: str, status_code: int) -> None:
        super().__init__(message)
        self.status_code = status_code

    @property
    def code(self) -> Code:
        if self.status_code == CONFLICT:
            return Code.CONFLICT
        # Nova answers 500 where Glance's quota is used up; another 500 counts as no answer.
        is_quota = self.status_code == ENTITY_TOO_LARGE or self.status_code >= SERVER_ERROR
        return Code.QUOTA_EXCEEDED if is_quota else Code.REFUSED


class UnconfirmedError(OneTokenError):
    """No answer, or a useless one: the request may or may not have been carried out."""

    code = Code.UNCONFIRMED


class CancelledError(OneTokenError):
    """The request was not sent, as the run was cancelled."""

    code = Code.INTERRUPTED


class DeadlineError(OneTokenError):
    """The request was not sent, as the run's timeout is over."""

    code = Code.TIMEOUT


def reason_of(exc: BaseException) -> Reason:
    """What an exception means for an item. The text of one that is a bug may quote anything, so it is not shown."""
    code = getattr(exc, "code", None)
    text = str(exc).rstrip(".")
    if not isinstance(exc, OneTokenError):
        text = f"there was an unexpected {type(exc).__name__}, please report this as a bug"
    return Reason(code if isinstance(code, Code) else Code.UNEXPECTED, text)
