# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import random

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.reason import Code, Reason
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.retention.rules import (
    Condition,
    Copy,
    Keep,
    Sources,
    judge,
    of_whole_servers,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import ConfigurationError

NOW = datetime.datetime(2026, 1, 31, 12, 0, 0, tzinfo=datetime.timezone.utc)
GOOD, IN_PROGRESS, FAILED = Condition.GOOD, Condition.IN_PROGRESS, Condition.FAILED
INCOMPLETE, UNCLEAR, DELETING = Condition.INCOMPLETE, Condition.UNCLEAR, Condition.DELETING
PROTECTED = Reason(Code.PROTECTED, "it is protected")


def copy(days, condition=GOOD, id=None, **other):
    known = {
        "name": f"web-{days}",
        "run": "r",
        "source": ("s",),
        "source_name": "web",
        "status": condition.name.lower(),
    }
    moment = NOW - datetime.timedelta(days=days)
    return Copy(id=id or f"c{days}", created_at=moment, condition=condition, **{**known, **other})


def verdicts(copies, last=None, days=None):
    (newest_first,) = Sources().select(copies).values()
    return judge(newest_first, Keep(last, days), NOW)


def going(copies, last=None, days=None):
    return {verdict.copy.id for verdict in verdicts(copies, last, days) if not verdict.keep_reason}


@pytest.mark.parametrize("source", [(), ("",), ("s", "")], ids=str)
def test_a_copy_of_nobody_knows_what_is_impossible(source):
    with pytest.raises(ValueError, match="source of copy c1 is not known"):
        copy(1, source=source)


def test_the_last_ones_stay():
    assert going([copy(days) for days in (3, 1, 2, 5, 4)], last=2) == {"c3", "c4", "c5"}


def test_the_young_ones_stay():
    assert going([copy(days) for days in (1, 2, 3, 4)], days=2) == {"c3", "c4"}


def test_with_both_a_copy_goes_only_when_it_is_neither():
    copies = [copy(days) for days in (1, 2, 3, 4)]
    assert going(copies, last=1, days=3) == {"c4"}
    assert going(copies, last=3, days=1) == {"c4"}


def test_the_newest_good_copy_stays_however_old_it_is():
    assert going([copy(400), copy(500)], days=7) == {"c500"}
    assert going([copy(400)], last=1) == set()


def test_failed_copies_do_not_count_and_go_when_there_is_a_newer_good_one():
    copies = [copy(1), copy(2, FAILED), copy(3), copy(4, FAILED), copy(5)]
    assert going(copies, last=2) == {"c2", "c4", "c5"}


@pytest.mark.parametrize("condition", [IN_PROGRESS, FAILED, UNCLEAR, INCOMPLETE])
def test_nothing_goes_before_the_newest_copy_is_good(condition):
    found = verdicts([copy(0, condition), copy(1), copy(2), copy(3, FAILED)], last=1)
    assert {verdict.copy.id for verdict in found} == {"c2", "c3"}
    text = f"the newest copy of web is not good yet: web-0 is {condition.name.lower()}"
    assert {verdict.keep_reason for verdict in found} == {Reason(Code.NEWEST_NOT_GOOD, text)}


def test_a_copy_of_the_same_moment_that_is_not_good_counts_as_newer():
    assert going([copy(1, GOOD, "z"), copy(1, IN_PROGRESS, "a"), copy(2)], last=1) == set()
    assert going([copy(1, GOOD, "a"), copy(1, FAILED, "z")], last=1) == set()


def test_an_older_copy_in_progress_or_in_no_clear_status_is_left_alone():
    assert going([copy(1), copy(2, IN_PROGRESS), copy(3, UNCLEAR), copy(4)], last=1) == {"c4"}


def test_what_lacks_something_does_not_count_and_goes_when_its_time_has_come():
    copies = [copy(1), copy(2, INCOMPLETE), copy(3), copy(4, INCOMPLETE), copy(5)]
    assert going(copies, last=2) == {"c4", "c5"}
    assert going(copies, last=3) == set()
    assert going(copies, days=3) == {"c4", "c5"}


@pytest.mark.parametrize(("days", "goes"), [(-300 / 86400, True), (-301 / 86400, False), (-365, False)])
def test_nothing_goes_while_the_newest_copy_is_dated_in_the_future(days, goes):
    latest = NOW + datetime.timedelta(seconds=300)
    (newest_first,) = Sources().select([copy(days), copy(1), copy(2)]).values()
    found = judge(newest_first, Keep(1), None, latest)
    assert [verdict.copy.id for verdict in found] == ["c1", "c2"]
    assert all(verdict.keep_reason is None for verdict in found) == goes
    assert goes or {verdict.keep_reason.code for verdict in found} == {Code.AGE_UNCERTAIN}


def test_one_that_is_dated_in_the_future_and_is_being_deleted_is_no_obstacle():
    (newest_first,) = Sources().select([copy(-365, DELETING), copy(1), copy(2)]).values()
    found = judge(newest_first, Keep(1), None, NOW)
    assert [verdict.copy.id for verdict in found if not verdict.keep_reason] == ["c-365", "c2"]


def test_good_copies_of_the_run_that_has_just_ended_stay():
    copies = [copy(0), copy(1, run="now"), copy(2, run="now"), copy(3), copy(4, FAILED, run="now")]
    (newest_first,) = Sources().select(copies).values()
    assert [verdict.copy.id for verdict in judge(newest_first, Keep(1, None, "now"), NOW)] == ["c3", "c4"]


def test_after_a_run_only_sources_with_a_good_copy_of_it_are_selected():
    copies = [
        copy(1, run="now"), copy(2),
        copy(1, id="bad", source=("t",), run="now", condition=FAILED), copy(2, id="t2", source=("t",)),
        copy(1, id="u1", source=("u",)), copy(2, id="u2", source=("u",)),
    ]  # fmt: skip
    assert set(Sources(["s", "t", "u"], after_run="now").select(copies)) == {("s",)}
    # Its name need not be one of those that count.
    (of_source,) = Sources(run_pattern="r", after_run="now").select(copies).values()
    assert [one.id for one in of_source] == ["c2"]
    with pytest.raises(ConfigurationError, match="after_run is empty"):
        Sources(after_run="")


def spared(*copies):
    """Of copies that are written as run, volumes and days."""
    made = [
        copy(days, GOOD, f"{run}{volume}", source=("s", volume), run=run)
        for run, volumes, days in copies for volume in volumes
    ]  # fmt: skip
    return of_whole_servers(made)


@pytest.mark.parametrize(
    ("runs", "stay"),
    [
        ([("b", "12", 1), ("a", "12", 2)], {"b1", "b2"}),
        # The newer run was stopped after the first volume.
        ([("b", "1", 1), ("a", "12", 2)], {"b1", "a1", "a2"}),
        ([("d", "1", 1), ("c", "2", 2), ("b", "12", 3), ("a", "12", 4)], {"d1", "c2", "b1", "b2"}),
        # A volume was replaced.
        ([("c", "3", 1), ("b", "23", 2), ("a", "13", 3)], {"c3", "b2", "b3", "a1", "a3"}),
        ([("b", "123", 1), ("a", "12", 2)], {"b1", "b2", "b3"}),
    ],
)
def test_the_last_run_that_has_a_whole_server_stays(runs, stay):
    assert spared(*runs) == stay


def test_a_run_whose_copies_are_not_all_good_does_not_have_the_whole_server():
    parts = [copy(1, GOOD, "b1", source=("s", "1"), run="b"), copy(1, FAILED, "b2", source=("s", "2"), run="b")]
    older = [copy(2, GOOD, f"a{volume}", source=("s", volume), run="a") for volume in "12"]
    assert of_whole_servers([*parts, *older]) == {"b1", "a1", "a2"}
    assert of_whole_servers([copy(1), copy(2)]) == set()


def test_without_any_good_copy_nothing_goes():
    assert going([copy(1, FAILED), copy(2, FAILED), copy(3, INCOMPLETE)], last=1) == set()


def test_what_is_being_deleted_already_neither_counts_nor_hinders():
    found = verdicts([copy(0, DELETING), copy(1), copy(2)], last=1)
    assert {verdict.copy.id: verdict.reason for verdict in found} == {
        "c0": Reason(Code.DELETING, "it was being deleted already"),
        "c2": Reason(Code.EXPIRED, "older than the last one of web"),
    }
    assert going([copy(0, DELETING), copy(1)], last=1) == {"c0"}


def test_a_hindered_copy_stays_and_counts():
    found = verdicts([copy(1), copy(2, keep_reason=PROTECTED), copy(3)], last=1)
    assert {verdict.copy.id: verdict.keep_reason for verdict in found} == {"c2": PROTECTED, "c3": None}
    assert going([copy(1, keep_reason=PROTECTED), copy(2)], last=1) == {"c2"}


@pytest.mark.parametrize(
    ("last", "days", "text"),
    [
        (1, None, "older than the last one of web"),
        (2, None, "older than the last 2 of web"),
        (None, 1, "older than 1 day"),
        (2, 30, "older than the last 2 of web and than 30 days"),
    ],
)
def test_the_reason_is_reported(last, days, text):
    assert verdicts([copy(0), copy(1), copy(90)], last, days)[-1].reason == Reason(Code.EXPIRED, text)


def test_the_reason_of_a_failed_copy_is_reported():
    (verdict,) = verdicts([copy(0), copy(1, FAILED, status="killed")], last=7)
    assert verdict.reason == Reason(Code.SUPERSEDED, "killed, and older than the good copy web-0")


@pytest.mark.parametrize(("last", "days"), [(None, None), (0, None), (-1, None), (None, 0), (0, 7), (7, 0)])
def test_what_would_leave_nothing_is_refused(last, days):
    with pytest.raises(ConfigurationError):
        Keep(last, days)


def selected(copies, *options):
    return {copy.id for of_source in Sources(*options).select(copies).values() for copy in of_source}


def test_sources_are_selected_by_id_name_and_pattern():
    copies = [
        copy(1, id="a", source=("s1",), source_name="web-1"),
        copy(1, id="b", source=("s2",), source_name="web-2"),
        copy(1, id="c", source=("s3", "v3"), source_name="db"),
    ]
    assert selected(copies) == {"a", "b", "c"}
    assert selected(copies, ["web-1", "v3"]) == {"a", "c"}
    assert selected(copies, ["web-?"]) == set()
    assert selected(copies, None, "web-*") == {"a", "b"}
    assert selected(copies, ["db"], "web-*") == set()


def test_a_call_without_a_criterion_is_not_for_all_copies():
    none = dict.fromkeys(("sources", "name_pattern", "run_pattern"))
    with pytest.raises(ConfigurationError, match=r"give name_pattern: '\*\*' for all of the project"):
        Sources.of(none)
    for given in ({"sources": []}, {"name_pattern": "**"}, {"run_pattern": "nightly-*"}):
        Sources.of({**none, **given})


def test_a_name_means_every_source_that_had_it_and_each_keeps_its_own():
    copies = [copy(day, id=f"{id}{day}", source=(id,)) for id in ("old", "new") for day in (1, 2)]
    groups = Sources(["web"]).select(copies)
    assert len(groups) == 2
    for of_source in groups.values():
        assert [verdict.copy.name for verdict in judge(of_source, Keep(1), NOW)] == ["web-2"]


def test_a_source_has_the_name_of_its_newest_copy():
    copies = [copy(1, source_name="renamed"), copy(2, source_name="web")]
    assert selected(copies, ["renamed"]) == {"c1", "c2"}
    assert selected(copies, ["web"]) == set()


def test_copies_of_other_runs_do_not_count():
    copies = [copy(1, run="weekly-1"), copy(2, run="nightly-2"), copy(3, run="nightly-1")]
    (newest_first,) = Sources(None, None, "nightly-*").select(copies).values()
    assert [verdict.copy.id for verdict in judge(newest_first, Keep(1), NOW)] == ["c3"]
    copies[0] = copy(1, IN_PROGRESS, run="weekly-1")
    (newest_first,) = Sources(None, None, "nightly-*").select(copies).values()
    assert [verdict.keep_reason for verdict in judge(newest_first, Keep(1), NOW)] == [None]


def test_those_that_there_is_no_copy_of_are_known():
    sources = Sources(["web", "s", "nobody"])
    assert sources.unknown(sources.select([copy(1)])) == ["nobody"]


@pytest.mark.parametrize("seed", range(400))
def test_over_any_history(seed):
    chance = random.Random(seed)
    conditions = [GOOD] * chance.randint(1, 6) + list(Condition)
    copies = [
        copy(chance.choice((0.5, 1, 1.5, 2, 3, 5, 8, 13, 40)), chance.choice(conditions), f"c{place}")
        for place in range(chance.randint(1, 12))
    ]
    last, days = chance.choice([(1, None), (3, None), (None, 1), (None, 7), (2, 4), (5, 2), (100, None)])
    gone = going(copies, last, days)
    left = [one for one in copies if one.id not in gone]

    present = [one for one in copies if one.condition is not DELETING]
    good = [one for one in copies if one.condition is GOOD]
    good.sort(key=lambda one: (one.created_at, one.id), reverse=True)
    good_left = [one for one in left if one.condition is GOOD]
    # As many of the newest good ones as are to be kept, and always one.
    assert len(good_left) >= min(len(good), last or 1)
    kept = sorted((one.created_at for one in good_left), reverse=True)
    assert kept[: last or 1] == [one.created_at for one in good[: last or 1]]
    if days:
        assert all(one in left for one in good if NOW - one.created_at <= datetime.timedelta(days=days))
    # What is in progress or unclear is never touched, and what failed only when something better is there.
    for one in copies:
        if one.id in gone:
            assert one.condition in (GOOD, FAILED, INCOMPLETE, DELETING)
        if one.id in gone and one.condition in (FAILED, INCOMPLETE):
            assert any(other.created_at >= one.created_at for other in good_left)
    # Nothing goes before the newest is good; then everything whose time has come does.
    newest_at = max((one.created_at for one in present), default=None)
    if any(one.created_at == newest_at and one.condition is not GOOD for one in present):
        assert all(one.condition is DELETING for one in copies if one.id in gone)
    elif good:
        excess = good[last or 1 :]
        assert all(one.id in gone for one in excess if not days or NOW - one.created_at > datetime.timedelta(days=days))
        assert all(one.id in gone for one in copies if one.condition is FAILED and one.created_at < good[0].created_at)
    # A second call has nothing more to do.
    if left:
        assert going(left, last, days) == set()


@pytest.mark.parametrize("option", ["name_pattern", "run_pattern"])
def test_a_pattern_that_somebody_forgot_to_set_does_not_mean_all(option):
    with pytest.raises(ConfigurationError, match=f"{option} is empty: leave it out, or give"):
        Sources(**{option: ""})
