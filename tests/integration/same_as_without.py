# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What playbooks do with OpenStack: run with the password alone and with the callback, they answer the same."""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t

import yaml

CALLBACK = {"ANSIBLE_CALLBACKS_ENABLED": "onetoken.openstack.one_token"}
#: What differs from one request to the next.
_REQUEST_ID = re.compile(r"\s*\(Request-ID: [^)]*\)|req-[0-9a-f-]{36}")


@dataclasses.dataclass(frozen=True)
class Case:
    """Some tasks, and what is to be compared of what they registered."""

    name: str
    #: Who signs in; several cases of a play may share one.
    identities: frozenset[str]
    tasks: str
    #: Expressions of Jinja.
    answers: tuple[str, ...]
    #: Requests for tokens beyond one an identity: sign-ins that Keystone refuses, or changes its answer to.
    more_requests: int = 0


def case(name: str, identities: str, tasks: str, *answers: str, more_requests: int = 0) -> Case:
    return Case(name, frozenset(filter(None, identities.split(", "))), tasks, answers, more_requests)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a play answered, and what it cost."""

    answers: dict[str, t.Any]
    output: str
    posts: int
    deletes: int


def play(cases: t.Sequence[Case], head: str = "") -> str:
    """A play of the tasks of some cases, at whose end is a file with their answers."""
    tasks: list[dict[str, t.Any]] = []
    for one in cases:
        tasks += yaml.safe_load(one.tasks)
    expressions = (f"{json.dumps(one.name)}: [{', '.join(one.answers)}]" for one in cases)
    content = "{{ {" + ", ".join(expressions) + "} | to_json }}"
    tasks.append(
        {"copy": {"dest": "{{ answers }}", "content": content}, "vars": {"one_token": False}, "run_once": True}
    )
    options = yaml.safe_load(head) if head else {}
    return yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, **options, "tasks": tasks}], sort_keys=False)


def without_request_ids(value: t.Any) -> t.Any:
    return json.loads(_REQUEST_ID.sub("", json.dumps(value)))


class Comparison:
    """Runs plays in both ways, from the same files."""

    def __init__(self, controller: t.Any, keystone: t.Any, issued: t.Any) -> None:
        self._controller = controller
        self._keystone = keystone
        self._issued = issued
        #: Files by their path in the home, written again for each run, as runs change them.
        self.files: dict[str, str] = {}
        #: What brings the cloud into the state in which each run finds it.
        self.prepare: t.Callable[[], None] = lambda: None

    def run(self, plays: str, *arguments: str, **variables: str) -> tuple[Outcome, Outcome]:
        """With the password, and with the callback."""
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

    def left(self) -> list[str]:
        """The tokens of the last run that still work."""
        return self._issued.living()

    def write_files(self) -> None:
        for path, text in self.files.items():
            file = self._controller.home / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    def check(self, cases: t.Sequence[Case], *arguments: str, head: str = "", **variables: str) -> Outcome:
        """Both runs answer the same; with the callback there is a token an identity, and none is left."""
        without, with_callback = self.run(play(cases, head), *arguments, **variables)
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
        assert self.left() == []
        assert "WARNING" not in with_callback.output, with_callback.output
        return with_callback
