# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare what tasks cost by the way that they run, for docs/figures.md and README's table.

    .venv/bin/python tests/benchmarks/benchmark.py                          20 minutes on a quiet machine
    .venv/bin/python tests/benchmarks/benchmark.py light hosts --rounds 1   some parts, one round; writes nothing

Exit code 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import datetime
import pathlib
import sys
import tempfile

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
# The checkout is there as the collection onetoken.openstack.
sys.path.insert(0, str(REPOSITORY / ".venv" / "collections"))

from ansible_collections.onetoken.openstack.tests.benchmarks.task_comparison import page, targets  # noqa: E402
from ansible_collections.onetoken.openstack.tests.benchmarks.task_comparison.parts import Costs, Part, parts  # noqa: E402
from ansible_collections.onetoken.openstack.tests.benchmarks.task_comparison.runs import Runner  # noqa: E402
from ansible_collections.onetoken.openstack.tests.benchmarks.task_comparison.ways import Way, mitogen  # noqa: E402
from ansible_collections.onetoken.openstack.tests.helpers.sandbox import Sandbox  # noqa: E402
from ansible_collections.onetoken.openstack.tests.sandbox.control.limits import DEFAULTS  # noqa: E402
from ansible_collections.onetoken.openstack.tests.tools.environments import (  # noqa: E402
    MAIN,
    MITOGEN,
    NEWEST,
    OLDEST,
    InstallError,
)

#: Seconds that Keystone takes to hash a password with its default of 12 bcrypt rounds. For tests, the sandbox has 4
#: rounds, which take a millisecond.
HASHING = 0.24


def main() -> int:
    options = read_options()
    ways, about_mitogen = find_mitogen()
    print(about_mitogen, flush=True)
    for environment in (OLDEST, NEWEST):
        try:
            environment.ensure()
        except InstallError as error:
            print(f"{environment.name} is left out: {error}", flush=True)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as home:
        try:
            Sandbox().limit(token_requests_per_minute=0, requests_per_second=0, keystone_seconds=HASHING)
            measured = compare(parts(Runner(pathlib.Path(home)), ways), options)
        finally:
            Sandbox().limit(**DEFAULTS)
    found = {part.key: costs for part, costs in measured}
    checked = targets.check(found)
    print("\nTargets:\n\n" + "\n".join(target.line() for target in checked))
    if not options.parts and not options.rounds:
        write(measured, page.figures(found, [part for part, _costs in measured], checked, about_mitogen, today()))
    return 0 if all(target.met for target in checked) else 1


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare what tasks cost by the way that they run.")
    parser.add_argument("parts", nargs="*", help="only parts that begin with this, such as light; writes nothing")
    parser.add_argument("--rounds", type=int, help="rounds of each part; writes nothing")
    return parser.parse_args()


def find_mitogen() -> tuple[list[Way], str]:
    """The way to run tasks with Mitogen, if it works with this Ansible; and a remark about it."""
    try:
        MITOGEN.ensure()
    except InstallError as error:
        return [], f"Mitogen is left out, as it cannot be installed: {str(error).splitlines()[-1]}"
    strategies = next(MITOGEN.directory.glob("lib/python3*/site-packages/ansible_mitogen/plugins/strategy"))
    way = mitogen(str(strategies))
    requirement = MITOGEN.requirements.read_text(encoding="utf-8").split()[-1].replace("==", " ")
    with tempfile.TemporaryDirectory(prefix="benchmark-") as home:
        play = {"hosts": "localhost", "gather_facts": False, "tasks": [{"ansible.builtin.ping": {}}]}
        try:
            Runner(pathlib.Path(home)).run(way, [play])
        except SystemExit as error:
            return [], f"{requirement} is left out, as it fails with ansible-core {MAIN.core}: {error}"
    return [way], f"Mitogen is {requirement} with its strategy mitogen_linear, on ansible-core {MAIN.core}."


def compare(all_parts: list[Part], options: argparse.Namespace) -> list[tuple[Part, Costs]]:
    measured = []
    for part in all_parts:
        if not options.parts or any(part.key.startswith(name) for name in options.parts):
            costs = part.measure(options.rounds or part.rounds, lambda text: print(text, flush=True))
            print(f"\n{part.title}:\n\n{page.plain(part, costs)}\n", flush=True)
            measured.append((part, costs))
    return measured


def write(measured: list[tuple[Part, Costs]], figures: str) -> None:
    found = {part.key: costs for part, costs in measured}
    texts = {"docs/figures.md": figures}
    texts.update((language.file, page.readme(language, found)) for language in page.LANGUAGES)
    for name, text in texts.items():
        file = REPOSITORY / name
        file.write_text(page.between_markers(file.read_text(encoding="utf-8"), text), encoding="utf-8")
    (REPOSITORY / "docs" / "figures.svg").write_text(page.plot(*measured[0]), encoding="utf-8")


def today() -> str:
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")


if __name__ == "__main__":
    sys.exit(main())
