# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The surveys of playbooks/awx fit the playbooks' variables, and no answer selects everything by mistake."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
import yaml
from ansible_collections.onetoken.openstack.plugins.plugin_utils.bulk_variables import specs
from ansible_collections.onetoken.openstack.tests.awx_api.surveys import RefusedError, answered, check_survey

PLAYBOOKS = pathlib.Path(__file__).resolve().parents[3] / "playbooks"
#: By the type of a question: the types of an argument spec that its answers can be read as.
READ_AS = {
    "text": {"str", "list", "dict"},
    "multiplechoice": {"str", "bool"},
    "multiselect": {"list"},
    "integer": {"int"},
}


def described(name: str) -> t.Any:
    return yaml.safe_load((PLAYBOOKS / "awx" / "vars" / f"{name}.yml").read_text())[f"awx_{name}"]


QUESTIONS = described("questions")
TEMPLATES = described("templates")
WORKFLOW = described("workflow")
EACH_TEMPLATE = pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template["description"])


def variables_of(playbook: str) -> dict[str, dict[str, t.Any]]:
    (play,) = yaml.safe_load((PLAYBOOKS / f"{playbook}.yml").read_text())
    return specs()[play["tasks"][0]["ansible.builtin.import_role"]["tasks_from"]]


def survey_of(questions: t.Sequence[str]) -> dict[str, t.Any]:
    return {"name": "", "description": "", "spec": [QUESTIONS[name] for name in questions]}


def assert_fits(question: dict[str, t.Any], option: dict[str, t.Any]) -> None:
    assert option["type"] in READ_AS[question["type"]]
    if question["type"] == "multiplechoice" and option["type"] == "str":
        assert set(question["choices"]) <= set(option["choices"])
    if question["type"] == "multiplechoice" and option["type"] == "bool":
        assert set(question["choices"]) == {"true", "false"}


def test_every_bulk_playbook_has_a_template():
    assert {template["playbook"] for template in TEMPLATES} == {path.stem for path in PLAYBOOKS.glob("*.yml")}


@EACH_TEMPLATE
def test_awx_accepts_every_survey(template):
    check_survey(survey_of(template["questions"]))


@EACH_TEMPLATE
def test_a_survey_asks_for_variables_of_its_playbook(template):
    variables = variables_of(template["playbook"])
    assert set(template.get("variables", {})) <= set(variables)
    assert not template.get("sliced") or {"target", "slices"} <= set(variables)
    for name in template["questions"]:
        assert_fits(QUESTIONS[name], variables[QUESTIONS[name]["variable"]])


@EACH_TEMPLATE
def test_a_launch_without_answers_is_refused(template):
    with pytest.raises(RefusedError) as refusal:
        answered(survey_of(template["questions"]), {}, {})
    wanted = "run_name" if template["playbook"] == "bulk_unshelve" else "name_pattern"
    assert f"'{wanted}' value missing" in refusal.value.body["variables_needed_to_start"]


@pytest.mark.parametrize("name", [name for name, question in QUESTIONS.items() if question["type"] == "text"])
def test_an_empty_text_is_refused(name):
    with pytest.raises(RefusedError, match="too small"):
        answered(survey_of([name]), {}, {QUESTIONS[name]["variable"]: ""}, all_required=False)


def test_the_workflow_asks_for_variables_of_all_its_playbooks():
    playbooks = {template["name"]: template["playbook"] for template in TEMPLATES}
    nodes = [node for node in WORKFLOW["nodes"] if "job_template" in node]
    assert [node["identifier"] for node in nodes] == ["plan", "snapshot", "retention"]
    for node in nodes:
        variables = variables_of(playbooks[node["job_template"]])
        for name in WORKFLOW["questions"]:
            assert_fits(QUESTIONS[name], variables[QUESTIONS[name]["variable"]])


def test_every_question_is_asked_somewhere():
    asked = {name for template in TEMPLATES for name in template["questions"]} | set(WORKFLOW["questions"])
    assert asked == set(QUESTIONS)


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        pytest.param({"name_pattern": "web-*", "keep_last": "7"}, "expected to be a number", id="text for a number"),
        pytest.param({"name_pattern": "web-*", "keep_last": 0}, "too small", id="out of bounds"),
        pytest.param({"name_pattern": "web-*", "status": ["GONE"]}, "expected to be a list of", id="no choice"),
        pytest.param({"name_pattern": "web-*", "slices": 9}, "not allowed on launch", id="not asked"),
    ],
)
def test_answers_that_the_survey_does_not_allow_are_refused(answers, error):
    with pytest.raises(RefusedError, match=error):
        answered(survey_of(TEMPLATES[0]["questions"]), {"cloud": "devstack"}, answers)


def test_a_job_gets_the_templates_variables_the_defaults_and_the_answers():
    got = answered(survey_of(TEMPLATES[0]["questions"]), {"cloud": "devstack"}, {"name_pattern": "web-*"})
    assert got == {"cloud": "devstack", "requests_per_second": "auto", "name_pattern": "web-*"}
