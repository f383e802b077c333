# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the session costs and saves: the same playbooks with and without the callback, side by side in one run."""

from __future__ import annotations

import filecmp
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SANDBOX = REPOSITORY / ".sandbox"
BIN = REPOSITORY / ".venv" / "bin"
HERE = pathlib.Path(__file__).resolve().parent
TURNS = 5
INVENTORY = """
[all]
one
two
[all:vars]
ansible_connection=local
ansible_python_interpreter="{{ ansible_playbook_python }}"
"""
NOTHING = [{"hosts": "localhost", "gather_facts": False, "tasks": [{"ansible.builtin.command": "true"}]}]
MODULE = {"openstack.cloud.compute_flavor_info": {"cloud": "sandbox"}}
TOKEN_REQUEST = re.compile(r'"(POST|DELETE) /v3/auth/tokens ')


class Bench:
    """A home of its own, and ansible-playbook in it."""

    def __init__(self, home: pathlib.Path) -> None:
        self.home = home
        (home / "inventory").write_text(INVENTORY)

    def run(self, playbook: pathlib.Path, on_session: bool, *arguments: str) -> tuple[float, int]:
        """The seconds that it took, and the requests to Keystone for or about a token."""
        log = SANDBOX / "logs" / "keystone.access.log"
        start = log.stat().st_size
        environment = {
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "OS_CLIENT_CONFIG_FILE": str(SANDBOX / "clouds.yaml"),
            "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / ".venv" / "collections"),
        }
        if on_session:
            environment["ANSIBLE_CALLBACKS_ENABLED"] = "onetoken.openstack.one_token"
        began = time.monotonic()
        done = subprocess.run(
            [BIN / "ansible-playbook", playbook, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - began
        if done.returncode:
            raise SystemExit(done.stdout)
        with log.open(encoding="utf-8") as lines:
            lines.seek(start)
            return seconds, sum(1 for line in lines if TOKEN_REQUEST.search(line))

    def play(self, name: str, plays: list[dict[str, object]]) -> pathlib.Path:
        path = self.home / f"{name}.yml"
        path.write_text(json.dumps(plays))
        return path


def sixty_tasks(bench: Bench) -> None:
    found, seconds, requests = [], {}, {}
    for on_session in (True, False):
        results = bench.home / f"results-{on_session}"
        results.mkdir()
        playbook = HERE / "mixed.yml"
        arguments = ("-i", str(bench.home / "inventory"), "-e", f"results={results}")
        seconds[on_session], requests[on_session] = bench.run(playbook, on_session, *arguments)
        found.append(results)
    first, second = found
    same, _different, _missing = filecmp.cmpfiles(first, second, ["one.json", "two.json"], shallow=False)
    equal = not filecmp.dircmp(str(first), str(second)).diff_files and same == ["one.json", "two.json"]
    print("60 mixed tasks on 2 hosts, with the callback and without:")
    print(f"  results equal: {'yes' if equal else 'NO'}")
    print(f"  token requests to Keystone (issue, revoke): {requests[True]} and {requests[False]}")
    print(f"  time: {seconds[True]:.0f} s and {seconds[False]:.0f} s, {seconds[True] / seconds[False]:.2f} of it")
    if not equal or requests[True] != 2:
        raise SystemExit("the session does not do what it is for")


def overhead(bench: Bench) -> None:
    """What a run pays that has no use for the session, and one that issues and revokes a token for one task."""
    nothing = bench.play("nothing", NOTHING)
    one = bench.play("one", [{**NOTHING[0], "tasks": [MODULE]}])
    for name, playbook in (("no OpenStack task", nothing), ("one openstack.cloud task", one)):
        differences = []
        for _turn in range(TURNS):
            # In turns, so that whatever else the machine does meets both.
            on_session, without = bench.run(playbook, True)[0], bench.run(playbook, False)[0]
            differences.append(on_session - without)
        print(f"a playbook with {name}: {statistics.median(differences):+.2f} s (median of {TURNS} pairs)")


def each_task(bench: Bench) -> None:
    """The price of one more task: the difference between a play of nine and a play of one, by eight."""
    one = bench.play("one", [{**NOTHING[0], "tasks": [MODULE]}])
    nine = bench.play("nine", [{**NOTHING[0], "tasks": [MODULE] * 9}])
    price = {}
    for on_session in (True, False):
        price[on_session] = (bench.run(nine, on_session)[0] - bench.run(one, on_session)[0]) / 8
    ratio = price[True] / price[False]
    print(f"an openstack.cloud task: {price[True]:.2f} s on the session, {price[False]:.2f} s with the password,")
    print(f"  {ratio:.2f} of it")


def main() -> int:
    subprocess.run(
        [sys.executable, REPOSITORY / "tests" / "sandbox" / "sandbox.py", "limits", "--token-requests-per-minute=0"],
        stdout=subprocess.DEVNULL,
        check=True,
    )
    home = pathlib.Path(tempfile.mkdtemp())
    try:
        bench = Bench(home)
        overhead(bench)
        each_task(bench)
        sixty_tasks(bench)
    finally:
        shutil.rmtree(home)
        subprocess.run(
            [
                sys.executable,
                REPOSITORY / "tests" / "sandbox" / "sandbox.py",
                "limits",
                "--token-requests-per-minute=60",
            ],
            stdout=subprocess.DEVNULL,
            check=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
