# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run cases with the password, on sessions and in forks, and compare the results and the token requests."""

from __future__ import annotations

import dataclasses
import functools
import json
import pathlib
import typing as t

import yaml
from ansible_collections.onetoken.openstack.tests.fidelity import playbook
from ansible_collections.onetoken.openstack.tests.fidelity.case import HERE, Case
from ansible_collections.onetoken.openstack.tests.fidelity.likeness import Normaliser, differences

#: A service's cases take minutes, and more on a busy machine.
PLAYBOOK_TIMEOUT = 3600
IMAGE_BYTES = bytes(range(256)) * 64


@dataclasses.dataclass(frozen=True)
class Answer:
    """The result of a task."""

    action: str
    status: str
    result: dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Answers:
    """The results of a play's tasks, and what was counted during the play."""

    answers: list[Answer]
    token_requests: int
    #: Programs that ran in forks.
    served: int = 0


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A case that ran in all ways."""

    case: Case
    with_password: Answers
    #: Without the fork server.
    on_session: Answers
    in_forks: Answers

    @property
    def tasks(self) -> int:
        return len(self.with_password.answers)

    @functools.cached_property
    def differences(self) -> list[str]:
        """Where the results differ from those with the password."""
        expected = self._comparable(self.with_password)
        return [
            f"{way}: {line}"
            for way, answers in (("on a session", self.on_session), ("in a fork", self.in_forks))
            for line in differences(expected, self._comparable(answers))
        ]

    @property
    def failures(self) -> list[str]:
        """The tasks that failed with the password, with their messages."""
        return [
            f"{answer.action}: {answer.result.get('msg', answer.status)}"
            for answer in self.with_password.answers
            if answer.status != "ok"
        ]

    @staticmethod
    def _comparable(answers: Answers) -> dict[str, t.Any]:
        normaliser = Normaliser()
        return {
            f"task {number} ({answer.action})": {**normaliser.answer(answer.result), "task status": answer.status}
            for number, answer in enumerate(answers.answers, 1)
        }


def measure(cases: t.Sequence[Case], controller: t.Any, keystone: t.Any) -> list[Outcome]:
    """Run all cases in all ways, with one ansible-playbook each."""
    controller.timeout = PLAYBOOK_TIMEOUT
    (controller.home / "image").write_bytes(IMAGE_BYTES)
    with_password = _run(playbook.with_password(cases), controller, keystone)
    on_session = _run(playbook.on_session(cases, fork_server=False), controller, keystone)
    in_forks = _run(playbook.on_session(cases, fork_server=True), controller, keystone)
    return [Outcome(case, with_password[case.name], on_session[case.name], in_forks[case.name]) for case in cases]


def _run(plays: list[playbook.Play], controller: t.Any, keystone: t.Any) -> dict[str, Answers]:
    recording = controller.home / "recording.jsonl"
    recording.unlink(missing_ok=True)
    done = controller.play(
        None,
        "--extra-vars",
        json.dumps({"image_file": str(controller.home / "image")}),
        plays=yaml.safe_dump(plays, sort_keys=False),
        ANSIBLE_PIPELINING="True",
        ANSIBLE_CALLBACK_PLUGINS=str(HERE / "callback"),
        ANSIBLE_CALLBACKS_ENABLED="fidelity_recorder",
        FIDELITY_RECORDING=str(recording),
        FIDELITY_KEYSTONE_LOG=str(keystone.path),
    )
    assert done.ok, done.output
    return _read(recording, keystone)


def _read(recording: pathlib.Path, keystone: t.Any) -> dict[str, Answers]:
    lines = [json.loads(line) for line in recording.read_text(encoding="utf-8").splitlines()]
    starts = [number for number, line in enumerate(lines) if "play" in line]
    found = {}
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        # The last play revokes the sessions, and is no case.
        log_end, served_end = (lines[end]["log_size"], lines[end]["served"]) if end < len(lines) else (None, 0)
        requests = keystone.requests(lines[start]["log_size"], log_end)
        tokens = sum(1 for request in requests if (request.method, request.path) == ("POST", "/v3/auth/tokens"))
        found[lines[start]["play"]] = Answers(
            [Answer(**line) for line in lines[start + 1 : end]], tokens, served_end - lines[start]["served"]
        )
    return found
