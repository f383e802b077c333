# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of the role bulk become options of a module, and a mistake never selects more than was meant."""

from __future__ import annotations

import datetime
import os

import pytest
from ansible_collections.onetoken.openstack.plugins.plugin_utils.bulk_variables import (
    CRITERIA,
    ENTRY_POINTS,
    NAMED,
    VariableError,
    Variables,
    retention_after,
    specs,
)
from hypothesis import given
from hypothesis import strategies as st

NO_CRITERION = (
    r"no criterion was given: select with one such as name_pattern: 'web-\*', "
    r"or give name_pattern: '\*\*' for all of the project"
)
EMPTY = st.sampled_from([None, "", " ", " \n", "{}", "{ }", [], {}])
HOSTS = [
    {"name": "web-01", "openstack": {"id": "id-1", "attached_volumes": [{"id": "v-1"}, {"id": "v-2"}]}},
    {"name": "web-02", "openstack": {}},
]


def variables(entry_point, values, **more):
    return Variables.of(entry_point, values, **more)


def options(entry_point, values, **more):
    return variables(entry_point, values, **more).options()


def test_every_entry_point_of_the_role_is_known():
    assert set(ENTRY_POINTS) == set(specs())


def test_variables_are_options_with_their_types():
    got = options(
        "server_snapshot",
        {
            "cloud": {"auth": {}},
            "name_pattern": "web-*",
            "metadata": "backup=nightly,stage=test",
            "status": "ACTIVE, SHUTOFF",
            "older_than": "3600",
            "run_name": "nightly",
            "keep_last": 3,
            "report": "reports/run",
        },
    )
    assert got == {
        "cloud": {"auth": {}},
        "name_pattern": "web-*",
        "metadata": {"backup": "nightly", "stage": "test"},
        "status": ["ACTIVE", "SHUTOFF"],
        "older_than": 3600,
        "run": "nightly",
        "report": os.path.realpath("reports/run"),
    }


@pytest.mark.parametrize("report", ["reports/", ".", "reports/.."])
def test_a_directory_as_report_is_left_for_the_module_to_refuse(report):
    assert options("server_snapshot", {"servers": "a", "report": report})["report"] == f"{os.getcwd()}/{report}"


def test_a_list_may_be_on_several_lines_with_superfluous_commas():
    got = options("server_snapshot", {"servers": "web-01, web-02\r\n\nweb-03,,\n"})
    assert got == {"servers": ["web-01", "web-02", "web-03"]}


def test_unquoted_dates_are_text():
    day = datetime.date(2026, 1, 31)
    got = options("retention", {"kind": "image", "keep_last": 1, "run_pattern": day, "sources": [day]})
    assert (got["run_pattern"], got["sources"]) == ("2026-01-31", ["2026-01-31"])


def test_unanswered_questions_are_as_good_as_absent_variables():
    empty = dict.fromkeys(("status", "metadata", "older_than", "volume_backed", "keep_last", "timeout", "report"), "")
    assert options("server_snapshot", {"servers": ["a"], "concurrency": None, **empty}) == {"servers": ["a"]}


@pytest.mark.parametrize("name", ["servers", "volumes", "sources", "images"])
def test_an_empty_list_of_names_selects_nothing(name):
    entry_point = {"servers": "server_snapshot", "volumes": "volume_snapshot"}.get(name, "image_create")
    if name == "sources":
        assert options("retention", {"kind": "image", "keep_last": 1, "sources": []})["sources"] == []
    else:
        assert options(entry_point, {name: []}) == {name: []}


def test_the_state_of_shelving_follows_from_the_entry_point():
    assert options("server_shelve", {"servers": ["a"]})["state"] == "shelved"
    assert options("server_shelve", {"servers": ["a"], "state": "offloaded"})["state"] == "offloaded"
    assert options("server_unshelve", {"run_name": "night"}) == {"state": "unshelved", "run": "night"}


def test_servers_of_any_run_are_unshelved_only_by_another_criterion():
    assert options("server_unshelve", {"run_name": "", "name_pattern": "web-*"})["run"] == ""


def test_the_hosts_of_the_inventory_are_servers_by_id_or_name():
    got = options("server_snapshot", {"target": "all"}, hosts=HOSTS)
    assert got == {"servers": ["id-1", "web-02"]}
    assert options("volume_snapshot", {"target": "all"}, hosts=HOSTS) == {"servers": ["id-1", "web-02"]}


