# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bulk run as its reports describe it."""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass


@dataclass(frozen=True)
class RunRecord:
    """What there is to tell of a run."""

    run: str
    action: str
    cloud: str
    project: str
    region_name: str
    started: datetime.datetime
    seconds: float
    #: Items by outcome.
    counts: dict[str, int]
    #: Requests by service.
    requests: dict[str, int]
    tokens_issued: int
    throttled_seconds: float
    #: What the cloud's limit refused: the service, and when, in seconds since the start.
    refusals: list[tuple[str, float]]
    #: The items as the task returns them, each with started_at and ended_at, in seconds since the start or None.
    results: list[dict[str, t.Any]]
    #: Why the run ended early, in a sentence.
    stopped: str = ""
    #: The same for programs.
    stopped_code: str = ""

    @property
    def ended(self) -> datetime.datetime:
        return self.moment(self.seconds)

    def moment(self, seconds: float) -> datetime.datetime:
        return self.started + datetime.timedelta(seconds=seconds)
