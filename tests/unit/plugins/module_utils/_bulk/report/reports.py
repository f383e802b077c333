# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports of bulk runs that never were."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.item import DONE, Item
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.reason import Code, Reason
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.report.report import Report, results_of

STARTED = datetime.datetime(2026, 1, 31, 1, 0, 4, tzinfo=datetime.timezone.utc)


def item(name, outcome=None, text="", code=Code.REFUSED, **changes):
    why = Reason(code, text) if text else None
    made = Item(f"id-{name}", name, "snapshot")
    for attribute, value in {"reason": why, **changes}.items():
        setattr(made, attribute, value)
    if outcome:
        made.settle(outcome, why)
    return made


def report(*items, **changes):
    given = {
        "run": "r1",
        "results": results_of(items),
        "started": STARTED,
        "seconds": 0.0,
        "changed": any(item.changed for item in items),
        "nothing_selected": "No server matches the selection, so nothing was done.",
    }
    return Report("snapshot", "snapshotted", "servers", **{**given, **changes})


def make_result(number: int, **changes: t.Any) -> dict[str, t.Any]:
    """An item as tasks return it, done unless told otherwise."""
    name = f"web-{number:05}"
    image = {
        "type": "image",
        "id": f"91a2d1a4-7c3c-4f0a-8f0b-{number:012}",
        "name": f"{name}-nightly",
        "status": "active",
        "size": 2361393152,
    }
    result = {
        "id": f"5f0c9e2b-1f3a-4c52-9d3e-{number:012}",
        "name": name,
        "action": "snapshot",
        "outcome": DONE,
        "reason_code": "",
        "reason": "",
        "seconds": 12.4,
        "created": [image],
        "started_at": number / 20,
        "ended_at": number / 20 + 12.4,
    }
    return {**result, **changes}


def make_report(results: t.Sequence[dict[str, t.Any]], **changes: t.Any) -> Report:
    report = {
        "run": "nightly",
        "action": "snapshot",
        "past": "snapshotted",
        "resources": "servers",
        "cloud": "mycloud",
        "project": "production",
        "region_name": "RegionOne",
        "started": STARTED,
        "seconds": max((result["ended_at"] or 0 for result in results), default=0) + 1.5,
        "requests": {"compute": 1013, "identity": 1, "image": 12},
        "tokens_issued": 1,
        "throttled_seconds": 2.5,
        "refusals": [("compute", 1.25)],
        "results": list(results),
        "stopped": "",
        "stopped_code": "",
    }
    return Report(**{**report, **changes})
