# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The generated docs/fidelity.md."""

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.tests.fidelity import case, collection, report
from ansible_collections.onetoken.openstack.tests.fidelity.measurement import Answer, Answers, Outcome


def outcome(entry: case.Case, with_password: dict, on_session: dict) -> Outcome:
    def answers(result: dict, token_requests: int) -> Answers:
        return Answers([Answer(f"openstack.cloud.{entry.modules[0]}", "ok", result)], token_requests)

    return Outcome(entry, answers(with_password, 1), answers(on_session, 0), answers(on_session, 0))


@pytest.fixture
def document() -> str:
    """The page if all modules but one returned the same."""
    different: dict[str, tuple[dict, dict]] = {"config": ({"clouds": 1}, {"clouds": 2})}
    outcomes = {
        service: [
            outcome(entry, *different.get(entry.name, ({}, {})))
            for entry in case.cases_of(service, collection.release())
        ]
        for service in case.SERVICES
    }
    outcomes[report.SOURCES] = [outcome(entry, {}, {}) for entry in case.source_cases()]
    return report.text(outcomes)


def test_modules_and_the_release_can_be_read_back(document):
    assert report.release(document) == collection.release()
    assert report.module_names(document) == case.module_names(collection.release())


def test_differences_are_shown(document):
    assert "| `config` | member | 1 | 1 | 0 | 0 | unequal |" in document
    assert document.count("| equal |") == document.count("| 1 | 1 | 0 | 0 |") + document.count("` | 1 | 0 | 0 |") - 1


def test_all_rows_of_a_table_have_the_same_number_of_cells(document):
    tables = [block.splitlines() for block in document.split("\n\n") if block.startswith("|")]
    assert len(tables) == len(case.SERVICES) + 3
    assert all(len({line.count("|") for line in table}) == 1 for table in tables)
