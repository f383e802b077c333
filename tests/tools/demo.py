# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection is for, on the sandbox: many tasks with the password, the same on one token, a bulk snapshot."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
import typing as t
from collections import Counter
from pathlib import Path

from environments import MAIN, REPOSITORY, say

SANDBOX = REPOSITORY / ".sandbox"
SERVICES = ("keystone", "nova", "glance", "cinder")
REQUEST = re.compile(r'"(?P<method>[A-Z]+) (?P<path>[^ ?]+)\S* [^"]*" (?P<status>\d+) .*"(?P<agent>[^"]*)"$')
# The user agents of the session and the modules; services use /internal for requests to each other.
CLIENT = re.compile(r"onetoken\.openstack/|openstacksdk/")
TOKEN_REQUEST = "POST /v3/auth/tokens"
#: A third of what public clouds allow a minute, so that a third of their tasks suffices.
TOKEN_REQUESTS_PER_MINUTE = 20
TASKS = 40
#: The one line of ansible.cfg, as a variable.
ONE_LINE = {"ANSIBLE_CALLBACKS_ENABLED": "onetoken.openstack.one_token"}
IDENTIFIER = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}")


class AccessLog:
    """One service's access log, from now on."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.path = SANDBOX / "logs" / f"{service}.access.log"
        self.start = self.path.stat().st_size if self.path.exists() else 0

    def client_requests(self) -> Counter[str]:
        with open(self.path, encoding="utf-8") as log:
            log.seek(self.start)
            return Counter(self._described(log))

    @staticmethod
    def _described(lines: t.Iterable[str]) -> t.Iterator[str]:
        for line in lines:
            found = REQUEST.search(line.rstrip())
            if found and CLIENT.match(found["agent"]) and not found["path"].startswith("/internal"):
                yield f"{found['method']} {IDENTIFIER.sub('ID', found['path'])} -> {found['status']}"


def demonstrate(
    ansible_playbook: Path,
    playbook: str,
    directory: Path = REPOSITORY,
    environment: t.Mapping[str, str] | None = None,
) -> int:
    """Run the playbook there and print the requests to each service; the exit code of ansible-playbook."""
    # A new run each time, as servers with an image of the same run are skipped.
    run_name = time.strftime("demo-%Y%m%dT%H%M%SZ", time.gmtime())
    # Without the server in ERROR, which would rightly fail the playbook.
    healthy = json.dumps({"status": ["ACTIVE", "SHUTOFF"]})
    report = SANDBOX / "reports" / run_name
    arguments = [playbook, "-e", f"run_name={run_name}", "-e", healthy]
    # An absolute path, as Ansible runs local tasks in the playbook's directory.
    arguments += ["-e", json.dumps({"report": str(report)})]
    given = {"OS_CLIENT_CONFIG_FILE": str(SANDBOX / "clouds.yaml"), "OS_CLOUD": "sandbox", **(environment or {})}
    logs = [AccessLog(service) for service in SERVICES]
    variables = " ".join(f"{name}={shlex.quote(value)}" for name, value in given.items())
    program = os.path.relpath(ansible_playbook, directory)
    say(f"\n$ {variables} {program} {shlex.join(arguments)}")
    begin = time.monotonic()
    env = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    command = [str(ansible_playbook), *arguments]
    status = subprocess.run(command, cwd=directory, env={**env, **given}, check=False).returncode
    say(f"The playbook took {time.monotonic() - begin:.0f} s. Its requests, by the services' access logs:")
    for log in logs:
        say(f"\n{log.service}")
        for request, count in log.client_requests().items():
            say(f"{count:6} {request}")
    say(f"\nReport for a browser: {report}.html")
    return status


def limits(*options: str) -> str:
    """The limits of the sandbox after changing these, with a new minute to count in."""
    command = [sys.executable, "tests/sandbox/sandbox.py", "limits", *options]
    return subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout


def limit_token_requests(number: int) -> None:
    limits(f"--token-requests-per-minute={number}")


def run_tasks(**variables: str) -> bool:
    """Run a playbook of many tasks, and say how far it came; whether all tasks succeeded."""
    playbook = SANDBOX / "demo.yml"
    tasks = [
        {"name": f"List the keypairs, {n + 1} of {TASKS}", "openstack.cloud.keypair_info": {}} for n in range(TASKS)
    ]
    play = {"name": "Ask for keypairs", "hosts": "localhost", "gather_facts": False, "tasks": tasks}
    playbook.write_text(json.dumps([play]), encoding="utf-8")
    env = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    env |= {"OS_CLIENT_CONFIG_FILE": str(SANDBOX / "clouds.yaml"), "OS_CLOUD": "sandbox", **variables}
    keystone, begin = AccessLog("keystone"), time.monotonic()
    command = [str(MAIN.bin / "ansible-playbook"), str(playbook)]
    done = subprocess.run(command, cwd=REPOSITORY, env=env, check=False, capture_output=True, text=True)
    seconds = time.monotonic() - begin
    found = re.search(r"\bok=(\d+)", done.stdout)
    succeeded = int(found[1]) if found else 0
    sent = sum(count for request, count in keystone.client_requests().items() if request.startswith(TOKEN_REQUEST))
    reason = "" if done.returncode == 0 else "; then HTTP 429" if "429" in done.stdout else f"; then\n{done.stdout}"
    say(f"   {succeeded} of {TASKS} tasks succeeded in {seconds:.0f} s{reason}. Token requests: {sent}.")
    return done.returncode == 0


def main() -> int:
    usual = re.search(r"token_requests_per_minute: (\d+)", limits())
    limit_token_requests(TOKEN_REQUESTS_PER_MINUTE)
    try:
        say(
            f"\n1. A playbook of {TASKS} openstack.cloud tasks, with the password. The cloud allows "
            f"{TOKEN_REQUESTS_PER_MINUTE} token requests a minute."
        )
        run_tasks()
        say("\n2. The same playbook with one line in ansible.cfg: callbacks_enabled = onetoken.openstack.one_token")
        limit_token_requests(TOKEN_REQUESTS_PER_MINUTE)
        all_succeeded = run_tasks(**ONE_LINE)
    finally:
        limit_token_requests(int(usual[1]) if usual else 0)
    say("\n3. A bulk snapshot of the servers:")
    status = demonstrate(MAIN.bin / "ansible-playbook", "playbooks/bulk_snapshot.yml")
    say("The sandbox is still up for your own runs; `make sandbox-down` stops it.")
    return status or int(not all_succeeded)


if __name__ == "__main__":
    sys.exit(main())
