# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of the bulk playbooks: checked before anything is done, and named as the options of the modules."""

from __future__ import annotations

import json
import pathlib
import re
import typing as t

import pytest
import yaml
from ansible_collections.onetoken.openstack.tests.integration.bulk_results import reported
from ansible_collections.openstack.cloud.plugins.doc_fragments.openstack import ModuleDocFragment

REPEATS = pytest.mark.repeats
PLAYBOOKS = {
    "bulk_snapshot": "os_server_snapshot",
    "bulk_volume_snapshot": "os_volume_snapshot",
    "bulk_shelve": "os_server_shelve",
    "bulk_unshelve": "os_server_shelve",
    "bulk_image_create": "os_image_create",
    "retention": "os_retention",
}
#: Options that are not variables: the playbook sets them.
SET_BY_PLAYBOOK = {"wait", "ignore_failures"}
SET_BY_PLAYBOOKS = {"bulk_unshelve": {"state", "mark"}, "retention": {"after_run"}}
NO_CRITERION = (
    r"no criterion was given: select with one such as name_pattern: 'web-\*', "
    r"or give name_pattern: '\*\*' for all of the project\."
)
#: Variables that are not options of the playbook's module.
KEEP = {"keep_last", "keep_days", "run_pattern"}
ADDED = {"target", "cloud", "region_name"}
ADDED_OF = {"bulk_snapshot": KEEP | {"delete_in_use"}, "bulk_volume_snapshot": KEEP, "retention": {"dry_run"}}
#: One of each kind, and all for retention.yml, which deletes.
WRONG = [
    ("bulk_snapshot", {"timeout": "soon"}, "'timeout' is of type .* unable to convert to int"),
    ("bulk_unshelve", {}, "missing required arguments: run_name"),
    ("bulk_snapshot", {}, NO_CRITERION),
    ("retention", {"kind": "image"}, "one of these must be given: keep_last, keep_days"),
    (
        "retention",
        {"kind": "image", "keep_last": 1, "servers": ["web-01"]},
        "has no variable servers: it has .*sources",
    ),
    ("bulk_snapshot", {"slices": 2, "name_pattern": "*"}, "each of 2 slices would do all of it: set target"),
    # What YAML turns 012 and yes into, and 1:30 in a list.
    (
        "bulk_snapshot",
        {"run_name": 10, "name_pattern": True, "servers": ["web-01", 90]},
        r"(?=.*run_name is 10)(?=.*name_pattern is true)(?=.*servers is \[.*web-01.*, 90\]).*, not text: .*",
    ),
    # A survey sends an empty text for an unanswered question: it must not select the whole project.
    (
        "bulk_snapshot",
        {"name_pattern": "", "servers": "web-01"},
        r"name_pattern is empty: leave it out, or give \*\*",
    ),
]
#: The same kinds with other variables and playbooks.
MORE_WRONG = [
    ("bulk_shelve", {"state": "stopped"}, "state must be one of: shelved, offloaded, got: stopped"),
    ("retention", {"kind": "image", "keep_last": 1}, NO_CRITERION),
    (
        "retention",
        {"target": "targets", "kind": "volume_backup", "keep_last": 1},
        "tells no volume that is attached to a host",
    ),
    ("retention", {"kind": "image", "dry_run": "perhaps"}, "'dry_run' is of type .* unable to convert to bool"),
    ("retention", {"kind": "image", "keep_last": 1, "run_pattern": 10}, "run_pattern is 10, not text"),
    ("bulk_snapshot", {"metadata": {}, "status": []}, "is empty and nothing else says what is meant"),
    ("retention", {"kind": "image", "keep_last": ""}, "one of these must be given: keep_last, keep_days"),
    ("retention", {"kind": "image", "keep_last": 1, "run_pattern": ""}, "run_pattern is empty"),
    ("bulk_volume_snapshot", {"keep_last": 0}, "keep_last and keep_days must be at least 1"),
    ("bulk_shelve", {"target": "localhost", "state": "offloaded"}, NO_CRITERION),
    ("bulk_volume_snapshot", {"keep_last": 3, "run_pattern": "nightly-*"}, NO_CRITERION),
    ("bulk_image_create", {"from_volumes": True}, NO_CRITERION),
    ("bulk_unshelve", {"run_name": ""}, "run_name is empty and nothing else says what is meant"),
    ("bulk_image_create", {"target": "targets", "from_volumes": True, "volumes": ["data-01"]}, "leave out volumes"),
    ("bulk_image_create", {"from_volumes": True, "volumes": ["a"], "image_name": 1.1}, "image_name is 1.1, not text"),
    ("bulk_snapshot", {"name_pattern": None}, r"name_pattern is empty: leave it out, or give \*\*"),
    ("bulk_snapshot", {"target": "", "tags": None}, "is empty and nothing else says what is meant"),
    ("bulk_snapshot", {"metadata": "{}"}, "metadata is empty and nothing else says what is meant"),
    ("bulk_shelve", {"servers": " \n"}, "servers is empty and nothing else says what is meant"),
]


