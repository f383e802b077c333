# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run modules in processes of their own, as Ansible does, without importing openstacksdk each time."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

MODULES = "ansible_collections.onetoken.openstack.plugins.modules"
#: Imports nothing of the collection, so that each process does so itself.
SERVER = """
import json, os, runpy, sys
import ansible.module_utils.basic, openstack

for line in sys.stdin:
    order = json.loads(line)
    child = os.fork()
    if not child:
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
else:
    sys.exit()

os.environ.clear()
os.environ.update(order["environ"])
os.chdir(order["directory"])
for number, path in enumerate(order["files"]):
    os.dup2(os.open(path, os.O_RDWR), number)
sys.stdin = open(0, encoding="utf-8", closefd=False)
runpy.run_module(order["module"], run_name="__main__", alter_sys=True)
"""


class ModuleProcesses:
    """A Python process that forks for each module."""

    def __init__(self, home: pathlib.Path, path: t.Sequence[str]) -> None:
        self._files = [home / stream for stream in ("stdin", "stdout", "stderr")]
        self._server = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            # openstacksdk sets its default files on import: this home has none.
            env={"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(path)},
            cwd=home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self, name: str, options: t.Mapping[str, t.Any], environ: t.Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        for file in self._files:
            # Processes left by the last module may still write to its files.
            file.unlink(missing_ok=True)
            file.touch()
        given, output, errors = self._files
        given.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": options}))
        module, files = f"{MODULES}.{name}", [str(file) for file in self._files]
        order = {"module": module, "environ": dict(environ), "directory": os.getcwd(), "files": files}
        assert self._server.stdin and self._server.stdout
        self._server.stdin.write(json.dumps(order) + "\n")
        self._server.stdin.flush()
        status = int(self._server.stdout.readline())
        return subprocess.CompletedProcess(module, status, output.read_text(), errors.read_text())

    def end(self) -> None:
        self._server.communicate()
