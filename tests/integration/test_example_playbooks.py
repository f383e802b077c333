# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example playbooks run unchanged, with the number of token requests in docs/choosing.md."""

from __future__ import annotations

import shlex

import pytest
from ansible_collections.onetoken.openstack.tests.examples.pages import shown_at_the_top
from ansible_collections.onetoken.openstack.tests.helpers.controller import CALLBACK

#: Token requests and revoked tokens of each example that needs only a cloud.
COSTS = {
    # The second one is from the task that opts out.
    "unmodified": (1 + 1, 1),
    "with_role": (1, 1),
    "module_defaults": (1, 1),
    "lookup": (1, 1),
    "os_token_mode": (1 + 1, 2),
    "several_clouds": (2, 2),
}
#: What these show is tested elsewhere: of the role, the lookup and the modules.
TESTED_ELSEWHERE = ("with_role", "lookup", "os_token_mode", "module_defaults", "several_clouds")
#: How often an example lists the servers of each of its two regions.
LISTS_IN_EACH_REGION = {"module_defaults": 1, "several_clouds": 2}

#: Ansible, and so the collection, takes hosts with this connection for other machines.
ANOTHER_HOST = '''
DOCUMENTATION = """
name: another_host
short_description: runs tasks here, as on another host
extends_documentation_fragment: [connection_pipelining]
"""
from ansible.plugins.connection.local import Connection as Local


class Connection(Local):
    transport = "another_host"
'''


@pytest.fixture
def examples(repository):
    return repository / "playbooks" / "examples"


@pytest.fixture
def run_example(reader, examples, repository):
    """Run the commands at the top of an example."""

    def run(name, **variables):
        *_others, commands = shown_at_the_top((examples / f"{name}.yml").read_text())
        # They are meant for the directory of the checkout.
        done = reader.command("bash", "-ec", f"cd {shlex.quote(str(repository))}\n{commands}", **variables)
        assert done.ok, done.output
        return done

    return run


@pytest.mark.versions
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.repeats) if name in TESTED_ELSEWHERE else name for name in COSTS]
)
def test_an_example_costs_the_documented_requests_and_works_in_every_region(
    run_example, reader, keystone, access_log, name
):
    servers = access_log("nova")
    run_example(name)
    assert (keystone.count("POST"), keystone.count("DELETE")) == COSTS[name]
    assert reader.tokens() == []
    if times := LISTS_IN_EACH_REGION.get(name):
        lists = [request.path for request in servers.requests() if request.path.endswith("/servers/detail")]
        in_the_second = [path for path in lists if path.startswith("/RegionTwo/")]
        assert (len(lists), len(in_the_second)) == (2 * times, times)
    if name == "lookup":
        assert_names_the_expiry_and_no_token(reader.home / "onetoken.env")


def assert_names_the_expiry_and_no_token(file):
    first, *exports = file.read_text().splitlines()
    assert first.startswith("# demo in demo, until 2")
    names = {line.split()[1].split("=")[0] for line in exports}
    assert names == {"ONETOKEN_SESSION_DIRECTORY", "OS_CLOUD", "PYTHONPATH"}
    assert "gAAAA" not in file.read_text()


def test_every_example_is_tested_and_documented(examples, repository):
    page = (repository / "docs" / "choosing.md").read_text()
    files = {str(file.relative_to(examples)) for file in examples.rglob("*.yml")}
    assert files == {"bastion.yml", "inventory/openstack.yml", *(f"{name}.yml" for name in COSTS)}
    assert {file for file in files if f"(../playbooks/examples/{file})" not in page} == set()


@pytest.fixture
def bastion(reader):
    """A host with its own home and clouds.yaml, which inherits none of the controller's variables."""
    home = reader.home / "bastion"
    config = home / ".config" / "openstack" / "clouds.yaml"
    config.parent.mkdir(parents=True)
    config.write_text((reader.home / ".config" / "openstack" / "clouds.yaml").read_text())
    python = reader.command("python", "-c", "import sys; print(sys.executable)").output.strip()
    interpreter = home / "python"
    interpreter.write_text(
        f"""#!/bin/sh
[ -n "$ONETOKEN_SESSION_DIRECTORY" ] || unset OS_CLOUD
HOME={shlex.quote(str(home))} exec {shlex.quote(python)} "$@"
"""
    )
    interpreter.chmod(0o700)
    plugins = reader.home / "connections"
    plugins.mkdir()
    (plugins / "another_host.py").write_text(ANOTHER_HOST)
    reader.environment.update(
        ANSIBLE_CONNECTION_PLUGINS=str(plugins),
        ANSIBLE_TRANSPORT="another_host",
        ANSIBLE_PYTHON_INTERPRETER=str(interpreter),
    )
    return home


@pytest.mark.versions
def test_on_a_bastion_the_session_is_where_the_tasks_run(run_example, reader, keystone, bastion):
    run_example("bastion")
    assert (keystone.count("POST"), keystone.count("DELETE")) == (1, 1)
    assert reader.sessions == []
    # A name that begins with a dot is not a session's.
    assert len(list((bastion / ".local" / "state" / "onetoken").glob("[!.]*"))) == 1


def test_the_inventory_costs_one_token_request_without_a_session(reader, keystone, examples):
    run = reader.command("ansible-inventory", "-i", str(examples / "inventory" / "openstack.yml"), "--graph")
    assert run.ok and "--web-01" in run.output, run.output
    assert keystone.count("POST") == 1


@pytest.mark.versions
def test_the_inventory_and_the_tasks_share_a_token_with_the_documented_files(reader, keystone, examples, repository):
    page = (repository / "docs" / "choosing.md").read_text()
    first = reader.home / "0_one_token.yml"
    first.write_text(page.split("<!-- file: 0_one_token.yml -->\n```yaml\n")[1].split("```")[0])
    inventories = ("-i", str(first), "-i", str(examples / "inventory" / "openstack.yml"))
    graph = reader.command("ansible-inventory", *inventories, "--graph")
    assert graph.ok and "--web-01" in graph.output, graph.output
    assert (keystone.count("POST"), keystone.count("DELETE")) == (1, 1)

    keystone.restart()
    run = reader.play(
        "- openstack.cloud.server_info: {cloud: mycloud}",
        *inventories,
        **CALLBACK,
    )
    assert run.ok and "identities: 1, tokens issued: 1, " in run.output, run.output
    assert (keystone.count("POST"), keystone.count("DELETE")) == (1, 1)
