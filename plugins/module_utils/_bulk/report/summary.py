# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bulk run in a few lines, for people."""

from __future__ import annotations

import itertools
import typing as t
from collections import Counter

from ..._modules.duration import duration
from ..model.item import ACCEPTED, ALREADY, BLOCKED, DONE, FAILED, INCOMPLETE, OUTCOMES, PLANNED, SKIPPED
from ..model.reason import MAY_BE_REFUSED
from .report import Report, Result

#: So many names are in the line of what went well, and in the lines of what did not; all are in the results.
FIRST_NAMES = 5
MOST_NAMES = 20
#: So many failures are in the sentence.
REASONS_SHOWN = 20
#: Items with these outcomes are as they should be.
_GOOD = (DONE, ALREADY, ACCEPTED)


def result(report: Report) -> str:
    """What the run did, in a sentence."""
    if not report.results:
        return report.nothing_selected
    of_run = f"Run {report.run}: " if report.run else ""
    counts, total = report.counts, len(report.results)
    good = sum(counts[outcome] for outcome in _GOOD)
    parts = [f"{of_run}{of(good, total, report.resources)} {report.past}"]
    if counts[ALREADY]:
        parts.append("all already done" if counts[ALREADY] == total else f"{counts[ALREADY]} already done")
    if counts[ACCEPTED]:
        parts.append(f"{counts[ACCEPTED]} not waited for")
    parts += [f"{counts[outcome]} {outcome}" for outcome in (INCOMPLETE, BLOCKED, SKIPPED, FAILED) if counts[outcome]]
    return f"{', '.join(parts)}{',' if len(parts) > 1 else ''} in {duration(report.seconds)}."


def plan(report: Report) -> str:
    """What a run would do, and what that would cost."""
    if not report.results:
        return report.nothing_selected
    counts = report.counts
    codes = [item["reason_code"] for item in report.results if item["outcome"] == PLANNED]
    uncertain = sum(codes.count(code.value) for code in MAY_BE_REFUSED)
    planned = of(counts[PLANNED], len(report.results), report.resources)
    others = [f"{counts[outcome]} {outcome}" for outcome in OUTCOMES if outcome != PLANNED and counts[outcome]]
    others += [f"the cloud may refuse {uncertain}"] if uncertain else []
    exceptions = f" ({', '.join(others)})" if others else ""
    text = f"Nothing was done: {planned} would be {report.past}{exceptions}."
    return f"{text} {report.plan.describe()}" if report.plan is not None and counts[PLANNED] else text


def failure(report: Report) -> str:
    """The items that failed and why, in a sentence."""
    failed = [item for item in report.failed if item["outcome"] != SKIPPED]
    skipped = [item for item in report.failed if item["outcome"] == SKIPPED]
    # The others were left alone for reasons of their own, whether the run was stopped or not.
    left_alone = Counter(_reason(item) for item in skipped if not _was_stopped_before(report, item))
    not_submitted = sum(_was_stopped_before(report, item) for item in skipped)
    reasons = [f"{item['name']}: {_reason(item)}" for item in failed[:REASONS_SHOWN]]
    if len(failed) > REASONS_SHOWN:
        reasons.append(f"and {len(failed) - REASONS_SHOWN} more, see results")
    reasons += [f"{count} were left alone: {why}" for why, count in left_alone.most_common(REASONS_SHOWN)]
    if not_submitted:
        reasons.append(f"{not_submitted} were not submitted, as {report.stopped}: run it again to finish them")
    of_run = f" of run {report.run}" if report.run else ""
    total = of(len(report.failed), len(report.results), report.resources)
    return f"The {report.action}{of_run} failed for {total}: {'; '.join(reasons)}."


def _was_stopped_before(report: Report, item: Result) -> bool:
    """Whether a skipped item was not submitted because the run was stopped."""
    return bool(report.stopped) and report.stopped_code in ("", item["reason_code"])


def _reason(item: Result) -> str:
    return str(item["reason"]).rstrip(".")


def of(number: int, total: int, resources: str) -> str:
    """Such as ``3 of 12 servers`` or ``1 of 1 server``."""
    return f"{number} of {total} {_singular(resources) if total == 1 else resources}"


def _singular(resources: str) -> str:
    return resources.removesuffix("s")


def details(report: Report) -> list[str]:
    """A line for each reason, with the names of its items; and the requests."""
    lines = []
    for outcome in OUTCOMES:
        items = [item for item in report.results if item["outcome"] == outcome]
        if outcome == PLANNED:
            lines += [_planned(item) for item in items]
        elif items and outcome in _GOOD:
            lines.append(f"{outcome}: {_names(items, FIRST_NAMES)}")
        if outcome != PLANNED:
            lines += _reasons(outcome, items)
    return [*lines, _requests(report)] if report.requests else lines


def _planned(item: Result) -> str:
    names = "".join(f" as {created['name']}" for created in item["created"] if created["name"])
    reason = f": {item['reason']}" if item["reason"] else ""
    return f"planned: {item['name']}{names}{reason}"


def _reasons(outcome: str, items: t.Sequence[Result]) -> t.Iterator[str]:
    # Every deletion has a reason, which is no problem.
    told = [item for item in items if item["reason"] and not (outcome in _GOOD and item["action"] == "delete")]

    def reason(item: Result) -> str:
        return str(item["reason"])

    for text, alike in itertools.groupby(sorted(told, key=reason), key=reason):
        yield f"{outcome}: {_names(list(alike), MOST_NAMES)}: {text}"


def _names(items: t.Sequence[Result], most: int) -> str:
    names = ", ".join(item["name"] for item in items[:most])
    return f"{names} and {len(items) - most} more" if len(items) > most else names


def _requests(report: Report) -> str:
    text = ", ".join(f"{number} to {service.replace('_', ' ')}" for service, number in report.requests.items())
    if report.results:
        text += f"; {sum(report.requests.values()) / len(report.results):.1f} for each {_singular(report.resources)}"
    if report.throttled_seconds >= 1:
        text += f"; {duration(report.throttled_seconds)} spent waiting on the cloud's limit"
    return f"Requests: {text}."
