# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the same tasks with the password and under the callback, and compare what they answer and cost."""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t

import yaml
from ansible_collections.onetoken.openstack.tests.helpers.controller import CALLBACK, play_of

#: Differs in each request.
_REQUEST_ID = re.compile(r"\s*\(Request-ID: [^)]*\)|req-[0-9a-f-]{36}")


@dataclasses.dataclass(frozen=True)
class Case:
    """Some tasks, and which of their results are compared."""

    name: str
    #: Whoever signs in; cases of one play may share identities.
    identities: frozenset[str]
    tasks: str
    #: Jinja expressions.
    answers: tuple[str, ...]
    #: Token requests beyond one per identity: sign-ins that Keystone refuses, or answers differently later.
    more_requests: int = 0


def case(name: str, identities: str, tasks: str, *answers: str, more_requests: int = 0) -> Case:
    return Case(name, frozenset(filter(None, identities.split(", "))), tasks, answers, more_requests)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a play answered and what it cost."""

    answers: dict[str, t.Any]
    output: str
    posts: int
    deletes: int


def play_of_cases(cases: t.Sequence[Case], **keywords: t.Any) -> str:
    """A play that runs the tasks of the cases and writes their answers to a file."""
    tasks: list[dict[str, t.Any]] = []
    for one in cases:
        tasks += yaml.safe_load(one.tasks)
    expressions = (f"{json.dumps(one.name)}: [{', '.join(one.answers)}]" for one in cases)
    content = "{{ {" + ", ".join(expressions) + "} | to_json }}"
    tasks.append(
        {"copy": {"dest": "{{ answers }}", "content": content}, "vars": {"one_token": False}, "run_once": True}
    )
    return play_of(tasks, **keywords)


def without_request_ids(value: t.Any) -> t.Any:
    return json.loads(_REQUEST_ID.sub("", json.dumps(value)))


class Comparison:
    """Runs plays in both ways, each time from the same files."""

    def __init__(self, controller: t.Any, keystone: t.Any, issued: t.Any) -> None:
        self._controller = controller
        self._keystone = keystone
        self._issued = issued
        #: Contents by path in the home, written before each run, as runs may change the files.
        self.files: dict[str, str] = {}
        #: Brings the cloud into the state in which each run is to find it.
        self.prepare: t.Callable[[], None] = lambda: None

    def run(self, plays: str, *arguments: str, **variables: str) -> tuple[Outcome, Outcome]:
        """With the password, and under the callback."""
        return self.once(plays, *arguments, **variables), self.once(plays, *arguments, **variables, **CALLBACK)

    def once(self, plays: str, *arguments: str, **variables: str) -> Outcome:
        self.prepare()
        self.write_files()
        answers = self._controller.home / "answers.json"
        answers.unlink(missing_ok=True)
        self._keystone.restart()
        self._issued.forget()
        run = self._controller.play(None, "-e", f"answers={answers}", *arguments, plays=plays, **variables)
        assert run.ok, run.output
        posts, deletes = self._keystone.count("POST"), self._keystone.count("DELETE")
        found = without_request_ids(json.loads(answers.read_text())) if answers.exists() else {}
        return Outcome(found, run.output, posts, deletes)

    def living_tokens(self) -> list[str]:
        """The tokens of the last run that Keystone still accepts."""
        return self._issued.living()

    def write_files(self) -> None:
        for path, text in self.files.items():
            file = self._controller.home / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    def check(
        self, cases: t.Sequence[Case], *arguments: str, keywords: t.Mapping[str, t.Any] | None = None, **variables: str
    ) -> Outcome:
        """Both runs answer the same; under the callback each identity costs one token, and none is left alive."""
        without, with_callback = self.run(play_of_cases(cases, **(keywords or {})), *arguments, **variables)
        wrong = [
            f"{name}:\n  without: {without.answers[name]}\n  with:    {answer}"
            for name, answer in with_callback.answers.items()
            if answer != without.answers[name]
        ]
        assert not wrong, "\n".join(wrong) + with_callback.output
        assert with_callback.answers.keys() == {one.name for one in cases}
        identities = frozenset[str]().union(*(one.identities for one in cases))
        expected = len(identities) + sum(one.more_requests for one in cases)
        assert with_callback.posts == expected, f"{with_callback.posts} of {expected}\n{with_callback.output}"
        assert with_callback.posts <= without.posts
        assert self.living_tokens() == []
        assert "WARNING" not in with_callback.output, with_callback.output
        return with_callback
