# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventories and lookups, which run on the controller, use the session of the run."""

from __future__ import annotations

import dataclasses
import sys

import pytest
import yaml
from ansible_collections.onetoken.openstack.tests.helpers.controller import CALLBACK
from ansible_collections.onetoken.openstack.tests.integration.transparency.comparison import case, play_of_cases

FLAVORS = "openstack.cloud.compute_flavor_info"
REPEATS = pytest.mark.repeats
INVENTORY = yaml.safe_dump({"plugin": "openstack.cloud.openstack", "only_clouds": ["sandbox"], "fail_on_errors": True})
ON_SERVERS = case(
    "servers",
    "demo",
    f"- {FLAVORS}: {{cloud: sandbox}}\n  run_once: true\n  delegate_to: localhost\n  register: found\n",
    "found.flavors",
    "groups.all | sort",
    "hostvars['web-01'].openstack.id",
)
#: The servers cannot be reached, so their tasks run here.
ON_HOSTS = {
    "hosts": "all:!localhost",
    "connection": "local",
    "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
}
#: The inventory plugin one_token, listed first, and the servers.
WITH_OURS = {
    "inventory/0_one_token.yml": "plugin: onetoken.openstack.one_token\n",
    "inventory/openstack.yml": INVENTORY,
}


@REPEATS
def test_an_inventory_and_its_tasks_share_a_token_if_ours_is_listed_first(comparison):
    comparison.files.update(WITH_OURS)
    plays = play_of_cases([ON_SERVERS], **ON_HOSTS)
    found = comparison.once(plays, "-i", "inventory", **CALLBACK)
    assert (found.posts, found.deletes) == (1, 1), found.output
    assert "web-01" in found.answers["servers"][1]
    assert comparison.living_tokens() == []


@REPEATS
def test_an_inventory_alone_has_a_session_of_its_own(comparison, controller, keystone, issued):
    comparison.files.update(WITH_OURS)
    comparison.write_files()
    run = controller.command("ansible-inventory", "-i", "inventory", "--list")
    assert run.ok and "web-01" in run.output, run.output
    assert (keystone.count("POST"), keystone.count("DELETE")) == (1, 1)
    assert issued.living() == []


@REPEATS
def test_an_inventory_read_during_the_run_uses_its_session(comparison):
    """By meta: refresh_inventory, and by an ansible-playbook that a task runs."""
    inner = "- hosts: web-01\n  gather_facts: false\n  tasks:\n    - debug: {var: openstack.id}\n"
    host = f"localhost ansible_connection=local ansible_python_interpreter={sys.executable}\n"
    comparison.files.update({"static/hosts": host, "openstack.yml": INVENTORY, "inner.yml": inner})
    first = """
- hosts: localhost
  gather_facts: false
  tasks:
    - command: ansible-playbook -i openstack.yml inner.yml
      register: inner
    - copy: {src: openstack.yml, dest: static/openstack.yml}
    - meta: refresh_inventory
"""
    last = """
- hosts: localhost
  gather_facts: false
  tasks:
    - file: {path: static/openstack.yml, state: absent}
"""
    one = dataclasses.replace(ON_SERVERS, answers=(*ON_SERVERS.answers, "hostvars.localhost.inner.rc"))
    without, found = comparison.run(first + play_of_cases([one], **ON_HOSTS) + last, "-i", "static")
    assert found.answers == without.answers
    assert (found.posts, found.deletes, without.posts) == (1, 1, 3), found.output
    assert comparison.living_tokens() == []


LOOKUP = """
import openstack
from ansible.plugins.lookup import LookupBase

class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        return [sorted(flavor.name for flavor in openstack.connect(cloud=terms[0]).compute.flavors())]
"""


def test_lookups_on_the_controller_use_the_session(comparison):
    comparison.files["lookup_plugins/flavors.py"] = LOOKUP
    tasks = "- set_fact: {found: \"{{ lookup('flavors', 'sandbox') }}\"}\n"
    one = case("lookups", "demo", tasks, "found", "lookup('flavors', 'sandbox')", "groups.all")
    comparison.check([one], keywords={"hosts": "{{ 'localhost' if lookup('flavors', 'sandbox') else 'none' }}"})
