# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What bulk modules return, and what playbooks print of it."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.onetoken.openstack.tests.helpers.controller import Run

Result = dict[str, t.Any]


def outcomes(result: Result) -> dict[str, str]:
    """The outcome of each item by its name."""
    return {item["name"]: item["outcome"] for item in result["results"]}


def created(result: Result) -> list[dict[str, t.Any]]:
    """Everything that was made."""
    return [one for item in result["results"] for one in item["created"]]


def reported(run: Run, outcome: str) -> list[str]:
    """The items that a playbook reports with an outcome."""
    lines = re.findall(rf'^ *"{outcome}: ([^":]*)', run.output, re.MULTILINE)
    return [name.split(" as ")[0] for line in lines for name in line.split(", ")]
