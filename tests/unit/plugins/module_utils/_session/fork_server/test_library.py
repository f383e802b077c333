# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server imports Ansible's library once, and programs whose archives have another one do not get it."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import time
import typing as t
import zipfile

import pytest

pytestmark = pytest.mark.processes
#: Seconds in which a server imports it.
DEADLINE = 20
BASIC = "ansible/module_utils/basic.py"
MODULES = "ansible_collections/openstack/cloud/plugins/modules"
LIBRARY = """
import __main__
import os
FROM = "the first"
IMPORTED_BY = os.getpid()
"""
MODULE = """
from ansible.module_utils import basic
import json, os, sys
def tell():
    print(json.dumps({
        "module": NAME,
        "library": basic.FROM,
        "imported": basic.IMPORTED_BY != os.getpid(),
        "main": basic.__main__.__file__ == sys.argv[1],
    }))
"""
#: Like Ansible's wrapper, as far as a server knows it.
SCRIPT = """
import base64, os, sys, tempfile
def _ansiballz_main():
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "archive.zip")
        with open(path, "wb") as stream:
            stream.write(base64.b64decode({archive!r}))
        sys.path.insert(0, path)
        sys.argv.append(__file__)
        import ansible_collections.openstack.cloud.plugins.modules.{name} as module
        module.tell()
_ansiballz_main()
"""


def archive(name: str, library: str = LIBRARY, module: str = MODULE) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as written:
        for place in (BASIC, f"{MODULES}/{name}.py"):
            folders = place.split("/")[:-1]
            for depth in range(1, len(folders) + 1):
                initial = "/".join([*folders[:depth], "__init__.py"])
                if initial not in written.namelist():
                    written.writestr(initial, "")
        written.writestr(BASIC, library)
        written.writestr(f"{MODULES}/{name}.py", f"NAME = {name!r}{module}")
        # As long as Ansible's.
        written.writestr("ansible/padding", "x" * 2000)
    return content.getvalue()


def run(machine, name: str, content: bytes) -> tuple[dict[str, t.Any], bool]:
    """What the module tells, and whether it was served."""
    path = machine.home / f"AnsiballZ_{name}.py"
    path.write_text(SCRIPT.format(archive=base64.b64encode(content).decode(), name=name))
    before = machine.served
    done = subprocess.run(
        [sys.executable, str(path)],
        env=machine.environment,
        cwd=machine.home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), machine.served > before


def run_until_imported(machine, name: str, content: bytes) -> dict[str, t.Any]:
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        result, served = run(machine, name, content)
        assert served
        if result["imported"]:
            return result
    raise AssertionError("the server has not imported it")


def test_programs_have_it_imported_and_their_module_from_their_own_archive(own_machine):
    result, served = run(own_machine, "one", archive("one"))
    assert served and result == {"module": "one", "library": "the first", "imported": False, "main": True}
    assert run_until_imported(own_machine, "one", archive("one"))["main"]
    result, served = run(own_machine, "two", archive("two"))
    assert served and result == {"module": "two", "library": "the first", "imported": True, "main": True}


def test_a_module_that_was_changed_is_the_one_that_runs(own_machine):
    run_until_imported(own_machine, "one", archive("one"))
    result, served = run(own_machine, "one", archive("one", module=f"{MODULE}\nNAME = 'changed'\n"))
    assert served and result["module"] == "changed" and result["imported"]


def test_a_program_with_another_library_runs_without_the_server(own_machine):
    run_until_imported(own_machine, "one", archive("one"))
    result, served = run(own_machine, "two", archive("two", LIBRARY.replace("the first", "another")))
    assert not served and result == {"module": "two", "library": "another", "imported": False, "main": True}
    assert run(own_machine, "one", archive("one"))[1]


@pytest.mark.parametrize("trouble", ["sys.stderr.write('printed')", "assert not sys.argv[0].endswith('main.py')"])
def test_one_that_prints_or_fails_in_the_server_is_for_each_program_to_import(own_machine, trouble):
    content = archive("one", f"{LIBRARY}import sys\n{trouble}\n")
    for _time in range(4):
        result, served = run(own_machine, "one", content)
        assert served and not result["imported"]
