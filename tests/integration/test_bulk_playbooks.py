# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bulk playbooks besides the first: on a selection or an inventory, with checked variables, and a plan first."""

from __future__ import annotations

import json
import pathlib
import re
import secrets
import typing as t

import pytest
import yaml
from ansible_collections.onetoken.openstack.tests.integration.as_found import administrator
from ansible_collections.openstack.cloud.plugins.doc_fragments.openstack import ModuleDocFragment
from openstack.connection import Connection

#: Nothing ever connects to these hosts: it would fail.
STATIC = """
[targets]
{hosts}
[targets:vars]
ansible_connection=ssh
ansible_host=192.0.2.1
ansible_python_interpreter=/nonexistent
"""
REPEATS = pytest.mark.repeats
PLUGIN = "plugin: openstack.cloud.openstack\nonly_clouds: [sandbox]\nfail_on_errors: true\n"

PLAYBOOKS = {
    "bulk_snapshot": "os_server_snapshot",
    "bulk_volume_snapshot": "os_volume_snapshot",
    "bulk_shelve": "os_server_shelve",
    "bulk_unshelve": "os_server_shelve",
    "bulk_image_create": "os_image_create",
    "retention": "os_retention",
}
#: Options that are no variables, as the playbook decides them.
DECIDED = {"wait", "ignore_failures"}
DECIDED_OF = {"bulk_unshelve": {"state", "mark"}, "retention": {"after_run"}}
NO_CRITERION = (
    r"no criterion was given: select with one such as name_pattern: 'web-\*', "
    r"or give name_pattern: '\*\*' for all of the project\."
)
#: Variables that are no options of the playbook's module.
KEEP = {"keep_last", "keep_days", "run_pattern"}
ADDED = {"target", "cloud", "region_name"}
ADDED_OF = {"bulk_snapshot": KEEP | {"delete_in_use"}, "bulk_volume_snapshot": KEEP, "retention": {"dry_run"}}


@pytest.fixture
def run_name() -> str:
    """A run of this test alone: the sandbox keeps what earlier ones made."""
    return f"test-{secrets.token_hex(4)}"


@pytest.fixture
def playbook(controller, repository) -> t.Callable[..., t.Any]:
    """Run a playbook with variables, on an inventory if there are further arguments."""

    def run(name: str, *arguments: str, **variables: object) -> t.Any:
        path = repository / "playbooks" / f"{name}.yml"
        return controller.run(str(path), "-e", json.dumps({"cloud": "sandbox", **variables}), *arguments)

    return run


@pytest.fixture
def static(controller) -> t.Callable[..., tuple[str, ...]]:
    """The arguments for an inventory of these hosts."""

    def arguments(*hosts: str) -> tuple[str, ...]:
        path = controller.home / f"hosts-{secrets.token_hex(2)}.ini"
        path.write_text(STATIC.format(hosts="\n".join(hosts)))
        return "-i", str(path), "-e", "target=targets"

    return arguments


@pytest.fixture
def from_plugin(controller) -> tuple[str, ...]:
    """The arguments for the cloud as its own inventory."""
    path = controller.home / "openstack.yml"
    path.write_text(PLUGIN)
    return "-i", str(path), "-e", "target=all"


def images(cloud: Connection, run_name: str) -> list[str]:
    return sorted(image.name for image in cloud.image.images() if run_name in (image.name or ""))


def set_state(sandbox, server: str, state: str) -> None:
    compute = administrator(sandbox.clouds_file).compute
    compute.reset_server_state(compute.find_server(server, ignore_missing=False), state)


def sessions(controller) -> list[pathlib.Path]:
    return list(controller.home.glob(".local/state/onetoken/run-*"))


def told(run: t.Any, outcome: str) -> list[str]:
    """The items that the playbook names with an outcome."""
    lines = re.findall(rf'^ *"{outcome}: ([^":]*)', run.output, re.MULTILINE)
    return [name.split(" as ")[0] for line in lines for name in line.split(", ")]


