# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bulk run came to: as its task returns it, and as a sentence."""

from __future__ import annotations

import datetime
import typing as t
from collections import Counter
from dataclasses import dataclass, field

from ..._session.util.clock import now
from ..._session.util.errors import OneTokenError
from ..api.project import Place
from ..engine.item import OUTCOMES, PLANNED, SKIPPED, Item
from ..engine.plan import Plan
from .run_record import RunRecord

#: So many failures are told in the sentence; all of them are in the results.
REASONS_TOLD = 20


class RunFailedError(OneTokenError):
    """Items of the run failed, or were not asked for; the others are as they should be."""

    def __init__(self, report: Report) -> None:
        super().__init__(report.failure())
        self.result = report.answer()


@dataclass(frozen=True)
class Report:
    action: str
    resources: str
    #: None where an action knows no runs.
    run: str | None
    items: list[Item]
    started: datetime.datetime = field(default_factory=now)
    seconds: float = 0.0
    #: By service.
    requests: t.Mapping[str, int] = field(default_factory=dict)
    tokens_issued: int = 0
    throttled_seconds: float = 0.0
    #: What the cloud's limit refused: the service, and when, in seconds since the start.
    refusals: t.Sequence[tuple[str, float]] = ()
    #: Why the run ended early; empty when it did not.
    stopped: str = ""
    #: The same for programs.
    stopped_code: str = ""
    #: What the task returns besides what all return.
    extras: t.Mapping[str, t.Any] = field(default_factory=dict)
    #: In check mode.
    plan: Plan | None = None
    #: The report's files, by kind.
    files: t.Mapping[str, str] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        return any(item.changed for item in self.items)

    @property
    def failed(self) -> list[Item]:
        """The items that are not as they should be."""
        return [item for item in self.items if item.lacking]

    def counts(self) -> dict[str, int]:
        counted = Counter(item.outcome for item in self.items)
        return {outcome: counted[outcome] for outcome in OUTCOMES}

    def answer(self) -> dict[str, t.Any]:
        """What the task returns."""
        answer = {
            "changed": self.changed,
            **({} if self.run is None else {"run": self.run}),
            "counts": self.counts(),
            "results": [item.result() for item in self.items],
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

    def record(self, place: Place) -> RunRecord:
        """What its files are made of."""
        moments = [{"started_at": item.started_at, "ended_at": item.ended_at} for item in self.items]
        return RunRecord(
            run=self.run or "",
            action=self.action,
            cloud=place.cloud,
            project=place.project,
            region_name=place.region_name,
            started=self.started,
            seconds=self.seconds,
            counts=self.counts(),
            requests=dict(self.requests),
            tokens_issued=self.tokens_issued,
            throttled_seconds=self.throttled_seconds,
            refusals=list(self.refusals),
            results=[{**item.result(), **moment} for item, moment in zip(self.items, moments, strict=True)],
            stopped=self.stopped,
            stopped_code=self.stopped_code,
        )

    def _stopped_before(self, item: Item) -> bool:
        """Whether a skipped item was not asked for because the run was stopped."""
        return bool(self.stopped) and self.stopped_code in ("", item.reason_code)

    def failure(self) -> str:
        """The items that failed and why, in a sentence."""
        failed = [item for item in self.failed if item.outcome != SKIPPED]
        skipped = [item for item in self.failed if item.outcome == SKIPPED]
        # The others were left alone for reasons of their own, whether the run was stopped or not.
        left_alone = Counter(item.reason.rstrip(".") for item in skipped if not self._stopped_before(item))
        not_asked_for = sum(map(self._stopped_before, skipped))
        reasons = [f"{item.name}: {item.reason.rstrip('.')}" for item in failed[:REASONS_TOLD]]
        if len(failed) > REASONS_TOLD:
            reasons.append(f"and {len(failed) - REASONS_TOLD} more, see results")
        reasons += [f"{count} were left alone: {why}" for why, count in left_alone.most_common(REASONS_TOLD)]
        if not_asked_for:
            reasons.append(f"{not_asked_for} were not asked for, as {self.stopped}: run it again to finish them")
        of_run = f" of run {self.run}" if self.run else ""
        total = f"{len(self.failed)} of {len(self.items)} {self.resources}"
        return f"The {self.action}{of_run} failed for {total}: {'; '.join(reasons)}."

    def describe_plan(self) -> str:
        """What would be done, in a sentence or two."""
        counts = self.counts()
        text = f"{self.action.capitalize()} of {counts[PLANNED]} of {len(self.items)} {self.resources}"
        others = [f"{counts[outcome]} {outcome}" for outcome in OUTCOMES if outcome != PLANNED and counts[outcome]]
        if doubtful := sum(item.may_be_refused for item in self.items if item.outcome == PLANNED):
            others.append(f"{doubtful} that the cloud may refuse")
        text += f" ({', '.join(others)})" if others else ""
        return f"{text}. {self.plan.describe()}" if self.plan is not None and counts[PLANNED] else f"{text}."
