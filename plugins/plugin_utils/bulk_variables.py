# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of the role bulk: what they mean, what is wrong with them, and the options of a module they make.

Ansible checks types and choices by the role's argument specs. What those cannot express is checked here: nothing may be
selected by mistake, because a name is misspelt, a survey's question has no answer, or a list turned out to be empty.
"""

from __future__ import annotations

import datetime
import difflib
import functools
import json
import os
import pathlib
import re
import typing as t
from dataclasses import dataclass, field

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

SPECS = pathlib.Path(__file__).resolve().parents[2] / "roles" / "bulk" / "meta" / "argument_specs.yml"

#: Names of what to work on. An empty list of them selects nothing.
NAMED = ("servers", "volumes", "sources", "images")
#: Criteria without which all of the project is meant.
NAMING = ("target", *NAMED, "name_pattern")
CRITERIA = (*NAMING, "metadata", "tags", "status", "availability_zone", "older_than", "newer_than")
#: Retention after a run; options of os_retention alone.
RETENTION = frozenset({"keep_last", "keep_days", "run_pattern", "delete_in_use"})
#: Variables that are no options of a module.
_OF_ROLE = frozenset({"target", "dry_run"})
#: Numbers or words, so that a number is no mistake.
_NUMBER_OR_WORD = frozenset({"requests_per_second", "max_failures"})
#: Words of this role and its modules: given to an entry point that would ignore them, they are a mistake.
_WORDS = frozenset(
    {"from_volumes", "name_pattern", "run", "run_name", "run_pattern", "keep_last", "keep_days", "dry_run", *NAMED}
)
#: How similar a name must be to a variable's to be taken for a misspelling of it.
_SIMILARITY = 0.8
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}$")
_WHOLE_NUMBER = re.compile(r"\s*\+?[0-9]+\s*$")
#: An unanswered question, or an empty mapping in JSON.
_BLANK = re.compile(r"\s*({\s*})?\s*$")

Hosts = t.Sequence[t.Mapping[str, t.Any]]


class VariableError(Exception):
    """A variable is wrong, so nothing is done; its text says which, why, and what to do."""


@dataclass(frozen=True)
class EntryPoint:
    """What an entry point of the role has in addition to its argument spec."""

    module: str
    #: The module's option that the hosts of target make: their ids, or those of their volumes.
    target: str = "servers"
    #: Options that this entry point sets.
    options: t.Mapping[str, t.Any] = field(default_factory=dict)
    #: One of these variables must be given.
    needs: t.Sequence[str] = ()
    #: Criteria of this entry point alone.
    criteria: t.Sequence[str] = ()


ENTRY_POINTS = {
    "server_snapshot": EntryPoint("os_server_snapshot"),
    "server_backup": EntryPoint("os_server_backup"),
    "server_shelve": EntryPoint("os_server_shelve", options={"state": "shelved"}),
    "server_unshelve": EntryPoint("os_server_shelve", options={"state": "unshelved"}, criteria=["run_name"]),
    "server_power": EntryPoint("os_server_power"),
    "volume_snapshot": EntryPoint("os_volume_snapshot"),
    "volume_backup": EntryPoint("os_volume_backup"),
    "image_create": EntryPoint("os_image_create", target="volumes", needs=["images", "from_volumes"]),
    "retention": EntryPoint(
        "os_retention", target="sources", needs=["keep_last", "keep_days"], criteria=["run_pattern"]
    ),
}


@functools.cache
def specs() -> dict[str, dict[str, t.Any]]:
    """The argument spec of each entry point."""
    found = yaml.safe_load(SPECS.read_text(encoding="utf-8"))["argument_specs"]
    return {name: entry_point["options"] for name, entry_point in found.items()}


@dataclass(frozen=True)
class Variables:
    """The variables of one entry point, as they were given."""

    entry_point: str
    #: Those that have a value.
    given: t.Mapping[str, t.Any]
    #: Those that were set to nothing.
    empty: t.Sequence[str]
    #: Names that other variables have.
    others: t.Collection[str]
    #: Names that were given to ansible-playbook, or by AWX.
    extra: t.Collection[str]
    hosts: Hosts = ()

    @classmethod
    def of(
        cls,
        entry_point: str,
        variables: t.Mapping[str, t.Any],
        others: t.Collection[str] = (),
        extra: t.Collection[str] = (),
        hosts: Hosts = (),
    ) -> Variables:
        spec = specs()[entry_point]
        known = {name: _tidied(value, spec[name]) for name, value in variables.items() if name in spec}
        empty = [name for name, value in known.items() if _is_empty(value) and not (value == [] and name in NAMED)]
        given = {name: value for name, value in known.items() if name not in empty}
        return cls(entry_point, given, empty, others, extra, hosts)

    @property
    def spec(self) -> dict[str, t.Any]:
        return specs()[self.entry_point]

    @property
    def _entry_point(self) -> EntryPoint:
        return ENTRY_POINTS[self.entry_point]

    @property
    def module(self) -> str:
        return f"onetoken.openstack.{self._entry_point.module}"

    @functools.cached_property
    def checked(self) -> dict[str, t.Any]:
        """The values with their types; a VariableError if one is wrong."""
        if problem := self._not_text() or self._not_numbers():
            raise VariableError(problem)
        required = {name for name, option in self.spec.items() if option.get("required")} - set(self.empty)
        spec = {name: option for name, option in self.spec.items() if name in required or name in self.given}
        result = ArgumentSpecValidator(spec).validate(dict(self.given))
        problem = "; ".join(result.error_messages) or next(self._problems(), "")
        if problem:
            raise VariableError(problem)
        return {name: result.validated_parameters[name] for name in self.given}

    def options(self) -> dict[str, t.Any]:
        """The options of the entry point's module."""
        values = self.checked
        left_out = _OF_ROLE if self.entry_point == "retention" else _OF_ROLE | RETENTION
        options = {**self._entry_point.options, **self._of_target(values)}
        options.update((name, value) for name, value in values.items() if name not in left_out)
        if "run_name" in self.spec:
            # An empty one says that those of any run are meant.
            run = options.pop("run_name", "" if "run_name" in self.empty and self._needs_run else None)
            options.update({} if run is None else {"run": run})
        if "report" in options:
            # Not normalized: the module refuses a path that is a directory's name, such as "reports/".
            options["report"] = os.path.join(os.getcwd(), options["report"])
        if "images" in options:
            options["images"] = [
                {**image, "file": _absolute(image["file"])} if image.get("file") else image
                for image in options["images"]
            ]
        return options

    @property
    def _needs_run(self) -> bool:
        return bool(self.spec["run_name"].get("required"))

    def retention(self) -> dict[str, t.Any]:
        """The options that a run and the retention after it have in common."""
        names = (set(specs()["retention"]) & set(self.spec)) - {*CRITERIA, *_OF_ROLE}
        options = {name: value for name, value in self.options().items() if name in names}
        return {**options, **{name: value for name, value in self.checked.items() if name in RETENTION}}

    @property
    def keeps(self) -> bool:
        """Whether retention follows the run."""
        return self.entry_point != "retention" and bool({"keep_last", "keep_days"} & set(self.given))

    @property
    def is_dry_run(self) -> bool:
        """Whether retention only lists; anything but a plain no is a yes."""
        return "dry_run" in self.spec and self.checked.get("dry_run", True) is not False

    # What is wrong

    def _problems(self) -> t.Iterator[str]:
        """What the argument spec cannot express, the most telling first."""
        yield from self._names()
        yield from self._empty()
        entry_point, given = self._entry_point, self.given
        if entry_point.needs and not any(name in given for name in entry_point.needs):
            yield f"one of these must be given: {', '.join(entry_point.needs)}"
        if self._is_sliced and self._is_on_localhost:
            yield (
                f"each of {given['slices']} slices would do all of it: set target to hosts of the inventory, which "
                "they share"
            )
        if any(int(given.get(name, 1)) < 1 for name in ("keep_last", "keep_days")):
            yield "keep_last and keep_days must be at least 1, so that a copy remains"
        if not self._selecting:
            yield (
                "no criterion was given: select with one such as name_pattern: 'web-*', or give name_pattern: '**' "
                "for all of the project"
            )
        yield from self._target()

    def _not_text(self) -> str:
        """Texts that YAML turned into something else."""
        found = []
        for name, option in self.spec.items():
            if name in self.given and option["type"] in ("str", "path", "list") and name not in _NUMBER_OR_WORD:
                value = self.given[name]
                parts = value if isinstance(value, list) else [value]
                if option.get("elements") != "dict" and not all(isinstance(part, str) for part in parts):
                    found.append(f"{name} is {json.dumps(value, default=str)}")
        return (
            f"{', '.join(sorted(found))}, not text: Ansible turns 012, 1:30, 1.10 and yes into numbers and booleans. "
            "Give it another form, such as run-012 for a run, [0]12 for a pattern or 012, for a list, or quote it in a "
            "file of variables"
            if found
            else ""
        )

    def _not_numbers(self) -> str:
        """Values that are no whole number from 0 up, some of which Ansible would round, or take for 1."""
        found = [
            f"{name} is {json.dumps(self.given[name], default=str)}, not a whole number from 0 up"
            for name, option in self.spec.items()
            if option["type"] == "int" and name in self.given and not _WHOLE_NUMBER.match(str(self.given[name]))
        ]
        return ", and ".join(found)

    def _names(self) -> t.Iterator[str]:
        """Names that would be ignored, and the wrong things selected without them."""
        ignored = sorted({*self.others, *self.extra} & _WORDS - set(self.spec))
        if ignored:
            yield f"this playbook has no variable {', '.join(ignored)}: it has {', '.join(self.spec)}"
        known = {name for spec in specs().values() for name in spec}
        for name in sorted(set(self.extra) - known):
            if similar := difflib.get_close_matches(name, self.spec, n=1, cutoff=_SIMILARITY):
                yield f"this playbook has no variable {name}: write {similar[0]}, or rename {name} if it is your own"

    def _empty(self) -> t.Iterator[str]:
        """Criteria that were set to nothing, which must not select everything."""
        patterns = [name for name in self.empty if name.endswith("_pattern")]
        if patterns:
            yield f"{', '.join(patterns)} is empty: leave it out, or give ** for all"
        criteria = (*CRITERIA, *self._entry_point.criteria)
        empty = [name for name in self.empty if name in criteria]
        # A filter alone must not replace names that turned out to be empty.
        instead = NAMING if set(empty) & set(NAMING) else criteria
        if empty and not set(self._selecting) & set(instead):
            yield (
                f"{', '.join(empty)} is empty and nothing else says what is meant: fill it in, or give "
                "name_pattern: '**'"
            )

    def _target(self) -> t.Iterator[str]:
        if self._is_on_localhost:
            return
        named = [name for name in NAMED if name in self.given]
        if named:
            yield f"target says whose servers or volumes are meant: leave out {', '.join(named)}"
        if self._is_of_volumes and not self._volumes:
            yield (
                "the inventory lists no volume that is attached to a host of target: use the inventory plugin "
                "openstack.cloud.openstack, which lists them"
            )

    @property
    def _selecting(self) -> list[str]:
        """The criteria that were given."""
        criteria = (*CRITERIA, *self._entry_point.criteria)
        return [name for name in criteria if name in self.given and not (name == "target" and self._is_on_localhost)]

    @property
    def _is_sliced(self) -> bool:
        return int(self.given.get("slices", 1)) > 1

    # The inventory

    @property
    def _is_on_localhost(self) -> bool:
        """Each job of a sliced run has a part of the hosts, but all have the same localhost."""
        return self.given.get("target", "localhost") == "localhost"

    @property
    def _is_of_volumes(self) -> bool:
        target = self._entry_point.target
        return target == "volumes" or (target == "sources" and self.given.get("kind") != "image")

    @property
    def _servers(self) -> list[str]:
        """The ids that the inventory has, and the names of the other hosts."""
        known = [host["openstack"]["id"] for host in self.hosts if host["openstack"].get("id")]
        return known + [host["name"] for host in self.hosts if not host["openstack"].get("id")]

    @property
    def _volumes(self) -> list[str]:
        return [volume["id"] for host in self.hosts for volume in host["openstack"].get("attached_volumes") or []]

    def _of_target(self, values: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        if "target" not in values or self._is_on_localhost:
            return {}
        return {self._entry_point.target: self._volumes if self._is_of_volumes else self._servers}


def retention_after(result: t.Mapping[str, t.Any]) -> t.Iterator[dict[str, t.Any]]:
    """What to delete after a run with this result: copies of what has a good new one, of each kind that was made."""
    sources: dict[str, list[str]] = {}
    for item in result["results"]:
        if item["outcome"] in ("done", "already") and item["created"]:
            sources.setdefault(item["created"][0]["type"], []).append(item["id"])
    for kind, ids in sorted(sources.items()):
        options = {"kind": kind, "sources": ids, "after_run": result["run"]}
        if result["report"]:
            options["report"] = f"{os.path.splitext(result['report']['json'])[0]}-deleted-{kind}"
        yield options


def _tidied(value: t.Any, option: t.Mapping[str, t.Any]) -> t.Any:
    if isinstance(value, str) and option.get("elements"):
        # As typed into a survey: with spaces, on separate lines, with superfluous commas.
        return re.sub(r"\s*[,\n][,\s]*", ",", value).strip(", \t\r\n")
    # YAML does not read an unquoted date as text, but unlike numbers and booleans it keeps its text.
    if isinstance(value, datetime.date) and _DATE.match(str(value)):
        return str(value)
    if isinstance(value, list):
        return [str(part) if isinstance(part, datetime.date) and _DATE.match(str(part)) else part for part in value]
    return value


def _is_empty(value: t.Any) -> bool:
    return value is None or value in ([], {}) or (isinstance(value, str) and bool(_BLANK.match(value)))


def _absolute(path: str) -> str:
    """A path, from the directory in which ansible-playbook was called."""
    return os.path.realpath(os.path.expanduser(path))