def test_snapshots_on_both_ways_and_old_images_go_only_of_servers_with_a_good_one_now(
    demo_cloud, sandbox, keystone, playbook, static, run_name
):
    first = playbook("bulk_snapshot", name_pattern="web-0[67]", run_name=f"{run_name}-1")
    assert first.ok and told(first, "done") == ["web-06", "web-07"], first.output

    keystone.restart()
    second = playbook(
        "bulk_snapshot", *static("web-06", "web-07", "web-08"), "--limit", "!web-08", run_name=f"{run_name}-2"
    )
    assert second.ok and told(second, "done") == ["web-06", "web-07"], second.output
    assert (keystone.count("POST"), keystone.count("DELETE")) == (1, 1)

    set_state(sandbox, "web-07", "error")
    try:
        keeping = {"keep_last": 1, "run_pattern": f"{run_name}-*"}
        third = playbook("bulk_snapshot", *static("web-06", "web-07"), run_name=f"{run_name}-3", **keeping)
    finally:
        set_state(sandbox, "web-07", "active")
    assert third.status == 2 and "Failed: web-07. As they should be: 3 of 4" in third.output
    assert images(demo_cloud, run_name) == [
        f"web-06-{run_name}-3", f"web-07-{run_name}-1", f"web-07-{run_name}-2"
    ]  # fmt: skip

    # What is left of it is for retention.yml, which first only tells.
    keeping["kind"] = "image"
    dry = playbook("retention", *static("web-06", "web-07"), **keeping)
    assert dry.ok and told(dry, "planned") == [f"web-07-{run_name}-1"], dry.output
    assert "With -e dry_run=false" in dry.output
    assert len(images(demo_cloud, run_name)) == 3
    real = playbook("retention", sources=["web-06", "web-07"], dry_run="false", **keeping)
    assert real.ok and told(real, "done") == [f"web-07-{run_name}-1"], real.output
    assert images(demo_cloud, run_name) == [f"web-06-{run_name}-3", f"web-07-{run_name}-2"]


@REPEATS
def test_volumes_of_the_plays_hosts_are_those_of_the_same_servers_named(demo_cloud, playbook, from_plugin, run_name):
    keeping = {"keep_last": 1, "run_pattern": f"{run_name}-*"}
    hosts = (*from_plugin, "--limit", "db-01,web-02")
    named = playbook("bulk_volume_snapshot", servers=["db-01", "web-02"], run_name=f"{run_name}-1")
    assert named.ok and told(named, "done") == ["db-01-root"], named.output
    of_hosts = playbook("bulk_volume_snapshot", *hosts, run_name=f"{run_name}-2", **keeping)
    assert of_hosts.ok and told(of_hosts, "done") == ["db-01-root", f"db-01-root-{run_name}-1"], of_hosts.output
    left = [one.name for one in demo_cloud.block_storage.snapshots() if run_name in one.name]
    assert left == [f"db-01-root-{run_name}-2"]


@REPEATS
def test_images_of_the_volumes_of_the_plays_hosts_are_planned_without_a_session(
    controller, playbook, from_plugin, run_name
):
    hosts = (*from_plugin, "--limit", "db-01,web-02")
    named = playbook("bulk_image_create", "--check", from_volumes=True, volumes=["db-01-root"], run_name=run_name)
    of_hosts = playbook("bulk_image_create", *hosts, "--check", from_volumes=True, run_name=run_name)
    assert named.ok and of_hosts.ok, named.output + of_hosts.output
    assert told(named, "planned") == told(of_hosts, "planned") == ["db-01-root"]
    assert f"as db-01-root-{run_name}" in of_hosts.output and "Upload of 1 of 1 volumes" in of_hosts.output
    assert sessions(controller) == []


@REPEATS
def test_images_are_made_of_files(controller, demo_cloud, playbook, run_name):
    (controller.home / "disk.raw").write_bytes(b"disk")
    image = {"name": f"disk-{run_name}", "file": str(controller.home / "disk.raw")}
    run = playbook("bulk_image_create", images=[image], run_name=run_name, report="reports/images")
    assert run.ok and told(run, "done") == [image["name"]], run.output
    assert images(demo_cloud, run_name) == [image["name"]]
    (report,) = (controller.home / "reports").glob("*.html")
    assert f"Report: {report}" in run.output
    demo_cloud.image.delete_image(demo_cloud.image.find_image(image["name"], ignore_missing=False))


def test_the_morning_brings_back_what_the_evening_shelved_and_nothing_else(controller, playbook, static, run_name):
    servers = ["web-09", "web-10"]
    try:
        evening = playbook("bulk_shelve", servers=servers, run_name=run_name)
        assert evening.ok and told(evening, "done") == servers, evening.output
    finally:
        morning = playbook("bulk_unshelve", *static("web-08", *servers), run_name=run_name)
    assert morning.ok and told(morning, "done") == servers, morning.output


@REPEATS
def test_the_evening_and_the_morning_are_planned(playbook, static, run_name):
    servers = ["web-09", "web-10"]
    planned = playbook("bulk_shelve", *static(*servers), "--check", run_name=run_name)
    assert planned.ok and told(planned, "planned") == servers, planned.output
    try:
        assert playbook("bulk_shelve", servers=servers, run_name=run_name).ok
        planned = playbook("bulk_unshelve", "--check", run_name=run_name)
        assert planned.ok and told(planned, "planned") == servers, planned.output
    finally:
        assert playbook("bulk_unshelve", run_name=run_name).ok


