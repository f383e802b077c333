# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import refusals
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.refusals import PAUSE, Refusal
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util import boot
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import SessionError
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import IDENTITY


def refusal(status: int = 401, age: float = 0.0, start: str | None = None) -> Refusal:
    """An answer that came so many seconds ago."""
    start = boot.identifier() if start is None else start
    return Refusal(
        status, {"Content-Type": "application/json"}, '{"error": {}}', "http://k/v3", boot.now() - age, start
    )


def test_it_is_read_as_it_was_written(empty):
    assert refusals.read(empty, IDENTITY) is None
    for written in (refusal(), Refusal(0, {}, "no route", "http://k", 1.5, "start", error="ConnectFailure")):
        refusals.write(empty, IDENTITY, written)

        assert refusals.read(empty, IDENTITY) == written


def test_it_is_for_one_identity(empty):
    refusals.write(empty, IDENTITY, refusal())

    assert refusals.read(empty, "another") is None


def test_after_its_removal_there_is_none(empty):
    refusals.remove(empty, IDENTITY)
    refusals.write(empty, IDENTITY, refusal())
    refusals.remove(empty, IDENTITY)

    assert refusals.read(empty, IDENTITY) is None


def test_it_answers_a_process_that_was_waiting():
    arrived = boot.now() - 10

    assert refusal(age=5).answers(arrived)
    assert refusal(age=0, status=403).answers(arrived)


@pytest.mark.parametrize("status", [0, 404, 500, 502, 503])
def test_an_error_that_may_pass_answers_no_other_process(status):
    assert refusal(age=0, status=status).came_since(boot.now() - 10)
    assert not refusal(age=0, status=status).answers(boot.now() - 10)


def test_it_does_not_answer_a_later_process():
    assert not refusal(age=5).answers(boot.now())


def test_it_answers_no_process_after_another_start_of_the_machine():
    assert not refusal(start="an earlier start").answers(0)


@pytest.mark.parametrize(("status", "final"), [(401, True), (403, True), (400, False), (404, False), (503, False)])
def test_only_refused_credentials_are_final_and_delay_the_next_process(status, final):
    assert refusal(status).is_final is final
    assert bool(refusal(status).pause) is final


@pytest.mark.parametrize(("age", "pause"), [(0, PAUSE), (1, PAUSE - 1), (PAUSE, 0), (3600, 0), (-60, 0)])
def test_the_pause_is_counted_from_when_it_came(age, pause):
    assert refusal(age=age).pause == pytest.approx(pause, abs=0.5)


def test_after_another_start_of_the_machine_there_is_no_pause():
    assert refusal(start="an earlier start").pause == 0


@pytest.mark.parametrize("content", ["", "{", "[]", "5", "{}", '{"status": 401}', '{"unknown": 1}'])
def test_a_damaged_one_counts_as_none(empty, content):
    refusals.write(empty, IDENTITY, refusal())
    pathlib.Path(empty.path, "refusals", f"{IDENTITY}.json").write_text(content)

    assert refusals.read(empty, IDENTITY) is None


def test_a_missing_session_is_an_error(session):
    with pytest.raises(SessionError, match="There is no session"):
        refusals.read(session, IDENTITY)
