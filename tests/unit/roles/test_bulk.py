# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role bulk, its playbooks and the modules have the same variables."""

from __future__ import annotations

import importlib
import pathlib
import typing as t

import jinja2
import pytest
import yaml
from ansible_collections.onetoken.openstack.plugins.plugin_utils.bulk_variables import ENTRY_POINTS, RETENTION, specs
from ansible_collections.openstack.cloud.plugins.doc_fragments.openstack import ModuleDocFragment

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
TASKS = REPOSITORY / "roles" / "bulk" / "tasks"
PLAYBOOKS = sorted((REPOSITORY / "playbooks").glob("*.yml"))
FRAGMENTS = "ansible_collections.onetoken.openstack.plugins.doc_fragments"
#: Options that the role sets, or leaves to the modules' defaults.
SET_BY_ROLE = {"wait", "ignore_failures", "after_run"}
SET_BY_ENTRY_POINT = {"server_unshelve": {"state", "mark"}}
#: Variables that are not options of the entry point's module.
ADDED = {"cloud", "region_name", "target"}
ADDED_OF = {
    "server_snapshot": set(RETENTION),
    "volume_snapshot": RETENTION - {"delete_in_use"},
    "volume_backup": RETENTION - {"delete_in_use"},
    "retention": {"dry_run"},
}


def included(playbook: pathlib.Path) -> str:
    (play,) = yaml.safe_load(playbook.read_text())
    (task,) = play["tasks"]
    return task["ansible.builtin.import_role"]["tasks_from"]


def options_of(module: str) -> dict[str, t.Any]:
    """The options of a module and its fragments, without those of the connection."""
    documented = yaml.safe_load(
        importlib.import_module(f"ansible_collections.onetoken.openstack.plugins.modules.{module}").DOCUMENTATION
    )
    options = dict(documented["options"])
    for name in documented["extends_documentation_fragment"]:
        fragment, _dot, part = name.removeprefix("onetoken.openstack.").partition(".")
        if fragment in ("selection", "bulk"):
            texts = importlib.import_module(f"{FRAGMENTS}.{fragment}").ModuleDocFragment
            options |= yaml.safe_load(getattr(texts, part.upper() or "DOCUMENTATION"))["options"]
    of_connection = set(yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]) - {"timeout", "availability_zone"}
    return {name: option for name, option in options.items() if name not in of_connection}


def test_every_entry_point_has_tasks_and_a_playbook():
    assert {path.stem for path in TASKS.glob("*.yml")} - {"main", "run"} == set(ENTRY_POINTS)
    assert sorted(included(playbook) for playbook in PLAYBOOKS) == sorted(ENTRY_POINTS)


@pytest.mark.parametrize("entry_point", sorted(ENTRY_POINTS))
def test_its_tasks_run_the_entry_point(entry_point):
    (task,) = yaml.safe_load((TASKS / f"{entry_point}.yml").read_text())
    assert task["vars"]["bulk_entry_point"] == entry_point and task["vars"]["bulk_title"]


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda playbook: playbook.stem)
def test_a_playbook_takes_the_hosts_of_target(playbook):
    (play,) = yaml.safe_load(playbook.read_text())
    assert play["hosts"] == "{{ target | default('localhost', true) }}"
    assert playbook.read_text().count(f"onetoken.openstack.{playbook.stem} ") == 1


@pytest.mark.parametrize(("entry_point", "module"), [(name, one.module) for name, one in ENTRY_POINTS.items()])
def test_every_option_of_a_module_is_a_variable_with_the_same_name_and_type(entry_point, module):
    options = options_of(module)
    wanted = set(options) - SET_BY_ROLE - SET_BY_ENTRY_POINT.get(entry_point, set())
    variables = specs()[entry_point]
    named = {"run_name" if option == "run" else option for option in wanted}
    assert set(variables) == named | ADDED | ADDED_OF.get(entry_point, set())
    for option in wanted:
        variable = variables["run_name" if option == "run" else option]
        for key in ("type", "elements"):
            assert variable.get(key) == options[option].get(key), option
        assert set(variable.get("choices", [])) <= set(options[option].get("choices", [])), option
        # Empty lists and mappings say nothing.
        if options[option].get("default"):
            assert variable.get("default") == options[option]["default"], option


@pytest.mark.parametrize(
    ("revoked", "sentence"),
    [
        ({"tokens_issued": 1, "alive": 0, "alive_until": None}, "1 token, revoked; 3 requests to Keystone."),
        (
            {"tokens_issued": 2, "alive": 1, "alive_until": "2026-01-31T14:05:00Z"},
            "2 tokens, 1 still valid until 2026-01-31T14:05:00Z; 3 requests to Keystone.",
        ),
        ({"tokens_issued": 3, "alive": 2, "alive_until": None}, "3 tokens, 2 still valid; 3 requests to Keystone."),
    ],
    ids=["revoked", "alive", "alive until an unknown time"],
)
def test_the_result_counts_living_tokens(revoked, sentence):
    (block,) = yaml.safe_load((TASKS / "run.yml").read_text())
    variables = block["block"][-1]["vars"]
    known = {"bulk_on_session": False, "bulk_revoked": {"keystone_requests": 3, **revoked}}
    for name in ("bulk_until", "bulk_of_token"):
        known[name] = jinja2.Environment().from_string(variables[name]).render(known)
    assert known["bulk_of_token"] == sentence
