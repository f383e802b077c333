# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks of cases: the same tasks, signing in by themselves or on sessions."""

from __future__ import annotations

import typing as t

from ansible_collections.onetoken.openstack.tests.fidelity.case import Case

Play = dict[str, t.Any]

#: After a failed task, continue with the next play: the recording has the failure.
CONTINUE = [{"ansible.builtin.meta": "noop"}]


def with_password(cases: t.Sequence[Case]) -> list[Play]:
    return [_play(case, {"OS_CLOUD": case.cloud}) for case in cases]


def on_session(cases: t.Sequence[Case], fork_server: bool) -> list[Play]:
    """Issue first and revoke last, so that requests to Keystone in between are those of the cases.

    The sessions have no names, as only then the run watches them and they have a fork server.
    """
    issues: list[dict[str, t.Any]] = []
    plays = []
    for case in cases:
        if case.issue not in issues:
            issues.append(case.issue)
        plays.append(_play(case, f"{{{{ issued_{issues.index(case.issue)}.environment }}}}"))
    issue = [
        {
            "onetoken.openstack.os_token_issue": {**options, "fork_server": fork_server},
            "register": f"issued_{number}",
        }
        for number, options in enumerate(issues)
    ]
    revoke = [
        {"onetoken.openstack.os_token_revoke": {"session": f"{{{{ issued_{number}.session }}}}"}}
        for number in range(len(issues))
    ]
    return [_bare_play("issue", issue), *plays, _bare_play("revoke", revoke)]


def _play(case: Case, environment: str | dict[str, str]) -> Play:
    clean_up = [{**task, "ignore_errors": True} for task in case.clean_up]
    block = {"block": case.tasks, "rescue": CONTINUE, **({"always": clean_up} if clean_up else {})}
    return {**_bare_play(case.name, [block]), "environment": environment}


def _bare_play(name: str, tasks: list[dict[str, t.Any]]) -> Play:
    return {"name": name, "hosts": "localhost", "gather_facts": False, "tasks": tasks}
