# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the bulk playbooks hand to the task file that deletes old copies, and what that says in check mode."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
import yaml

PLAYBOOKS = pathlib.Path(__file__).resolve().parents[3] / "playbooks"


def tasks(path: str) -> list[dict[str, t.Any]]:
    """All tasks of a file, those in blocks among them."""

    def flat(found: list[dict[str, t.Any]]) -> t.Iterator[dict[str, t.Any]]:
        for task in found:
            yield task
            for part in ("tasks", "block", "always"):
                yield from flat(task.get(part, []))

    return list(flat(yaml.safe_load((PLAYBOOKS / path).read_text())))


@pytest.mark.parametrize("playbook", ["bulk_snapshot.yml", "bulk_volume_snapshot.yml"])
def test_old_copies_are_deleted_for_the_run_that_has_just_ended(playbook):
    keep = next(task for task in tasks(playbook) if task.get("ansible.builtin.include_tasks") == "tasks/keep.yml")
    assert keep["vars"]["bulk_run"] == "{{ snapshot.run }}"
    retention = next(task for task in tasks("tasks/keep.yml") if "onetoken.openstack.os_retention" in task)
    assert retention["onetoken.openstack.os_retention"]["after_run"] == "{{ bulk_run }}"


def test_the_plan_of_a_run_says_that_it_lacks_the_deletions():
    first = tasks("tasks/keep.yml")[0]
    assert "no deletions" in first["ansible.builtin.debug"]["msg"]
    assert first["when"].startswith("ansible_check_mode and ['keep_last', 'keep_days'] | intersect(bulk_given)")
