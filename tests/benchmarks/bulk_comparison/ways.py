# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The compared ways to snapshot many servers or volumes, each as users write it."""

from __future__ import annotations

import json
import pathlib
import sys
import typing as t
from dataclasses import dataclass, field

from ...helpers.controller import CALLBACK
from .clouds import Cloud

FLOOR = pathlib.Path(__file__).with_name("floor.py")
SERVERS, VOLUMES = "servers", "volumes"
#: As in providers' guides: a token in OS_TOKEN, and no password.
ON_OS_TOKEN = """
OS_TOKEN=$(openstack token issue -f value -c id) && export OS_TOKEN OS_AUTH_TYPE=token
unset OS_USERNAME OS_PASSWORD OS_USER_DOMAIN_NAME
"""
SHELL_LOOP = f"""{ON_OS_TOKEN}
run=$1; shift
for server in "$@"; do openstack server image create --name "$server-$run" "$server"; done
"""
PARALLEL_SHELL = f"""{ON_OS_TOKEN}
run=$1; shift
printf '%s\\n' "$@" | xargs -P 4 -I NAME openstack server image create --name "NAME-$run" NAME
"""
PLAYBOOK_ON_OS_TOKEN = f"""{ON_OS_TOKEN}
exec ansible-playbook "$1"
"""
#: The module's own counts, on one line.
REPORTED = (
    "reported: {{ {'seconds': done.seconds, 'throttled_seconds': done.throttled_seconds, 'counts': done.counts,"
    " 'tokens_issued': done.tokens_issued, 'requests': done.requests} | to_json }}"
)


class Prepared(t.NamedTuple):
    """A command, and the variables that it needs in addition to the cloud's."""

    command: list[str]
    environment: dict[str, str]


class Job(t.NamedTuple):
    """What to do: these resources, in a run of this name."""

    cloud: Cloud
    names: list[str]
    run: str
    directory: pathlib.Path
    requests_per_second: float
    #: Whether these are all that the cloud has.
    everything: bool


@dataclass(frozen=True)
class Way:
    key: str
    #: For terminals and the chart.
    short: str
    #: For tables.
    title: str
    prepare: t.Callable[[Job], Prepared] = field(repr=False)
    resources: str = SERVERS
    #: Whether it is this collection's own.
    ours: bool = False


def play(job: Job, tasks: list[dict[str, t.Any]]) -> str:
    path = job.directory / "play.yml"
    path.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    return str(path)


def shell_loop(job: Job) -> Prepared:
    command = ["bash", "-c", SHELL_LOOP, "bash", job.run, *job.names]
    return Prepared(command, job.cloud.openrc())


def parallel_shell(job: Job) -> Prepared:
    return Prepared(["bash", "-c", PARALLEL_SHELL, "bash", job.run, *job.names], job.cloud.openrc())


def command_loop(job: Job) -> Prepared:
    task = {
        "ansible.builtin.command": "openstack server image create --name {{ item }}-" + job.run + " {{ item }}",
        "loop": job.names,
    }
    return Prepared(["bash", "-c", PLAYBOOK_ON_OS_TOKEN, "bash", play(job, [task])], job.cloud.openrc())


def uri_loop(job: Job) -> Prepared:
    """Without a client: one token, one listing, and a POST per server."""
    variables = job.cloud.openrc()
    domain = {"name": variables["OS_USER_DOMAIN_NAME"]}
    user = {"name": variables["OS_USERNAME"], "password": "{{ lookup('env', 'OS_PASSWORD') }}", "domain": domain}
    scope = {"project": {"name": variables["OS_PROJECT_NAME"], "domain": domain}}
    auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}
    nova = (
        "{{ (signed_in.json.token.catalog | selectattr('type', '==', 'compute') | first).endpoints"
        f" | selectattr('interface', '==', 'public') | selectattr('region', '==', '{variables['OS_REGION_NAME']}')"
        " | map(attribute='url') | first }}"
    )
    headers = {"X-Auth-Token": "{{ signed_in.x_subject_token }}"}
    tasks = [
        {
            "ansible.builtin.uri": {
                "url": variables["OS_AUTH_URL"] + "/auth/tokens",
                "method": "POST",
                "body_format": "json",
                "body": {"auth": auth},
                "status_code": 201,
            },
            "register": "signed_in",
        },
        {"ansible.builtin.uri": {"url": nova + "/servers", "headers": headers}, "register": "listed"},
        {
            "ansible.builtin.uri": {
                "url": nova + "/servers/{{ item.id }}/action",
                "method": "POST",
                "headers": headers,
                "body_format": "json",
                "body": {"createImage": {"name": "{{ item.name }}-" + job.run}},
                "status_code": 202,
            },
            "loop": "{{ listed.json.servers | selectattr('name', 'in', names) }}",
            "loop_control": {"label": "{{ item.name }}"},
            "vars": {"names": job.names},
        },
    ]
    return Prepared(["ansible-playbook", play(job, tasks)], variables)


