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
from pathlib import Path

from environments import MAIN, REPOSITORY, say

SANDBOX = REPOSITORY / ".sandbox"
SERVICES = ("Keystone", "Nova", "Glance", "Cinder")
REQUEST = re.compile(r'"(?P<method>[A-Z]+) (?P<path>[^ ?]+)\S* [^"]*" \d+ .*"(?P<agent>[^"]*)"$')
# The user agents of the session and the modules; services use /internal for requests to each other.
CLIENT = re.compile(r"onetoken\.openstack/|openstacksdk/")
TOKEN_REQUEST = "POST /v3/auth/tokens"
#: A third of what public clouds allow a minute, so that a third of their tasks suffices.
TOKEN_REQUESTS_PER_MINUTE = 20
TASKS = 40
#: The variables that select the sandbox.
CLOUD = {"OS_CLIENT_CONFIG_FILE": str(SANDBOX / "clouds.yaml"), "OS_CLOUD": "sandbox"}
#: The one line of ansible.cfg, as a variable.
ONE_LINE = {"ANSIBLE_CALLBACKS_ENABLED": "onetoken.openstack.one_token"}


class AccessLog:
    """One service's access log, from now on."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.path = SANDBOX / "logs" / f"{service.lower()}.access.log"
        self.start = self.path.stat().st_size if self.path.exists() else 0

    def client_requests(self) -> list[str]:
        """The method and path of each request of a client."""
        with open(self.path, encoding="utf-8") as log:
            log.seek(self.start)
            found = [REQUEST.search(line.rstrip()) for line in log]
        own = [request for request in found if request and CLIENT.match(request["agent"])]
        return [f"{one['method']} {one['path']}" for one in own if not one["path"].startswith("/internal")]


def on_sandbox(**variables: str) -> dict[str, str]:
    """An environment with the sandbox as its cloud."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    return {**env, **CLOUD, **variables}


def demonstrate(ansible_playbook: Path, playbook: str, directory: Path = REPOSITORY, **variables: str) -> int:
    """Run a bulk snapshot there, and count the requests to each service; the exit code of ansible-playbook."""
    # A new run each time, as servers with an image of the same run are skipped.
    run_name = time.strftime("demo-%Y%m%dT%H%M%SZ", time.gmtime())
    # Without the server in ERROR, which would rightly fail the playbook.
    healthy = json.dumps({"status": ["ACTIVE", "SHUTOFF"]})
    # An absolute path, as Ansible runs local tasks in the playbook's directory.
    report = shlex.quote(str(SANDBOX / "reports" / run_name))
    arguments = [playbook, "-e", f"run_name={run_name}", "-e", healthy, "-e", f"report={report}"]
    logs = [AccessLog(service) for service in SERVICES]
    given = " ".join(f"{name}={shlex.quote(value)}" for name, value in {**CLOUD, **variables}.items())
    say(f"\n$ {given} {os.path.relpath(ansible_playbook, directory)} {shlex.join(arguments)}")
    begin = time.monotonic()
    command = [str(ansible_playbook), *arguments]
    status = subprocess.run(command, cwd=directory, env=on_sandbox(**variables), check=False).returncode
    counts = ", ".join(f"{len(log.client_requests())} to {log.service}" for log in logs)
    say(f"   The playbook took {time.monotonic() - begin:.0f} s. Requests: {counts}.")
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
    keystone, begin = AccessLog("Keystone"), time.monotonic()
    command = [str(MAIN.bin / "ansible-playbook"), str(playbook)]
    env = on_sandbox(**variables)
    done = subprocess.run(command, cwd=REPOSITORY, env=env, check=False, capture_output=True, text=True)
    seconds = time.monotonic() - begin
    found = re.search(r"\bok=(\d+)", done.stdout)
    succeeded = int(found[1]) if found else 0
    sent = keystone.client_requests().count(TOKEN_REQUEST)
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
