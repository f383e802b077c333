# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of a bulk run's progress, on a terminal and in a log."""

from __future__ import annotations

import typing as t

from ..module_utils._bulk.engine.progress import RunStatus
from ..module_utils._modules.duration import duration

#: Seconds between two lines of a log; and, in a long run, the share of the elapsed time between two.
LOG_INTERVAL = 5.0
LOG_SHARE = 0.02
#: A log gets a line for each of so many parts of the whole.
PARTS = 10


def sentence(status: RunStatus) -> str:
    """The progress in one line."""
    parts = [*_counts(status), *_time(status)] if status.total else [status.phase]
    return f"{title(status)}: {', '.join(parts)}"


def title(status: RunStatus) -> str:
    number = f"{status.total} " if status.total else ""
    return _printable(f"{status.action} of {number}{status.resources}")


def interrupted_message(status: RunStatus | None) -> str:
    """The last line of an interrupted run, from which on nobody shows what the module does."""
    if status is None:
        return "interrupted: nothing new is sent"
    in_progress = f", the {status.in_progress} in progress continue" if status.in_progress else ""
    rest = "" if status.settled == status.total and status.total else "; run it again for the rest"
    return f"{title(status)}: interrupted at {status.done} done, nothing new is sent{in_progress}{rest}"


def _counts(status: RunStatus) -> list[str]:
    counts = [f"{status.done} done"]
    others = {
        "already": status.already,
        "accepted": status.accepted,
        "incomplete": status.incomplete,
        "blocked": status.blocked,
        "failed": status.failed,
        "skipped": status.skipped,
        "in progress": status.in_progress,
    }
    return counts + [f"{number} {name}" for name, number in others.items() if number]


def _time(status: RunStatus) -> list[str]:
    if status.stopped:
        # The reason may be long, and is in the result.
        return ["nothing new is sent"]
    if status.throttled >= 1:
        return [f"waiting {status.throttled:.0f} s on the cloud's limit"]
    if status.settled == status.total:
        return [f"in {duration(status.elapsed)}"]
    parts = [] if status.phase == "working" else [_printable(status.phase)]
    if status.rate:
        parts.append(f"{status.rate / 60:.1f}/s" if status.rate >= 60 else f"{status.rate:.1f}/min")
    if status.seconds_left:
        parts.append(f"{duration(status.seconds_left)} left")
    return parts


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)


class Log:
    """Chooses which progress a log shows: the first, the last, each tenth part, and changes now and then."""

    def __init__(self, clock: t.Callable[[], float]) -> None:
        self._clock = clock
        self._begun = clock()
        self._written: RunStatus | None = None
        self._written_at = 0.0

    def wants(self, status: RunStatus) -> bool:
        """Whether to write this; it counts as written then."""
        wanted = self._written is None or self._is_due(status) or _part(status) > _part(self._written)
        if wanted:
            self._written, self._written_at = status, self._clock()
        return wanted

    def lacks(self, status: RunStatus) -> bool:
        """Whether this, as the last one, shows more than what was written."""
        return self._written is None or _counts(status) != _counts(self._written)

    def _is_due(self, status: RunStatus) -> bool:
        now = self._clock()
        interval = max(LOG_INTERVAL, (now - self._begun) * LOG_SHARE)
        return now - self._written_at >= interval and self.lacks(status)


def _part(status: RunStatus) -> int:
    return status.settled * PARTS // status.total if status.total else 0
