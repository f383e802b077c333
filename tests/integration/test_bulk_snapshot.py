# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook bulk_snapshot: many servers, one token, a report, and an error that names the failed servers."""

from __future__ import annotations

import json
import pathlib
import re

import pytest
from ansible_collections.onetoken.openstack.tests.helpers.controller import CALLBACK
from ansible_collections.onetoken.openstack.tests.integration.kept_sessions import end, variables_of


@pytest.fixture
def playbook(repository: pathlib.Path) -> str:
    return str(repository / "playbooks" / "bulk_snapshot.yml")


@pytest.mark.versions
def test_every_server_gets_one_image_on_one_token_even_if_the_run_is_repeated(
    controller, keystone, demo_cloud, playbook, run_name
):
    arguments = ("-e", f"run_name={run_name}", "-e", "name_pattern='web-*'", "-e", "cloud=sandbox", "-e", "report=run")
    run = controller.run(playbook, *arguments)
    assert run.ok, run.output
    assert (keystone.count("POST"), keystone.count("DELETE")) == (1, 1)
    results = json.loads((controller.home / "run.json").read_text())["results"]
    made = [result["name"] for result in results]
    assert len(made) >= 8 and len(set(made)) == len(made)
    assert {(result["outcome"], result["created"][0]["status"]) for result in results} == {("done", "active")}
    assert f"Run {run_name}: {len(made)} of {len(made)} servers snapshotted in " in run.output
    assert f"done: {', '.join(made[:5])} and {len(made) - 5} more" in run.output
    assert f"Report: {controller.home / 'run.html'}" in run.output
    images = [image for image in demo_cloud.image.images() if image.properties.get("onetoken_run") == run_name]
    assert sorted(image.name for image in images) == sorted(f"{name}-{run_name}" for name in made)
    assert {image.status for image in images} == {"active"}
    assert re.search(r" s[.] 1 token, revoked; \d+ requests to Keystone[.] Report: ", run.output), run.output
    assert "skipping" not in run.output.partition("TASK [onetoken.openstack.bulk : Revoke")[2], run.output

    again = controller.run(playbook, *arguments)
    assert again.ok, again.output
    assert f"Run {run_name}: {len(made)} of {len(made)} servers snapshotted, all already done, in " in again.output


def test_a_volume_backed_server_gets_volume_snapshots_and_keystone_requests_are_reported(
    controller, keystone, demo_cloud, playbook, run_name
):
    name = next(server.name for server in demo_cloud.compute.servers() if not (server.image and server.image.id))
    run = controller.run(playbook, "-e", json.dumps({"servers": [name], "run_name": run_name, "cloud": "sandbox"}))
    assert run.ok, run.output
    assert f"done: {name}" in run.output
    reported = int(re.search(r"(\d+) requests to Keystone", run.output)[1])
    assert reported == len(keystone.requests())
    mine = [one for one in demo_cloud.block_storage.snapshots() if run_name in one.name]
    assert mine and {one.status for one in mine} == {"available"}


@pytest.mark.repeats
def test_failed_servers_are_named_at_the_end_and_the_token_is_revoked(controller, keystone, playbook, run_name):
    arguments = ("-e", json.dumps({"servers": ["broken-01", "web-01", "nobody"], "run_name": run_name}))
    run = controller.run(playbook, *arguments, "-e", "cloud=sandbox")
    assert run.status == 2
    assert re.search(rf"Run {run_name}: 1 of 3 servers snapshotted, 2 failed, in .* s[.] 1 token, revoked;", run.output)
    assert f"run the same command with -e run_name={run_name}, which skips what is done." in run.output
    assert "done: web-01" in run.output
    assert re.search("failed: broken-01: .*in vm_state error", run.output) and "Traceback" not in run.output
    assert "failed: nobody: no server of the project has this name or id" in run.output
    assert (keystone.count("POST"), keystone.count("DELETE")) == (1, 1)


@pytest.mark.repeats
def test_all_requests_go_to_the_selected_region(controller, access_log, playbook, run_name):
    nova = access_log("nova")
    variables = {"servers": ["web-01"], "run_name": run_name, "cloud": "sandbox", "region_name": "RegionTwo"}
    run = controller.run(playbook, "-e", json.dumps(variables))
    assert run.ok, run.output
    assert nova.requests() and all(request.path.startswith("/RegionTwo/") for request in nova.requests())

    variables["region_name"] = "Mars"
    run = controller.run(playbook, "-e", json.dumps(variables))
    assert run.status == 2 and "Mars is not a valid region name" in run.output


