# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks of a fake module that ends as its options say, and how the fork server ran each of them."""

from __future__ import annotations

import json
import pathlib
import re
import typing as t

from ansible_collections.onetoken.openstack.tests.helpers.controller import CALLBACK, Controller, Run, Task

OFF = {**CALLBACK, "ONETOKEN_FORK_SERVER": "false"}
SERVED = "runs in a fork of the server"
DIRECT = f"openstack.cloud.odd {SERVED}"
GENERAL = f"AnsiballZ_odd.py {SERVED}"
#: A module of openstack.cloud that ends as its options say.
ODD = """
import os
import signal
import sys
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule({"how": {}, "secret": {"no_log": True}}, supports_check_mode=True)
how = module.params["how"]
if how == "fails":
    module.fail_json(msg="it failed", reason=3)
if how == "raises":
    raise RuntimeError("it raised")
if how == "leaves":
    os._exit(3)
if how == "is killed":
    os.kill(os.getpid(), signal.SIGKILL)
if how == "prints":
    print("not JSON")
    print("a complaint", file=sys.stderr)
if how == "prints bytes":
    os.write(1, b"\\xff\\xfe not UTF-8")
    os._exit(0)
umask = os.umask(0o77)
os.umask(umask)
module.exit_json(
    answer="x" * (5 << 20) if how == "is long" else how,
    umask=umask,
    directory=os.getcwd(),
    locale=os.environ.get("LC_ALL"),
    encoding=sys.stdout.encoding,
    check_mode=module.check_mode,
    user=os.geteuid(),
    executable=sys.executable,
    given=os.environ.get("GIVEN"),
    diff={"before": "a", "after": "b"},
)
"""
BROKEN = "from ansible.module_utils.basic import AnsibleModule\nraise ImportError('it cannot be imported')\n"


def install_collection(controller: Controller) -> pathlib.Path:
    """Install an openstack.cloud with only these two modules; their directory."""
    root = controller.home / "collections" / "ansible_collections" / "openstack" / "cloud"
    modules = root / "plugins" / "modules"
    modules.mkdir(parents=True)
    (root / "galaxy.yml").write_text("namespace: openstack\nname: cloud\nversion: 2.5.0\n")
    (modules / "odd.py").write_text(ODD)
    (modules / "broken.py").write_text(BROKEN)
    before = controller.environment["ANSIBLE_COLLECTIONS_PATH"]
    controller.environment["ANSIBLE_COLLECTIONS_PATH"] = f"{controller.home / 'collections'}:{before}"
    return modules


def odd(how: str, **more: t.Any) -> Task:
    """A task of the fake module."""
    return {"name": how, "openstack.cloud.odd": {"how": how}, "ignore_errors": True, **more}


def without_places(text: str) -> str:
    """Leave out the paths of archives and temporary files, which differ from run to run."""
    text = re.sub(r'File \\"[^"]*/(ansible(?:_collections)?/[^"]*)\\"', r"File \1", text)
    text = re.sub(r'File \\"[^"]*AnsiballZ_[^"]*\\"', "File script", text)
    return re.sub(r"/[^\s\"\\]*(?:\.zip|_payload[^\s\"\\]*)", "archive", text)


def results(controller: Controller, tasks: list[Task], *arguments: str, **variables: str) -> tuple[Run, t.Any]:
    """The run, and what each task returned."""
    run, found = controller.results(tasks, *arguments, **variables)
    return run, json.loads(without_places(json.dumps(found)))


def ways(run: Run) -> dict[str, list[str]]:
    """What a run with -vvv says about how each task ran, by the task's name."""
    found: dict[str, list[str]] = {}
    task = ""
    for line in run.output.splitlines():
        header = re.match(r"TASK \[(.*)\] \*", line)
        if header:
            task = header[1]
        elif re.search(r"one_token: \S+ (runs|does not run) ", line):
            found.setdefault(task, []).append(line.partition("one_token: ")[2])
    return found
