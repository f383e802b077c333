# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/awx/configure.yml with the modules of awx.awx against a stand-in of AWX's API, and what it makes."""

from __future__ import annotations

import json
import pathlib
import re
import typing as t

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible_collections.onetoken.openstack.tests.awx_api.stand_in import ENCRYPTED, AwxApi
from ansible_collections.onetoken.openstack.tests.helpers.controller import Controller, Run
from ansible_collections.onetoken.openstack.tests.helpers.sandbox import REPOSITORY, Sandbox
from ansible_collections.onetoken.openstack.tests.integration.awx.job import extra_variables
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

PLAYBOOKS = REPOSITORY / "playbooks"
AWX = PLAYBOOKS / "awx"
INJECTED = (AWX / "files" / "credential_type" / "clouds.yaml.j2").read_text()
INPUTS = yaml.safe_load((AWX / "files" / "credential_type" / "inputs.yml").read_text())
SECRET = "s3cr3t-of-the-application-credential"
CREDENTIAL = {"auth_url": "https://auth.example.org/v3", "id": "4f2a", "secret": SECRET}
SLICED = "Snapshot servers in slices"
NIGHTLY = "Snapshot servers every night"


def new_api() -> AwxApi:
    return AwxApi({f"playbooks/{path.name}" for path in PLAYBOOKS.glob("*.yml")})


def configure(controller: Controller, awx: AwxApi, *arguments: str, **variables: t.Any) -> Run:
    # In a file, as somebody would who has secrets among them: Ansible shows its own command line.
    given = controller.home / "variables.json"
    given.write_text(json.dumps({"awx_image": "registry.example.org/onetoken-ee:0.1.0", **variables}))
    # A process less for each of many modules.
    environ = {**awx.environ, "ANSIBLE_PIPELINING": "True"}
    return controller.run("onetoken.openstack.awx.configure", "-e", f"@{given}", *arguments, **environ)


