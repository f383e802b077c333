# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import (
    AUTHENTICATIONS,
    PROBLEM_FILES,
    Session,
)


class TestCounting:
    def test_a_missing_counter_is_zero_and_is_not_made(self, made):
        assert made.counted(AUTHENTICATIONS) == 0
        assert set(os.listdir(made.path)) == set(PROBLEM_FILES.values())

    def test_it_adds_up(self, made):
        made.count(AUTHENTICATIONS)
        made.count(AUTHENTICATIONS, 41)
        made.count(AUTHENTICATIONS, 0)

        assert made.counted(AUTHENTICATIONS) == 42

    def test_a_counter_that_cannot_be_written_is_no_error(self, made):
        os.mkdir(os.path.join(made.path, AUTHENTICATIONS))

        made.count(AUTHENTICATIONS)
        Session(f"{made.path}-gone").count(AUTHENTICATIONS)

    @pytest.mark.processes
    def test_counts_of_several_processes_at_once_add_up(self, made, python):
        code = (
            "import sys\n"
            "from onetoken_session.store import session\n"
            "print('ready', flush=True)\n"
            "sys.stdin.read()\n"
            "for _turn in range(50): session.Session(sys.argv[1]).count(session.AUTHENTICATIONS)\n"
        )
        processes = [python(code, made.path) for _number in range(3)]
        for process in processes:
            process.stdin.close()
        for process in processes:
            process.wait(30)

        assert made.counted(AUTHENTICATIONS) == 150


class TestProblems:
    def test_each_is_reported_once(self, made):
        assert made.problems() == set()
        for trouble in ("broken", "unrecorded", "broken"):
            made.report_problem(trouble)

        assert made.problems() == {"broken", "unrecorded"}

    def test_a_problem_that_cannot_be_reported_is_no_error(self, session, made):
        os.remove(os.path.join(made.path, "usable"))
        os.mkdir(os.path.join(made.path, "usable"))
        made.report_problem("broken")
        assert made.problems() == {"broken"}
        Session("/no/such/session").report_problem("broken")

    def test_the_next_run_on_it_begins_without_any(self, made):
        made.report_problem("broken")
        made.make()

        assert made.problems() == set()
