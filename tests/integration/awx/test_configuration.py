# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/awx/configure.yml, with the modules of awx.awx, configures a stand-in of AWX's API."""

from __future__ import annotations

import copy
import json
import re
import shutil
import typing as t

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible_collections.onetoken.openstack.tests.awx_api.stand_in import ENCRYPTED, AwxApi
from ansible_collections.onetoken.openstack.tests.awx_api.surveys import RefusedError
from ansible_collections.onetoken.openstack.tests.helpers.controller import Controller, Run
from ansible_collections.onetoken.openstack.tests.helpers.sandbox import REPOSITORY, Sandbox
from ansible_collections.onetoken.openstack.tests.integration.awx.job import extra_variables

PLAYBOOKS = REPOSITORY / "playbooks"
AWX = PLAYBOOKS / "awx"
SECRET = "s3cr3t-of-the-application-credential"
CREDENTIAL = {"auth_url": "https://auth.example.org/v3", "id": "4f2a", "secret": SECRET}
PASSWORD = {"host": "https://auth.example.org/v3", "username": "ops", "password": "s3cr3t", "project": "web"}
SLICED = "Snapshot servers in slices"
NIGHTLY = "Snapshot servers every night"


def new_api() -> AwxApi:
    return AwxApi({f"playbooks/{path.name}" for path in PLAYBOOKS.glob("*.yml")})


def configure(
    controller: Controller,
    awx: AwxApi,
    *arguments: str,
    playbook: str = "onetoken.openstack.awx.configure",
    environ: t.Mapping[str, str] | None = None,
    **variables: t.Any,
) -> Run:
    # In a file, as secrets should be: Ansible shows its command line.
    given = controller.home / "variables.json"
    given.write_text(json.dumps({"awx_image": "registry.example.org/onetoken-ee:0.1.0", **variables}))
    # Pipelining saves a process per module.
    environ = {**awx.environ, "ANSIBLE_PIPELINING": "True", **(environ or {})}
    return controller.run(playbook, "-e", f"@{given}", *arguments, **environ)