def module_loop(job: Job, variables: dict[str, str]) -> Prepared:
    """openstack.cloud has no module that snapshots servers; its snapshots of volumes cost a client the same."""
    task = {
        "openstack.cloud.volume_snapshot": {
            "volume": "{{ item.volume }}",
            "name": "{{ item.name }}",
        },
        "loop": [{"volume": name, "name": f"{name}-{job.run}-{i}"} for i, name in enumerate(job.names)],
    }
    return Prepared(["ansible-playbook", play(job, [task])], {**job.cloud.named(), **variables})


def bulk(job: Job, module: str, **options: t.Any) -> Prepared:
    resources = VOLUMES if module == "os_volume_snapshot" else SERVERS
    options |= {"run": job.run, "requests_per_second": job.requests_per_second, "timeout": 3600}
    options |= {"name_pattern": "**"} if job.everything else {resources: job.names}
    task = {f"onetoken.openstack.{module}": options, "register": "done"}
    report = {"ansible.builtin.debug": {"msg": REPORTED}}
    return Prepared(["ansible-playbook", play(job, [task, report])], {**job.cloud.named(), **CALLBACK})


def floor(job: Job) -> Prepared:
    names = [] if job.everything else job.names
    command = [sys.executable, "-I", "-S", str(FLOOR), job.run, str(job.requests_per_second), *names]
    return Prepared(command, job.cloud.openrc())


SHELL = Way(
    "shell",
    "shell loop, openstack CLI",
    "shell loop: `openstack server image create` on `OS_TOKEN`",
    shell_loop,
)
PARALLEL = Way("parallel", "the same, four at a time", "the same with `xargs -P 4`, four at a time", parallel_shell)
COMMAND = Way(
    "command",
    "Ansible loop, openstack CLI",
    "Ansible loop: `command: openstack server image create` on `OS_TOKEN`",
    command_loop,
)
URI = Way("uri", "Ansible loop, uri", "Ansible loop: `uri`, a POST with one token", uri_loop)
PASSWORD = Way(
    "password",
    "Ansible loop, openstack.cloud",
    "Ansible loop: `openstack.cloud.volume_snapshot`",
    lambda job: module_loop(job, {}),
    resources=VOLUMES,
)
SESSION = Way(
    "session",
    "the same on one_token",
    "the same loop with the callback `one_token`",
    lambda job: module_loop(job, CALLBACK),
    resources=VOLUMES,
    ours=True,
)
VOLUME_BULK = Way(
    "volumes",
    "os_volume_snapshot",
    "`os_volume_snapshot`",
    lambda job: bulk(job, "os_volume_snapshot"),
    resources=VOLUMES,
    ours=True,
)
BULK = Way(
    "snapshot",
    "os_server_snapshot",
    "`os_server_snapshot`",
    lambda job: bulk(job, "os_server_snapshot"),
    ours=True,
)
UNAWAITED = Way(
    "unawaited",
    "os_server_snapshot, wait: false",
    "`os_server_snapshot` with `wait: false`",
    lambda job: bulk(job, "os_server_snapshot", wait=False),
    ours=True,
)
FLOOR_WAY = Way("floor", "floor: a bare client", "the floor: a bare client for this alone", floor)
WAYS = (SHELL, PARALLEL, COMMAND, URI, PASSWORD, SESSION, VOLUME_BULK, BULK, UNAWAITED, FLOOR_WAY)
