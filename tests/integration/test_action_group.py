# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action group: module_defaults reach every module that talks to OpenStack, in each release of openstack.cloud."""

from __future__ import annotations

import json
import pathlib

import pytest
import yaml

OURS = "onetoken.openstack"
THEIRS = "openstack.cloud"
#: Modules of openstack.cloud in the group that not every supported release has, with the first release that has them.
SINCE = {"openstack.cloud.trait": (2, 4, 0)}


@pytest.fixture
def openstack_cloud(controller) -> pathlib.Path:
    """The openstack.cloud that the ansible-playbook under test uses."""
    listed = controller.command("ansible-galaxy", "collection", "list", THEIRS, "--format", "json")
    assert listed.ok, listed.output
    (path,) = json.loads(listed.output)
    return pathlib.Path(path, *THEIRS.split("."))


def modules(collection: pathlib.Path, name: str) -> set[str]:
    return {f"{name}.{file.stem}" for file in (collection / "plugins" / "modules").glob("[!_]*.py")}


def group(collection: pathlib.Path, name: str) -> set[str]:
    """The modules that a collection lists in its group openstack."""
    entries = yaml.safe_load((collection / "meta" / "runtime.yml").read_text())["action_groups"]["openstack"]
    return {entry if "." in entry else f"{name}.{entry}" for entry in entries if isinstance(entry, str)}


@pytest.mark.versions
def test_the_group_lists_every_installed_module_and_no_other(repository, openstack_cloud):
    listed = group(repository, OURS) | group(openstack_cloud, THEIRS)
    installed = modules(repository, OURS) | modules(openstack_cloud, THEIRS)
    manifest = json.loads((openstack_cloud / "MANIFEST.json").read_text())
    version = tuple(int(number) for number in manifest["collection_info"]["version"].split("."))
    assert installed - listed == set(), "add these to the group openstack of meta/runtime.yml"
    assert listed - installed == {name for name, since in SINCE.items() if version < since}


@pytest.mark.versions
def test_module_defaults_reach_our_modules_theirs_and_those_missing_from_their_group(controller, access_log):
    volumes, servers = access_log("cinder"), access_log("nova")
    run = controller.play(
        plays="""
- hosts: localhost
  gather_facts: false
  module_defaults:
    group/onetoken.openstack.openstack: {cloud: sandbox-admin, region_name: RegionTwo}
  tasks:
    - openstack.cloud.volume_type_info: {name: __DEFAULT__}  # the administrator's
    - openstack.cloud.server_info:
    - onetoken.openstack.os_token_issue:
      register: issued
    - assert: {that: [issued.cloud == 'sandbox-admin', issued.environment.OS_REGION_NAME == 'RegionTwo']}
    - onetoken.openstack.os_token_revoke: {session: "{{ issued.session }}"}
"""
    )
    assert run.ok, run.output
    for service in (volumes, servers):
        paths = [request.path for request in service.requests()]
        assert paths and all(path.startswith("/RegionTwo/") for path in paths), paths
