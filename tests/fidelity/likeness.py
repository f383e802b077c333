# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the results of two runs of the same tasks, except for what differs in any two runs.

A value that differs from run to run is replaced by its kind and a number, the same number wherever it occurs again.
So the runs may have different ids, but where one run has the same id twice, the other must as well.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import typing as t


@dataclasses.dataclass(frozen=True)
class Rule:
    kind: str
    pattern: re.Pattern[str]
    #: For the table.
    why: str
    #: Times are not numbered, as they may or may not fall into the same second.
    numbered: bool = True


#: The first rule that matches applies.
RULES = (
    Rule(
        "time",
        re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?"),
        "the runs happen one after the other",
        numbered=False,
    ),
    Rule("token", re.compile(r"\bgAAAA[\w=-]{40,}"), "each run has tokens of its own"),
    Rule(
        "id",
        re.compile(r"\b(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{64}|[0-9a-f]{32})\b"),
        "services give each new resource and each request a random one",
    ),
    Rule("MAC address", re.compile(r"\bfa:16:3e(?::[0-9a-f]{2}){3}\b"), "Neutron draws them at random"),
    Rule(
        "address",
        re.compile(r"\b(?:10\.0\.\d{1,3}|192\.0\.2)\.\d{1,3}\b(?!/)"),
        "Neutron picks one of the network's free ones",
    ),
    Rule(
        "Ansible's library",
        re.compile(r"/[^\s\"']*/(?:ansible_[\w.]+_payload_\w+|fork_server)/[\w.-]+\.zip"),
        "each module unpacks it to a directory of its own, and forks share a compiled copy",
        numbered=False,
    ),
    Rule("instance name", re.compile(r"\binstance-[0-9a-f]{8}\b"), "Nova counts its servers"),
    Rule("reservation", re.compile(r"\br-[0-9a-z]{8}\b"), "Nova draws one at random for each request for servers"),
)
#: Fields with random values of no particular form.
SECRET_FIELDS = {
    "admin_password": "Nova makes up a password",
    "secret": "Keystone makes up a secret",
    "application_credential_secret": "Keystone makes up a secret",
}
#: Fields with numbers that a database counts up.
COUNTED_FIELDS = {
    "id": "Nova counts its host aggregates and its services",
    "standard_attr_id": "Neutron counts its resources",
}
#: Fields with the task's arguments, and Ansible's own.
NOT_ANSWERED = re.compile(r"invocation$|_ansible_")


class Normaliser:
    """Normalises the results of one run, in their order."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}

    def answer(self, value: t.Any) -> t.Any:
        """A result without what differs between runs."""
        return self._walk({key: item for key, item in value.items() if not NOT_ANSWERED.match(key)})

    def _walk(self, value: t.Any, field: str = "") -> t.Any:
        if isinstance(value, dict):
            # Sorted, as values are numbered in the order of the walk.
            return {self._text(key): self._walk(value[key], key) for key in sorted(value)}
        if isinstance(value, list):
            # By default, services list resources in the order of their random ids.
            return [self._walk(item) for item in sorted(value, key=self._sort_key)]
        if field in SECRET_FIELDS and isinstance(value, str):
            return self._name("secret", value)
        if field in COUNTED_FIELDS and isinstance(value, int):
            return self._name("number", str(value))
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        for rule in RULES:
            text = rule.pattern.sub(functools.partial(self._replacement, rule), text)
        return text

    def _replacement(self, rule: Rule, match: re.Match[str]) -> str:
        return self._name(rule.kind, match[0]) if rule.numbered else f"<{rule.kind}>"

    def _name(self, kind: str, value: str) -> str:
        if (kind, value) not in self._names:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._names[kind, value] = f"<{kind} {self._counts[kind]}>"
        return self._names[kind, value]

    def _sort_key(self, item: t.Any) -> str:
        """The normalised item, without numbers for values that have none yet."""
        ahead = _Preview(self._names)
        return json.dumps(ahead._walk(item), sort_keys=True)


class _Preview(Normaliser):
    def __init__(self, names: dict[tuple[str, str], str]) -> None:
        super().__init__()
        self._known = names

    def _name(self, kind: str, value: str) -> str:
        return self._known.get((kind, value), f"<{kind}>")


def differences(one: t.Any, other: t.Any, place: str = "") -> list[str]:
    """The places where two normalised values differ, one per line."""
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = {f"{place}[{number}]": pair for number, pair in enumerate(zip(one, other, strict=True))}
    elif isinstance(one, dict) and isinstance(other, dict):
        keys = sorted({*one, *other})
        pairs = {f"{place}.{key}" if place else key: (one.get(key, ABSENT), other.get(key, ABSENT)) for key in keys}
    else:
        return [] if type(one) is type(other) and one == other else [f"{place}: {one!r} and {other!r}"]
    return [line for inner, pair in pairs.items() for line in differences(*pair, inner)]


class _Absent:
    def __repr__(self) -> str:
        return "nothing"


ABSENT = _Absent()
