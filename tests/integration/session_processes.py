# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watchers and fork servers that belong to a test's sessions."""

from __future__ import annotations

import pathlib

from ansible_collections.onetoken.openstack.tests.helpers.controller import Controller
from ansible_collections.onetoken.openstack.tests.helpers.waiting import wait_for

#: Seconds within which they end with their session.
DEADLINE = 10


def watchers_of(controller: Controller) -> list[int]:
    return [process for process, command in _processes_of(controller).items() if "revoke.watcher" in command]


def assert_no_process_is_left(controller: Controller) -> None:
    wait_for(lambda: not _processes_of(controller), DEADLINE, "no process of the session is left, not even a zombie")


def _processes_of(controller: Controller) -> dict[int, str]:
    """Their command lines by process id."""
    found = {}
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if "onetoken_session" in command and str(controller.home) in command:
            found[int(process.name)] = command
    return found
