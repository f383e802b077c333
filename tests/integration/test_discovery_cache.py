# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Later processes of a session do not repeat the first ones' requests, by the access log of each service."""

from __future__ import annotations

import json
import re
import sys
import typing as t

import pytest
from ansible_collections.onetoken.openstack.tests.helpers.controller import CALLBACK, play_of

CLOUD = "sandbox-admin"


class Service(t.NamedTuple):
    module: str
    #: The request of the module itself.
    request: str
    #: The requests before, of a process that knows nothing of the service.
    discovery: tuple[str, ...]
    #: The option of clouds.yaml for the service's address, and a path where nothing is.
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
    # openstacksdk knows Neutron's version.
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
#: Makes the documents of a port lead to a version that does not exist, as after an upgrade.
OUTDATE = """
import json, os, pathlib, re, sys
outdated = 0
for file in pathlib.Path(os.environ["ONETOKEN_SESSION_DIRECTORY"], "discovery").iterdir():
    document = json.loads(file.read_text())
    if f":{sys.argv[1]}/" in document["url"] and document["status"] != 401:
        document["body"] = re.sub(r"/v[0-9.]+/", "/v8/", document["body"])
        # A document that is younger than ten seconds is trusted.
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
def requests_of(controller, access_log):
    """Run groups of tasks; the requests of each group to each service."""
    logs = {service: access_log(service) for service in SERVICES}
    file = controller.home / "sizes"
    stat = " ".join(["stat", "-c", "%s", *(f"'{log.path}'" for log in logs.values()), ">>", f"'{file}'"])

    def run(*groups: Tasks) -> list[dict[str, list[str]]]:
        log_sizes = {"debug": {"msg": "{{ lookup('pipe', command) }}"}, "vars": {"command": stat}}
        done = controller.play([task for group in groups for task in (log_sizes, *group)], **CALLBACK)
        assert done.ok, done.output
        assert "programs run by the fork server" in done.output, done.output
        sizes = [int(line) for line in file.read_text().split()]
        starts: list[list[int | None]] = [
            [*sizes[first : first + len(logs)]] for first in range(0, len(sizes), len(logs))
        ]
        ends: list[list[int | None]] = [*starts[1:], [None] * len(logs)]
        assert len(starts) == len(groups)
        return [
            {
                # Without further pages: earlier tests may have left much to list.
                service: [_line(request) for request in log.requests(first, last) if "marker=" not in request.path]
                for (service, log), first, last in zip(logs.items(), start, end, strict=True)
            }
            for start, end in zip(starts, ends, strict=True)
        ]

    return run


def _line(request) -> str:
    return f"{request.method} {re.sub('[0-9a-f]{32}', 'PROJECT', request.path)} {request.status}"


def tasks(*services: str, **more: t.Any) -> Tasks:
    return [{f"openstack.cloud.{SERVICES[service].module}": {"cloud": CLOUD}, **more} for service in services]


def test_later_processes_send_only_their_own_requests(requests_of):
    commands = [{"shell": f"for name in image keypair; do openstack --os-cloud {CLOUD} $name list; done"}]
    first, light, later, by_command = requests_of(
        tasks(*SERVICES), tasks("nova", "nova", "nova"), tasks(*SERVICES), commands
    )
    assert first == {name: [*service.discovery, service.request] for name, service in SERVICES.items()}
    nothing = {name: [] for name in SERVICES}
    assert light == {**nothing, "nova": [SERVICES["nova"].request] * 3}
    assert later == {name: [service.request] for name, service in SERVICES.items()}
    own = {name: [SERVICES[name].request] for name in ("nova", "glance")}
    assert by_command == {**nothing, **own, "keystone": [SIGN_OUT]}


def test_processes_that_start_together_request_each_document_once(controller, access_log):
    logs = {name: access_log(name) for name in SERVICES}
    plays = play_of(tasks(*SERVICES), hosts="all")
    run = controller.play(None, "-i", controller.write_inventory(20), "--forks", "20", plays=plays, **CALLBACK)
    assert run.ok, run.output[-5000:]
    for name, service in SERVICES.items():
        sent = [_line(request) for request in logs[name].requests()]
        assert sent.count(service.request) == 20
        assert {line: sent.count(line) for line in service.discovery} == dict.fromkeys(service.discovery, 1)


def test_a_404_is_not_cached(requests_of, controller, sandbox, ports):
    options = {service.option: f"http://127.0.0.1:{ports[name]}{service.nothing}" for name, service in SERVICES.items()}
    controller.write_clouds({CLOUD: {**sandbox.clouds[CLOUD], **options}})
    for group in requests_of(*[tasks(*SERVICES, ignore_errors=True)] * 2):
        for name, service in SERVICES.items():
            assert f"GET {service.nothing} 404" in group[name], group


def test_an_outdated_document_fails_one_task_and_is_requested_again(requests_of, ports, controller):
    script = controller.home / "outdate.py"
    script.write_text(OUTDATE)
    outdate = {
        name: [{"command": f"{sys.executable} {script} {ports[name]}"}, *tasks(name, ignore_errors=True)]
        for name in ("glance", "keystone")
    }
    _first, glance, after_glance, keystone, after_keystone = requests_of(
        tasks("glance", "keystone"), outdate["glance"], tasks("glance"), outdate["keystone"], tasks("keystone")
    )
    images, projects = SERVICES["glance"].request, SERVICES["keystone"].request
    assert glance["glance"] == ["GET /v8/images 300"]
    assert after_glance["glance"] == ["GET / 300", images]
    assert keystone["keystone"] == ["POST /v8/v3/auth/tokens 404"]
    assert after_keystone["keystone"] == ["GET /v3 200", projects, SIGN_OUT]