def test_a_run_on_an_existing_session_does_not_revoke_it(controller, keystone, playbook, run_name):
    assert controller.play("- onetoken.openstack.os_token_issue: {cloud: sandbox, session: shared}").ok
    environment = variables_of(controller.sessions[0])
    arguments = ("-e", json.dumps({"servers": ["web-01"], "run_name": run_name}))
    run = controller.run(playbook, *arguments, **environment)
    assert run.ok, run.output
    assert "Its token is revoked when the session ends." in run.output
    assert (keystone.count("POST"), keystone.count("DELETE")) == (1, 0)
    end(controller.sessions[0])


def test_under_the_callback_it_uses_the_session_of_the_run_and_says_so(controller, keystone, playbook, run_name):
    variables = json.dumps({"servers": ["web-01", "absent"], "run_name": run_name, "cloud": "sandbox"})
    run = controller.run(playbook, "-e", variables, **CALLBACK)
    assert run.status == 2
    assert "Its token is revoked when the session ends." in run.output
    assert f"Run {run_name}: 1 of 2 servers snapshotted, 1 failed, in " in run.output
    assert "not revoked yet" not in run.output
    assert "one_token: identities: 1, tokens issued: 1, " in run.output and ", revoked: 1\n" in run.output
    assert (keystone.count("POST"), keystone.count("DELETE")) == (1, 1)


def test_check_mode_plans_and_leaves_no_token(controller, keystone, playbook, run_name):
    variables = json.dumps({"name_pattern": "web-0[12]", "run_name": run_name, "cloud": "sandbox"})
    run = controller.run(playbook, "-e", variables, "--check")
    assert run.ok, run.output
    assert "Nothing was done: 2 of 2 servers would be snapshotted. About " in run.output
    assert "changed=0" in run.output
    planned = re.findall(r"planned: (\S+) as ([^\"]+)", run.output)
    assert planned == [("web-01", f"web-01-{run_name}"), ("web-02", f"web-02-{run_name}")]
    assert "1 token, revoked; " in run.output
    assert (keystone.count("POST"), keystone.count("DELETE"), controller.tokens()) == (1, 1, [])


@pytest.mark.repeats
def test_selecting_no_server_is_a_failure(controller, keystone, playbook, run_name):
    run = controller.run(playbook, "-e", "name_pattern=wbe-*", "-e", "cloud=sandbox")
    assert run.status == 2 and "No server matches the selection, so nothing was done." in run.output
    assert (keystone.count("POST"), keystone.count("DELETE")) == (1, 1)


@pytest.mark.repeats
def test_the_installed_collection_runs_by_its_name(controller, keystone, run_name, repository, tmp_path):
    galaxy = "ansible-galaxy"
    built = controller.command(galaxy, "collection", "build", str(repository), "--output-path", str(tmp_path / "dist"))
    assert built.ok, built.output
    (tarball,) = (tmp_path / "dist").iterdir()
    collections = str(tmp_path / "collections")
    installed = controller.command(
        galaxy, "collection", "install", str(tarball), "--force", "--no-deps", "--collections-path", collections
    )
    assert installed.ok, installed.output
    files = {path.name for path in (tmp_path / "collections").glob("ansible_collections/onetoken/openstack/*")}
    assert {"plugins", "roles", "playbooks", "README.md", "COPYING"} <= files
    assert not {".venv", ".sandbox", ".git"} & files
    run = controller.run(
        "onetoken.openstack.bulk_snapshot",
        "-e",
        json.dumps({"servers": ["web-01"], "run_name": run_name}),
        ANSIBLE_COLLECTIONS_PATH=collections,
        OS_CLOUD="sandbox",
    )
    assert run.ok, run.output
    assert (keystone.count("POST"), keystone.count("DELETE")) == (1, 1)


def test_the_playbook_runs_in_the_checkout(controller, repository):
    """With the checkout's ansible.cfg, and without ANSIBLE_* variables."""
    for name in [name for name in controller.environment if name.startswith("ANSIBLE_")]:
        del controller.environment[name]
    controller.directory = repository
    run = controller.run("playbooks/bulk_snapshot.yml", "--syntax-check")
    assert run.ok, run.output
