# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions that several runs share, or that a run left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import typing as t

import pytest
from ansible_collections.onetoken.openstack.tests.helpers.controller import CALLBACK, Controller, play_of
from ansible_collections.onetoken.openstack.tests.helpers.terminal import Terminal
from ansible_collections.onetoken.openstack.tests.helpers.waiting import TIMEOUT, wait_for
from ansible_collections.onetoken.openstack.tests.integration.session_processes import watchers_of

FLAVORS = "- openstack.cloud.compute_flavor_info: {cloud: sandbox}\n"
SHARED = {"ONETOKEN_SESSION": "shared", **CALLBACK}
#: Works until the file `hold` is deleted.
HELD = FLAVORS + "- shell: 'touch {{ playbook_dir }}/working; while [ -e {{ playbook_dir }}/hold ]; do sleep 0.1; done'"


@contextlib.contextmanager
def held(controller: Controller, **variables: str) -> t.Iterator[Terminal]:
    """A run that has a session and works until it is let go."""
    (controller.home / "hold").touch()
    playbook = controller.write_playbook(play_of(HELD), "held.yml")
    with controller.started("ansible-playbook", playbook, **variables) as terminal:
        working = controller.home / "working"
        wait_for(lambda: working.exists() or terminal.ended, TIMEOUT, "the run is at work")
        working.unlink()
        yield terminal


def let_go(controller: Controller, terminal: Terminal) -> None:
    (controller.home / "hold").unlink()
    wait_for(lambda: terminal.ended, TIMEOUT, "the run has ended")


def test_the_last_run_to_leave_a_shared_session_revokes_it(controller, keystone, issued):
    with held(controller, **SHARED) as terminal:
        run = controller.play(FLAVORS, **SHARED)
        assert run.ok and "left to another run" in run.output, run.output
        assert len(issued.living()) == 1
        let_go(controller, terminal)
        assert "revoked: 1" in terminal.output
    assert keystone.count("POST") == 1
    assert issued.living() == []


@pytest.mark.parametrize("by", [pytest.param("the next run", marks=pytest.mark.repeats), "os_token_revoke"])
def test_what_a_lost_machine_left_behind_is_swept(controller, issued, by):
    """The run and its watcher are killed at once; the session of another run is not touched."""
    with held(controller, **CALLBACK) as lost:
        (watcher,) = watchers_of(controller)
        os.kill(watcher, signal.SIGKILL)
        lost.process.kill()
    (orphan,) = issued.living()
    with held(controller, **CALLBACK) as other:
        if by == "os_token_revoke":
            run = controller.play("- onetoken.openstack.os_token_revoke: {state: swept}")
            assert run.ok, run.output
        wait_for(lambda: not issued.lives(orphan), 10, "the orphan is refused")
        assert len(issued.living()) == 1
        let_go(controller, other)
        assert other.process.returncode == 0, other.output
    assert issued.living() == []
