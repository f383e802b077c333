# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Record the result of every openstack.cloud task, and at the start of each play the size of Keystone's log and the
number of programs that fork servers have run."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

from ansible.parsing.ajson import AnsibleJSONEncoder
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: fidelity_recorder
type: notification
short_description: Record results for the fidelity tests
description: Appends a line of JSON for each play, each openstack.cloud task and the end to a file.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "fidelity_recorder"

    def _write(self, **line: t.Any) -> None:
        with open(os.environ["FIDELITY_RECORDING"], "a", encoding="utf-8") as recording:
            recording.write(json.dumps(line, cls=AnsibleJSONEncoder) + "\n")

    def _log_size(self) -> int:
        return os.stat(os.environ["FIDELITY_KEYSTONE_LOG"]).st_size

    def _served(self) -> int:
        sessions = pathlib.Path.home() / ".local" / "state" / "onetoken"
        return sum(counter.stat().st_size for counter in sessions.glob("*/served"))

    def _task(self, status: str, result: t.Any) -> None:
        action = result._task.action
        if action.startswith("openstack.cloud."):
            self._write(action=action, status=status, result=result._result)

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        self._write(play=play.get_name(), log_size=self._log_size(), served=self._served())

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._task("ok", result)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._task("failed", result)

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        self._task("skipped", result)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._task("unreachable", result)
