# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keystone's requests from playbooks with the password, with OS_TOKEN and on a session, by their number of tasks."""

from __future__ import annotations

import csv
import pathlib
import typing as t

from ..benchmarks.bulk_comparison.ways import PLAYBOOK_ON_OS_TOKEN
from ..helpers.access_log import AccessLog
from ..helpers.controller import Controller
from ..helpers.sandbox import Sandbox
from .line_chart import Axis, Line, svg
from .user import IMAGES

TASKS = (1, 5, 10, 20)
DATA, PICTURE = IMAGES / "keystone_requests.csv", IMAGES / "keystone_requests.svg"
REGION = "RegionTwo"
COLUMNS = ("way", "tasks", "requests", "of these for a token")
WITH_PASSWORD = 'exec ansible-playbook "$1"'
ON_SESSION = """
export ANSIBLE_CALLBACKS_ENABLED=onetoken.openstack.one_token
exec ansible-playbook "$1"
"""


class Way(t.NamedTuple):
    label: str
    script: str
    #: A class of the chart's STYLE.
    kind: str


WAYS = {
    "password": Way("with the password", WITH_PASSWORD, "other"),
    "OS_TOKEN": Way("with OS_TOKEN", PLAYBOOK_ON_OS_TOKEN, "another"),
    "session": Way("on a session", ON_SESSION, "ours"),
}


def measure(user: Controller) -> None:
    """Run the playbooks, and write the counts of Keystone's access log to the data file."""
    openrc = Sandbox().sourced_openrc()
    # In the second region, so that requests of other users of the sandbox are not counted.
    openrc.update(OS_AUTH_URL=openrc["OS_AUTH_URL"].replace("/v3", f"/{REGION}/v3"), OS_REGION_NAME=REGION)
    rows = []
    for tasks in TASKS:
        playbook = user.home / f"{tasks}.yml"
        _write(playbook, tasks)
        for name, way in WAYS.items():
            log = AccessLog("keystone")
            done = user.command("bash", "-e", "-c", way.script, "bash", str(playbook), **openrc)
            assert done.ok, done.output
            requests = [request for request in log.requests() if request.path.startswith(f"/{REGION}/")]
            for_token = [request for request in requests if request.method == "POST"]
            rows.append((name, tasks, len(requests), len(for_token)))
            print(*rows[-1], flush=True)
    with DATA.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])


def _write(playbook: pathlib.Path, tasks: int) -> None:
    lines = ["- hosts: localhost", "  gather_facts: false", "  tasks:"]
    playbook.write_text("\n".join(lines + ["    - openstack.cloud.server_info: {name: web-01}"] * tasks) + "\n")


def draw() -> None:
    with DATA.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    lines = [
        Line(way.label, way.kind, [(int(row["tasks"]), int(row["requests"])) for row in rows if row["way"] == name])
        for name, way in WAYS.items()
    ]
    most = max(value for line in lines for _tasks, value in line.points)
    across = Axis("openstack.cloud.server_info tasks in a playbook", 5, TASKS[-1])
    up = Axis("requests to Keystone", 10, -(-most // 10) * 10)
    subtitle = "The client's requests in Keystone's access log. Each task signs in again, even with OS_TOKEN."
    PICTURE.write_text(svg("Requests to Keystone of a playbook", subtitle, across, up, lines), encoding="utf-8")
