# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In a job, the run's user is not root, and a task may become another user with the same Python."""

from __future__ import annotations

import shutil

import pytest
from ansible_collections.onetoken.openstack.tests.helpers.controller import play_of
from ansible_collections.onetoken.openstack.tests.integration.awx.execution_environment import GROUP, IS_ROOT, USER
from ansible_collections.onetoken.openstack.tests.integration.awx.job import devstack

OTHER_USER = USER + 1
#: Becomes a user as sudo does, which not every machine has: by a setuid program.
BECOME = """
from ansible.plugins.become import BecomeBase

DOCUMENTATION = '''
name: setpriv
short_description: Become another user
author: Somebody
options:
  become_user: {description: Who, default: root, keyword: [{name: become_user}]}
  become_exe: {description: By what, vars: [{name: ansible_become_exe}]}
  become_flags: {description: With what, default: ""}
  become_pass: {description: Without, vars: [{name: ansible_become_pass}]}
'''

class BecomeModule(BecomeBase):
    name = "setpriv"

    def build_become_command(self, cmd, shell):
        super().build_become_command(cmd, shell)
        return f"{self.get_option('become_exe')} {self._build_success_command(cmd, shell)}"
"""
#: With pipelining, the other user needs no file of the run's user.
SETTINGS = """
[defaults]
callbacks_enabled = onetoken.openstack.one_token
become_plugins = .
[connection]
pipelining = true
"""


@pytest.mark.skipif(not IS_ROOT, reason="only root can make a program setuid root")
def test_another_user_is_never_served_by_the_fork_server_of_the_run(new_job, sandbox, keystone, issued):
    clouds = devstack(sandbox.clouds["sandbox"])
    cloud = clouds["clouds"]["devstack"]
    images = {"openstack.cloud.image_info": {"auth": cloud["auth"], "region_name": cloud["region_name"]}}
    becomes = {"become": True, "become_method": "setpriv", "become_user": str(OTHER_USER)}
    who = {"command": "id -u"}
    equal = ["(mine.images | length) > 0", "mine.images == theirs.images", f"who.stdout == '{OTHER_USER}'"]
    tasks = [
        {**images, "register": "mine"},
        {**images, **becomes, "register": "theirs"},
        {**who, **becomes, "register": "who"},
        {**images, "register": "after"},
        {"assert": {"that": [*equal, "after.images == mine.images"]}},
    ]
    job = new_job()
    program = job.place / "setpriv"
    flags = f"--reuid={OTHER_USER} --regid={GROUP} --clear-groups"
    plays = play_of(tasks, vars={"ansible_become_exe": f"{program} {flags}"})
    project = {"site.yml": plays, "ansible.cfg": SETTINGS, "setpriv.py": BECOME}
    job.prepare(clouds, {}, project=project)
    shutil.copy("/usr/bin/setpriv", program)
    program.chmod(0o4755)
    assert job.run("site.yml", "-vvv") == "", job.output
    assert "openstack.cloud.image_info does not run directly: it uses become" in job.output
    assert f"must not read the session of {USER}" in " ".join(job.output.split())
    assert "programs run by the fork server: 2" in job.output, job.output
    # The other user's token is not in the session.
    assert keystone.count("POST") == len(issued.all()) == 2
    assert len(issued.living()) == 1