def test_the_volumes_of_the_hosts_are_taken_where_volumes_are_meant():
    assert options("image_create", {"target": "all", "from_volumes": True}, hosts=HOSTS)["volumes"] == ["v-1", "v-2"]
    keeping = {"target": "all", "keep_last": 1}
    assert options("retention", {**keeping, "kind": "volume_backup"}, hosts=HOSTS)["sources"] == ["v-1", "v-2"]
    assert options("retention", {**keeping, "kind": "image"}, hosts=HOSTS)["sources"] == ["id-1", "web-02"]


def test_retention_after_a_run_takes_no_criterion_of_the_run():
    got = variables(
        "server_snapshot",
        {"name_pattern": "web-*", "run_name": "r", "status": "ACTIVE", "keep_last": 2, "cloud": "c", "timeout": 60},
    )
    assert got.retention() == {"cloud": "c", "keep_last": 2, "timeout": 60}
    # It keeps to the runs that it was given.
    got = variables("server_snapshot", {"name_pattern": "web-*", "keep_days": 7, "run_pattern": "nightly-*"})
    assert got.retention() == {"keep_days": 7, "run_pattern": "nightly-*"}


def item(id, outcome, *kinds):
    return {"id": id, "outcome": outcome, "created": [{"type": kind} for kind in kinds]}


def test_retention_follows_for_what_has_a_good_new_copy_alone():
    results = [
        item("a", "done", "image", "volume_snapshot"),
        item("b", "already", "image"),
        item("c", "failed", "image"),
        item("d", "done", "volume_snapshot"),
        item("e", "skipped"),
        item("f", "accepted", "image"),
        item("g", "incomplete", "volume_snapshot"),
    ]
    assert list(retention_after({"run": "r", "results": results, "report": {}})) == [
        {"kind": "image", "sources": ["a", "b"], "after_run": "r"},
        {"kind": "volume_snapshot", "sources": ["d"], "after_run": "r"},
    ]
    assert list(retention_after({"run": "r", "results": results[2:3], "report": {}})) == []


def test_retention_has_reports_of_its_own():
    result = {"run": "r", "results": [item("a", "done", "image")], "report": {"json": "/reports/run.v2.json"}}
    (options,) = retention_after(result)
    assert options["report"] == "/reports/run.v2-deleted-image"


def test_retention_follows_only_where_something_is_kept():
    assert variables("server_snapshot", {"servers": ["a"], "keep_days": 3}).keeps
    assert not variables("server_snapshot", {"servers": ["a"], "keep_days": "", "run_pattern": "a"}).keeps
    assert not variables("retention", {"kind": "image", "keep_last": 3, "name_pattern": "a"}).keeps


@pytest.mark.parametrize(
    ("value", "is_dry_run"),
    [
        *((value, True) for value in (None, "", " ", "yes", True, "true", 1)),
        *((value, False) for value in ("false", "no", False, 0, "0")),
    ],
)
def test_only_a_plain_no_deletes(value, is_dry_run):
    retention = variables("retention", {"kind": "image", "keep_last": 1, "name_pattern": "a", "dry_run": value})
    assert retention.is_dry_run is is_dry_run


def test_other_entry_points_have_no_dry_run():
    assert not variables("server_snapshot", {"servers": ["a"]}).is_dry_run