@pytest.fixture(scope="module")
def tries(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[tuple[AwxApi, list[Run]]]:
    """A new AWX that is configured at the third try, and what was told of each: the repository did not answer."""
    with new_api() as api:
        controller = Controller(tmp_path_factory.mktemp("first"))
        api.repository_answers = False
        runs = [configure(controller, api), configure(controller, api)]
        api.repository_answers = True
        runs.append(configure(controller, api, "-vvvv", "--diff", awx_application_credential=CREDENTIAL))
        yield api, runs


@pytest.fixture(scope="module")
def first(tries: tuple[AwxApi, list[Run]]) -> tuple[AwxApi, Run]:
    """The AWX as it is then, and what was told of that."""
    api, (*_failed, run) = tries
    assert run.ok, run.output
    return api, run


@pytest.fixture
def configured(first: tuple[AwxApi, Run]) -> t.Iterator[AwxApi]:
    """Another one that was."""
    with new_api() as api:
        api.resemble(first[0])
        yield api


@pytest.fixture
def empty() -> t.Iterator[AwxApi]:
    with new_api() as api:
        yield api


def test_it_fills_in_the_credential_and_shows_no_secret(first):
    api, run = first
    credential = api.named("credentials")["OpenStack application credential for bulk runs"]
    assert api.secrets[credential["id"]] == CREDENTIAL
    assert credential["inputs"]["secret"] == ENCRYPTED
    assert SECRET not in run.output


def test_jobs_get_what_the_template_says_and_what_is_answered(first):
    api, _run = first
    assert api.variables("Snapshot servers", {"name_pattern": "web-*", "keep_last": 3}) == {
        "cloud": "devstack",
        "requests_per_second": "auto",
        "name_pattern": "web-*",
        "keep_last": 3,
    }
    assert api.variables("Make images of volumes", {"name_pattern": "data-*"})["from_volumes"] is True
    assert {template["ask_job_type_on_launch"] for template in api.items["job_templates"].values()} == {True}


def test_slices_know_how_many_they_are_and_have_hosts(first):
    api, _run = first
    sliced = api.named("job_templates")[SLICED]
    variables = api.variables(SLICED, {"name_pattern": "**", "run_name": "tonight"})
    assert sliced["job_slice_count"] == variables["slices"] == 4
    assert variables["target"] == "all"
    assert sliced["inventory"] == api.named("inventories")["OpenStack servers"]["id"]
    others = [template for template in api.items["job_templates"].values() if template is not sliced]
    assert {template["job_slice_count"] for template in others} == {1}
    assert {template["inventory"] for template in others} == {api.named("inventories")["Localhost for bulk runs"]["id"]}


def test_the_schedule_waits_to_be_switched_on_and_takes_only_what_asks_for_it(first):
    nightly = first[0].named("schedules")[NIGHTLY]
    assert nightly["enabled"] is False
    assert nightly["extra_data"] == {
        "name_pattern": "**",
        "metadata": "backup=nightly",
        "keep_last": 7,
        "run_pattern": "????-??-??",
    }


def test_what_the_schedule_and_the_workflow_answer_comes_through_to_the_playbooks(first):
    """AWX writes answers as !unsafe, which ansible-core 2.19 to 2.21 reads as if they had no quotes."""
    api, _run = first
    launches = [*api.items["schedules"].values(), *api.items["workflow_job_template_nodes"].values()]
    answers = [launch["extra_data"] for launch in launches if launch["extra_data"]]
    assert len(answers) == 2
    for given in answers:
        read = DataLoader().load(extra_variables(given))
        # A boolean is asked for as a choice of two words.
        assert {name: str(value).lower() for name, value in read.items()} == {k: str(v) for k, v in given.items()}


@pytest.mark.repeats
def test_the_workflow_plans_asks_snapshots_and_clears_away(first):
    api, _run = first
    nodes = api.named("workflow_job_template_nodes")
    order, node = ["plan"], nodes["plan"]
    while followers := api.associated.get(f"{node['url']}success_nodes/"):
        (number,) = followers
        node = api.items["workflow_job_template_nodes"][number]
        order.append(node["identifier"])
    assert order == ["plan", "approve", "snapshot", "retention"]
    assert nodes["plan"]["job_type"] == "check"
    assert nodes["plan"]["unified_job_template"] == nodes["snapshot"]["unified_job_template"]
    answers = {"kind": "image", "dry_run": "false", "keep_last": 7, "run_pattern": "????-??-??"}
    assert nodes["retention"]["extra_data"] == answers
    approval = api.items["workflow_approval_templates"][nodes["approve"]["unified_job_template"]]
    assert approval["name"] == "Snapshot these servers?"


@pytest.mark.repeats
def test_the_next_time_it_changes_what_differs_and_nothing_that_was_done_in_awx(configured, controller):
    (project,) = configured.items["projects"].values()
    assert project["scm_revision"] == "first"
    # As after an upgrade.
    configured.revision = "second"
    configured.named("schedules")[NIGHTLY]["enabled"] = True
    secrets = dict(configured.secrets)
    survey = configured.named("job_templates")["Unshelve servers"]["related"]["survey_spec"]
    meant = configured.surveys[survey]
    configured.surveys[survey] = {**meant, "spec": meant["spec"][:1]}
    run = configure(controller, configured, awx_slices=3)
    assert run.ok, run.output
    # The project, and the template with its survey.
    assert "changed=2 " in run.output
    sliced = configured.named("job_templates")[SLICED]
    assert configured.writes == [("POST", synced(configured)), ("PATCH", sliced["url"]), ("POST", survey)]
    assert sliced["job_slice_count"] == json.loads(sliced["extra_vars"])["slices"] == 3
    assert configured.surveys[survey] == meant
    # The credential was not given this time.
    assert configured.secrets == secrets
    assert configured.named("schedules")[NIGHTLY]["enabled"] is True
    assert project["scm_revision"] == "second"


def synced(api: AwxApi) -> str:
    """Where the sync of the project is asked for."""
    (project,) = api.items["projects"].values()
    return project["related"]["update"]


@pytest.mark.repeats
def test_looking_at_one_that_is_configured_syncs_nothing(configured, controller):
    configured.revision = "second"
    looked = configure(controller, configured, "--check")
    assert looked.ok and configured.writes == [], looked.output


def test_a_sync_that_failed_is_tried_again(tries):
    api, (first, second, third) = tries
    assert not first.ok and "Project update failed" in first.output
    assert not second.ok and "The Project Update - onetoken.openstack, failed" in second.output
    assert third.ok, third.output
    assert api.named("job_templates")["Snapshot servers"]["project"]


@pytest.mark.repeats
def test_check_mode_on_an_empty_awx_writes_nothing(empty, controller):
    run = configure(controller, empty, "--check", awx_sign_in_with="password")
    assert run.ok, run.output
    assert "failed=0" in run.output
    assert empty.writes == []


def test_a_wrong_variable_is_a_sentence_before_anything_is_done(empty, controller):
    run = configure(controller, empty, awx_slices="many", awx_application_credential={"secret": SECRET, "key": SECRET})
    assert not run.ok
    assert "AWX was not changed, as a variable is wrong: " in run.output
    assert "awx_slices" in run.output
    assert "missing required arguments: auth_url, id found in awx_application_credential" in run.output
    assert "awx_application_credential.key" in run.output
    assert SECRET not in run.output
    assert empty.writes == []


def test_what_is_empty_takes_the_place_of_nothing(empty, controller):
    inputs = {"auth_url": "https://auth.example.org/v3", "id": "1", "secret": ""}
    run = configure(controller, empty, awx_organization="", awx_image=None, awx_application_credential=inputs)
    assert not run.ok
    assert "AWX was not changed, as there is nothing in awx_image, awx_organization, secret: fill it in" in run.output
    assert empty.writes == []


def test_what_yaml_made_a_number_of_is_no_text(empty, controller):
    inputs = {**CREDENTIAL, "id": 1234567890, "secret": 42798}
    run = configure(controller, empty, awx_project_branch=0.1, awx_application_credential=inputs)
    assert not run.ok
    assert re.search("AWX was not changed, as (awx_project_branch|, |id|secret)+ is not text: ", run.output), run.output
    assert "42798" not in run.output
    assert empty.writes == []


def test_a_number_that_would_be_none_is_refused(empty, controller):
    run = configure(controller, empty, awx_slices=0, awx_keep_last="-1")
    assert not run.ok
    assert "a variable is wrong: awx_slices must be at least 1; awx_keep_last must be at least 1." in run.output
    assert empty.writes == []


def rendered(**inputs: t.Any) -> str:
    """What AWX makes of the injected file: a boolean that is not given is false, another input undefined."""
    missing = {field["id"]: False for field in INPUTS["fields"] if field["type"] == "boolean"}
    return ImmutableSandboxedEnvironment().from_string(INJECTED).render(**{**missing, **inputs})


def test_the_injected_file_is_one_that_awx_takes():
    fields = {field["id"]: "EXAMPLE" for field in INPUTS["fields"]}
    # As AWX checks it, when the type is made.
    assert ImmutableSandboxedEnvironment(undefined=StrictUndefined).from_string(INJECTED).render(fields)
    assert set(INPUTS["required"]) <= set(fields)
    assert [field["id"] for field in INPUTS["fields"] if field.get("secret")] == ["secret"]


AWKWARD = [
    "s3cr3t", "0123456", "1e6", "yes", "null", "~", "2026-01-31", "*", "**", "!", "!unsafe x", "&a", "%TAG", "@", "`",
    "-", "a: b", "a #b", "#", "{a}", "[a]", "{{ x }}", "{% raw %}", "{# x #}", "'", "''", '"', '\\"', "\\", "\\\\",
    "\\n", "\\x41", "\\N{BULLET}", "$HOME", "%s", "<&>", " a ", "a\tb", "a\nb", "a\r\nb\n", "\x00", "\x07\x1b[0m",
    "\x7f", "\x85", "\xa0", "\u2028\u2029", "\ufeffa", "\uffff", "\u00e9", "e\u0301", "\u05e9\u05dc\u05d5\u05dd",
    "\u6f22\u5b57", "\U0001f511", "\U0001f468\u200d\U0001f4bb", "".join(map(chr, range(1, 0x180))),
]  # fmt: skip


@pytest.mark.parametrize("value", AWKWARD, ids=ascii)
def test_the_injected_file_has_any_input_as_it_is(value):
    inputs = dict.fromkeys(("auth_url", "id", "secret", "region_name"), value)
    injected = yaml.safe_load(rendered(**inputs))["clouds"]["devstack"]
    assert injected["auth"] == {
        "auth_url": value,
        "application_credential_id": value,
        "application_credential_secret": value,
    }
    assert injected["region_name"] == value


def test_the_injected_file_trusts_certificates_only_if_they_are_good_and_leaves_the_region_to_the_cloud():
    cloud = yaml.safe_load(rendered(**CREDENTIAL))["clouds"]["devstack"]
    assert cloud["verify"] is True
    assert "region_name" not in cloud
    assert yaml.safe_load(rendered(**CREDENTIAL, insecure=True))["clouds"]["devstack"]["verify"] is False


@pytest.fixture
def injected(sandbox: Sandbox, tmp_path: pathlib.Path) -> pathlib.Path:
    auth = sandbox.clouds["sandbox-appcred"]["auth"]
    inputs = {
        "auth_url": auth["auth_url"],
        "id": auth["application_credential_id"],
        "secret": auth["application_credential_secret"],
    }
    file = tmp_path / "injected"
    file.touch(mode=0o600)
    file.write_text(rendered(**inputs))
    return file


def test_the_credential_signs_in(injected, controller):
    listed = controller.command("openstack", "image", "list", OS_CLOUD="devstack", OS_CLIENT_CONFIG_FILE=str(injected))
    assert listed.ok, listed.output


def test_the_inventory_has_the_servers_with_their_ids_and_volumes(injected, controller):
    source = str(AWX / "inventory" / "openstack.yml")
    run = controller.command("ansible-inventory", "-i", source, "--list", OS_CLIENT_CONFIG_FILE=str(injected))
    assert run.ok, run.output
    found = json.loads(run.output[run.output.index("{") :])["_meta"]["hostvars"]
    assert found["web-01"]["openstack"]["id"]
    assert found["web-01"]["openstack"]["attached_volumes"]


def test_without_the_collection_it_says_what_to_install(empty, controller):
    controller.environment["ANSIBLE_COLLECTIONS_SCAN_SYS_PATH"] = "False"
    run = configure(controller, empty)
    assert not run.ok
    assert "the collection awx.awx is not installed" in run.output
    assert empty.writes == []