@pytest.fixture(scope="module")
def tries(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[tuple[AwxApi, list[Run]]]:
    """A new AWX that is configured at the third try, as the repository did not answer before; and the runs."""
    with new_api() as api:
        controller = Controller(tmp_path_factory.mktemp("first"))
        api.repository_answers = False
        runs = [configure(controller, api), configure(controller, api)]
        api.repository_answers = True
        runs.append(configure(controller, api, "-vvvv", "--diff", awx_application_credential=CREDENTIAL))
        yield api, runs


@pytest.fixture(scope="module")
def first(tries: tuple[AwxApi, list[Run]]) -> tuple[AwxApi, Run]:
    """The configured AWX, and the run that did it."""
    api, (*_failed, run) = tries
    assert run.ok, run.output
    return api, run


@pytest.fixture
def configured(first: tuple[AwxApi, Run]) -> t.Iterator[AwxApi]:
    """Another configured AWX."""
    with new_api() as api:
        api.copy_from(first[0])
        yield api


@pytest.fixture
def empty() -> t.Iterator[AwxApi]:
    """A new AWX."""
    with new_api() as api:
        yield api


def test_it_fills_in_the_credential_and_shows_no_secret(first):
    api, run = first
    credential = api.named("credentials")["OpenStack application credential for bulk runs"]
    assert api.secrets[credential["id"]] == CREDENTIAL
    assert credential["inputs"]["secret"] == ENCRYPTED
    assert SECRET not in run.output


def test_it_reports_what_to_do_next(first):
    api, run = first
    template = api.named("job_templates")["Snapshot servers"]["id"]
    host = api.environ["CONTROLLER_HOST"]
    assert f"{host}/#/templates/job_template/{template}/details" in run.output
    schedule = api.named("schedules")[NIGHTLY]["id"]
    assert f"{host}/#/templates/job_template/{template}/schedules/{schedule}/details" in run.output
    # This run filled it in.
    assert "Fill in the credential" not in run.output


def test_jobs_get_the_variables_of_the_template_and_of_the_survey(first):
    api, _run = first
    assert api.variables("Snapshot servers", {"name_pattern": "web-*", "keep_last": 3}) == {
        "cloud": "devstack",
        "requests_per_second": "auto",
        "name_pattern": "web-*",
        "keep_last": 3,
    }
    assert api.variables("Make images of volumes", {"name_pattern": "data-*"})["from_volumes"] is True
    assert {template["ask_job_type_on_launch"] for template in api.items["job_templates"].values()} == {True}


def test_launches_that_interrupt_servers_are_checks_by_default(first):
    templates = first[0].named("job_templates")
    checks = {name for name, template in templates.items() if template["job_type"] == "check"}
    assert checks == {"Set the power state of servers", "Shelve servers"}


def test_a_backup_needs_an_answer_how_many_to_keep(first):
    api, _run = first
    with pytest.raises(RefusedError):
        api.variables("Back up servers", {"name_pattern": "web-*"})


def test_sliced_jobs_get_hosts_and_the_number_of_slices(first):
    api, _run = first
    sliced = api.named("job_templates")[SLICED]
    variables = api.variables(SLICED, {"name_pattern": "**", "run_name": "tonight"})
    assert sliced["job_slice_count"] == variables["slices"] == 4
    assert variables["target"] == "all"
    assert sliced["inventory"] == api.named("inventories")["OpenStack servers"]["id"]
    others = [template for template in api.items["job_templates"].values() if template is not sliced]
    assert {template["job_slice_count"] for template in others} == {1}
    assert {template["inventory"] for template in others} == {api.named("inventories")["Localhost for bulk runs"]["id"]}


def test_the_schedule_is_off_and_selects_only_servers_marked_for_backup(first):
    nightly = first[0].named("schedules")[NIGHTLY]
    assert nightly["enabled"] is False
    assert nightly["extra_data"] == {
        "name_pattern": "**",
        "metadata": "backup=nightly",
        "keep_last": 7,
        "run_pattern": "????-??-??",
    }


def test_playbooks_get_the_answers_of_the_schedule_and_the_workflow(first):
    """AWX writes answers as !unsafe, and ansible-core 2.19 to 2.21 then ignores quotes."""
    api, _run = first
    launches = [*api.items["schedules"].values(), *api.items["workflow_job_template_nodes"].values()]
    answers = [launch["extra_data"] for launch in launches if launch["extra_data"]]
    assert len(answers) == 2
    for given in answers:
        read = DataLoader().load(extra_variables(given))
        # A survey asks for a boolean as a choice of two words.
        assert {name: str(value).lower() for name, value in read.items()} == {k: str(v) for k, v in given.items()}


@pytest.mark.repeats
def test_the_workflow_plans_asks_for_approval_snapshots_and_deletes(first):
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
def test_the_next_run_changes_what_differs_and_keeps_what_was_set_in_awx(configured, controller):
    (project,) = configured.items["projects"].values()
    assert project["scm_revision"] == "first"
    # As after an upgrade of the collection.
    configured.revision = "second"
    configured.named("schedules")[NIGHTLY]["enabled"] = True
    credential = configured.named("credentials")["OpenStack application credential for bulk runs"]
    credential["inputs"] = {}
    secrets = dict(configured.secrets)
    survey = configured.named("job_templates")["Unshelve servers"]["related"]["survey_spec"]
    meant = configured.surveys[survey]
    configured.surveys[survey] = {**meant, "spec": meant["spec"][:1]}
    run = configure(controller, configured, awx_slices=3)
    assert run.ok, run.output
    # The project, and the template with its survey.
    assert "changed=2 " in run.output
    sliced = configured.named("job_templates")[SLICED]
    assert configured.writes == [("POST", sync_url(configured)), ("PATCH", sliced["url"]), ("POST", survey)]
    assert sliced["job_slice_count"] == json.loads(sliced["extra_vars"])["slices"] == 3
    assert configured.surveys[survey] == meant
    # This run was given no credential.
    assert configured.secrets == secrets
    assert configured.named("schedules")[NIGHTLY]["enabled"] is True
    assert project["scm_revision"] == "second"
    assert f"/#/credentials/{credential['id']}/edit" in run.output
    assert f"enable the schedule {NIGHTLY}" not in run.output


@pytest.mark.parametrize(
    ("enabled", "given", "before", "after"),
    [
        (True, {}, {"name_pattern": "web-*"}, {"name_pattern": "web-*"}),
        (False, {}, {"name_pattern": "web-*"}, {"name_pattern": "web-*"}),
        (
            False,
            {"awx_keep_last": 14},
            {"name_pattern": "web-*", "keep_last": 30},
            {"name_pattern": "web-*", "keep_last": 14},
        ),
        # It deletes nothing, and must not begin to.
        (True, {"awx_keep_last": 14}, {"name_pattern": "web-*"}, {"name_pattern": "web-*"}),
    ],
    ids=["enabled", "disabled", "another number of copies", "no number of copies"],
)
def test_a_schedule_keeps_what_this_run_was_not_given(configured, controller, enabled, given, before, after):
    nightly = configured.named("schedules")[NIGHTLY]
    nightly.update(enabled=enabled, rrule="DTSTART:20260101T030000Z RRULE:FREQ=WEEKLY;INTERVAL=1", extra_data=before)
    kept = copy.deepcopy(nightly)
    run = configure(controller, configured, **given)
    assert run.ok, run.output
    assert configured.named("schedules")[NIGHTLY] == {**kept, "extra_data": after}


def test_a_schedule_of_the_same_name_of_another_template_does_not_matter(configured, controller):
    nightly = configured.named("schedules")[NIGHTLY]
    before = copy.deepcopy(nightly)
    template = configured.named("job_templates")[SLICED]["id"]
    other = {**before, "id": 9999, "enabled": True, "unified_job_template": template}
    nightly["rrule"] = "DTSTART:20260101T030000Z RRULE:FREQ=WEEKLY;INTERVAL=1"
    configured.items["schedules"] = {9999: dict(other), nightly["id"]: nightly}
    run = configure(controller, configured, awx_nightly_rrule=before["rrule"])
    assert run.ok, run.output
    assert configured.items["schedules"] == {9999: other, nightly["id"]: before}


@pytest.mark.repeats
def test_the_project_has_the_tag_of_an_installed_collection(configured, controller, tmp_path):
    assert configured.named("projects")["onetoken.openstack"]["scm_branch"] == "main"
    shutil.copytree(PLAYBOOKS, tmp_path / "playbooks")
    (tmp_path / "MANIFEST.json").write_text(json.dumps({"collection_info": {"version": "1.2.3"}}))
    run = configure(controller, configured, playbook=str(tmp_path / "playbooks" / "awx" / "configure.yml"))
    assert run.ok, run.output
    assert configured.named("projects")["onetoken.openstack"]["scm_branch"] == "v1.2.3"


def sync_url(api: AwxApi) -> str:
    """The URL that syncs the project."""
    (project,) = api.items["projects"].values()
    return project["related"]["update"]


@pytest.mark.repeats
def test_check_mode_on_a_configured_awx_syncs_nothing(configured, controller):
    configured.revision = "second"
    run = configure(controller, configured, "--check")
    assert run.ok and configured.writes == [], run.output


def test_a_failed_sync_is_repeated(tries):
    api, (first, second, third) = tries
    assert not first.ok and "Project update failed" in first.output
    assert not second.ok and "The Project Update - onetoken.openstack, failed" in second.output
    assert third.ok, third.output
    assert api.named("job_templates")["Snapshot servers"]["project"]


@pytest.mark.repeats
def test_check_mode_on_an_empty_awx_writes_nothing(empty, controller):
    run = configure(controller, empty, "--check", awx_sign_in_with="password")
    assert run.ok, run.output
    assert "failed=0 " in run.output and "ignored=0 " in run.output
    assert "Without --check, this playbook creates:" in run.output
    assert "credential OpenStack password for bulk runs" in run.output
    assert "job templates Snapshot servers; Snapshot servers in slices; " in run.output
    assert '"organization ' not in run.output
    assert empty.writes == []


def test_check_mode_names_an_organization_that_is_missing(empty, controller):
    run = configure(controller, empty, "--check", awx_organization="Operatoins")
    assert run.ok, run.output
    assert "organization Operatoins, which AWX does not have" in run.output
    assert empty.writes == []


@pytest.mark.parametrize("arguments", [(), ("--check",)])
def test_nothing_is_moved_to_another_organization(configured, controller, arguments):
    before = copy.deepcopy(configured.items)
    run = configure(controller, configured, *arguments, awx_organization="Operatoins")
    assert not run.ok
    assert "AWX was not changed, because the execution environment onetoken, the project onetoken.openstack, " in (
        run.output
    )
    assert "belong to the organization Default: set awx_organization to Default, or rename or delete" in run.output
    assert configured.writes == [] and configured.items == before


def test_an_environment_of_no_organization_is_not_moved(empty, controller):
    environment = empty.add("execution_environments", {"name": "onetoken", "image": "registry.example.org/own:1"})
    run = configure(controller, empty)
    assert not run.ok
    message = "AWX was not changed, because the execution environment onetoken belongs to no organization: rename or"
    assert message in run.output
    assert empty.writes == [] and environment["organization"] is None


@pytest.mark.parametrize("arguments", [(), ("--check",)])
def test_a_wrong_token_is_reported_in_a_sentence(empty, controller, arguments):
    run = configure(controller, empty, *arguments, environ={"CONTROLLER_OAUTH_TOKEN": "wrong"})
    assert not run.ok
    host = empty.environ["CONTROLLER_HOST"]
    message = f"AWX was not changed: {host} answered 401: set CONTROLLER_OAUTH_TOKEN to a token of a system admin"
    assert message in run.output
    assert "set_fact" not in run.output and "Traceback" not in run.output


def test_a_host_that_does_not_answer_is_reported_in_a_sentence(empty, controller):
    run = configure(controller, empty, "--check", environ={"CONTROLLER_HOST": "http://127.0.0.1:1"})
    assert not run.ok
    assert "AWX was not changed: " in run.output and "Connection refused" in run.output
    assert "Check that CONTROLLER_HOST is the address of AWX" in run.output


def test_an_empty_host_is_refused(empty, controller):
    run = configure(controller, empty, environ={"CONTROLLER_HOST": ""})
    assert not run.ok
    assert "AWX was not changed: CONTROLLER_HOST is empty." in run.output


def test_a_wrong_variable_is_reported_before_anything_is_changed(empty, controller):
    run = configure(controller, empty, awx_slices="many", awx_application_credential={"secret": SECRET, "key": SECRET})
    assert not run.ok
    assert "AWX was not changed, as a variable is wrong: " in run.output
    assert "awx_slices must be at least 1" not in run.output
    assert "missing required arguments: auth_url, id found in awx_application_credential" in run.output
    assert "awx_application_credential.key" in run.output
    assert SECRET not in run.output
    assert empty.writes == []


def test_an_empty_variable_is_refused(empty, controller):
    inputs = {"auth_url": "https://auth.example.org/v3", "id": "1", "secret": ""}
    run = configure(controller, empty, awx_organization="", awx_image="", awx_application_credential=inputs)
    assert not run.ok
    required = "awx_application_credential.secret, awx_image"
    assert f"AWX was not changed. Required, but empty: {required}. Empty: awx_organization; fill it in" in run.output
    assert empty.writes == []


def test_an_unquoted_number_is_refused_where_text_is_needed(empty, controller):
    inputs = {**CREDENTIAL, "id": 1234567890, "secret": 42798}
    run = configure(controller, empty, awx_project_branch=0.1, awx_application_credential=inputs)
    assert not run.ok
    names = "(awx_project_branch|, |awx_application_credential.id|awx_application_credential.secret)+"
    assert re.search(f"AWX was not changed, as {names} is not text: ", run.output), run.output
    assert "42798" not in run.output
    assert empty.writes == []


def test_a_number_below_one_is_refused(empty, controller):
    run = configure(controller, empty, awx_slices=0, awx_keep_last="-1")
    assert not run.ok
    assert "a variable is wrong: awx_slices must be at least 1; awx_keep_last must be at least 1." in run.output
    assert empty.writes == []


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"awx_slice": 8}, "this playbook has no variable awx_slice: write awx_slices."),
        ({"awx_organisation": "Ops"}, "this playbook has no variable awx_organisation: write awx_organization."),
        ({"awx_colour": "red"}, "this playbook has no variable awx_colour: it has awx_organization, awx_image, "),
        # Of the playbook itself.
        ({"awx_credential": "cloud"}, "this playbook has no variable awx_credential: "),
        ({"awx_password_credential": PASSWORD}, "awx_password_credential is only used with awx_sign_in_with: password"),
        (
            {"awx_application_credential": CREDENTIAL, "awx_sign_in_with": "password"},
            "awx_application_credential is only used with awx_sign_in_with: application_credential",
        ),
        (
            {"awx_image": "registry.example.org:5000/onetoken-ee"},
            "awx_image has no tag or digest: write it with one, such as registry.example.org:5000/onetoken-ee:0.1.0.",
        ),
        ({"awx_nightly_rrule": "02:30 Europe/Paris"}, "awx_nightly_rrule is not of the form DTSTART;TZID="),
        ({"awx_nightly_rrule": "DTSTART:20260101T023000 RRULE:FREQ=DAILY"}, "awx_nightly_rrule is not of the form"),
        ({"awx_nightly_answers": {"name_patern": "web-*"}}, "the survey of Snapshot servers has no name_patern"),
        ({"awx_nightly_answers": {"name_pattern": ""}}, "awx_nightly_answers must answer name_pattern."),
    ],
)
def test_what_would_be_ignored_or_fail_later_is_refused(empty, controller, variables, message):
    run = configure(controller, empty, **variables)
    assert not run.ok
    assert f"AWX was not changed, as a variable is wrong: {message}" in run.output
    assert empty.writes == []