@pytest.mark.parametrize(
    ("name", "variables", "message"), [*WRONG, *(pytest.param(*wrong, marks=REPEATS) for wrong in MORE_WRONG)]
)
def test_a_wrong_variable_is_reported_before_anything_is_done(
    controller, keystone, bulk_playbook, static_inventory, name, variables, message
):
    run = bulk_playbook(name, *static_inventory("web-01")[:2], **variables)
    assert run.status == 2
    assert re.search(f"Nothing was done, as .*{message}", run.output), run.output
    assert keystone.requests() == [] and controller.sessions == []


@REPEATS
def test_answers_to_a_survey_are_understood(bulk_playbook, run_name):
    """Lists on several lines; unanswered questions are as good as absent variables."""
    empty = ("status", "metadata", "availability_zone", "older_than", "volume_backed", "keep_last", "timeout", "report")
    answers: dict[str, t.Any] = {**dict.fromkeys(empty, ""), "concurrency": None, "region_name": None}
    run = bulk_playbook(
        "bulk_snapshot", "--check", servers="web-01, web-02\r\n\nweb-03\n", run_name=run_name, **answers
    )
    assert run.ok and reported(run, "planned") == ["web-01", "web-02", "web-03"], run.output


def test_every_option_of_a_module_is_a_variable_of_its_playbook_with_the_same_name(controller, repository):
    modules = {f"onetoken.openstack.{module}" for module in PLAYBOOKS.values()}
    described = controller.command("ansible-doc", "--json", *modules)
    assert described.ok, described.output
    documentation = json.loads(described.output)
    of_connection = set(yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]) - {"timeout"}
    for name, module in PLAYBOOKS.items():
        options = documentation[f"onetoken.openstack.{module}"]["doc"]["options"]
        fixed = SET_BY_PLAYBOOKS.get(name, set())
        wanted = set(options) - (of_connection - {"availability_zone"}) - SET_BY_PLAYBOOK - fixed
        variables, call = variables_and_call(repository / "playbooks" / f"{name}.yml", module)
        added = ADDED | ADDED_OF.get(name, set())
        named = {"run_name" if option == "run" else option for option in wanted}
        assert set(variables) - added == named - added, name
        assert set(call) - {"cloud", "region_name", "ignore_failures"} - fixed == wanted, name
        for option in wanted:
            variable = variables["run_name" if option == "run" else option]
            assert variable["type"] == options[option]["type"], (name, option)
            assert variable.get("elements") == options[option].get("elements"), (name, option)
            assert set(variable.get("choices", [])) <= set(options[option].get("choices", [])), (name, option)


def variables_and_call(path: pathlib.Path, module: str) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
    """The specification of a playbook's variables, and the options with which it calls the module."""
    (play,) = yaml.safe_load(path.read_text())
    waiting = list(play["tasks"])
    while waiting:
        task = waiting.pop()
        waiting.extend(task.get("block", []))
        if f"onetoken.openstack.{module}" in task:
            return play["vars"]["bulk_variables"], task[f"onetoken.openstack.{module}"]
    raise AssertionError(f"{path} does not call {module}")
