# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/awx/configure.yml against a stand-in of AWX's API, and what it makes held to the playbooks and to AWX."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest
import yaml
from ansible_collections.onetoken.openstack.tests.awx_api.stand_in import ENCRYPTED, AwxApi
from jinja2.sandbox import ImmutableSandboxedEnvironment

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
PLAYBOOKS = REPOSITORY / "playbooks"
AWX = PLAYBOOKS / "awx"
QUESTIONS = yaml.safe_load((AWX / "vars" / "questions.yml").read_text())["awx_questions"]
TEMPLATES = yaml.safe_load((AWX / "vars" / "templates.yml").read_text())["awx_templates"]
SECRET = "s3cr3t-of-the-application-credential"
CREDENTIAL = {"auth_url": "https://auth.example.org/v3", "id": "4f2a", "secret": SECRET}
#: The answers of a survey, as what types of an argument spec they can be read.
READ_AS = {
    "text": {"str", "list", "dict"},
    "multiplechoice": {"str", "bool"},
    "multiselect": {"list"},
    "integer": {"int"},
}


@pytest.fixture
def awx() -> t.Iterator[AwxApi]:
    with AwxApi() as api:
        yield api


@pytest.fixture
def configure(controller, awx):
    def run(*arguments: str, **variables: t.Any):
        # In a file, as somebody would who has secrets among them: Ansible shows its own command line.
        given = controller.home / "variables.json"
        given.write_text(json.dumps({"awx_image": "registry.example.org/onetoken-ee:0.1.0", **variables}))
        environ = {**awx.environ}
        return controller.run("onetoken.openstack.awx.configure", "-e", f"@{given}", *arguments, **environ)

    return run


def variables_of(playbook: str) -> dict[str, dict[str, t.Any]]:
    (play,) = yaml.safe_load((PLAYBOOKS / f"{playbook}.yml").read_text())
    return play["vars"]["bulk_variables"]


def test_it_makes_everything_and_changes_nothing_the_next_time(configure, awx):
    first = configure(awx_application_credential=CREDENTIAL, awx_slices=4)
    assert first.ok, first.output
    assert len(awx.named("job_templates")) == len(TEMPLATES)
    sliced = awx.named("job_templates")["Snapshot servers in slices"]
    assert sliced["job_slice_count"] == 4
    assert json.loads(sliced["extra_vars"]) == {"cloud": "devstack", "target": "all", "slices": 4}
    credential = awx.named("credentials")["OpenStack application credential for bulk runs"]
    assert credential["inputs"]["secret"] == ENCRYPTED
    assert awx.secrets[credential["id"]]["secret"] == SECRET
    awx.writes.clear()
    # Without the credential's inputs, it stays as it is.
    second = configure(awx_slices=4)
    assert second.ok, second.output
    assert "changed=0" in second.output, second.output
    assert awx.writes == []
    assert awx.secrets[credential["id"]]["secret"] == SECRET


def test_another_value_changes_that_alone(configure, awx):
    assert configure(awx_slices=2).ok
    awx.writes.clear()
    run = configure(awx_slices=3)
    assert run.ok, run.output
    sliced = awx.named("job_templates")["Snapshot servers in slices"]
    assert {path for _method, path in awx.writes} == {sliced["url"]}
    assert sliced["job_slice_count"] == 3


def test_the_workflow_plans_asks_snapshots_and_clears_away(configure, awx):
    run = configure()
    assert run.ok, run.output
    nodes = awx.named("workflow_job_template_nodes")
    order, node = ["plan"], nodes["plan"]
    while follower := awx.associated.get(f"{node['url']}success_nodes/"):
        (number,) = follower
        node = awx.items["workflow_job_template_nodes"][number]
        order.append(node["identifier"])
    assert order == ["plan", "approve", "snapshot", "retention"]
    assert nodes["plan"]["job_type"] == "check"
    assert json.loads(json.dumps(nodes["retention"]["extra_data"])) == {"kind": "image", "dry_run": "false"}
    approval = awx.items["workflow_approval_templates"][nodes["approve"]["unified_job_template"]]
    assert approval["name"] == "Snapshot these servers?"


def test_secrets_are_not_shown(configure):
    run = configure("-vvvv", "--diff", awx_application_credential=CREDENTIAL)
    assert run.ok, run.output
    assert SECRET not in run.output


def test_a_wrong_variable_is_a_sentence_before_anything_is_done(configure, awx):
    run = configure(awx_slices="many", awx_sign_in_with="kerberos")
    assert not run.ok
    assert "AWX was not changed, as a variable is wrong: " in run.output
    assert "awx_slices" in run.output and "awx_sign_in_with" in run.output
    assert awx.writes == []


def test_every_bulk_playbook_has_a_template():
    playbooks = {path.stem for path in PLAYBOOKS.glob("*.yml")}
    assert {template["playbook"] for template in TEMPLATES} == playbooks


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template["description"])
def test_a_survey_asks_what_its_playbook_takes(template):
    known = variables_of(template["playbook"])
    assert set(template.get("variables", {})) <= set(known)
    for name in template["questions"]:
        question = QUESTIONS[name]
        option = known[question["variable"]]
        assert option["type"] in READ_AS[question["type"]], name
        if question["type"] == "multiplechoice" and option.get("choices"):
            assert question["choices"] == option["choices"]
        if question["type"] == "text" and not question["required"]:
            # Else AWX sends an empty text where there is no answer.
            assert question["min"] >= 1, name
    asked = {QUESTIONS[name]["variable"] for name in template["questions"]}
    needed = {name for name, option in known.items() if option.get("required")}
    assert needed <= asked | set(template.get("variables", {}))
    # No launch selects the whole project unless it says so.
    if template["playbook"] not in ("retention", "bulk_unshelve") and "target" not in template.get("variables", {}):
        assert QUESTIONS["name_pattern"]["required"] and "name_pattern" in template["questions"]


def test_the_questions_are_all_asked():
    workflow = yaml.safe_load((AWX / "vars" / "templates.yml").read_text())["awx_workflow"]
    asked = {name for template in TEMPLATES for name in template["questions"]} | set(workflow["questions"])
    assert asked == set(QUESTIONS)


def test_the_credential_signs_in(sandbox, controller):
    """What AWX makes of the credential's template, and openstacksdk of that."""
    cloud = sandbox.clouds["sandbox-appcred"]
    inputs = {
        "auth_url": cloud["auth"]["auth_url"],
        "id": cloud["auth"]["application_credential_id"],
        "secret": cloud["auth"]["application_credential_secret"],
    }
    template = (AWX / "files" / "credential_type" / "clouds.yaml.j2").read_text()
    rendered = ImmutableSandboxedEnvironment().from_string(template).render(**inputs)
    file = controller.home / "injected"
    file.write_text(rendered)
    os.chmod(file, 0o600)
    listed = controller.command("openstack", "--os-cloud", "devstack", "image", "list", OS_CLIENT_CONFIG_FILE=str(file))
    assert listed.ok, listed.output


def test_the_inventory_has_the_servers_with_their_ids(sandbox, controller):
    file = controller.home / "clouds.yaml"
    file.write_text(yaml.safe_dump({"clouds": {"devstack": sandbox.clouds["sandbox"]}}))
    source = str(AWX / "inventory" / "openstack.yml")
    run = controller.command("ansible-inventory", "-i", source, "--list", OS_CLIENT_CONFIG_FILE=str(file))
    assert run.ok, run.output
    found = json.loads(run.output[run.output.index("{") :])["_meta"]["hostvars"]
    assert found["web-01"]["openstack"]["id"]