def test_variables_of_an_awx_job_are_accepted(empty, controller):
    image = "registry.example.org/onetoken-ee@sha256:0123"
    run = configure(controller, empty, "--check", awx_image=image, awx_job_id=7, awx_project_scm_branch="main")
    assert run.ok, run.output


@pytest.mark.parametrize(
    "start",
    [
        "DTSTART:20260101T030000Z RRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY=MO",
        "DTSTART;TZID=Europe/Paris:20260101T023000 RRULE:INTERVAL=1;FREQ=DAILY",
    ],
)
def test_the_schedule_may_start_in_utc_or_in_local_time(configured, controller, start):
    run = configure(controller, configured, awx_nightly_rrule=start)
    assert run.ok, run.output
    assert configured.named("schedules")[NIGHTLY]["rrule"] == start


@pytest.mark.repeats
def test_answers_of_the_schedule_are_merged_over_the_defaults(configured, controller):
    run = configure(controller, configured, awx_nightly_answers={"name_pattern": "web-*", "run_pattern": ""})
    assert run.ok, run.output
    answers = {"name_pattern": "web-*", "metadata": "backup=nightly", "keep_last": 7}
    assert configured.named("schedules")[NIGHTLY]["extra_data"] == answers


def test_without_the_collection_it_reports_what_to_install(empty, controller):
    controller.environment["ANSIBLE_COLLECTIONS_SCAN_SYS_PATH"] = "False"
    run = configure(controller, empty)
    assert not run.ok
    assert "the collection awx.awx is not installed" in run.output
    assert empty.writes == []
