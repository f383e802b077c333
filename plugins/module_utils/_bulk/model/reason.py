# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why an item has its outcome: a code for programs, and a text for people.

Nothing reads a text to decide anything, so a text can be improved at any time. Codes stay as they are.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Code(enum.Enum):
    """What programs read. Each has its meaning beside it, as the modules document it."""

    meaning: str

    def __new__(cls, code: str, meaning: str) -> Code:
        member = object.__new__(cls)
        member._value_ = code
        member.meaning = meaning
        return member

    # What was named or selected.
    NOT_FOUND = "not_found", "Nothing in the project has this name or id."
    AMBIGUOUS = "ambiguous", "Several resources of the project have this name."
    UNSUPPORTED = "unsupported", "The service cannot do this with this resource."
    BUSY = "busy", "Planned, but Nova may refuse it because the server is busy."
    UNSUITABLE_STATUS = (
        "unsuitable_status",
        "Planned, but the service may refuse it, as the resource is in the wrong status.",
    )
    FILE_UNUSABLE = (
        "file_unusable",
        "The file of the image cannot be read, was changed while it was sent, or was not sent to its end.",
    )

    # What a service answered.
    REFUSED = "refused", "The service refused the request, for the reason that it gives."
    CONFLICT = "conflict", "The service refused the request, as the resource is busy or in the wrong state."
    QUOTA_EXCEEDED = "quota_exceeded", "A quota of the project is used up."
    UNCONFIRMED = "unconfirmed", "A request got no answer, and nothing shows that it was carried out."
    CLOUD_UNUSABLE = "cloud_unusable", "The cloud cannot be used, as signing in failed or a service is absent or down."
    UNREADABLE = "unreadable", "The service says something of the resource that cannot be understood."
    UNEXPECTED = "unexpected", "An unexpected error, which is a bug of this collection."

    # What a poll saw.
    IN_PROGRESS = "in_progress", "It was in progress before this call, and was not waited for."
    ERROR_STATUS = "error_status", "The resource, or what was made of it, is in a status that means failure."
    DISAPPEARED = "disappeared", "The resource, or what was made of it, does not exist any more."
    DROPPED = "dropped", "Nova accepted the request and dropped it, so the server is in its old status again."
    QUEUED_TOO_LONG = "queued_too_long", "The image was still queued after O(queued_timeout) seconds."
    IMPORT_FAILED = "import_failed", "The content of the image did not arrive."
    CHECKSUM_MISMATCH = "checksum_mismatch", "The image does not have the checksum that was given."
    NOT_DELETED = "not_deleted", "The service accepted the deletion, but did not delete."
    NOT_LABELLED = "not_labelled", "Done, but the name or labels by which a later call knows it could not be written."
    NOT_CHECKED = "not_checked", "Done, but the volume snapshots behind the image could not be checked."

    # How the call went.
    TIMEOUT = "timeout", "The O(timeout) seconds of the call were over."
    INTERRUPTED = "interrupted", "The playbook run was interrupted."
    MAX_FAILURES = "max_failures", "More items failed than O(max_failures) allows."
    NOT_AWAITED = "not_awaited", "It takes another step, which the call did not wait for."

    # Which copies go, and which stay.
    NO_COPY = "no_copy", "There is no copy of this source."
    EXPIRED = "expired", "Older than what O(keep_last) and O(keep_days) keep."
    SUPERSEDED = "superseded", "A copy that failed, and there is a newer good one."
    DELETING = "deleting", "It was being deleted before this call."
    NEWEST_NOT_GOOD = "newest_not_good", "Kept, as the newest copy of the source is not good."
    PROTECTED = "protected", "Kept, as it is protected."
    NEWEST_GONE = "newest_gone", "Kept, as the newest good copy of the source is gone or not good any more."
    IN_USE = "in_use", "Kept, as it is in use."
    USE_UNKNOWN = "use_unknown", "Kept, as it may be in use; the servers could not be listed."
    LABELS_SHARED = "labels_shared", "Kept, as another image has the same labels, and one of them is not a copy."
    AGE_UNCERTAIN = "age_uncertain", "Kept, as it is not certain how old the copies of the source are."
    DEPENDENTS = "dependents", "Something that builds on it is still there."


#: Of what stays planned: that the service may refuse it.
MAY_BE_REFUSED = frozenset({Code.BUSY, Code.UNSUITABLE_STATUS})
#: Of what is not done: that this is how the caller wants it.
INTENDED = frozenset(
    {
        Code.NO_COPY,
        Code.NEWEST_NOT_GOOD,
        Code.NEWEST_GONE,
        Code.PROTECTED,
        Code.IN_USE,
        Code.LABELS_SHARED,
        Code.NOT_AWAITED,
    }
)


@dataclass(frozen=True)
class Reason:
    code: Code
    text: str

    def __str__(self) -> str:
        return self.text
