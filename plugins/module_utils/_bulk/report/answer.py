# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the task of a bulk run returns."""

from __future__ import annotations

import typing as t

from ..._session.util.errors import OneTokenError
from . import summary
from .report import MOMENTS, Report


class RunFailedError(OneTokenError):
    """Items of the run failed, or were not submitted; the others are as they should be."""

    def __init__(self, report: Report) -> None:
        super().__init__(summary.failure(report))
        self.result = answer(report)


def answer(report: Report) -> dict[str, t.Any]:
    result = summary.result(report) if report.plan is None else summary.plan(report)
    return {
        "changed": report.changed,
        **({} if report.run is None else {"run": report.run}),
        "counts": report.counts,
        "results": [{key: item[key] for key in item if key not in MOMENTS} for item in report.results],
        "requests": dict(report.requests),
        "seconds": round(report.seconds, 1),
        "tokens_issued": report.tokens_issued,
        "throttled_seconds": round(report.throttled_seconds, 1),
        "report": dict(report.files),
        "summary": {
            "result": result,
            "details": summary.details(report),
            "failure": summary.failure(report) if report.failed else "",
        },
        **report.extras,
        **({} if report.plan is None else {"plan": {**report.plan.result(), "text": result}}),
    }
