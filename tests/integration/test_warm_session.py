# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the first processes of a session asked, later ones do not ask: by the access log of each service."""

from __future__ import annotations

import json
import re
import sys
import typing as t

import pytest
import yaml

CALLBACK = {"ANSIBLE_CALLBACKS_ENABLED": "onetoken.openstack.one_token"}
CLOUD = "sandbox-admin"


class Service(t.NamedTuple):
    module: str
    #: What the module itself asks.
    request: str
    #: What a process asks before, that knows nothing of the service.
    discovery: tuple[str, ...]
    #: An address below its own where nothing is, by the option of clouds.yaml for its address.
    option: str
    nothing: str


SERVICES = {
    "keystone": Service(
        "project_info",
        "GET /v3/projects 200",
        ("GET /v3 200", "POST /v3/auth/tokens 201"),
        "identity_endpoint_override",
        "/v3/nothing",
    ),
    "nova": Service(
        "keypair_info",
        "GET /v2.1/os-keypairs 200",
        ("GET /v2.1 200",),
        "compute_endpoint_override",
        "/v2.1/nothing",
    ),
    # For Neutron, openstacksdk knows the version.
    "neutron": Service("networks_info", "GET /v2.0/networks 200", (), "network_endpoint_override", "/v2.0/nothing"),
    "glance": Service("image_info", "GET /v2/images 200", ("GET / 300",), "image_endpoint_override", "/v2/nothing"),
    "cinder": Service(
        "volume_info",
        "GET /v3/PROJECT/volumes/detail 200",
        ("GET /v3/ 401", "GET /v3/ 200"),
        "block_storage_endpoint_override",
        "/v3/nothing",
    ),
}
SIGN_OUT = "DELETE /v3/auth/tokens 204"
#: Has the documents of a port lead to a version that is not there, as after an upgrade.
OUTDATE = """
import json, os, pathlib, re, sys
outdated = 0
for file in pathlib.Path(os.environ["ONETOKEN_SESSION_DIRECTORY"], "discovery").iterdir():
    document = json.loads(file.read_text())
    if f":{sys.argv[1]}/" in document["url"] and document["status"] != 401:
        document["body"] = re.sub(r"/v[0-9.]+/", "/v8/", document["body"])
        # One that was just asked for is believed.
        document["at"] -= 11
        file.write_text(json.dumps(document))
        outdated += 1
assert outdated
"""
Tasks = t.Sequence[dict[str, t.Any]]


@pytest.fixture
def ports(sandbox) -> dict[str, int]:
    return json.loads((sandbox.clouds_file.parent / "ports.json").read_text())


@pytest.fixture
def asked(controller, access_log):
    """What each service is asked by each group of a play's tasks."""
    logs = {service: access_log(service) for service in SERVICES}
    file = controller.home / "sizes"
    stat = " ".join(["stat", "-c", "%s", *(f"'{log.path}'" for log in logs.values()), ">>", f"'{file}'"])

    def asked(*groups: Tasks) -> list[dict[str, list[str]]]:
        mark = {"debug": {"msg": "{{ lookup('pipe', command) }}"}, "vars": {"command": stat}}
        run = controller.play([task for group in groups for task in (mark, *group)], **CALLBACK)
        assert run.ok, run.output
        assert "programs run by the fork server" in run.output, run.output
        sizes = [int(line) for line in file.read_text().split()]
        starts: list[list[int | None]] = [
            [*sizes[first : first + len(logs)]] for first in range(0, len(sizes), len(logs))
        ]
        ends: list[list[int | None]] = [*starts[1:], [None] * len(logs)]
        assert len(starts) == len(groups)
        return [
            {
                # A long list comes in pages, and earlier tests may have left much to list.
                service: [_line(request) for request in log.requests(first, last) if "marker=" not in request.path]
                for (service, log), first, last in zip(logs.items(), start, end, strict=True)
            }
            for start, end in zip(starts, ends, strict=True)
        ]

    return asked


def _line(request) -> str:
    return f"{request.method} {re.sub('[0-9a-f]{32}', 'PROJECT', request.path)} {request.status}"


def tasks(*services: str, **more: t.Any) -> Tasks:
    return [{f"openstack.cloud.{SERVICES[service].module}": {"cloud": CLOUD}, **more} for service in services]


def test_later_processes_ask_for_what_they_are_to_do_and_for_nothing_else(asked):
    commands = [{"shell": f"for name in image keypair; do openstack --os-cloud {CLOUD} $name list; done"}]
    first, light, later, by_command = asked(tasks(*SERVICES), tasks("nova", "nova", "nova"), tasks(*SERVICES), commands)
    assert first == {name: [*service.discovery, service.request] for name, service in SERVICES.items()}
    nothing = {name: [] for name in SERVICES}
    assert light == {**nothing, "nova": [SERVICES["nova"].request] * 3}
    assert later == {name: [service.request] for name, service in SERVICES.items()}
    own = {name: [SERVICES[name].request] for name in ("nova", "glance")}
    assert by_command == {**nothing, **own, "keystone": [SIGN_OUT]}


def test_processes_that_start_together_ask_for_each_document_once(controller, access_log):
    logs = {name: access_log(name) for name in SERVICES}
    host = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    inventory = {"all": {"hosts": {f"host-{number:02}": host for number in range(20)}}}
    (controller.home / "hosts.yml").write_text(yaml.safe_dump(inventory))
    play = {"hosts": "all", "gather_facts": False, "tasks": tasks(*SERVICES)}
    (controller.home / "play.yml").write_text(yaml.safe_dump([play]))
    run = controller.command("ansible-playbook", "play.yml", "--inventory", "hosts.yml", "--forks", "20", **CALLBACK)
    assert run.ok, run.output[-5000:]
    for name, service in SERVICES.items():
        asked = [_line(request) for request in logs[name].requests()]
        assert asked.count(service.request) == 20
        assert {line: asked.count(line) for line in service.discovery} == dict.fromkeys(service.discovery, 1)


def test_that_nothing_is_there_is_asked_by_each_process(asked, controller, sandbox, ports):
    options = {service.option: f"http://127.0.0.1:{ports[name]}{service.nothing}" for name, service in SERVICES.items()}
    clouds = controller.home / "clouds.yaml"
    clouds.write_text(yaml.safe_dump({"clouds": {CLOUD: {**sandbox.clouds[CLOUD], **options}}}))
    controller.environment["OS_CLIENT_CONFIG_FILE"] = str(clouds)
    for group in asked(*[tasks(*SERVICES, ignore_errors=True)] * 2):
        for name, service in SERVICES.items():
            assert f"GET {service.nothing} 404" in group[name], group


def test_a_document_that_leads_nowhere_costs_a_process_its_task_and_is_asked_for_again(asked, ports, controller):
    script = controller.home / "outdate.py"
    script.write_text(OUTDATE)
    outdate = {
        name: [{"command": f"{sys.executable} {script} {ports[name]}"}, *tasks(name, ignore_errors=True)]
        for name in ("glance", "keystone")
    }
    _first, glance, after_glance, keystone, after_keystone = asked(
        tasks("glance", "keystone"), outdate["glance"], tasks("glance"), outdate["keystone"], tasks("keystone")
    )
    images, projects = SERVICES["glance"].request, SERVICES["keystone"].request
    assert glance["glance"] == ["GET /v8/images 300"]
    assert after_glance["glance"] == ["GET / 300", images]
    assert keystone["keystone"] == ["POST /v8/v3/auth/tokens 404"]
    assert after_keystone["keystone"] == ["GET /v3 200", projects, SIGN_OUT]
