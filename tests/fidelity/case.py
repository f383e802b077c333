# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cases: a few tasks for each module of openstack.cloud and for each kind of credentials."""

from __future__ import annotations

import dataclasses
import pathlib
import typing as t

import yaml
from packaging.version import Version

HERE = pathlib.Path(__file__).resolve().parent
COLLECTION = "openstack.cloud."
#: The files in `cases/`, in the order of the table.
SERVICES = {
    "identity": "Identity (Keystone)",
    "compute": "Compute (Nova, Placement)",
    "image": "Image (Glance)",
    "network": "Network (Neutron)",
    "block_storage": "Block storage (Cinder)",
}

Task = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Case:
    """Tasks that run with the password, on a session and in forks."""

    #: The module or the source of the credentials.
    name: str
    #: The cloud of clouds.yaml to which the tasks sign in.
    cloud: str
    tasks: list[Task]
    #: Tasks that run even if one of the others fails.
    clean_up: list[Task] = dataclasses.field(default_factory=list)
    #: The options of os_token_issue for the session.
    issue: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    #: The first release of openstack.cloud that has the module.
    since: str = "0"

    @property
    def all_tasks(self) -> list[Task]:
        return [*self.tasks, *self.clean_up]

    @property
    def other_clouds(self) -> set[str]:
        """Further clouds to which some of its tasks sign in."""
        options = [task.get(key) for task in self.all_tasks for key in task if key.startswith(COLLECTION)]
        return {one["cloud"] for one in options if isinstance(one, dict) and "cloud" in one} - {self.cloud}

    @property
    def modules(self) -> list[str]:
        """The modules of openstack.cloud in its tasks, each once, in order."""
        keys = [key for task in self.all_tasks for key in task if key.startswith(COLLECTION)]
        return list(dict.fromkeys(key.removeprefix(COLLECTION) for key in keys))


@dataclasses.dataclass(frozen=True)
class NotRun:
    """Modules that the sandbox cannot serve, with the reason that they share."""

    modules: list[str]
    reason: str
    since: str = "0"


def cases_of(service: str, release: str) -> list[Case]:
    """The cases of modules in this release of openstack.cloud."""
    cases = _read(HERE / "cases" / f"{service}.yml", "module")
    return [case for case in cases if Version(case.since) <= Version(release)]


def source_cases() -> list[Case]:
    """The cases of kinds of credentials."""
    return _read(HERE / "sources.yml", "source")


def not_run(release: str) -> list[NotRun]:
    groups = [NotRun(**entry) for entry in yaml.safe_load((HERE / "not_run.yml").read_text(encoding="utf-8"))]
    return [group for group in groups if Version(group.since) <= Version(release)]


def module_names(release: str) -> list[str]:
    """All modules with a case or a reason to have none; duplicates are kept."""
    run = [case.name for service in SERVICES for case in cases_of(service, release)]
    return sorted(run + [module for group in not_run(release) for module in group.modules])


def _read(file: pathlib.Path, kind: str) -> list[Case]:
    entries = yaml.safe_load(file.read_text(encoding="utf-8"))
    return [_case(entry.pop(kind), entry) for entry in entries]


def _case(name: str, entry: dict[str, t.Any]) -> Case:
    return Case(name=name, issue={"cloud": entry["cloud"], **entry.pop("issue", {})}, **entry)
