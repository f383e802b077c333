# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A session that breaks costs sign-ins, and no task."""

from __future__ import annotations

from ansible_collections.onetoken.openstack.tests.integration.transparency.comparison import case, play_of_cases

FLAVORS = "openstack.cloud.compute_flavor_info"


def test_a_session_that_vanishes_costs_sign_ins_and_one_warning(comparison):
    tasks = f"""
- {FLAVORS}: {{cloud: sandbox}}
- file: {{path: "{{{{ lookup('env', 'ONETOKEN_SESSION_DIRECTORY') }}}}", state: absent}}
  when: lookup('env', 'ONETOKEN_SESSION_DIRECTORY') | length > 0
- {FLAVORS}: {{cloud: sandbox}}
  register: found
- command: openstack --os-cloud sandbox flavor list -f json
  register: by_command
- openstack.cloud.networks_info: {{cloud: sandbox}}
"""
    one = case("vanished", "demo", tasks, "found.flavors", "by_command.stdout", "by_command.stderr")
    without, found = comparison.run(play_of_cases([one]))
    assert found.answers == without.answers
    assert found.posts == without.posts
    assert found.output.count("WARNING") == 1 and "is gone: tasks sign in by themselves" in found.output, found.output