#: One of each kind, and all that retention.yml, which deletes, is told.
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
    # What YAML makes of 012, yes and 1.10; and of 1:30 in a list.
    (
        "bulk_snapshot",
        {"run_name": 10, "name_pattern": True, "servers": ["web-01", 90]},
        r"(?=.*run_name is 10)(?=.*name_pattern is true)(?=.*servers is \[.*web-01.*, 90\]).*, not text: .*",
    ),
    # What a survey sends for a question that nobody answered must not mean the whole project.
    (
        "bulk_snapshot",
        {"name_pattern": "", "servers": "web-01"},
        r"name_pattern is empty: leave it out, or give \*\*",
    ),
]
#: The same by other variables and playbooks.
AS_WRONG = [
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
    ("name", "variables", "message"), [*WRONG, *(pytest.param(*wrong, marks=REPEATS) for wrong in AS_WRONG)]
)
def test_a_wrong_variable_is_told_before_anything_is_done(
    controller, keystone, playbook, static, name, variables, message
):
    run = playbook(name, *static("web-01")[:2], **variables)
    assert run.status == 2
    assert re.search(f"Nothing was done, as .*{message}", run.output), run.output
    assert keystone.requests() == [] and sessions(controller) == []


@REPEATS
def test_answers_of_a_survey_are_taken_as_they_are_meant(playbook, run_name):
    """Lists on lines, and what was not answered: as it is when it is not there."""
    empty = ("status", "metadata", "availability_zone", "older_than", "volume_backed", "keep_last", "timeout", "report")
    answers: dict[str, t.Any] = {**dict.fromkeys(empty, ""), "concurrency": None, "region_name": None}
    run = playbook("bulk_snapshot", "--check", servers="web-01, web-02\r\n\nweb-03\n", run_name=run_name, **answers)
    assert run.ok and told(run, "planned") == ["web-01", "web-02", "web-03"], run.output


@REPEATS
def test_everything_is_planned_where_it_is_asked_for(playbook, run_name):
    run = playbook("bulk_snapshot", "--check", name_pattern="**", run_name=run_name)
    assert run.ok and {"broken-01", "db-01", "web-10"} < set(told(run, "planned")), run.output


def test_a_list_without_names_means_none_of_the_servers(playbook):
    run = playbook("bulk_snapshot", "--check", servers=[])
    assert run.status == 2 and told(run, "planned") == [], run.output
    assert "No server of the project is as the variables say" in run.output


@REPEATS
def test_a_second_import_makes_its_own_images_alone(controller, repository):
    path = repository / "playbooks" / "bulk_image_create.yml"
    (controller.home / "disk.raw").write_bytes(b"disk")
    runs = [{"cloud": "sandbox", "images": [{"name": name, "file": "disk.raw"}]} for name in ("first", "second")]
    imports = yaml.safe_dump([{"import_playbook": str(path), "vars": variables} for variables in runs])
    run = controller.play(None, "--check", plays=imports)
    assert run.ok and told(run, "planned") == ["first", "second"], run.output


@REPEATS
def test_an_old_image_is_not_deleted_where_nobody_said_that_this_is_not_a_dry_run(playbook):
    run = playbook("retention", kind="image", keep_last=1, name_pattern="web-01", dry_run="")
    assert run.ok and told(run, "done") == [], run.output


def test_every_option_of_a_module_is_a_variable_of_its_playbook_under_the_same_name(controller, repository):
    modules = {f"onetoken.openstack.{module}" for module in PLAYBOOKS.values()}
    described = controller.command("ansible-doc", "--json", *modules)
    assert described.ok, described.output
    documentation = json.loads(described.output)
    of_connection = set(yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]) - {"timeout"}
    for name, module in PLAYBOOKS.items():
        options = documentation[f"onetoken.openstack.{module}"]["doc"]["options"]
        wanted = set(options) - (of_connection - {"availability_zone"}) - DECIDED - DECIDED_OF.get(name, set())
        variables, call = variables_and_call(repository / "playbooks" / f"{name}.yml", module)
        added = ADDED | ADDED_OF.get(name, set())
        named = {"run_name" if option == "run" else option for option in wanted}
        assert set(variables) - added == named - added, name
        assert set(call) - {"cloud", "region_name", "ignore_failures"} - DECIDED_OF.get(name, set()) == wanted, name
        for option in wanted:
            variable = variables["run_name" if option == "run" else option]
            assert variable["type"] == options[option]["type"], (name, option)
            assert variable.get("elements") == options[option].get("elements"), (name, option)
            assert set(variable.get("choices", [])) <= set(options[option].get("choices", [])), (name, option)


def variables_and_call(path: pathlib.Path, module: str) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
    """What a playbook says of its variables, and the options with which it calls the module."""
    (play,) = yaml.safe_load(path.read_text())
    waiting = list(play["tasks"])
    while waiting:
        task = waiting.pop()
        waiting.extend(task.get("block", []))
        if f"onetoken.openstack.{module}" in task:
            return play["vars"]["bulk_variables"], task[f"onetoken.openstack.{module}"]
    raise AssertionError(f"{path} does not call {module}")
