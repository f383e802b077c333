# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import datetime
import os
import pathlib
import typing as t

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import staleness
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.token import Token
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util import boot, clock
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import SessionError
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import SECRET, make_token


def token(**changes: t.Any) -> Token:
    """One that was asked for at this moment."""
    made = make_token(user={"id": "u1", "domain": {"id": "d1"}}, project={"id": "p1"})
    return dataclasses.replace(made, **{"began": boot.now(), "boot": boot.identifier(), **changes})


@pytest.fixture
def earlier():
    return token()


def test_nothing_is_stale_before_anything_is_written(empty, earlier):
    before = os.listdir(empty.path)

    assert not staleness.is_stale(empty, earlier)
    assert os.listdir(empty.path) == before


@pytest.mark.parametrize("subject", [*token().subjects, staleness.EVERYBODY])
def test_a_token_from_before_a_write_about_it_is_stale(empty, earlier, subject):
    staleness.mark(empty, ["somebody else", subject])

    assert staleness.is_stale(empty, earlier)


def test_a_write_about_something_else_makes_nothing_stale(empty, earlier):
    staleness.mark(empty, ["u2", "p2", "U1", ""])

    assert not staleness.is_stale(empty, earlier)


def test_a_token_from_after_the_write_is_not_stale(empty):
    staleness.mark(empty, ["u1"])

    assert not staleness.is_stale(empty, token())


def test_a_token_from_the_moment_of_the_write_is_stale(empty, monkeypatch):
    """A request that began before the write ended may have been answered before it."""
    moment = boot.now()
    monkeypatch.setattr(boot, "now", lambda: moment)
    staleness.mark(empty, ["u1"])

    assert staleness.is_stale(empty, token())


def test_a_later_write_makes_the_next_one_stale_too(empty):
    staleness.mark(empty, ["u1"])
    between = token()
    staleness.mark(empty, ["u1"])

    assert staleness.is_stale(empty, between)


@pytest.mark.parametrize(("minutes", "stale"), [(-60, True), (4, True), (6, False), (24 * 60, False)])
@pytest.mark.parametrize("began", [0.0, 1e9])
def test_after_a_restart_or_on_another_machine_the_clocks_decide_with_a_tolerance(empty, minutes, stale, began):
    """A session with a name outlives the machine's start: its marks must not keep later tokens from being used."""
    staleness.mark(empty, ["u1"])
    obtained = clock.now() + datetime.timedelta(minutes=minutes)

    assert staleness.is_stale(empty, token(boot="another start", began=began, obtained_at=obtained)) is stale


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"boot": null, "at": "now"}',
        "5",
        '{"boot": "x", "at": 1, "time": 5}',
        '{"boot": "x", "at": 1, "time": "9999-12-31T23:59:59Z"}',
    ],
)
def test_a_damaged_file_makes_tokens_stale(empty, content):
    staleness.mark(empty, ["u1"])
    (mark,) = pathlib.Path(empty.path, "stale").iterdir()
    mark.write_text(content)

    assert staleness.is_stale(empty, token())


def test_the_files_hold_neither_the_token_nor_a_name_that_could_lead_elsewhere(empty, earlier):
    staleness.mark(empty, [*earlier.subjects, "../session.json", "a" * 5000])

    for file in pathlib.Path(empty.path, "stale").iterdir():
        assert SECRET not in file.name + file.read_text()
    assert empty.read_record()
    assert len(os.listdir(os.path.join(empty.path, "stale"))) == len(earlier.subjects) + 2


def test_a_missing_session_is_an_error(session):
    with pytest.raises(SessionError, match="There is no session"):
        staleness.mark(session, ["u1"])
