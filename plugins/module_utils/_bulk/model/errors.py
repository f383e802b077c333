# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong with a request of a bulk run, and the reason that an item gets from it.

OneTokenError
  CloudError              the cloud cannot be used: the next request would fail the same way
    ServiceAbsentError    the cloud does not offer this service to the project
    OutageError           a service gave no answer for long, or something in front of it answered instead
      UnreadableError     a service says something of a resource that cannot be understood
  RefusedError            a service answered one request with an error
  UnconfirmedError        no answer, or a useless one: the request may or may not have been carried out
  CancelledError          not sent, as the run was cancelled
  DeadlineError           not sent, as the run's timeout is over
"""

from __future__ import annotations

from ..._session.util.errors import OneTokenError
from .reason import Code, Reason

CONFLICT = 409
ENTITY_TOO_LARGE = 413
SERVER_ERROR = 500


class CloudError(OneTokenError):
    code = Code.CLOUD_UNUSABLE


class ServiceAbsentError(CloudError):
    pass


class OutageError(CloudError):
    pass


class UnreadableError(OutageError):
    code = Code.UNREADABLE


class RefusedError(OneTokenError):
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
    code = Code.UNCONFIRMED


class CancelledError(OneTokenError):
    code = Code.INTERRUPTED


class DeadlineError(OneTokenError):
    code = Code.TIMEOUT


def reason_of(exc: BaseException) -> Reason:
    """What an exception means for an item. The text of one that is a bug may quote anything, so it is not shown."""
    code = getattr(exc, "code", None)
    text = str(exc).rstrip(".")
    if not isinstance(exc, OneTokenError):
        text = f"there was an unexpected {type(exc).__name__}, please report this as a bug"
    return Reason(code if isinstance(code, Code) else Code.UNEXPECTED, text)
