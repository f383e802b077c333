# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the progress of a bulk run reads, on a terminal and in a log."""

from __future__ import annotations

import typing as t

from ..module_utils._bulk.engine.progress import RunStatus
from ..module_utils._modules.duration import duration

#: Seconds between two lines of a log, and how much of the time that passed goes by between two in a long run.
LOG_INTERVAL = 5.0
LOG_SHARE = 0.02
#: A line of a log for each of so many parts of the whole.
PARTS = 10


def sentence(standing: RunStatus) -> str:
    """Where the run stands, in a line."""
    parts = [*_counts(standing), *_time(standing)] if standing.total else [standing.phase]
    return f"{title(standing)}: {', '.join(parts)}"


def title(standing: RunStatus) -> str:
    number = f"{standing.total} " if standing.total else ""
    return _printable(f"{standing.action} of {number}{standing.resources}")


def farewell(standing: RunStatus | None) -> str:
    """What is left to say when the run is interrupted, as the module goes on without anybody who could hear of it."""
    if standing is None:
        return "interrupted: nothing new is sent"
    under_way = f", the {standing.in_progress} under way go on" if standing.in_progress else ""
    rest = "" if standing.settled == standing.total and standing.total else "; run it again for the rest"
    return f"{title(standing)}: interrupted at {standing.done} done, nothing new is sent{under_way}{rest}"


def _counts(standing: RunStatus) -> list[str]:
    counts = [f"{standing.done} done"]
    others = {
        "there already": standing.already,
        "accepted": standing.accepted,
        "incomplete": standing.incomplete,
        "blocked": standing.blocked,
        "failed": standing.failed,
        "skipped": standing.skipped,
        "under way": standing.in_progress,
    }
    return counts + [f"{number} {name}" for name, number in others.items() if number]


def _time(standing: RunStatus) -> list[str]:
    if standing.stopped:
        # The reason may be long, and is in the result.
        return ["nothing new is sent"]
    if standing.throttled >= 1:
        return [f"waiting {standing.throttled:.0f} s on the cloud's limit"]
    if standing.settled == standing.total:
        return [f"in {duration(standing.elapsed)}"]
    parts = [] if standing.phase == "working" else [_printable(standing.phase)]
    if standing.rate:
        parts.append(f"{standing.rate / 60:.1f}/s" if standing.rate >= 60 else f"{standing.rate:.1f}/min")
    if standing.seconds_left:
        parts.append(f"{duration(standing.seconds_left)} left")
    return parts


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)


class Log:
    """Chooses what of a run's progress a log gets: the first, the last, each tenth, and what changed now and then."""

    def __init__(self, clock: t.Callable[[], float]) -> None:
        self._clock = clock
        self._begun = clock()
        self._written: RunStatus | None = None
        self._written_at = 0.0

    def wants(self, standing: RunStatus) -> bool:
        """Whether this is to be written; it is taken to be."""
        wanted = self._written is None or self._is_due(standing) or _part(standing) > _part(self._written)
        if wanted:
            self._written, self._written_at = standing, self._clock()
        return wanted

    def lacks(self, standing: RunStatus) -> bool:
        """Whether this, as the last, says more than what was written."""
        return self._written is None or _counts(standing) != _counts(self._written)

    def _is_due(self, standing: RunStatus) -> bool:
        now = self._clock()
        interval = max(LOG_INTERVAL, (now - self._begun) * LOG_SHARE)
        return now - self._written_at >= interval and self.lacks(standing)


def _part(standing: RunStatus) -> int:
    return standing.settled * PARTS // standing.total if standing.total else 0
