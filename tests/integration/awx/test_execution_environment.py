# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The build context that ansible-builder makes of execution-environment.yml."""

from __future__ import annotations

import re

import pytest
import yaml


@pytest.mark.repeats
def test_the_build_context_has_the_collection_and_its_dependencies(execution_environment):
    built = execution_environment.context / "_build"
    assert list((built / "collections").glob("onetoken-openstack-*.tar.gz"))
    galaxy = yaml.safe_load((built / "requirements.yml").read_text())
    assert [entry["name"] for entry in galaxy["collections"]] == ["/build/onetoken-openstack.tar.gz", "openstack.cloud"]
    containerfile = (execution_environment.context / "Containerfile").read_text()
    copied = containerfile.index("COPY _build/collections/onetoken-openstack-*.tar.gz /build/\n")
    chosen = containerfile.index('| tail -n 1)" onetoken-openstack.tar.gz\n')
    assert copied < chosen < containerfile.index("ansible-galaxy collection install")
    assert "ENV ANSIBLE_CALLBACKS_ENABLED=onetoken.openstack.one_token" in containerfile


def test_the_image_has_git_and_ssh_and_the_headers_of_its_python(execution_environment):
    dependencies = execution_environment.definition["dependencies"]
    packages = {line.split()[0] for line in dependencies["system"]}
    assert packages == {"git-core", "openssh-clients", f"{dependencies['python_interpreter']['package_system']}-devel"}


def test_every_execution_environment_with_the_collection_gets_openstacksdk(execution_environment):
    names = {re.split(r"[<>=!~\[; ]", line)[0] for line in execution_environment.introspected()}
    assert "openstacksdk" in names
