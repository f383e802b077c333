# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command onetoken on a real Keystone: a script of several openstack commands, and a playbook in it."""

from __future__ import annotations

import re

import pytest
from ansible_collections.onetoken.openstack.tests.helpers.controller import CALLBACK, play_of
from ansible_collections.onetoken.openstack.tests.helpers.sandbox import REPOSITORY
from ansible_collections.onetoken.openstack.tests.helpers.waiting import TIMEOUT, wait_for
from ansible_collections.onetoken.openstack.tests.integration.session_processes import (
    DEADLINE,
    assert_no_process_is_left,
)

ONETOKEN = str(REPOSITORY / "scripts" / "onetoken")
SCRIPT = """
set -e
for number in 1 2 3; do openstack server list -f value > list-$number; done
openstack image list -f value > images
cmp list-1 list-3
echo "in forks: $(wc -c < "$ONETOKEN_SESSION_DIRECTORY/served")"
exit 3
"""


def test_the_commands_of_a_script_share_one_token_that_ends_with_it(controller, keystone, issued):
    run = controller.command(ONETOKEN, "--os-cloud", "sandbox", "--", "sh", "-c", SCRIPT)
    assert run.status == 3, run.output
    assert "onetoken: tokens issued: 1, sign-ins served from the session: 4, revoked: 1" in run.output
    assert (keystone.count("POST"), keystone.count("DELETE")) == (1, 1)
    assert (len(issued.all()), issued.living()) == (1, [])
    served = re.search(r"in forks: (\d+)", run.output)
    assert served and int(served[1]) >= 3, run.output
    assert_no_process_is_left(controller)


def test_a_playbook_in_it_works_on_its_token(controller, keystone, issued):
    playbook = controller.write_playbook(play_of("- openstack.cloud.compute_flavor_info:\n"))
    run = controller.command(ONETOKEN, "--os-cloud", "sandbox", "ansible-playbook", playbook, **CALLBACK)
    assert run.ok, run.output
    assert "onetoken: tokens issued: 1" in run.output
    assert "one_token:" not in run.output
    assert (keystone.count("POST"), issued.living()) == (1, [])


@pytest.mark.parametrize("how", ["hang_up", "kill"])
def test_its_token_is_revoked_when_it_is_gone(controller, issued, how):
    command = "openstack flavor list > flavors; echo at work; exec sleep 300"
    with controller.started(ONETOKEN, "--os-cloud", "sandbox", "sh", "-c", command) as terminal:
        wait_for(lambda: "at work" in terminal.output or terminal.ended, TIMEOUT, "the script is at work")
        if how == "kill":
            terminal.process.kill()
        else:
            terminal.hang_up()
        wait_for(lambda: not issued.living(), DEADLINE, "the token is refused")
    assert len(issued.all()) == 1
