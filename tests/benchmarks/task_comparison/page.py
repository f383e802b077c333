# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The results of a comparison: tables for the terminal, docs/figures.md and README.md, and a chart."""

from __future__ import annotations

import platform
import typing as t
from importlib.metadata import version

from .. import tables
from ..bulk_comparison.chart import Bar, Panel, svg
from ..bulk_comparison.page import collection_version, machine
from ..bulk_comparison.targets import Target
from .parts import Costs, Part
from .runs import SERVICES
from .ways import DIRECT, GENERAL, PASSWORD, PING, Way

BEGIN = "<!-- Written by `make benchmark` from here -->"
END = "<!-- to here -->"
COLUMNS = ("way", "time, ms", "vs password", "CPU, ms", "vs password", *map(str.capitalize, SERVICES))
TEXT = """\
Machine: {machine}.
Measured on {date} with Python {python}, ansible-core {ansible}, openstack.cloud {collection}, openstacksdk {sdk}.
{mitogen}

- Times are medians of alternating rounds.
- **CPU** is the user and system time of all processes that the command starts, including the fork server and the
  revocation.
- The columns **Keystone** to **Cinder** are requests in the services' access logs.
- **One more task** is the difference between a longer and a shorter loop, divided by the difference in tasks. Both are
  long enough that the first task does not matter.
- Each token takes 0.24 s longer than the sandbox needs. Keystone's default password hashing takes that long.
- Mitogen also keeps openstacksdk imported: it forks for each module at the other end of a persistent connection. It
  does not help the `openstack` command.

![Time and CPU time of one more keypair_info](figures.svg)

{tables}

### Targets

| target | found | |
| --- | --- | --- |
{targets}
"""


class Language(t.NamedTuple):
    file: str
    head: str
    task: str
    title: t.Callable[[Way], str]
    percent: str


LANGUAGES = (
    Language(
        "README.md",
        "one more `keypair_info` in a playbook | time | CPU time",
        "60 mixed tasks",
        lambda way: way.title,
        "%",
    ),
    Language(
        "README.fr.md",
        "un `keypair_info` de plus dans un playbook | durée | temps processeur",
        "60 tâches variées",
        lambda way: way.title_fr,
        " %",
    ),
)


def between_markers(document: str, text: str) -> str:
    before, rest = document.split(BEGIN)
    return f"{before}{BEGIN}\n\n{text.strip()}\n\n{END}{rest.split(END)[1]}"


def figures(
    found: dict[str, Costs], parts: t.Sequence[Part], targets: t.Sequence[Target], mitogen: str, date: str
) -> str:
    parts_tables = [f"### {part.title}\n\n{_table(part, found[part.key])}" for part in parts]
    rows = [f"| {one.text} | {one.found} | {'ok' if one.met else '**not ok**'} |" for one in targets]
    return TEXT.format(
        machine=machine(),
        date=date,
        python=platform.python_version(),
        ansible=version("ansible-core"),
        collection=collection_version(),
        sdk=version("openstacksdk"),
        mitogen=mitogen,
        tables="\n\n".join(parts_tables),
        targets="\n".join(rows),
    )


def plain(part: Part, costs: Costs) -> str:
    """For a terminal."""
    heads = ["way", "ms", "ratio", "CPU ms", "ratio", *SERVICES]
    return tables.plain([heads, *([way.key, *_row(way, costs)[1:]] for way in part.ways)])


def readme(language: Language, found: dict[str, Costs]) -> str:
    light, mixed = found["light"], found["mixed"]
    lines = [f"| {language.head} |", "| --- | ---: | ---: |"]
    for way in (PASSWORD, GENERAL, DIRECT, PING):
        cost = light[way.key]
        lines.append(f"| {language.title(way)} | {_ms(cost.seconds)} ms | {_ms(cost.cpu_seconds)} ms |")
    ratios = [mixed[DIRECT.key].seconds / mixed[PASSWORD.key].seconds]
    ratios.append(mixed[DIRECT.key].cpu_seconds / mixed[PASSWORD.key].cpu_seconds)
    cells = " | ".join(f"{ratio:.0%}".replace("%", language.percent) for ratio in ratios)
    return "\n".join([*lines, f"| {language.task}, {language.title(DIRECT)} / {language.title(PASSWORD)} | {cells} |"])


def plot(part: Part, costs: Costs) -> str:
    def bars(value: t.Callable[[str], float]) -> list[Bar]:
        return [Bar(way.key, max(1.0, value(way.key) * 1000), way.kind) for way in part.ways]

    return svg(
        "Time and CPU time of one more keypair_info, by the way that it runs",
        [
            Panel("Milliseconds by the clock (logarithmic)", bars(lambda key: costs[key].seconds), "{:,.0f}".format),
            Panel("CPU milliseconds (logarithmic)", bars(lambda key: costs[key].cpu_seconds), "{:,.0f}".format),
        ],
    )


def _table(part: Part, costs: Costs) -> str:
    return tables.markdown(COLUMNS, [_row(way, costs) for way in part.ways])


def _row(way: Way, costs: Costs) -> list[str]:
    cost, password = costs[way.key], costs.get(PASSWORD.key)
    return [
        f"*{way.key}*: {way.title}",
        _ms(cost.seconds),
        f"{cost.seconds / password.seconds:.2f}" if password else "",
        _ms(cost.cpu_seconds),
        f"{cost.cpu_seconds / password.cpu_seconds:.2f}" if password else "",
        *(f"{cost.requests[service]:.3g}" for service in SERVICES),
    ]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.0f}"
