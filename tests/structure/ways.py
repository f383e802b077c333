# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of one snapshot, and of one token, through the files of plugins/: the real modules, beside the stand-in."""

from __future__ import annotations

import collections
import json
import os
import pathlib
import subprocess
import sys
import typing as t

from ..stand_in.running import CLOUD_NAME, StandIn
from .imports import PREFIX, REPOSITORY

TRACED = pathlib.Path(__file__).with_name("traced.py")
#: What a task does with a token that is there.
USE = "import openstack\n\nassert openstack.connect().compute.get('/servers').status_code == 200\n"


class Way(t.NamedTuple):
    """What was run on the way of something."""

    files: set[str]
    #: How often each file called each other one.
    calls: collections.Counter[tuple[str, str]]

    def __add__(self, other: Way) -> Way:  # type: ignore[override]
        return Way(self.files | other.files, self.calls + other.calls)

    @property
    def pairs(self) -> int:
        """How many pairs of files there are of which one calls the other."""
        return len(self.calls)


def of_snapshot(directory: pathlib.Path) -> Way:
    """From os_server_snapshot to its report, for a single server."""
    with StandIn(directory / "cloud", servers=1, snapshot_seconds=0.1) as cloud:
        options = {"name_pattern": "**", "report": str(directory / "report")}
        return _module(directory, "os_server_snapshot", options, cloud.environ)[0]


def of_token(directory: pathlib.Path) -> Way:
    """Issued by os_token_issue, used by a process, revoked by os_token_revoke."""
    with StandIn(directory / "cloud", servers=1) as cloud:
        cloud_options = {"cloud": CLOUD_NAME}
        issued, result = _module(directory, "os_token_issue", cloud_options, cloud.environ)
        script = directory / "use.py"
        script.write_text(USE, encoding="utf-8")
        used, _output = _run(directory, str(script), "", {**cloud.environ, **result["environment"]})
        revoked, _result = _module(directory, "os_token_revoke", {"session": result["session"]}, cloud.environ)
    return issued + used + revoked


def _module(
    directory: pathlib.Path, name: str, options: dict[str, t.Any], environ: t.Mapping[str, str]
) -> tuple[Way, dict[str, t.Any]]:
    """Run a module as Ansible does; its way, and its result."""
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": options})
    collections_path = str(REPOSITORY / ".venv" / "collections")
    module = ".".join((*PREFIX, "modules", name))
    way, output = _run(directory, module, arguments, {**environ, "PYTHONPATH": collections_path})
    return way, json.loads(output)


def _run(directory: pathlib.Path, target: str, given: str, environ: t.Mapping[str, str]) -> tuple[Way, str]:
    output = directory / "calls.json"
    done = subprocess.run(
        [sys.executable, TRACED, output, target],
        env={"HOME": str(directory), "PATH": os.environ["PATH"], **environ},
        cwd=directory,
        input=given,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{target} failed: {done.stdout}{done.stderr}")
    seen = json.loads(output.read_text(encoding="utf-8"))
    calls = {(calling, called): count for calling, called, count in seen["calls"]}
    return Way(set(seen["files"]), collections.Counter(calls)), done.stdout
