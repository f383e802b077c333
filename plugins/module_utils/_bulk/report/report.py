# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a bulk run: what its task returns, what its files are made of, and its failures in a sentence."""

from __future__ import annotations

import datetime
import functools
import typing as t
from collections import Counter
from dataclasses import dataclass, field

from ..._session.util.errors import OneTokenError
from ..engine.plan import Plan
from ..model.item import OUTCOMES, PLANNED, SKIPPED, Item, is_unsatisfied
from ..model.reason import MAY_BE_REFUSED

#: So many failures are in the sentence; all of them are in the results.
REASONS_SHOWN = 20
#: Of an item, only for the files: when it began and ended, in seconds since the start or None.
MOMENTS = ("started_at", "ended_at")

Result = dict[str, t.Any]


class RunFailedError(OneTokenError):
    """Items of the run failed, or were not submitted; the others are as they should be."""

    def __init__(self, report: Report) -> None:
        super().__init__(report.failure())
        self.result = report.answer()


@dataclass(frozen=True)
class Report:
    action: str
    resources: str
    #: None where an action knows no runs.
    run: str | None
    #: The items as the task returns them, with their moments.
    results: t.Sequence[Result]
    started: datetime.datetime
    seconds: float
    #: Whether anything was changed, or would be.
    changed: bool = False
    cloud: str = ""
    project: str = ""
    region_name: str = ""
    #: By service.
    requests: t.Mapping[str, int] = field(default_factory=dict)
    tokens_issued: int = 0
    throttled_seconds: float = 0.0
    #: What the cloud's limit refused: the service, and when, in seconds since the start.
    refusals: t.Sequence[tuple[str, float]] = ()
    #: Why the run ended early, in a sentence; empty when it did not.
    stopped: str = ""
    #: The same for programs.
    stopped_code: str = ""
    #: What the task returns besides what all return.
    extras: t.Mapping[str, t.Any] = field(default_factory=dict)
    #: In check mode.
    plan: Plan | None = None
    #: The paths of the report's files, by format.
    files: t.Mapping[str, str] = field(default_factory=dict)

    @property
    def ended(self) -> datetime.datetime:
        return self.moment(self.seconds)

    def moment(self, seconds: float) -> datetime.datetime:
        return self.started + datetime.timedelta(seconds=seconds)

    @functools.cached_property
    def counts(self) -> dict[str, int]:
        """Items by outcome."""
        counted = Counter(result["outcome"] for result in self.results)
        return {outcome: counted[outcome] for outcome in OUTCOMES}

    @functools.cached_property
    def failed(self) -> list[Result]:
        """The items that are not as they should be."""
        return [result for result in self.results if is_unsatisfied(result["outcome"], result["reason_code"])]

    def answer(self) -> dict[str, t.Any]:
        """What the task returns."""
        answer = {
            "changed": self.changed,
            **({} if self.run is None else {"run": self.run}),
            "counts": self.counts,
            "results": [{key: result[key] for key in result if key not in MOMENTS} for result in self.results],
            "requests": dict(self.requests),
            "seconds": round(self.seconds, 1),
            "tokens_issued": self.tokens_issued,
            "throttled_seconds": round(self.throttled_seconds, 1),
            "report": dict(self.files),
            **self.extras,
        }
        if self.plan is not None:
            answer["plan"] = {**self.plan.result(), "text": self.describe_plan()}
        return answer

    def content(self) -> dict[str, t.Any]:
        """What its files have."""
        return {
            "run": self.run or "",
            "action": self.action,
            "cloud": self.cloud,
            "project": self.project,
            "region_name": self.region_name,
            "started": self.started,
            "ended": self.ended,
            "seconds": self.seconds,
            "counts": self.counts,
            "requests": dict(self.requests),
            "tokens_issued": self.tokens_issued,
            "throttled_seconds": self.throttled_seconds,
            "refusals": [{"service": service, "seconds": seconds} for service, seconds in self.refusals],
            "results": list(self.results),
            "stopped": self.stopped,
            "stopped_code": self.stopped_code,
        }

    def _stopped_before(self, result: Result) -> bool:
        """Whether a skipped item was not submitted because the run was stopped."""
        return bool(self.stopped) and self.stopped_code in ("", result["reason_code"])

    def failure(self) -> str:
        """The items that failed and why, in a sentence."""
        failed = [result for result in self.failed if result["outcome"] != SKIPPED]
        skipped = [result for result in self.failed if result["outcome"] == SKIPPED]
        # The others were left alone for reasons of their own, whether the run was stopped or not.
        left_alone = Counter(_reason(result) for result in skipped if not self._stopped_before(result))
        not_asked_for = sum(map(self._stopped_before, skipped))
        reasons = [f"{result['name']}: {_reason(result)}" for result in failed[:REASONS_SHOWN]]
        if len(failed) > REASONS_SHOWN:
            reasons.append(f"and {len(failed) - REASONS_SHOWN} more, see results")
        reasons += [f"{count} were left alone: {why}" for why, count in left_alone.most_common(REASONS_SHOWN)]
        if not_asked_for:
            reasons.append(f"{not_asked_for} were not submitted, as {self.stopped}: run it again to finish them")
        of_run = f" of run {self.run}" if self.run else ""
        total = f"{len(self.failed)} of {len(self.results)} {self.resources}"
        return f"The {self.action}{of_run} failed for {total}: {'; '.join(reasons)}."

    def describe_plan(self) -> str:
        """What would be done, in a sentence or two."""
        counts = self.counts
        text = f"{self.action.capitalize()} of {counts[PLANNED]} of {len(self.results)} {self.resources}"
        others = [f"{counts[outcome]} {outcome}" for outcome in OUTCOMES if outcome != PLANNED and counts[outcome]]
        codes = [result["reason_code"] for result in self.results if result["outcome"] == PLANNED]
        if uncertain := sum(codes.count(code.value) for code in MAY_BE_REFUSED):
            others.append(f"{uncertain} that the cloud may refuse")
        text += f" ({', '.join(others)})" if others else ""
        return f"{text}. {self.plan.describe()}" if self.plan is not None and counts[PLANNED] else f"{text}."


def results_of(items: t.Iterable[Item[t.Any]]) -> list[Result]:
    """Items as a report has them."""
    return [{**item.result(), "started_at": item.started_at, "ended_at": item.ended_at} for item in items]


def _reason(result: Result) -> str:
    return result["reason"].rstrip(".")
