# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import sys

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils import _session
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import site_code
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import PACKAGE, VARIABLE
from ansible_collections.onetoken.openstack.plugins.module_utils._session_setup import environment, site
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    PROJECT_ID,
    REGIONS,
)

FOLDER = pathlib.Path(_session.__file__).parent
SIGN_IN = """
import sys
import openstack
for region in ("RegionOne", "RegionTwo"):
    there = openstack.connect(cloud="sandbox", region_name=region)
    endpoint = there.endpoint_for("compute")
    print(there.current_project_id, endpoint, there.session.get(endpoint).status_code)
print([name for name in sys.modules if name.split(".")[0] in ("ansible", "ansible_collections")])
print(sys.modules["onetoken_session"].__path__)
"""


def test_it_is_the_package_with_sitecustomize_beside_it():
    expected = {
        f"{PACKAGE}/{path.relative_to(FOLDER)}": path.read_text(encoding="utf-8") for path in FOLDER.rglob("*.py")
    }
    expected["sitecustomize.py"] = expected.pop(f"{PACKAGE}/sitecustomize.py")

    assert site.files() == expected


@pytest.mark.processes
def test_the_package_knows_its_own_files_when_it_is_loaded_from_there(empty, run_python):
    """A watcher gives them to the sessions that earlier runs left behind."""
    site_code.write(empty, site.files())

    process = run_python(
        "import json\nfrom onetoken_session.revoke import watcher\nprint(json.dumps(watcher.own_files()))\n",
        PYTHONPATH=empty.site,
    )

    assert json.loads(process.stdout) == site.files(), process.stderr


def test_it_is_compiled_even_if_python_must_not_write_bytecode(empty, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    site_code.write(empty, site.files())

    sources = {os.path.join(empty.site, name) for name in site.files()}
    compiled = {importlib.util.cache_from_source(source) for source in sources}
    assert compiled == {str(path) for path in pathlib.Path(empty.site).rglob("*.pyc")}


@pytest.mark.processes
def test_processes_without_ansible_sign_in_by_the_session_with_one_request_to_keystone(
    empty, write_clouds, keystone, run_python
):
    write_clouds({"clouds": {"sandbox": keystone.entry(regions=list(REGIONS))}})
    site_code.write(empty, site.files())
    variables = environment.of_session(empty, {})
    shown = [
        f"{PROJECT_ID} {keystone.url}/compute 200",
        f"{PROJECT_ID} {keystone.url}/compute/two 200",
        "[]",
        f"['{empty.site}/{PACKAGE}']",
    ]

    first = run_python(SIGN_IN, **variables)
    assert first.stdout.splitlines() == shown, first.stderr
    assert len(keystone.asked("POST")) == 1
    keystone.requests.clear()

    second = run_python(SIGN_IN, **variables)
    assert second.stdout.splitlines() == shown, second.stderr
    assert keystone.keystone_requests == []
    assert empty.problems() == set()


@pytest.mark.processes
@pytest.mark.parametrize("directory", ["", "/no/such/session"])
def test_without_a_session_a_process_signs_in_by_itself(empty, write_clouds, keystone, run_python, directory):
    write_clouds({"clouds": {"sandbox": keystone.entry(regions=list(REGIONS))}})
    site_code.write(empty, site.files())

    for _turn in range(2):
        process = run_python(
            "import openstack; print(openstack.connect(cloud='sandbox').current_project_id)",
            **{"PYTHONPATH": empty.site, VARIABLE: directory},
        )
        assert process.stdout.split() == [PROJECT_ID], process.stderr
    assert len(keystone.asked("POST")) == 2
    assert empty.names() == []