@pytest.mark.parametrize(
    ("entry_point", "values", "message"),
    [
        ("server_snapshot", {"timeout": "soon", "servers": "a"}, 'timeout is "soon", not a whole number from 0 up'),
        ("server_snapshot", {"timeout": -5, "servers": "a"}, "timeout is -5, not a whole number from 0 up"),
        ("server_shelve", {"state": "stopped"}, "state must be one of: shelved, offloaded, got: stopped"),
        ("server_power", {"servers": ["a"]}, "missing required arguments: state"),
        ("server_unshelve", {}, "missing required arguments: run_name"),
        # What Ansible would take for 1, round, or fail on with Python's own message.
        (
            "retention",
            {"kind": "image", "keep_last": True, "name_pattern": "**"},
            "keep_last is true, not a whole number from 0 up",
        ),
        ("retention", {"kind": "image", "keep_last": "7.0", "name_pattern": "**"}, 'keep_last is "7.0", not a whole'),
        ("retention", {"kind": "image", "keep_days": "inf", "name_pattern": "**"}, 'keep_days is "inf", not a whole'),
        ("server_snapshot", {"slices": 2.5, "servers": "a"}, "slices is 2.5, not a whole number from 0 up"),
        ("retention", {"kind": "image", "dry_run": "perhaps"}, "'dry_run' is of type .* unable to convert to bool"),
        ("retention", {"kind": "image", "name_pattern": "a"}, "one of these must be given: keep_last, keep_days"),
        ("retention", {"kind": "image", "keep_last": ""}, "one of these must be given: keep_last, keep_days"),
        ("retention", {"kind": "image", "keep_last": 1}, NO_CRITERION),
        ("server_snapshot", {}, NO_CRITERION),
        ("server_shelve", {"target": "localhost", "state": "offloaded"}, NO_CRITERION),
        ("volume_snapshot", {"keep_last": 3, "run_pattern": "nightly-*"}, NO_CRITERION),
        ("image_create", {"from_volumes": True}, NO_CRITERION),
        ("server_snapshot", {"slices": 2, "name_pattern": "*"}, "each of 2 slices would do all of it: set target"),
        ("volume_snapshot", {"keep_last": 0, "servers": ["a"]}, "keep_last and keep_days must be at least 1"),
        (
            "server_snapshot",
            {"run_name": 10, "name_pattern": True, "servers": ["web-01", 90]},
            r"name_pattern is true, run_name is 10, servers is \[.*web-01.*, 90\], not text: .*",
        ),
        ("retention", {"kind": "image", "keep_last": 1, "run_pattern": 10}, "run_pattern is 10, not text"),
        ("image_create", {"from_volumes": True, "image_name": 1.1}, "image_name is 1.1, not text"),
        ("server_snapshot", {"name_pattern": "", "servers": "a"}, r"name_pattern is empty: leave it out, or give \*\*"),
        ("retention", {"kind": "image", "keep_last": 1, "run_pattern": ""}, "run_pattern is empty"),
        ("server_snapshot", {"metadata": {}, "status": []}, "is empty and nothing else says what is meant"),
        ("server_unshelve", {"run_name": ""}, "run_name is empty and nothing else says what is meant"),
        # A filter does not stand in for names that turned out to be empty.
        ("server_snapshot", {"servers": " \n", "status": "ACTIVE"}, "servers is empty and nothing else says"),
        ("image_create", {"target": "all", "from_volumes": True, "volumes": ["data-01"]}, "leave out volumes"),
        ("retention", {"target": "all", "kind": "volume_backup", "keep_last": 1}, "the inventory lists no volume"),
    ],
)
def test_a_wrong_variable_is_reported(entry_point, values, message):
    with pytest.raises(VariableError, match=message):
        options(entry_point, values, hosts=[{"name": "web-01", "openstack": {}}])


@pytest.mark.parametrize(
    ("entry_point", "name", "message"),
    [
        ("server_snapshot", "server", "has no variable server: write servers, or rename server if it is your own"),
        ("server_snapshot", "name_patern", "write name_pattern,"),
        ("retention", "servers", "has no variable servers: it has kind, .*sources"),
        ("retention", "run", "has no variable run: it has"),
    ],
)
def test_a_misspelt_variable_is_named(entry_point, name, message):
    values = {"kind": "image", "keep_last": 1, "name_pattern": "**"}
    with pytest.raises(VariableError, match=message):
        options(entry_point, values, extra=[name])


def test_other_variables_of_the_user_are_left_alone():
    others = ["environment", "ansible_host", "name", "app_version", "awx_job_id", "datacenter"]
    assert options("server_snapshot", {"servers": ["a"]}, others=others, extra=others) == {"servers": ["a"]}


def test_what_the_inventory_calls_nearly_the_same_is_no_mistake():
    """Only what was given to this playbook run was meant for it."""
    assert options("server_snapshot", {"servers": ["a"]}, others=["server", "tag"]) == {"servers": ["a"]}


@given(
    entry_point=st.sampled_from(sorted(ENTRY_POINTS)),
    empty=st.dictionaries(st.sampled_from(sorted({*CRITERIA, "run_name", "run_pattern"})), EMPTY),
)
def test_nothing_is_selected_by_empty_criteria(entry_point, empty):
    needed = {"kind": "image", "keep_last": 1, "from_volumes": True, "state": "stopped", "run_name": ""}
    values = {name: value for name, value in {**needed, **empty}.items() if name in specs()[entry_point]}
    if entry_point == "server_shelve":
        values.pop("state")
    try:
        got = options(entry_point, values)
    except VariableError:
        return
    assert any(got.get(name) == [] for name in NAMED)
