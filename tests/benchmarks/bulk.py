# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare bulk snapshots with the loops that they replace: requests, CPU time, memory, time, failures.

    .venv/bin/python tests/benchmarks/bulk.py            12 minutes: docs/benchmarks.md and docs/benchmarks.svg
    .venv/bin/python tests/benchmarks/bulk.py --quick    3 minutes: few items, only on the stand-in, writes nothing
    .venv/bin/python tests/benchmarks/bulk.py --full     half an hour: more items, and 10,000 servers at 20 a second

Exit code 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import datetime
import pathlib
import secrets
import sys
import tempfile
import typing as t

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
# The checkout is there as the collection onetoken.openstack.
sys.path.insert(0, str(REPOSITORY / ".venv" / "collections"))

from ansible_collections.onetoken.openstack.tests.benchmarks.bulk_comparison import (  # noqa: E402
    page,
    targets,
)
from ansible_collections.onetoken.openstack.tests.benchmarks.bulk_comparison.clouds import (  # noqa: E402
    REQUESTS_PER_SECOND,
    SandboxCloud,
    StandInCloud,
)
from ansible_collections.onetoken.openstack.tests.benchmarks.bulk_comparison.trials import (  # noqa: E402
    Comparison,
    Measurement,
)
from ansible_collections.onetoken.openstack.tests.benchmarks.bulk_comparison.ways import (  # noqa: E402
    BULK,
    COMMAND,
    FLOOR_WAY,
    PARALLEL,
    PASSWORD,
    SESSION,
    SHELL,
    UNAWAITED,
    URI,
    VOLUME_BULK,
    WAYS,
    Way,
)

#: Requests per second of a large run that takes a minute.
FAST = 200


class Size(t.NamedTuple):
    """How much is measured."""

    #: Items of each loop, in how many rounds.
    items: int
    rounds: int
    servers: int
    volumes: int
    #: Items of the loop that exceeds the limit of token requests.
    parallel: int = 0
    #: Servers of the large runs, one for each rate of requests per second.
    many: int = 0
    rates: tuple[int, ...] = ()
    in_sandbox: int = 0
    #: Seconds that a short run may take longer.
    allowance: float = 0.0

    def plan(self) -> list[tuple[Way, int, int]]:
        """The ways, with items and rounds."""
        return [
            (SHELL, self.items, self.rounds),
            *([(PARALLEL, self.parallel, 1)] if self.parallel else []),
            (COMMAND, self.items, self.rounds),
            (URI, self.items, self.rounds),
            (PASSWORD, self.items, self.rounds),
            (SESSION, self.items, self.rounds),
            (VOLUME_BULK, self.volumes, 1),
            (BULK, self.servers, 1),
            (UNAWAITED, self.servers, 1),
            (FLOOR_WAY, self.servers, 1),
        ]


QUICK = Size(items=3, rounds=1, servers=400, volumes=100, allowance=2.0)
DEFAULT = Size(items=20, rounds=2, servers=1000, volumes=200, many=10_000, rates=(FAST,), in_sandbox=6)
FULL = DEFAULT._replace(items=80, rounds=4, volumes=1000, parallel=200, rates=(FAST, REQUESTS_PER_SECOND))


def main() -> int:
    options = read_options()
    size = QUICK if options.quick else FULL if options.full else DEFAULT
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        prefix = f"bench-{secrets.token_hex(3)}-"
        return compare(size, pathlib.Path(directory), prefix, options)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare bulk snapshots with the loops that they replace.")
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--quick", action="store_true", help="few items, only on the stand-in; writes nothing")
    amount.add_argument("--full", action="store_true", help="more items, and 10,000 servers at 20 requests a second")
    return parser.parse_args()


def compare(size: Size, directory: pathlib.Path, prefix: str, options: argparse.Namespace) -> int:
    comparison = Comparison(directory, prefix, lambda text: print(text, flush=True))
    tables: list[tuple[str, list[Measurement]]] = []
    with StandInCloud(directory / "1", size.servers, size.volumes) as cloud:
        on_stand_in = comparison.compare(cloud, size.plan(), singles=True)
    tables.append((f"On the stand-in of the APIs, {size.servers:,} servers", on_stand_in))
    found = checked(on_stand_in, size.allowance)
    many = []
    for rate in size.rates:
        with StandInCloud(directory / str(rate), size.many, requests_per_second=rate) as cloud:
            many += comparison.compare(cloud, [(BULK, size.many, 1)], singles=False)
        found += targets.of_a_run(many[-1], rate, targets.IN_PROPORTION if rate == FAST else targets.OVER_THE_FLOOR)
    if many:
        rates = " and at ".join(map(str, size.rates))
        tables.append((f"On the stand-in, {size.many:,} servers at {rates} requests a second", many))
    if size.in_sandbox:
        with SandboxCloud(directory / "sandbox", prefix) as sandbox:
            ways = [way for way in WAYS if way not in (PARALLEL, UNAWAITED)]
            # It has two unattached volumes.
            plan = [(way, 2 if way is VOLUME_BULK else size.in_sandbox, 1) for way in ways]
            tables.append(("On the sandbox, a real OpenStack", comparison.compare(sandbox, plan, singles=False)))
    show(tables, found)
    if not options.quick:
        write(tables, found, "make bench" if size is DEFAULT else "make bench BENCH=--full")
    return 0 if all(target.met for target in found) else 1


def checked(measurements: list[Measurement], allowance: float) -> list[targets.Target]:
    of = {measurement.way.key: measurement for measurement in measurements}
    bulk = of[BULK.key]
    return [
        *targets.of_a_run(bulk, REQUESTS_PER_SECOND, allowance=allowance),
        *targets.of_costs(bulk, of[SHELL.key], of[PASSWORD.key]),
    ]


def show(tables: list[tuple[str, list[Measurement]]], found: list[targets.Target]) -> None:
    for title, measurements in tables:
        print(f"\n{title}; figures of an item:\n\n{page.plain(measurements)}")
    print("\nTargets, on the stand-in:\n")
    print("\n".join(target.line() for target in found))


def write(tables: list[tuple[str, list[Measurement]]], found: list[targets.Target], command: str) -> None:
    docs = REPOSITORY / "docs"
    date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
    (docs / "benchmarks.md").write_text(page.page(tables, found, command, date), encoding="utf-8")
    (docs / "benchmarks.svg").write_text(page.plot(tables[0][1]), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
